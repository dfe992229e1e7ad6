"""Drift is what its schedule and its effect say: in time, in place, in size, and in nothing else."""

import json
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from simtom_pipeline import load_scenario, simulate_day
from simtom_pipeline.generators.bnpl.drift_domain import LenderDrift
from simtom_pipeline.generators.drift import distances
from simtom_pipeline.generators.drift.expectations import expectations
from simtom_pipeline.generators.drift.schedule import ScheduleCurve
from simtom_pipeline.scenarios.drifts import Drift
from simtom_pipeline.scenarios.models import Clock, Scenario
from simtom_pipeline.simulation import Simulation, make_generator
from simtom_pipeline.validation.drift import estimate_psi, scheduled_weight, two_sample_ks, wasserstein
from simtom_pipeline.verification import twins
from tests.support.digests import digest
from tests.support.landed import opened, put

YEAR = Clock(start=date(2024, 1, 1), end=date(2024, 12, 31))
ONSET = date(2024, 1, 16)
SUDDEN = {"kind": "sudden", "at": "2024-01-16"}
A_DAY, BEFORE = date(2024, 1, 18), date(2024, 1, 10)
NEVER_WRONG = 1e-6
"""P-value below which a right implementation is called wrong; the seeds are fixed."""


def curve(**schedule: Any) -> ScheduleCurve:
    entry = {"id": "d", "kind": "volume", "schedule": schedule, "effect": {"mean_ratio": 2.0}}
    return ScheduleCurve(Drift.model_validate_json(json.dumps(entry, default=str)).schedule, YEAR)


def drift(kind: str, target: str | None, effect: Mapping[str, Any], schedule: Any = SUDDEN) -> dict[str, Any]:
    named = {"target": target} if target else {}
    return {"id": "d", "kind": kind, **named, "schedule": schedule, "effect": dict(effect)}


def world(*drifts: dict[str, Any], daily: int = 200, **overrides: Any) -> Scenario:
    values = {"clock.end": "2024-01-25", "volume.base_daily_volume": daily, "drifts": list(drifts)}
    return load_scenario("baseline", values | overrides)


def of_day(scenario: Scenario, day: date, table: str = "transactions") -> pa.Table:
    return simulate_day(scenario, day)[table]


def column(table: pa.Table, name: str) -> np.ndarray:
    return np.asarray(table[name].cast(pa.float64()))


# schedules ----------------------------------------------------------------------------------------------

SCHEDULES: dict[str, tuple[dict[str, Any], Any]] = {
    "sudden": ({"kind": "sudden", "at": "2024-06-01"}, lambda t: np.where(t >= 0, 1.0, 0.0)),
    "gradual": (
        {"kind": "gradual", "at": "2024-06-01", "width_days": 30},
        lambda t: np.where(np.abs(t) < 60, 1 / (1 + np.exp(-4 * t / 30)), t > 0),
    ),
    "linear": (
        {"kind": "linear", "from": "2024-06-01", "to": "2024-07-31"},
        lambda t: np.clip(t / 60, 0, 1),
    ),
    "seasonal": (
        {"kind": "seasonal", "at": "2024-06-01", "period_days": 40},
        lambda t: np.where(t > 0, (1 - np.cos(2 * np.pi * t / 40)) / 2, 0),
    ),
    "pulse": (
        {"kind": "pulse", "from": "2024-06-01", "to": "2024-06-20"},
        lambda t: np.where((t >= 0) & (t < 20), 1.0, 0.0),
    ),
}


@pytest.mark.parametrize("kind", SCHEDULES)
def test_a_weight_is_the_schedules_formula_on_every_day(kind: str) -> None:
    schedule, formula = SCHEDULES[kind]
    days = YEAR.days()
    elapsed = np.array([(day - date(2024, 6, 1)).days for day in days])
    assert [curve(**schedule).weight(day) for day in days] == pytest.approx(formula(elapsed), abs=1e-12)


