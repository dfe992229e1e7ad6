"""The checks of faults and noise pass on what was simulated, and fail on each thing that they speak of."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.unit.test_checks_fail_on_bad_data import copied, findings
from tests.unit.test_faults import EVERY_KIND, NOISE, STRONG

from simtom_pipeline import load_scenario
from simtom_pipeline.landing import LandingError
from simtom_pipeline.landing.duckdb_file import DuckDBDatabase
from simtom_pipeline.scenarios.models import Scenario
from simtom_pipeline.simulation import Simulation
from simtom_pipeline.validation.decisions import Verdict
from simtom_pipeline.verification.history import LandedHistory
from tests.support.landed import land_and_measure, opened

DIRTY: Mapping[str, Any] = {
    "volume.base_daily_volume": 150,
    "clock": {"start": "2024-01-01", "end": "2024-01-20"},
    "bnpl.population.customer_lifetime_days": 30,
    "noise": list(NOISE),
    "faults": [
        {**said, "id": f"f{n}_{said['kind']}", "rate": 0.2 if said["kind"] == "dropped_day" else 0.15}
        for n, said in enumerate(EVERY_KIND)
    ],
}
LEDGER, NOISY = "baseline_truth.fault_ledger", "baseline_truth.noise_ledger"
OF_AMOUNT = "table_name = 'transactions' AND column_name = 'amount'"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> tuple[Scenario, Path]:
    folder = tmp_path_factory.mktemp("dirty")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIMTOM_HOME", str(folder))
        scenario = load_scenario("baseline", DIRTY)
        land_and_measure(scenario.without("faults"), folder / "dirty.duckdb")
        return scenario, land_and_measure(scenario, folder / "dirty.duckdb")


@pytest.fixture
def landed(original: tuple[Scenario, Path], tmp_path: Path) -> Iterator[LandedHistory]:
    with copied(*original, tmp_path) as landed:
        yield landed


def verdicts(landed: LandedHistory, check: str) -> dict[str, Verdict]:
    return {table: found.verdict for table, found in findings(landed, check).items()}


def test_every_kind_of_fault_is_judged(landed: LandedHistory) -> None:
    (found,) = findings(landed, "faults_as_declared").values()
    judged = {str(row["fault"]) for row in found.rows if float(row["n"]) > 0}
    assert judged == {fault.id for fault in landed.scenario.faults}


def narrow(column: str, low: float, high: float) -> dict[str, Any]:
    """Values out of a range that leaves little choice."""
    return {"kind": "out_of_range", "columns": [column], "low": low, "high": high}


AT_THE_EDGE: Mapping[str, dict[str, Any]] = {
    "cents that no binary number is": narrow("amount", 0.07, 0.29),
    "one cent": narrow("amount", 0.29, 0.29),
    "one score": narrow("risk_score", 0.5, 0.5),
    "one count": narrow("installment_count", 11.5, 12.5),
    "delays of years": {"kind": "late", "delay": {"kind": "lognormal", "median_hours": 8784, "sigma": 3}},
    "flags": {
        "kind": "missing",
        "columns": ["amount"],
        "given": {"column": "device_is_trusted", "values": ["true"]},
    },
    "numbers as words": {
        "kind": "missing",
        "columns": ["amount"],
        "given": {"column": "installment_count", "values": ["4"]},
    },
}


def test_of_rows_of_one_moment_the_first_is_that_of_the_feed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A prior drift brings customers at moments at which others signed up."""
    monkeypatch.setenv("SIMTOM_HOME", str(tmp_path))
    said = {
        "seed": 5, "clock": {"start": "2024-03-03", "end": "2024-03-08"}, "volume.base_daily_volume": 150,
        "bnpl.population.initial_customers": 100, "bnpl.population.repeat_customer_rate": 0.5,
        "drifts": [{"id": "p", "kind": "prior", "schedule": {"kind": "sudden", "at": "2024-03-04"},
                    "effect": {"default_rate": 0.3}}],
        "faults": [{"id": "s", "kind": "stuck", "table": "customers", "columns": ["birth_date", "state"],
                    "stretch_minutes": 30, "rate": 0.5}],
    }  # fmt: skip
    scenario = load_scenario("baseline", said)
    with copied(scenario, land_and_measure(scenario, tmp_path / "ties.duckdb"), tmp_path) as landed:
        (found,) = findings(landed, "faults_as_declared").values()
    assert found.verdict is Verdict.PASSED, found.rows


