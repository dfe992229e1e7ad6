"""Twins, order and prefixes under drift; the ledger; and what drift does to a model."""

from datetime import date

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from simtom_pipeline import load_scenario, simulate_day
from simtom_pipeline.scenarios.models import Scenario
from simtom_pipeline.simulation import Simulation, make_generator
from simtom_pipeline.validation.drift import estimate_psi, two_sample_ks, wasserstein
from simtom_pipeline.verification import twins
from tests.support.digests import digest
from tests.support.drifts import A_DAY, ALL_AT_ONCE, BEFORE, EVERY_KIND, ONSET, column, drift, of_day, world
from tests.support.landed import put_rows


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_twins_differ_after_onset_in_the_target_and_what_follows_and_in_nothing_else(
    kind: str,
) -> None:
    compared_with_its_twin(world(EVERY_KIND[kind], **AROUND_THE_ONSET))


@pytest.mark.parametrize("kind", ["amount", "device", "concept", "stress", "prior"])
def test_twins_differ_in_what_follows_beside_a_prior_drift_too(kind: str) -> None:
    """Whom a prior drift brings depends on who defaults, and so on every drift that this follows from."""
    prior = EVERY_KIND["prior"] | {"id": "p", "schedule": {"kind": "sudden", "at": "2024-01-14"}}
    compared_with_its_twin(world(prior, EVERY_KIND[kind], **AROUND_THE_ONSET))


AROUND_THE_ONSET = {"clock.start": "2024-01-13", "clock.end": "2024-01-19"}


def compared_with_its_twin(scenario: Scenario) -> None:
    """The drift d is left out: every difference is after its onset and declared."""
    twin, true = scenario.without("d"), Simulation(scenario).relations.true
    with duckdb.connect() as connection:
        connection.execute("SET threads = 1")
        for one in (scenario, twin):
            put_rows(connection, one)
        found = twins.differences(connection, scenario.name, twin.name, twins.compared(true))
    assert found
    assert min(f.first_day for f in found if f.first_day) >= ONSET
    parts = [part for part in make_generator(scenario).ledger_parts() if part.drift_id == "d"]
    assert {f"{f.table}.{f.column}" for f in found} <= set(twins.allowed_differences(parts))


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


FEATURES = ("amount", "risk_score", "customer_tenure_days", "credit_utilization")


RISKY = {"bnpl.credit.base_default_rate": 0.2, "bnpl.population.customer_lifetime_days": 30}


def purchases(scenario: Scenario, day: date) -> tuple[np.ndarray, np.ndarray]:
    """Features and labels of a day."""
    tables = simulate_day(scenario, day)
    x = np.column_stack([column(tables["transactions"], name) for name in FEATURES])
    return x, tables["outcomes"]["will_default"].to_numpy(zero_copy_only=False).astype(float)


def test_a_model_loses_its_auc_under_concept_drift_and_regains_it_when_trained_again() -> None:
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
    before, stale, again = (
        auc((BEFORE, 0), (BEFORE, 1)),
        auc((BEFORE, 0), (A_DAY, 1)),
        auc((A_DAY, 0), (A_DAY, 1)),
    )
    assert before - stale > 0.08
    assert again - stale > 0.05


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