@pytest.mark.parametrize("kind", SCHEDULES)
def test_nothing_has_weight_before_the_onset_and_phases_go_to_and_fro(kind: str) -> None:
    some = curve(**SCHEDULES[kind][0])
    assert all(some.weight(day) == 0 for day in YEAR.days() if day < some.onset)
    assert some.weight(some.onset) > 0
    targets = [phase.target for phase in some.phases]
    assert targets == [float(n % 2 == 0) for n in range(len(targets))]
    for phase in some.phases:
        assert phase.onset <= phase.settled
        if phase.settled <= YEAR.end:
            assert some.weight(phase.settled) == pytest.approx(phase.target, abs=1e-3)


def test_a_fraction_is_that_much_of_the_range() -> None:
    assert curve(kind="sudden", at=0.5).onset == date(2024, 7, 2)
    assert curve(kind="sudden", at=0).onset == date(2024, 1, 1)
    assert curve(kind="linear", **{"from": 0.25, "to": "2024-12-01"}).phases[0].settled == date(2024, 12, 1)


@given(
    kind=st.sampled_from(sorted(SCHEDULES)),
    start=st.dates(date(2023, 6, 1), date(2025, 6, 1)),
    length=st.integers(1, 200),
    scale=st.floats(2, 200),
    day=st.dates(date(2024, 1, 1), date(2024, 12, 31)),
)
def test_the_check_works_out_the_same_weights(
    kind: str, start: date, length: int, scale: float, day: date
) -> None:
    stop = start + timedelta(length)
    schedule: dict[str, Any] = {"kind": kind, "at": start}
    if kind in ("linear", "pulse"):
        schedule = {"kind": kind, "from": start, "to": stop}
    schedule |= {"gradual": {"width_days": scale}, "seasonal": {"period_days": scale}}.get(kind, {})
    found = scheduled_weight(kind, start, stop, schedule.get("width_days"), schedule.get("period_days"), day)
    assert found == pytest.approx(curve(**schedule).weight(day), abs=1e-9)


# sizes --------------------------------------------------------------------------------------------------


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


# what landed shows it -----------------------------------------------------------------------------------

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


# twins and invariants -----------------------------------------------------------------------------------

EVERY_KIND = {
    "amount": drift("covariate", "amount", {"psi": 0.25}),
    "category": drift("covariate", "product_category", {"psi": 0.25, "towards": "sports"}),
    "behavior": drift("covariate", "risk_scenario", {"psi": 0.2, "towards": "impulse_purchase"}),
    "population": drift("covariate", "credit_score_range", {"ks": 0.2, "towards": "poor"}),
    "device": drift("covariate", "device_type", {"psi": 0.3, "towards": "desktop"}),
    "provider": drift("covariate", "payment_provider", {"psi": 0.3, "towards": "affirm"}),
    "prior": drift("prior", None, {"default_rate": 0.06}),
    "concept": drift("concept", "credit.log_odds", {"default_rate": 0.05}),
    "label_delay": drift("label_delay", None, {"to": 20}),
    "volume": drift("volume", None, {"mean_ratio": 1.5}),
    "stress": drift("economic_stress", None, {"to": 0.8}),
}


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_twins_differ_after_onset_in_the_target_and_what_follows_and_in_nothing_else(
    kind: str, tmp_path: Path
) -> None:
    compared_with_its_twin(world(EVERY_KIND[kind], **AROUND_THE_ONSET), tmp_path)


@pytest.mark.parametrize("kind", ["amount", "device", "concept", "stress", "prior"])
def test_twins_differ_in_what_follows_beside_a_prior_drift_too(kind: str, tmp_path: Path) -> None:
    """Whom a prior drift brings depends on who defaults, and so on every drift that this follows from."""
    prior = EVERY_KIND["prior"] | {"id": "p", "schedule": {"kind": "sudden", "at": "2024-01-14"}}
    compared_with_its_twin(world(prior, EVERY_KIND[kind], **AROUND_THE_ONSET), tmp_path)