@pytest.mark.parametrize("case", AT_THE_EDGE)
def test_a_fault_at_the_edge_of_what_can_be_said_is_as_declared(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIMTOM_HOME", str(tmp_path))
    said = {"id": "edge", "table": "transactions", "rate": 0.4, **AT_THE_EDGE[case]}
    short = {"start": "2024-01-01", "end": "2024-01-02"}
    scenario = load_scenario("baseline", {**DIRTY, "clock": short, "noise": [], "faults": [said]})
    with copied(scenario, land_and_measure(scenario, tmp_path / "edge.duckdb"), tmp_path) as landed:
        (found,) = findings(landed, "faults_as_declared").values()
    assert found.verdict is Verdict.PASSED, found.rows
    assert all(float(row["adjusted_p"]) >= 0 for row in found.rows)  # NaN is not
    assert float(found.rows[0]["found"]) > 20


ONE_AFTER_ANOTHER = (
    {"kind": "duplicate", "columns": ["amount", "risk_level"], "rate": 0.7},
    {"kind": "unit_change", "columns": ["amount"], "rate": 1.0},
    {"kind": "stuck", "columns": ["risk_level"], "rate": 0.6},
    {"kind": "missing", "columns": ["risk_level"], "rate": 1.0},
)


@pytest.mark.parametrize("step", [1, -1], ids=["the duplicate first", "the duplicate last"])
def test_faults_on_the_same_values_are_as_declared_in_either_order(
    step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an earlier fault took, a later one cannot hit: with rate 1 one value too many would tell."""
    monkeypatch.setenv("SIMTOM_HOME", str(tmp_path))
    faults = [{"id": one["kind"], "table": "transactions", **one} for one in ONE_AFTER_ANOTHER[::step]]
    short = {"start": "2024-01-01", "end": "2024-01-02"}
    scenario = load_scenario("baseline", {**DIRTY, "clock": short, "noise": [], "faults": faults})
    with copied(scenario, land_and_measure(scenario, tmp_path / "order.duckdb"), tmp_path) as landed:
        for check in ("faults_as_declared", "no_other_faults", "faults_undone"):
            (found,) = findings(landed, check).values()
            assert found.verdict is Verdict.PASSED, (check, found.rows)
        of_amount = landed.connection.execute(
            f"SELECT count(*) FROM {LEDGER} WHERE column_name = 'amount' AND kind = 'duplicate'"
        ).fetchall()[0][0]
    assert (of_amount > 100) == (step == 1)


MEASUREMENTS = (
    *("amount", "risk_score", "price_comparison_time", "time_on_site_seconds", "credit_utilization"),
)


@pytest.mark.parametrize("said", STRONG, ids=lambda said: said["noise_type"])
def test_noise_that_is_cut_off_at_the_range_is_as_declared(
    said: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much of it is cut off; and a value beyond the range, or between two decimals, is not."""
    monkeypatch.setenv("SIMTOM_HOME", str(tmp_path))
    noise = [{"table": "transactions", "columns": list(MEASUREMENTS), **said}]
    short = {"start": "2024-01-01", "end": "2024-01-03"}
    scenario = load_scenario(
        "baseline", {**DIRTY, "volume.base_daily_volume": 600, "clock": short, "noise": noise, "faults": []}
    )
    with copied(scenario, land_and_measure(scenario, tmp_path / "strong.duckdb"), tmp_path) as landed:
        assert set(verdicts(landed, "noise_undone").values()) == {Verdict.PASSED}
        (found,) = findings(landed, "noise_as_declared").values()
        assert found.verdict is Verdict.PASSED, found.rows
        about = "what was measured has the column's decimals, and lies in its range"
        for value in ("1.0001", "0.12345"):
            landed.connection.execute(
                f"UPDATE transactions SET risk_score = {value} WHERE transaction_id % 7 = 0;"
                f"UPDATE {NOISY} SET measured_value = {value}"
                " WHERE column_name = 'risk_score' AND key[1] % 7 = 0"
            )
            (found,) = findings(landed, "noise_as_declared").values()
            wrong = {row["column"] for row in found.rows if row["statement"] == about and row["violations"]}
            assert wrong == {"risk_score"}


def of_kind(kind: str, change: str) -> str:
    """Change the spoilt value of every entry of a kind, in the ledger."""
    return f"UPDATE {LEDGER} SET spoilt_value = {change} WHERE kind = '{kind}' AND spoilt_value IS NOT NULL"


SPOILED: dict[str, tuple[str, str, str]] = {
    "an original value is another one": (
        "faults_undone",
        "fault_ledger",
        f"UPDATE {LEDGER} SET original_value = '1.00' WHERE {OF_AMOUNT} AND day = DATE '2024-01-20'",
    ),
    "entries of the last day are missing": (
        "faults_undone",
        "fault_ledger",
        f"DELETE FROM {LEDGER} WHERE kind = 'typo' AND day = DATE '2024-01-20'",
    ),
    "an undeclared copy of a row": (
        "no_other_faults",
        "fault_ledger",
        "INSERT INTO baseline.devices SELECT * FROM baseline.devices LIMIT 1",
    ),
    "a spoilt value was repaired by hand": (
        "no_other_faults",
        "fault_ledger",
        "UPDATE baseline.transactions SET amount = 12.34 WHERE amount IS NULL",
    ),
    "a row of a lost day arrived": (
        "no_other_faults",
        "fault_ledger",
        f"INSERT INTO baseline.outcomes SELECT key[1], day, false, NULL, '2024-05-01', '2024-05-01'"
        f" FROM {LEDGER} WHERE table_name = 'outcomes' AND column_name = '(row)'"
        " AND kind = 'dropped_day' LIMIT 1",
    ),
    "a fault that nobody declared": (
        "no_other_faults",
        "fault_ledger",
        f"UPDATE {LEDGER} SET fault_id = 'unknown' WHERE kind = 'late'",
    ),
    "too few rows are doubled": (
        "faults_as_declared",
        "fault_ledger",
        f"DELETE FROM {LEDGER} WHERE kind = 'duplicate' AND column_name = '(row)' AND key[1] % 2 = 0",
    ),
    "too few values are hit": (
        "faults_as_declared",
        "fault_ledger",
        f"DELETE FROM {LEDGER} WHERE kind = 'truncated' AND key[1] % 2 = 0",
    ),
    "every hit of one day is missing": (
        "faults_as_declared",
        "fault_ledger",
        f"DELETE FROM {LEDGER} WHERE kind = 'missing'"
        f" AND day = (SELECT min(day) FROM {LEDGER} WHERE kind = 'missing')",
    ),
    "values get lost where the condition does not hold": (
        "faults_as_declared",
        "fault_ledger",
        f"UPDATE {LEDGER} SET fault_id = 'f1_missing', column_name = 'risk_score'"
        f" WHERE fault_id = 'f2_missing' AND key NOT IN (SELECT key FROM {LEDGER}"
        " WHERE column_name = 'risk_score')",
    ),
    "what is missing has a value": (
        "faults_as_declared",
        "fault_ledger",
        f"UPDATE {LEDGER} SET spoilt_value = '1' WHERE kind = 'missing'",
    ),
    "two slips": ("faults_as_declared", "fault_ledger", of_kind("typo", "spoilt_value || 'xy'")),
    "beyond the range": ("faults_as_declared", "fault_ledger", of_kind("out_of_range", "'-99'")),
    "always the same value of the range": (
        "faults_as_declared",
        "fault_ledger",
        of_kind("out_of_range", "'-3'"),
    ),
    "another factor": (
        "faults_as_declared",
        "fault_ledger",
        of_kind("unit_change", "CAST(CAST(spoilt_value AS DOUBLE) * 2 AS VARCHAR)"),
    ),
    "another category": ("faults_as_declared", "fault_ledger", of_kind("new_category", "'other'")),
    "cut elsewhere": ("faults_as_declared", "fault_ledger", of_kind("truncated", "left(original_value, 2)")),
    "stuck at another value": (
        "faults_as_declared",
        "fault_ledger",
        f"UPDATE {LEDGER} SET spoilt_value = '0.5' WHERE kind = 'stuck' AND column_name = 'risk_score'",
    ),
    "always the same delay": (
        "faults_as_declared",
        "fault_ledger",
        f"UPDATE {LEDGER} SET spoilt_value = CAST(CAST(original_value AS TIMESTAMP) + INTERVAL 3 HOUR"
        " AS VARCHAR) WHERE kind = 'late'",
    ),
    "late before it happened": (
        "faults_as_declared",
        "fault_ledger",
        f"UPDATE {LEDGER} SET spoilt_value = '2020-01-01 00:00:00' WHERE kind = 'late'",
    ),
    "overtaken at another moment": (
        "faults_as_declared",
        "fault_ledger",
        of_kind("out_of_order", "CAST(CAST(spoilt_value AS TIMESTAMP) + INTERVAL 1 SECOND AS VARCHAR)"),
    ),
    "the copy has a value that no row has": (
        "faults_as_declared",
        "fault_ledger",
        f"UPDATE {LEDGER} SET spoilt_value = '0.07' WHERE kind = 'duplicate' AND {OF_AMOUNT}",
    ),
    "a day too many is lost": (
        "faults_as_declared",
        "fault_ledger",
        f"INSERT INTO {LEDGER} SELECT 'outcomes', [transaction_id], '(row)', day, 'f19_dropped_day',"
        " 'dropped_day', NULL, NULL FROM baseline.outcomes",
    ),
    "two entries of one value": (
        "primary_key",
        "fault_ledger",
        f"INSERT INTO {LEDGER} SELECT * FROM {LEDGER} LIMIT 1",
    ),
    "the ledger is not the simulated one": (
        "replay",
        "fault_ledger",
        f"UPDATE {LEDGER} SET kind = 'late' WHERE day = DATE '2024-01-20'",
    ),
    "purchases were seen before they truly arrived": (
        "views_know_no_more",
        "fault_ledger",
        f"UPDATE {LEDGER} SET original_value = '2024-12-24 00:00:00' WHERE column_name = 'ingested_at'",
    ),
    "two true values": (
        "primary_key",
        "noise_ledger",
        f"INSERT INTO {NOISY} SELECT * FROM {NOISY} LIMIT 1",
    ),
    "the noise is not the simulated one": (
        "replay",
        "noise_ledger",
        f"DELETE FROM {NOISY} WHERE day = DATE '2024-01-20'",
    ),
    "a true value is another one": (
        "noise_undone",
        "noise_ledger",
        f"UPDATE {NOISY} SET true_value = true_value + 1 WHERE day = DATE '2024-01-20'",
    ),
    "noise on another column": (
        "noise_as_declared",
        "noise_ledger",
        f"UPDATE {NOISY} SET column_name = 'amount' WHERE column_name = 'risk_score'",
    ),
    "what was measured is not what landed": (
        "noise_as_declared",
        "noise_ledger",
        f"UPDATE {NOISY} SET measured_value = measured_value * 1.01",
    ),
    "twice the noise": (
        "noise_as_declared",
        "noise_ledger",
        f"UPDATE {NOISY} SET true_value = measured_value + 2 * (true_value - measured_value)"
        " WHERE noise_type = 'gaussian'",
    ),
    "uniform noise of one sign": (
        "noise_as_declared",
        "noise_ledger",
        f"UPDATE {NOISY} SET true_value = measured_value - abs(true_value - measured_value)"
        " WHERE noise_type = 'uniform'",
    ),
    "too few outliers": (
        "noise_as_declared",
        "noise_ledger",
        f"DELETE FROM {NOISY} WHERE noise_type = 'outliers' AND key[1] % 2 = 0",
    ),
    "outliers of another size": (
        "noise_as_declared",
        "noise_ledger",
        f"UPDATE {NOISY} SET true_value = true_value * 2 WHERE noise_type = 'outliers'",
    ),
}


@pytest.mark.parametrize("case", SPOILED)
def test_a_check_fails_on_data_that_is_wrong_in_its_way(case: str, landed: LandedHistory) -> None:
    check, table, sql = SPOILED[case]
    before = landed.connection.execute(f"SELECT hash(list(l)) FROM baseline_truth.{table} l").fetchall()
    landed.connection.execute(sql)
    if f"baseline_truth.{table}" in sql.split(" SELECT ")[0]:
        assert (
            before
            != landed.connection.execute(f"SELECT hash(list(l)) FROM baseline_truth.{table} l").fetchall()
        )
    assert verdicts(landed, check)[table] is Verdict.FAILED


def test_a_wrong_world_is_noticed_under_its_faults(landed: LandedHistory) -> None:
    """What the checks of the world see is not the faults: an installment that should not be there counts."""
    assert verdicts(landed, "primary_key")["transactions"] is Verdict.PASSED
    assert landed.connection.execute(
        "SELECT count(*) > count(DISTINCT transaction_id) FROM baseline.transactions"
    ).fetchall() == [(True,)]
    landed.connection.execute("UPDATE baseline.customers SET signup_at = '2030-01-01'")
    assert verdicts(landed, "day_boundaries")["customers"] is Verdict.FAILED
    assert verdicts(landed, "temporal_integrity")["transactions"] is Verdict.FAILED


def test_the_twin_without_faults_is_the_world_under_them(landed: LandedHistory) -> None:
    (found,) = findings(landed, "twins").values()
    assert found.verdict is Verdict.PASSED
    assert "1 twins over 20 days" in found.summary
    landed.connection.execute("UPDATE baseline__without_faults.transactions SET amount = amount + 1")
    (found,) = findings(landed, "twins").values()
    assert found.verdict is Verdict.FAILED
    assert {(row["table"], row["column"]) for row in found.rows} == {("transactions", "amount")}


def test_the_file_is_as_before_once_the_checks_have_looked(landed: LandedHistory) -> None:
    ask = (
        "SELECT database_name, schema_name, table_name FROM duckdb_tables() WHERE NOT temporary ORDER BY ALL"
    )
    before = landed.connection.execute(ask).fetchall()
    findings(landed, "primary_key")
    assert landed.connection.execute(ask).fetchall() == before
    (here,) = landed.connection.execute("SELECT count(*) FROM transactions").fetchall()
    assert here == landed.connection.execute("SELECT count(*) FROM baseline.transactions").fetchall()[0]
    assert landed.connection.execute("SELECT current_database()").fetchall() == [("copy",)]


def test_a_feed_that_gets_faults_later_does_not_fit_its_file(
    original: tuple[Scenario, Path], tmp_path: Path
) -> None:
    """A column that may not be NULL is refused before anything is lost."""
    clean, file = load_scenario("baseline", {**DIRTY, "faults": [], "noise": []}), tmp_path / "clean.duckdb"
    land_and_measure(clean, file)
    relations = Simulation(original[0]).relations
    with opened(file) as connection, pytest.raises(LandingError) as refused:
        DuckDBDatabase(connection).fits(relations)
    message = str(refused.value)
    assert "does not let risk_level be NULL" in message
    assert "has installment_count as SMALLINT instead of BIGINT" in message
