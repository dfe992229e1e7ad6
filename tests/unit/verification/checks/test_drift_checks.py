"""The checks of drift are seen to pass on what was simulated and to fail on a ledger that tells lies.

A small world with three drifts and one of its twins land once; each test corrupts a copy, and what it did is rolled back.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from simtom_pipeline import load_scenario
from simtom_pipeline.scenarios.models import Scenario
from simtom_pipeline.simulation import world
from simtom_pipeline.validation.decisions import Finding, Verdict
from simtom_pipeline.verification.history import LandedHistory
from tests.support.bad_data import copied, rolled_back
from tests.support.landed import found as found_by
from tests.support.landed import history_of, land_and_measure

PASSED, INCONCLUSIVE, FAILED = Verdict.PASSED, Verdict.INCONCLUSIVE, Verdict.FAILED
LEDGER, DAILY, PROFILE = "drift_ledger", "drift_ledger_daily", "daily_profile"
DRIFTS = [
    {"id": "pricier", "kind": "covariate", "target": "amount",
     "schedule": {"kind": "sudden", "at": "2024-01-09"}, "effect": {"psi": 0.25}},
    {"id": "desktops", "kind": "covariate", "target": "device_type",
     "schedule": {"kind": "linear", "from": "2024-01-05", "to": "2024-01-15"},
     "effect": {"psi": 0.3, "towards": "desktop"}},
    {"id": "riskier", "kind": "concept", "target": "credit.log_odds",
     "schedule": {"kind": "pulse", "from": "2024-01-10", "to": "2024-01-16"}, "effect": {"default_rate": 0.25}},
]  # fmt: skip
WORLD: dict[str, Any] = {
    "clock.end": "2024-01-20",
    "volume.base_daily_volume": 3000,
    "bnpl.population.customer_lifetime_days": 30,
    "bnpl.credit.base_default_rate": 0.1,
    "drifts": DRIFTS,
}


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> tuple[Scenario, Path]:
    folder = tmp_path_factory.mktemp("drifting")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIMTOM_HOME", str(folder))
        scenario = load_scenario("baseline", WORLD)
        for one in (scenario, scenario.without("riskier")):
            land_and_measure(one, folder / "landed")
    return scenario, folder / "landed"


@pytest.fixture(scope="module")
def copy(
    original: tuple[Scenario, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LandedHistory]:
    with copied(*original, tmp_path_factory.mktemp("copy")) as landed:
        yield landed


@pytest.fixture
def landed(copy: LandedHistory) -> Iterator[LandedHistory]:
    with rolled_back(copy) as landed:
        yield landed


def finding(landed: LandedHistory, table: str, check: str) -> Finding:
    found = found_by(landed, [(table, check)])[table, check]
    assert "error" not in found.figures, found.summary
    return found


OF_DRIFT = [
    (LEDGER, "twins"),
    (DAILY, "drift_as_declared"),
    (DAILY, "measured_anew"),
    (PROFILE, "measured_anew"),
]


def test_what_was_simulated_passes(copy: LandedHistory) -> None:
    # Few days; and the Bayes AUC needs more labels before the first drift than these have.
    too_few = {"daily_volume", "bayes_auc", "outcome_rate"}
    found = {(table, name): f for (table, name), f in found_by(copy).items() if name not in too_few}
    assert {key: f.rows for key, f in found.items() if f.verdict is not PASSED} == {}
    assert set(OF_DRIFT) <= set(found)


NO_DRIFT = (
    "UPDATE drift_ledger_daily SET intended_psi = 0, intended_hellinger = 0, intended_shares ="
    " (SELECT reference_shares FROM drift_ledger l WHERE l.drift_id = 'pricier' LIMIT 1) WHERE drift_id = 'pricier'"
)
CORRUPTED = [
    ("a weight", DAILY, "drift_as_declared", "UPDATE drift_ledger_daily SET w = 0.9 WHERE w = 1 AND drift_id = 'desktops'"),
    ("a whole effect", DAILY, "drift_as_declared", "UPDATE drift_ledger SET after = [1.2] WHERE drift_id = 'pricier'"),
    ("shares that the drift does not end in", DAILY, "drift_as_declared", "UPDATE drift_ledger SET after = [0.6, 0.35, 0.05] WHERE drift_id = 'desktops'"),
    ("an onset", DAILY, "drift_as_declared", "UPDATE drift_ledger SET onset = '2024-01-11' WHERE drift_id = 'pricier'"),
    ("a schedule", DAILY, "drift_as_declared", "UPDATE drift_ledger SET schedule_to = '2024-01-18' WHERE drift_id = 'desktops'"),
    ("a size", DAILY, "drift_as_declared", "UPDATE drift_ledger_daily SET intended_psi = 0.5 WHERE drift_id = 'pricier'"),
    ("shares and size together", DAILY, "drift_as_declared", NO_DRIFT),
    ("a default rate", DAILY, "drift_as_declared", "UPDATE drift_ledger_daily SET expected_default_rate = 0.1 WHERE drift_id = 'riskier'"),
    ("a Bayes AUC", DAILY, "drift_as_declared", "UPDATE drift_ledger_daily SET expected_bayes_auc = 0.6 WHERE drift_id = 'riskier'"),
    ("a drift that is not declared", DAILY, "drift_as_declared", "UPDATE drift_ledger_daily SET drift_id = 'other' WHERE drift_id = 'riskier'"),
    ("data without the drift", DAILY, "drift_as_declared", "UPDATE transactions SET amount = amount / 1.46 WHERE day >= '2024-01-09'"),
    ("a realised size", DAILY, "measured_anew", "UPDATE drift_ledger_daily SET realised_psi = realised_psi + 1e-6 WHERE day = '2024-01-12'"),
    ("realised shares", DAILY, "measured_anew", "UPDATE drift_ledger_daily SET realised_shares = list_reverse(realised_shares) WHERE day = '2024-01-12'"),
    ("a row left out", DAILY, "measured_anew", "DELETE FROM drift_ledger_daily WHERE day = '2024-01-12'"),
    ("a day landed since", DAILY, "measured_anew", "UPDATE drift_ledger_daily SET \"rows\" = NULL WHERE day = '2024-01-20'"),
    ("a count of the profile", PROFILE, "measured_anew", "UPDATE daily_profile SET realised = realised + 1 WHERE metric = 'purchases' AND day = '2024-01-12'"),
    ("rows behind the profile", PROFILE, "measured_anew", "DELETE FROM transactions WHERE transaction_id = (SELECT max(transaction_id) FROM transactions)"),
    ("a row before onset", LEDGER, "twins", "UPDATE outcomes SET will_default = NOT will_default WHERE transaction_id = (SELECT min(transaction_id) FROM outcomes)"),
    ("a column that does not follow", LEDGER, "twins", "UPDATE transactions SET amount = amount + 0.01 WHERE transaction_id = (SELECT max(transaction_id) FROM transactions)"),
    ("a row of the twin", LEDGER, "twins", "DELETE FROM baseline__without_riskier.customers WHERE day = '2024-01-20'"),
    ("a key twice", LEDGER, "primary_key", "INSERT INTO drift_ledger FROM drift_ledger LIMIT 1"),
    ("a key twice", DAILY, "primary_key", "INSERT INTO drift_ledger_daily FROM drift_ledger_daily LIMIT 1"),
    ("a key twice", PROFILE, "primary_key", "INSERT INTO daily_profile FROM daily_profile LIMIT 1"),
    ("a ledger that was changed", LEDGER, "replay", "UPDATE drift_ledger SET after = [9.0] WHERE drift_id = 'riskier' AND phase = 1"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("what", "table", "check", "sql"), CORRUPTED, ids=[f"{s[2]}-{s[1]}-{s[0]}" for s in CORRUPTED]
)
def test_a_check_of_drift_fails_on_a_lie(
    landed: LandedHistory, what: str, table: str, check: str, sql: str
) -> None:
    landed.connection.execute(sql)
    assert finding(landed, table, check).verdict is FAILED


@pytest.mark.parametrize(
    ("drift_id", "effect"),
    [
        ("pricier", {"psi": 0.35}),
        ("pricier", {"mean_ratio": 2.0}),
        ("desktops", {"psi": 0.31, "towards": "desktop"}),
        ("desktops", {"shares": {"mobile": 0.6, "desktop": 0.35, "tablet": 0.05}}),
        ("riskier", {"default_rate": 0.24}),
        ("riskier", {"to": 1.2}),
    ],
)
def test_a_ledger_of_another_size_than_the_scenario_states_fails(
    landed: LandedHistory, drift_id: str, effect: dict[str, Any]
) -> None:
    """Data and ledger agree with each other, but not with what was stated."""
    drifts = [{**d, "effect": effect} if d["id"] == drift_id else d for d in DRIFTS]
    other = history_of(load_scenario("baseline", WORLD | {"drifts": drifts}), landed.connection)
    for record in ("runs", "landed_days"):  # as if what landed were of that world
        landed.connection.execute(
            f"UPDATE baseline_truth.{record} SET world = ?", [world(other.scenario).digest]
        )
    found = finding(other, DAILY, "drift_as_declared")
    assert found.verdict is FAILED
    wrong = [row["statement"] for row in found.rows if row["verdict"] == "failed"]
    assert "before and after" in wrong
    assert set(wrong) <= {"before and after", f"stated {next(iter(effect))}"}


def test_a_ledger_says_which_sizes_are_of_several_drifts(landed: LandedHistory) -> None:
    statements = {
        (row["drift"], row["statement"]) for row in finding(landed, DAILY, "drift_as_declared").rows
    }
    assert ("pricier", "PSI, other drifts acting") in statements
    assert ("desktops", "stated psi") in statements


def test_without_a_twin_there_is_nothing_to_compare(landed: LandedHistory) -> None:
    landed.connection.execute("DROP SCHEMA baseline__without_riskier_truth CASCADE")
    found = finding(landed, LEDGER, "twins")
    assert (found.verdict, found.figures) == (PASSED, {"twins": 0})


def test_the_profile_has_every_metric_of_every_landed_day_close_to_what_is_expected(
    landed: LandedHistory,
) -> None:
    rows = landed.connection.execute(
        "SELECT day, count(*), max(abs(realised - expected)) FILTER (metric LIKE '%=%') FROM daily_profile GROUP BY day"
    ).fetchall()
    assert len(rows) == 20
    assert len({count for _, count, _ in rows}) == 1
    assert max(furthest for _, _, furthest in rows) < 0.06


def test_the_daily_ledger_has_realised_sizes_near_the_intended_ones(landed: LandedHistory) -> None:
    rows = landed.connection.execute(
        "SELECT avg(intended_psi), avg(realised_psi), avg(intended_ks), avg(realised_ks), avg(intended_w1),"
        " avg(realised_w1) FROM drift_ledger_daily WHERE drift_id = 'pricier' AND w = 1"
    ).fetchall()[0]
    assert rows[1] == pytest.approx(rows[0], abs=0.04)
    assert rows[3] == pytest.approx(rows[2], abs=0.03)
    assert rows[5] == pytest.approx(rows[4], abs=0.05)