AROUND_THE_ONSET = {"clock.start": "2024-01-13", "clock.end": "2024-01-19"}


def compared_with_its_twin(scenario: Scenario, tmp_path: Path) -> None:
    """The drift d is left out: every difference is after its onset and declared."""
    twin, true = scenario.without("d"), Simulation(scenario).relations.true
    with opened(tmp_path / "twins.duckdb") as connection:
        for one in (scenario, twin):
            put(connection, one)
        found = twins.differences(connection, scenario.name, twin.name, twins.compared(true))
    assert found
    assert min(f.first_day for f in found if f.first_day) >= ONSET
    parts = [part for part in make_generator(scenario).ledger_parts() if part.drift_id == "d"]
    assert {f"{f.table}.{f.column}" for f in found} <= set(twins.allowed_differences(parts))


ALL_AT_ONCE = [
    entry | {"id": name, "schedule": {"kind": "gradual", "at": "2024-01-15", "width_days": 4}}
    for name, entry in EVERY_KIND.items()
    if name not in ("stress", "volume")
]


def test_a_day_under_every_kind_of_drift_is_the_same_alone_as_in_any_order() -> None:
    scenario = world(*ALL_AT_ONCE, daily=100)
    together = Simulation(scenario)
    days = scenario.clock.days()[12:17]
    in_order = {day: digest(together.simulate_day(day)) for day in days}
    for day in reversed(days[::2]):
        assert digest(Simulation(scenario).simulate_day(day)) == in_order[day]


def test_a_drift_that_starts_later_and_a_later_end_change_no_earlier_row() -> None:
    later = drift("covariate", "amount", {"psi": 0.25}) | {"id": "later"}
    scenario = world(ALL_AT_ONCE[0], later | {"schedule": {"kind": "sudden", "at": "2024-01-20"}})
    longer = world(ALL_AT_ONCE[0], **{"clock.end": "2024-02-20"})
    for day in (BEFORE, A_DAY):
        for table, rows in simulate_day(world(ALL_AT_ONCE[0]), day).items():
            if table != "drift_ledger":
                assert rows == of_day(scenario, day, table) == of_day(longer, day, table)


# the ledger ---------------------------------------------------------------------------------------------


def test_without_drift_the_ledger_is_empty() -> None:
    assert simulate_day(load_scenario("baseline"), BEFORE)["drift_ledger"].num_rows == 0


def test_a_return_is_a_row_of_the_ledger_with_before_and_after_exchanged() -> None:
    ledger = simulate_day(load_scenario("fraud_wave"), date(2024, 6, 1))["drift_ledger"].to_pylist()
    out, back = [row for row in ledger if row["drift_id"] == "more_purchases"]
    assert (out["is_reversion"], back["is_reversion"]) == (False, True)
    assert (out["onset"], back["onset"]) == (date(2024, 8, 5), date(2024, 8, 26))
    assert (out["before"], out["after"]) == (back["after"], back["before"]) == ([1.0], [1.15])
    seasons = make_generator(load_scenario("seasonal_drift")).ledger_parts()[0].rows
    assert [row["is_reversion"] for row in seasons] == [False, True] * 3 + [False]


def test_the_ledger_knows_its_scenario_and_its_reference() -> None:
    scenario = load_scenario("covariate_shift")
    rows = simulate_day(scenario, BEFORE)["drift_ledger"].to_pylist()
    assert {row["scenario_digest"] for row in rows} == {scenario.digest}
    assert {row["reference_to"] for row in rows} == {date(2024, 6, 30)}
    amount = rows[0]
    assert len(amount["bin_edges"]) == 9
    assert sum(amount["reference_shares"]) == pytest.approx(1)
    assert "transactions.amount" in amount["causal_descendants"]


# how the check measures ---------------------------------------------------------------------------------


