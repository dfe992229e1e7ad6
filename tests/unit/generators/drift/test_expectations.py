"""What is intended of a drift is what it says, and what is drawn shows it."""

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from simtom_pipeline import load_scenario, simulate_day
from simtom_pipeline.generators.bnpl.drift_domain import LenderDrift
from simtom_pipeline.generators.drift import distances
from simtom_pipeline.generators.drift.expectations import expectations
from simtom_pipeline.simulation import make_generator
from tests.support.drifts import A_DAY, BEFORE, ONSET, YEAR, column, drift, of_day, world
from tests.support.landed import opened

NEVER_WRONG = 1e-6
"""P-value below which a right implementation is called wrong; the seeds are fixed."""


@pytest.mark.parametrize("z", [0.1, 0.3235, 0.5128, 1.0])
def test_sizes_of_a_lognormal_shift_are_the_closed_forms(z: float) -> None:
    """KS = 2 Phi(z/2) - 1, W1 of the logarithm = z sigma; decile PSI 0.10 is z = .3235, 0.25 is .5128."""
    sigma = 0.8
    values = np.exp(sigma * stats.norm.ppf((np.arange(200_000) + 0.5) / 200_000))
    found = distances.factor_distances(values, [(float(np.exp(z * sigma)), 1.0)])
    assert found["ks"] == pytest.approx(2 * stats.norm.cdf(z / 2) - 1, abs=5e-4)
    assert found["w1"] == pytest.approx(z * sigma, rel=2e-3)
    known = {0.3235: 0.10, 0.5128: 0.25}
    if z in known:
        assert found["psi"] == pytest.approx(known[z], abs=5e-4)


@pytest.mark.parametrize(
    ("effect", "target"),
    [
        ({"ks": 0.2}, "amount"),
        ({"psi": 0.25}, "amount"),
        ({"mean_ratio": 0.7}, "amount"),
        ({"hellinger": 0.15, "towards": "lower"}, "time_on_site_seconds"),
        ({"psi": 0.25, "towards": "tablet"}, "device_type"),
        ({"ks": 0.3, "towards": "poor"}, "credit_score_range"),
        ({"hellinger": 0.2, "towards": "sports"}, "product_category"),
    ],
)
def test_a_stated_size_is_what_the_ledger_intends(effect: dict[str, Any], target: str) -> None:
    generator = make_generator(world(drift("covariate", target, effect)))
    (part,) = generator.ledger_parts()
    intended, (name, wanted) = generator.intended(part, A_DAY), next(iter(effect.items()))
    if name == "mean_ratio":
        without = generator.intended(part, BEFORE).intended_mean
        assert (intended.intended_mean or 0) / (without or 1) == pytest.approx(
            wanted, rel=1e-4
        )  # whole cents
    else:
        # Prices come in lumps, so that a PSI over deciles of amounts moves in small steps.
        assert getattr(intended, f"intended_{name}") == pytest.approx(wanted, rel=0.03)


@pytest.mark.parametrize(
    ("kind", "target"),
    [("prior", None), ("concept", "credit.log_odds"), ("concept", "credit.interactions.tenure*product_risk")],
)
def test_a_stated_default_rate_is_what_the_ledger_intends(kind: str, target: str | None) -> None:
    generator = make_generator(world(drift(kind, target, {"default_rate": 0.05})))
    (part,) = generator.ledger_parts()
    assert generator.intended(part, A_DAY).expected_default_rate == pytest.approx(0.05, rel=1e-6)
    assert generator.intended(part, BEFORE).expected_default_rate == pytest.approx(0.0183, rel=1e-6)


def test_a_coefficient_that_keeps_the_default_rate_changes_who_defaults() -> None:
    effect = {"to": -1.4, "default_rate": 0.0183}
    generator = make_generator(world(drift("concept", "credit.coefficients.credit_score_range", effect)))
    coefficient, intercept = generator.ledger_parts()
    assert (coefficient.target, intercept.target) == (
        "credit.coefficients.credit_score_range",
        "credit.log_odds",
    )
    assert generator.intended(coefficient, A_DAY).parameter == (-1.4,)
    assert generator.intended(coefficient, A_DAY).expected_default_rate == pytest.approx(0.0183, rel=1e-6)


MIXES = {
    "product_category": {"psi": 0.25, "towards": "electronics"},
    "risk_scenario": {"psi": 0.25, "towards": "high_risk_behavior"},
    "age_bracket": {"psi": 0.25, "towards": "18-24"},
    "income_bracket": {"psi": 0.25, "towards": "<25k"},
    "device_type": {"psi": 0.25, "towards": "desktop"},
    "payment_provider": {"psi": 0.25, "towards": "affirm"},
}


