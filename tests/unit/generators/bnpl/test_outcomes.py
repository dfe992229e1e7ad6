"""Defaults, repayment and their truth, against SciPy, scikit-learn, pandas and plain SQL."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import integrate, stats
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from simtom_pipeline import ScenarioError, load_scenario, simulate_day
from simtom_pipeline.contracts import INTEGER, MONEY, TIMESTAMP, enum
from simtom_pipeline.generators.bnpl import config
from simtom_pipeline.generators.bnpl.credit import bayes_auc, solve_scale
from simtom_pipeline.generators.bnpl.reference_population import default_model
from simtom_pipeline.generators.bnpl.repayment import spell_days
from simtom_pipeline.generators.bnpl.tables import INSTALLMENTS
from simtom_pipeline.scenarios.models import Scenario
from simtom_pipeline.simulation import Simulation, make_generator

DAY = pd.Timedelta(days=1)


def days_of(scenario: Scenario, count: int) -> dict[str, pa.Table]:
    """The first days of a scenario, table by table."""
    simulation = Simulation(scenario)
    days = [simulation.simulate_day(day) for day in scenario.clock.days()[:count]]
    return {name: pa.concat_tables([day[name] for day in days]) for name in days[0]}


def frame(tables: Mapping[str, pa.Table], name: str) -> pd.DataFrame:
    table = tables[name]
    money = [field.name for field in table.schema if pa.types.is_decimal(field.type)]
    for column in money:
        cents = pa.compute.multiply(table[column], pa.scalar(100)).cast(pa.int64())
        table = table.set_column(table.schema.get_field_index(column), column, cents)
    return table.to_pandas()


def busy(**overrides: Any) -> Scenario:
    values = {"volume.base_daily_volume": 20_000, "bnpl.population.customer_lifetime_days": 40, "seed": 11}
    return load_scenario("baseline", values | overrides)


@pytest.fixture(scope="module")
def busy_days() -> dict[str, pa.Table]:
    """160,000 purchases of ten days, one in twelve of which defaults."""
    return days_of(busy(**{"bnpl.credit.base_default_rate": 0.08}), 10)


# the probability


def test_the_bayes_auc_is_that_of_weighted_coins() -> None:
    """scikit-learn, given each probability once as a yes with weight p and once as a no with 1 - p."""
    p = np.random.default_rng(1).beta(0.5, 8, 3000).round(3)  # with ties
    label, weight = np.repeat([1, 0], len(p)), np.concatenate([p, 1 - p])
    assert bayes_auc(p) == pytest.approx(roc_auc_score(label, np.tile(p, 2), sample_weight=weight), abs=1e-9)


@pytest.mark.parametrize("frailty", [0.0, 0.7])
@pytest.mark.parametrize(("rate", "auc"), [(0.0183, 0.82), (0.3, 0.7), (0.001, 0.95), (0.5, 0.72)])
def test_the_solved_scale_gives_the_stated_rate_and_auc(rate: float, auc: float, frailty: float) -> None:
    random = np.random.default_rng(2)
    xbeta, unobserved = random.gamma(2, 1, 20_000), frailty * random.standard_normal(20_000)
    intercept, scale = solve_scale(xbeta, unobserved, rate, auc)
    p = expit(intercept + scale * xbeta + unobserved)
    assert p.mean() == pytest.approx(rate, rel=1e-6)
    assert bayes_auc(p) == pytest.approx(auc, abs=1e-4)


def test_the_law_depends_on_neither_dates_nor_volume_nor_the_days_that_ran() -> None:
    scenario = load_scenario("baseline")
    model = default_model(scenario.settings, scenario.seed)  # type: ignore[arg-type]
    for overrides in (
        {"clock.start": "2031-05-05", "clock.end": "2031-06-01"},
        {"volume.base_daily_volume": 9},
    ):
        other = load_scenario("baseline", overrides)
        simulate_day(other, other.clock.start)
        assert default_model(other.settings, other.seed) == model  # type: ignore[arg-type]


def test_the_probability_given_signals_is_the_integral_over_the_frailty() -> None:
    scenario = load_scenario("baseline", {"bnpl.credit.frailty": 1.3})
    model = default_model(scenario.settings, scenario.seed)  # type: ignore[arg-type]
    for known in (-9.0, -4.321, -1.0, 2.5):
        exact, _ = integrate.quad(lambda z, x=known: stats.norm.pdf(z) * expit(x + 1.3 * z), -12, 12)
        assert model.probability_given_signals(np.array([known]))[0] == pytest.approx(exact, rel=1e-5)


def test_labels_are_coins_with_their_declared_probability(busy_days: dict[str, pa.Table]) -> None:
    """Over twenty groups of like probability and as many of like amount: false alarms 1 in 10,000."""
    data = frame(busy_days, "outcomes").merge(frame(busy_days, "default_risk"), on="transaction_id")
    data = data.merge(frame(busy_days, "transactions"), on="transaction_id")
    for column in ("default_probability", "default_probability_given_signals", "amount", "frailty"):
        groups = data.groupby(pd.qcut(data[column], 20, labels=False, duplicates="drop"))
        expected = groups["default_probability"].sum()
        variance = groups["default_probability"].apply(lambda p: (p * (1 - p)).sum())
        z = (groups["will_default"].sum() - expected) / variance**0.5
        assert stats.chi2.sf((z**2).sum(), len(z)) > 1e-4, column


@pytest.mark.parametrize(("rate", "auc", "stress"), [(0.08, 0.82, 0.0), (0.2, 0.75, 0.0), (0.08, 0.82, 0.8)])
def test_the_landed_rate_and_auc_are_what_is_declared(rate: float, auc: float, stress: float) -> None:
    scenario = busy(**{"bnpl.credit.base_default_rate": rate, "bnpl.credit.bayes_auc": auc,
                       "bnpl.economic_stress_factor": stress})  # fmt: skip
    (declared,) = make_generator(scenario).declared_outcomes()
    tables = days_of(scenario, 6)
    label = tables["outcomes"]["will_default"].to_numpy()
    p = tables["default_risk"]["default_probability"].to_numpy()
    assert label.mean() == pytest.approx(declared.rate(scenario.clock.start), rel=0.05)
    assert roc_auc_score(label, p) == pytest.approx(declared.auc, abs=0.012)
    if stress == 0:
        assert (declared.rate(scenario.clock.start), declared.auc) == pytest.approx((rate, auc), abs=1e-4)
    else:
        assert declared.rate(scenario.clock.start) > rate * 1.5


def test_stress_raises_the_default_rate_and_lowers_nobodys_risk() -> None:
    calm, stressed = (
        simulate_day(busy(**{"bnpl.economic_stress_factor": stress}), date(2024, 1, 1))["default_risk"]
        for stress in (0.0, 0.6)
    )
    before, after = (table["default_probability"].to_numpy() for table in (calm, stressed))
    assert (after > before).all()


def test_frailty_is_normal_and_the_customers_own(busy_days: dict[str, pa.Table]) -> None:
    risk = frame(busy_days, "default_risk").merge(frame(busy_days, "transactions"), on="transaction_id")
    by_customer = risk.groupby("customer_id")["frailty"]
    assert (by_customer.nunique() == 1).all()
    assert stats.kstest(by_customer.first(), stats.norm(scale=0.6).cdf).pvalue > 1e-4
    assert risk["customer_id"].duplicated().any()


# the repayment


def test_spells_of_arrears_are_geometric_and_end_before_the_charge_off() -> None:
    credit = config.Credit(charge_off_days=30, arrears=config.Arrears(mean_delay_days=11.5))
    uniform = (np.arange(200_000) + 0.5) / 200_000
    found = np.bincount(spell_days(credit, uniform), minlength=31)
    stay = 1 - 1 / 11.5
    law = np.array([0.0] + [stay ** (k - 1) * (1 - stay) for k in range(1, 30)] + [0.0])
    assert np.abs(found / 200_000 - law / law.sum()).max() < 1e-5


def test_the_plan_is_paid_at_checkout_and_every_two_weeks(busy_days: dict[str, pa.Table]) -> None:
    plan = frame(busy_days, "installments").merge(
        frame(busy_days, "transactions"), on="transaction_id", suffixes=("", "_t")
    )
    assert (plan["due_at"] == plan["event_time"] + (plan["installment_number"] - 1) * 14 * DAY).all()
    totals = plan.groupby("transaction_id").agg({"amount_due": "sum", "amount": "first"})
    assert (totals["amount_due"] == totals["amount"]).all()
    later = plan[plan["installment_number"] > 1].groupby("transaction_id")["amount_due"]
    assert (later.max() - later.min()).max() <= 1
    first = plan[plan["installment_number"] == 1]
    assert (first["paid_at"] == first["event_time"]).all()
    assert (first["amount_due"] - first["amount"] / 4).abs().max() <= 0.5


def test_payments_come_in_order_and_a_default_stops_them(busy_days: dict[str, pa.Table]) -> None:
    paid = frame(busy_days, "installments")
    unpaid = paid["paid_at"].isna()
    again = paid.groupby("transaction_id")
    assert (again["paid_at"].diff().dropna() >= pd.Timedelta(0)).all()
    assert (unpaid.groupby(paid["transaction_id"]).diff().dropna() >= 0).all()
    outcome = frame(busy_days, "outcomes").set_index("transaction_id")
    assert (unpaid.groupby(paid["transaction_id"]).any() == outcome["will_default"]).all()
    late = ~unpaid & (paid["paid_at"] > paid["due_at"])
    assert ((paid["paid_at"] - paid["due_at"])[late] / DAY).between(1, 89).all()
    assert ((paid["late_fee"] > 0) <= (late | unpaid)).all()
    assert (paid["partial_paid_at"].dropna() > paid["due_at"][paid["partial_paid_at"].notna()]).all()


def test_any_payment_but_the_first_is_equally_likely_the_first_missed_one(
    busy_days: dict[str, pa.Table],
) -> None:
    outcome = frame(busy_days, "outcomes").merge(frame(busy_days, "transactions"), on="transaction_id")
    for count, group in outcome[outcome["will_default"]].groupby("installment_count"):
        which = (group["days_to_first_missed_payment"] / 14).astype(int)
        found = np.bincount(which, minlength=int(count))
        assert found[0] == 0
        assert len(found) == count
        if len(group) > 200:
            assert stats.chisquare(found[1:]).pvalue > 1e-4, count


def test_arrears_have_their_probability_and_more_of_the_poor_are_late(busy_days: dict[str, pa.Table]) -> None:
    paid = frame(busy_days, "installments")
    late = (paid["paid_at"] > paid["due_at"]).groupby(paid["transaction_id"]).any().rename("late")
    data = frame(busy_days, "outcomes").merge(frame(busy_days, "default_risk"), on="transaction_id")
    data = data.merge(late, on="transaction_id")
    good = data[~data["will_default"]]
    p = good["arrears_probability"]
    z = (good["late"].sum() - p.sum()) / (p * (1 - p)).sum() ** 0.5
    assert abs(z) < 4
    assert roc_auc_score(good["late"], p) > 0.6


def test_repayment_methods_occur_as_declared(busy_days: dict[str, pa.Table]) -> None:
    first = frame(busy_days, "installments").query("installment_number == 1")
    found = first["repayment_method"].value_counts()
    shares = {"debit_card": 0.89, "credit_card": 0.06, "bank_account": 0.05}
    expected = [shares[name] * len(first) for name in found.index]
    assert stats.chisquare(found, expected).pvalue > 1e-4


ANY_CREDIT = st.fixed_dictionaries(
    {
        "bnpl.credit.base_default_rate": st.floats(0.01, 0.6),
        "bnpl.credit.charge_off_days": st.sampled_from([3, 8, 14, 15, 90, 180]),
        "bnpl.credit.arrears.rate": st.floats(0.01, 0.9),
        "bnpl.credit.arrears.mean_delay_days": st.floats(1.01, 300),
        "bnpl.credit.partial_payment_share": st.sampled_from([0.0, 0.5, 1.0]),
        "bnpl.credit.pays_ahead_share": st.sampled_from([0.0, 0.5, 1.0]),
        "bnpl.credit.late_fee_after_days": st.sampled_from([1, 2, 3]),
        "bnpl.catalog.average_purchase": st.sampled_from([1, 20, 135, 1500]),
        "bnpl.catalog.largest_discount": st.sampled_from([0.0, 0.5, 0.999]),
        "seed": st.integers(0, 2**64 - 1),
    }
)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(overrides=ANY_CREDIT)
def test_installments_and_outcomes_agree_whatever_the_credit(overrides: dict[str, Any]) -> None:
    """The claims that Dagster checks, in plain SQL, over scenarios that nobody would think of."""
    small = {"volume.base_daily_volume": 150, "bnpl.population.initial_customers": 50}
    scenario = load_scenario("baseline", small | overrides)
    tables = days_of(scenario, 3)
    with duckdb.connect() as connection:
        connection.execute("CREATE SCHEMA world")
        for name in ("transactions", "installments", "outcomes"):
            connection.register("rows", tables[name])
            connection.execute(f"CREATE TABLE world.{name} AS FROM rows")
        for claim in make_generator(scenario).claims():
            sql = claim.violations.format(schema="world")
            assert connection.execute(sql).fetchall() == [(0,)], claim.name


@pytest.mark.parametrize("auc", [0.55, 0.9999])
def test_an_auc_that_cannot_be_had_is_refused_with_what_can_be_had(auc: float) -> None:
    with pytest.raises(
        ScenarioError, match=r"bnpl\.credit\.bayes_auc: found 0\.\d+; allowed: between 0\.66\d+ and 0\.99"
    ):
        load_scenario("baseline", {"bnpl.credit.bayes_auc": auc})


def test_the_reachable_bounds_that_a_message_names_are_reachable() -> None:
    with pytest.raises(ScenarioError) as raised:
        load_scenario("baseline", {"bnpl.credit.bayes_auc": 0.5})
    low, high = (float(word) for word in re.findall(r"0\.\d{4}", str(raised.value).split("allowed: ")[1]))
    for auc in (low, high):
        load_scenario("baseline", {"bnpl.credit.bayes_auc": auc})


def test_a_neutral_scenario_has_one_default_rate_for_all(tmp_path: Any) -> None:
    file = tmp_path / "plain.yaml"
    file.write_text(
        "name: plain\nclock: {start: 2024-01-01, end: 2024-01-09}\nvolume: {base_daily_volume: 500}\n"
    )
    risk = simulate_day(load_scenario(file), date(2024, 1, 2))["default_risk"]
    assert set(np.round(risk["default_probability"].to_numpy(), 9)) == {0.02}


# columns that may be NULL


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        (INTEGER, np.array([1, 2]), [None, 2]),
        (TIMESTAMP, np.array([0, 1]), [None, pd.Timestamp("1970-01-01 00:00:00.000001")]),
        (MONEY, np.array([5, 105]), [None, pytest.approx(1.05)]),
        (enum(config.RepaymentMethod), np.array([0, 1]), [None, "credit_card"]),
    ],
    ids=["integer", "timestamp", "money", "enum"],
)
def test_what_a_mask_hides_is_null_in_any_type(kind: Any, values: np.ndarray, expected: list[Any]) -> None:
    found = kind.array(np.ma.masked_array(values, [True, False])).to_pylist()
    assert [
        None if value is None else float(value) if kind is MONEY else value for value in found
    ] == expected


def test_a_null_is_landed_only_where_the_contract_allows_it() -> None:
    from simtom_pipeline.landing import create_table

    ddl = create_table("world", INSTALLMENTS)[0]
    assert '"paid_at" TIMESTAMP,' in ddl
    assert '"due_at" TIMESTAMP NOT NULL,' in ddl


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("late_fee", 9.999, "an amount in whole cents"),
        ("frailty", 5, "less than or equal to 3"),
        ("base_default_rate", 1e-300, "greater than or equal to 0.00001"),
        ("charge_off_days", 3, "late_fee_after_days of at most charge_off_days (7 is above 3)"),
    ],
)
def test_a_credit_that_makes_no_sense_is_refused(key: str, value: float, message: str) -> None:
    with pytest.raises(ScenarioError, match=re.escape(message)):
        load_scenario("baseline", {f"bnpl.credit.{key}": value})


def test_only_a_population_in_equilibrium_is_held_to_the_reference() -> None:
    def is_reference(**overrides: Any) -> bool:
        (declared,) = make_generator(load_scenario("baseline", overrides)).declared_outcomes()
        return declared.is_of_reference

    growth = {"january": 0.05, "february": 0.2, "march": 0.8, "april": 2.0, "may": 4.0, "june": 6.0}
    assert is_reference()
    assert not is_reference(**{"bnpl.population.initial_customers": 500})
    assert not is_reference(**{"bnpl.population.repeat_customer_rate": 1.0})
    assert not is_reference(**{"bnpl.population.customer_lifetime_days": None})
    assert not is_reference(**{"volume.month": growth, "clock.end": "2024-06-30"})