@settings(max_examples=20)
@given(seed=st.integers(0, 10**6), ties=st.booleans())
def test_two_sample_ks_and_wasserstein_are_scipys(seed: int, ties: bool) -> None:
    draw = np.random.default_rng(seed)
    some, other = draw.normal(size=300), draw.normal(0.3, size=500)
    if ties:
        some, other = some.round(), other.round()
    some, other = np.sort(some), np.sort(other)
    assert two_sample_ks(some, other) == pytest.approx(stats.ks_2samp(some, other).statistic)
    assert wasserstein(some, other) == pytest.approx(stats.wasserstein_distance(some, other))


def test_the_interval_of_a_psi_covers_it_as_often_as_it_says() -> None:
    draw = np.random.default_rng(1)
    p, q = np.full(10, 0.1), np.linspace(0.04, 0.16, 10)
    truth, trials = float(((q - p) * np.log(q / p)).sum()), 400
    covered = 0
    for _ in range(trials):
        counts, reference = draw.multinomial(5_000, q), draw.multinomial(8_000, p)
        low, high = estimate_psi(counts, reference / 8_000, 8_000).interval(0.90)
        covered += low <= truth <= high
    assert stats.binomtest(covered, trials, 0.9).pvalue > 1e-4


# what it is for -----------------------------------------------------------------------------------------


FEATURES = ("amount", "risk_score", "customer_tenure_days", "credit_utilization")
RISKY = {"bnpl.credit.base_default_rate": 0.2, "bnpl.population.customer_lifetime_days": 30}


def purchases(scenario: Scenario, day: date) -> tuple[np.ndarray, np.ndarray]:
    """Features and labels of a day."""
    tables = simulate_day(scenario, day)
    x = np.column_stack([column(tables["transactions"], name) for name in FEATURES])
    return x, tables["outcomes"]["will_default"].to_numpy(zero_copy_only=False).astype(float)


def test_a_model_loses_its_auc_under_concept_drift_and_regains_it_when_trained_anew() -> None:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.metrics import roc_auc_score

    def auc(trained_on: tuple[date, int], judged_on: tuple[date, int]) -> float:
        (x, y), (x_new, y_new) = (halves[d][part] for d, part in (trained_on, judged_on))
        model = HistGradientBoostingClassifier(max_depth=3, max_iter=40, random_state=0).fit(x, y)
        return float(roc_auc_score(y_new, model.predict_proba(x_new)[:, 1]))

    turned = {"credit_score_range": -1.4, "income_bracket": -0.6, "tenure": 0.3}
    scenario = world(
        *(
            drift("concept", f"credit.coefficients.{name}", {"to": to}) | {"id": name}
            for name, to in turned.items()
        ),
        daily=12_000,
        **RISKY,
    )
    halves = {}
    for day in (BEFORE, A_DAY):
        x, y = purchases(scenario, day)
        halves[day] = [(x[part::2], y[part::2]) for part in (0, 1)]
    before, stale, anew = (
        auc((BEFORE, 0), (BEFORE, 1)),
        auc((BEFORE, 0), (A_DAY, 1)),
        auc((A_DAY, 0), (A_DAY, 1)),
    )
    assert before - stale > 0.08
    assert anew - stale > 0.05


def test_under_covariate_drift_the_true_probability_given_the_purchase_stays_calibrated() -> None:
    drifts = [
        drift("covariate", "amount", {"psi": 0.5}),
        drift("covariate", "income_bracket", {"psi": 0.3, "towards": "<25k"}) | {"id": "e"},
    ]
    scenario = world(*drifts, daily=12_000, **RISKY)
    new = simulate_day(scenario, A_DAY)
    p = column(new["default_risk"], "default_probability_given_signals")
    y = new["outcomes"]["will_default"].to_numpy(zero_copy_only=False).astype(float)
    for some in np.array_split(np.argsort(p), 10):
        # Those who share a customer share a frailty: three times the variance of independent coins.
        spread = (3 * (p[some] * (1 - p[some])).sum()) ** 0.5
        assert abs(y[some].sum() - p[some].sum()) < 4.5 * spread
    assert y.mean() > 0.2