@pytest.mark.parametrize("target", MIXES)
def test_the_mix_of_purchases_is_the_stated_one_from_the_first_day_on(target: str, tmp_path: Path) -> None:
    """In total variation: heavy buyers buy again, so that counts vary more than independent ones."""
    scenario = world(drift("covariate", target, MIXES[target]), daily=8_000)
    generator = make_generator(scenario)
    with opened(tmp_path / "one.duckdb") as connection:
        days = [BEFORE, ONSET]
        simulated = [generator.true_day(day) for day in (scenario.clock.start, *days)]
        metrics = [m for m in generator.profile_metrics() if m.name.startswith(f"{target}=")]
        for name, table in simulated[0].items():
            whole = pa.concat_tables([s[name] for s in simulated]) if "day" in table.column_names else table
            connection.register(name, whole)
        # Customers of days that were not simulated are missing; what is there is a random part.
        relation = generator.profile_from.format(schema="main")
        for day in days:
            shares = connection.execute(
                f"SELECT {', '.join(m.aggregate for m in metrics)} FROM {relation} WHERE t.day = DATE '{day}'"
            ).fetchall()[0]
            expected = [generator.profile_expected(day)[m.name] for m in metrics]
            assert np.abs(np.array(shares) - expected).sum() / 2 < 0.02


def test_gradual_draws_each_record_wholly_from_the_old_or_the_new_concept() -> None:
    schedule = {"kind": "gradual", "at": "2024-01-16", "width_days": 5}
    scenario = world(drift("covariate", "amount", {"mean_ratio": 2.0}, schedule), daily=4000)
    twin = scenario.without("d")
    for day in (date(2024, 1, 13), date(2024, 1, 16), date(2024, 1, 18)):
        ratio = column(of_day(scenario, day), "amount") / column(of_day(twin, day), "amount")
        of_new = np.isclose(ratio, 2.0)
        assert np.all(of_new | np.isclose(ratio, 1.0))
        weight = 1 / (1 + np.exp(-4 * (day - date(2024, 1, 16)).days / 5))
        assert stats.binomtest(int(of_new.sum()), len(of_new), weight).pvalue > NEVER_WRONG


def test_linear_moves_every_record_by_the_same_step_on_the_log_scale() -> None:
    schedule = {"kind": "linear", "from": "2024-01-10", "to": "2024-01-20"}
    scenario = world(drift("covariate", "amount", {"mean_ratio": 1.5}, schedule))
    twin = scenario.without("drifts")
    for day, weight in ((date(2024, 1, 10), 0.0), (date(2024, 1, 14), 0.4), (date(2024, 1, 22), 1.0)):
        amount, before = column(of_day(scenario, day), "amount"), column(of_day(twin, day), "amount")
        assert np.abs(amount - before * 1.5**weight).max() <= 0.005 + 1e-9


def test_drifts_of_one_target_add_up_on_their_scale_and_later_shares_lie_on_top() -> None:
    amounts = [
        drift("covariate", "amount", {"mean_ratio": 1.5}),
        drift("covariate", "amount", {"mean_ratio": 2.0}) | {"id": "e"},
    ]
    both, twin = world(*amounts), world()
    ratio = column(of_day(both, A_DAY), "amount") / column(of_day(twin, A_DAY), "amount")
    assert ratio == pytest.approx(np.full(len(ratio), 3.0), rel=1e-3)
    mixes = [
        drift("covariate", "device_type", {"shares": {"mobile": 0.5, "desktop": 0.4, "tablet": 0.1}}),
        drift("covariate", "device_type", {"shares": {"mobile": 0.3, "desktop": 0.6, "tablet": 0.1}})
        | {"id": "e", "schedule": {"kind": "linear", "from": "2024-01-16", "to": "2024-01-20"}},
    ]
    shares = expectations(LenderDrift, world(*mixes)).mixture(A_DAY).shares("device_type")
    assert shares == pytest.approx([0.4, 0.5, 0.1])


def test_concept_drift_changes_who_defaults_and_nothing_that_was_there_before() -> None:
    scenario = world(drift("concept", "credit.coefficients.tenure", {"to": 3.0}))
    twin = scenario.without("d")
    for table in ("customers", "devices", "payment_methods", "transactions"):
        assert of_day(scenario, A_DAY, table) == of_day(twin, A_DAY, table)
    p, before = (column(of_day(s, A_DAY, "default_risk"), "default_probability") for s in (scenario, twin))
    assert np.abs(p - before).max() > 0.01


