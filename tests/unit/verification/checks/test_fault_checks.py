"""The checks of faults and noise pass on what was simulated, and fail on each thing that they speak of."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from simtom_pipeline import load_scenario
from simtom_pipeline.landing import LandingError
from simtom_pipeline.landing.duckdb_file import DuckDBDatabase
from simtom_pipeline.scenarios.models import Scenario
from simtom_pipeline.simulation import Simulation
from simtom_pipeline.validation.decisions import Verdict
from simtom_pipeline.verification.history import LandedHistory
from tests.support.bad_data import copied, findings, in_memory
from tests.support.bad_feeds import CORRUPTED, DIRTY, LEDGER, NOISY, RATE, SHOWN_BY
from tests.support.faults import STRONG
from tests.support.landed import land, land_and_measure, opened


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> tuple[Scenario, Path]:
    folder = tmp_path_factory.mktemp("dirty")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIMTOM_HOME", str(folder))
        scenario = load_scenario("baseline", DIRTY)
        land(scenario.without("faults"), folder / "dirty.duckdb")
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
    "cents that no binary number is": narrow("amount", 0.07, 0.29),
    "one cent": narrow("amount", 0.29, 0.29),
    "one score": narrow("risk_score", 0.5, 0.5),
    "one count": narrow("installment_count", 11.5, 12.5),
    "delays of years": {"kind": "late", "delay": {"kind": "lognormal", "median_hours": 8784, "sigma": 3}},
}


def test_of_rows_of_one_moment_the_first_is_that_of_the_feed() -> None:
    """A prior drift brings customers at moments at which others signed up."""
    said = {
        "seed": 5, "clock": {"start": "2024-03-03", "end": "2024-03-08"}, "volume.base_daily_volume": 150,
        "bnpl.population.initial_customers": 100, "bnpl.population.repeat_customer_rate": 0.5,
        "drifts": [{"id": "p", "kind": "prior", "schedule": {"kind": "sudden", "at": "2024-03-04"},
                    "effect": {"default_rate": 0.3}}],
        "faults": [{"id": "s", "kind": "stuck", "table": "customers", "columns": ["birth_date", "state"],
                    "stretch_minutes": 30, "rate": 0.5}],
    }  # fmt: skip
    scenario = load_scenario("baseline", said)
    with in_memory(scenario) as landed:
        (found,) = findings(landed, "faults_as_declared").values()
    assert found.verdict is Verdict.PASSED, found.rows


def test_faults_at_the_edge_of_what_can_be_said_are_as_declared() -> None:
    faults = [
        {"id": case.replace(" ", "_"), "table": "transactions", "rate": 0.4, **said}
        for case, said in AT_THE_EDGE.items()
    ]
    short = {"start": "2024-01-01", "end": "2024-01-02"}
    scenario = load_scenario("baseline", {**DIRTY, "clock": short, "noise": [], "faults": faults})
    with in_memory(scenario) as landed:
        (found,) = findings(landed, "faults_as_declared").values()
    assert found.verdict is Verdict.PASSED, found.rows
    assert all(float(row["adjusted_p"]) >= 0 for row in found.rows)  # NaN is not
    hits = {str(row["fault"]): float(row["found"]) for row in found.rows if row["statement"] == RATE}
    assert hits.keys() == {fault["id"] for fault in faults}
    assert min(hits.values()) > 20, hits


ONE_AFTER_ANOTHER = (
    {"kind": "duplicate", "columns": ["amount", "risk_level"], "rate": 0.7},
    {"kind": "unit_change", "columns": ["amount"], "rate": 1.0},
    {"kind": "stuck", "columns": ["risk_level"], "rate": 0.6},
    {"kind": "missing", "columns": ["risk_level"], "rate": 1.0},
)


@pytest.mark.parametrize("step", [1, -1], ids=["the duplicate first", "the duplicate last"])
def test_faults_on_the_same_values_are_as_declared_in_either_order(
    step: int,
) -> None:
    """What an earlier fault took, a later one cannot hit: with rate 1 one value too many would tell."""
    faults = [{"id": one["kind"], "table": "transactions", **one} for one in ONE_AFTER_ANOTHER[::step]]
    short = {"start": "2024-01-01", "end": "2024-01-02"}
    scenario = load_scenario("baseline", {**DIRTY, "clock": short, "noise": [], "faults": faults})
    with in_memory(scenario) as landed:
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
    said: dict[str, Any],
) -> None:
    """However much of it is cut off; and a value beyond the range, or between two decimals, is not."""
    noise = [{"table": "transactions", "columns": list(MEASUREMENTS), **said}]
    short = {"start": "2024-01-01", "end": "2024-01-02"}
    scenario = load_scenario(
        "baseline", {**DIRTY, "volume.base_daily_volume": 600, "clock": short, "noise": noise, "faults": []}
    )
    with in_memory(scenario) as landed:
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


def make_wrong(landed: LandedHistory, case: str) -> None:
    """As the case says; where it speaks of a table of the truth, that table does change."""
    _, table, sql = CORRUPTED[case]
    content = f"SELECT hash(list(l)) FROM baseline_truth.{table} l"
    before = landed.connection.execute(content).fetchall()
    landed.connection.execute(sql)
    if f"baseline_truth.{table}" in sql.split(" SELECT ")[0]:
        assert landed.connection.execute(content).fetchall() != before, case


def not_met(landed: LandedHistory, check: str) -> set[tuple[str, str]]:
    """Kind of fault or noise, and statement, of all that the check says is wrong."""
    (found,) = findings(landed, check).values()
    wrong = [row for row in found.rows if row["verdict"] == "failed"]
    assert (found.verdict is Verdict.FAILED) == bool(wrong)
    kinds = {fault.id: fault.kind for fault in landed.scenario.faults}
    return {
        (str(kinds.get(said, said)), str(row["statement"]))
        for row in wrong
        for said in [str(row["fault" if "fault" in row else "noise"])]
    }


@pytest.mark.parametrize("together", SHOWN_BY, ids=lambda together: ", ".join(together))
def test_each_wrong_effect_fails_the_statement_that_speaks_of_it(
    together: Mapping[str, tuple[str, str]], landed: LandedHistory
) -> None:
    """Cases that are wrong at the same time are each told by another statement."""
    assert len(set(together.values())) == len(together)
    (check,) = {CORRUPTED[case][0] for case in together}
    assert not not_met(landed, check) & set(together.values())
    for case in together:
        make_wrong(landed, case)
    assert not_met(landed, check) >= set(together.values())


BY_TABLE = (
    ("two entries of one value", "two true values"),
    ("the ledger is not the simulated one", "the noise is not the simulated one"),
)
SEEN_AT_ONCE = {case for cases in (*SHOWN_BY, *BY_TABLE) for case in cases}


@pytest.mark.parametrize("cases", [*BY_TABLE, *((one,) for one in CORRUPTED if one not in SEEN_AT_ONCE)])
def test_a_check_fails_on_data_that_is_wrong_in_its_way(
    cases: tuple[str, ...], landed: LandedHistory
) -> None:
    """Cases of several tables are wrong at the same time: a check has a verdict of each table."""
    (check,) = {CORRUPTED[case][0] for case in cases}
    tables = {CORRUPTED[case][1] for case in cases}
    assert len(tables) == len(cases)
    for case in cases:
        make_wrong(landed, case)
    found = verdicts(landed, check)
    assert {table: found[table] for table in tables} == dict.fromkeys(tables, Verdict.FAILED)


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
    land(clean, file)
    relations = Simulation(original[0]).relations
    with opened(file) as connection, pytest.raises(LandingError) as refused:
        DuckDBDatabase(connection).fits(relations)
    message = str(refused.value)
    assert "does not let risk_level be NULL" in message
    assert "has installment_count as SMALLINT instead of BIGINT" in message