def test_prior_drift_keeps_what_defaulters_and_others_look_like_and_multiplies_the_odds() -> None:
    credit = {"bnpl.credit.base_default_rate": 0.2, "bnpl.population.customer_lifetime_days": 30}
    scenario = world(drift("prior", None, {"default_rate": 0.4}), daily=20_000, **credit)
    drifted, before = simulate_day(scenario, A_DAY), simulate_day(scenario.without("d"), A_DAY)
    rates = [
        float(np.mean(t["outcomes"]["will_default"].to_numpy(zero_copy_only=False)))
        for t in (drifted, before)
    ]
    odds = [rate / (1 - rate) for rate in rates]
    assert odds[0] / odds[1] == pytest.approx((0.4 / 0.6) / (0.2 / 0.8), rel=0.08)
    for name in (
        "amount",
        "risk_score",
        "customer_tenure_days",
        "credit_utilization",
        "time_on_site_seconds",
    ):
        for outcome in (True, False):
            some, other = (
                column(t["transactions"], name)[
                    t["outcomes"]["will_default"].to_numpy(zero_copy_only=False) == outcome
                ]
                for t in (drifted, before)
            )
            assert stats.ks_2samp(some, other).pvalue > 1e-4
    # The purchases that stayed have odds that are larger by the same factor.
    same = np.isclose(column(drifted["transactions"], "amount"), column(before["transactions"], "amount")) & (
        column(drifted["transactions"], "customer_id") == column(before["transactions"], "customer_id")
    )
    p, q = (column(t["default_risk"], "default_probability")[same] for t in (drifted, before))
    assert p / (1 - p) / (q / (1 - q)) == pytest.approx(np.full(len(p), 8 / 3), rel=1e-6)


def test_a_label_delay_moves_both_label_dates_by_the_same_exponential_time() -> None:
    scenario = world(drift("label_delay", None, {"to": 10}), daily=2000)
    late, prompt = (of_day(s, A_DAY, "outcomes") for s in (scenario, scenario.without("d")))
    delays = [
        np.asarray(late[name].cast(pa.int64())) - np.asarray(prompt[name].cast(pa.int64()))
        for name in ("label_available_at", "matured_at")
    ]
    assert np.array_equal(*delays)
    days = delays[0] / 86_400_000_000
    assert stats.kstest(days, "expon", args=(0, 10)).pvalue > NEVER_WRONG


def test_a_volume_drift_multiplies_the_expected_number_of_purchases() -> None:
    schedule = {"kind": "linear", "from": "2024-01-10", "to": "2024-01-20"}
    scenario = world(drift("volume", None, {"mean_ratio": 4.0}, schedule))
    arrivals, twin = make_generator(scenario).arrivals, make_generator(scenario.without("d")).arrivals
    for day, factor in ((date(2024, 1, 10), 1.0), (date(2024, 1, 15), 2.0), (date(2024, 1, 25), 4.0)):
        assert arrivals.expected_count(day) == pytest.approx(factor * twin.expected_count(day))


def test_economic_stress_brings_what_the_scenario_says_it_does() -> None:
    under_stress = {"volume": 0.25, "amount": 0.81, "risk_scenario": {
        "low_risk_purchase": 0.2, "impulse_purchase": 0.2, "credit_stretched": 0.5, "high_risk_behavior": 0.1,
    }}  # fmt: skip
    scenario = world(drift("economic_stress", None, {"to": 0.5}), **{"bnpl.under_stress": under_stress})
    generator = make_generator(scenario)
    after = {part.target: generator.intended(part, A_DAY).parameter for part in generator.ledger_parts()}
    assert after["economic_stress_factor"] == (0.5,)
    assert after["volume"] == pytest.approx((0.5,))
    assert after["amount"] == pytest.approx((0.9,))
    assert after["risk_scenario"] == pytest.approx((0.4, 0.2, 0.325, 0.075))
    assert set(column(of_day(scenario, A_DAY), "economic_stress_factor")) == {0.5}


def test_the_short_form_is_a_drift_of_amounts_by_its_strength() -> None:
    for drift_type in ("sudden", "gradual", "linear", "seasonal"):
        scenario = load_scenario("baseline", {"drift_type": drift_type, "drift_strength": 0.2})
        generator = make_generator(scenario)
        (part,) = generator.ledger_parts()
        assert (part.target, part.rows[0]["schedule"]) == ("amount", drift_type)
        largest = max(generator.intended(part, d).intended_psi or 0 for d in YEAR.days()[::15])
        assert largest == pytest.approx(0.2, rel=0.05)
    assert load_scenario("baseline", {"drift_type": "none"}) == load_scenario("baseline")
