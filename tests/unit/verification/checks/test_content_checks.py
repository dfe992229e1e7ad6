"""Whatever is changed in a landed table, in any day of it, is found and named."""

from collections.abc import Callable, Iterator
from datetime import date

import pytest

from simtom_pipeline import load_scenario
from simtom_pipeline.contracts import ColumnType, TableContract
from simtom_pipeline.landing import table_name
from simtom_pipeline.simulation import Simulation
from simtom_pipeline.validation.decisions import Finding, Verdict
from simtom_pipeline.verification.checks.content import landed_content
from simtom_pipeline.verification.history import LandedHistory
from tests.support.bad_data import rolled_back
from tests.support.landed import land, opened

SECOND = date(2024, 3, 5)
OVERRIDES = {
    "clock.start": "2024-03-04",
    "clock.end": "2024-03-07",
    "volume.base_daily_volume": 60,
    "bnpl.population.initial_customers": 50,
    "drifts": [
        {
            "id": "dearer", "kind": "covariate", "target": "amount",
            "schedule": {"kind": "sudden", "at": "2024-03-06"}, "effect": {"mean_ratio": 1.5},
        }
    ],
    "noise": [
        {
            "table": "transactions", "columns": ["time_on_site_seconds"],
            "noise_type": "gaussian", "noise_level": 0.1,
        }
    ],
    "faults": [
        {"id": "lost", "kind": "missing", "table": "transactions", "columns": ["risk_score"], "rate": 0.2},
        {"id": "twice", "kind": "duplicate", "table": "installments", "rate": 0.2},
    ],
}  # fmt: skip


def contracts() -> list[TableContract]:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SIMTOM_HOME", raising=False)
        return list(Simulation(load_scenario("baseline", OVERRIDES)).relations.simulated)


TABLES = {contract.name: contract for contract in contracts()}


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LandedHistory]:
    scenario = load_scenario("baseline", OVERRIDES)
    with opened(land(scenario, tmp_path_factory.mktemp("landed") / "history.duckdb")) as connection:
        connection.execute("SET threads = 1")
        yield LandedHistory(Simulation(scenario), connection)


def check(landed: LandedHistory, table: str, *changes: str) -> Finding:
    """What the check says after changes, which are undone."""
    with rolled_back(landed) as changed:
        for change in changes:
            changed.connection.execute(change)
        return landed_content(changed, TABLES[table])


def another(kind: ColumnType, name: str) -> str:
    """SQL of a value of the type that is not the one there."""
    if kind.values:
        one, other = kind.values[0], kind.values[-1]
        return f"if({name}::VARCHAR = '{one}', '{other}', '{one}')" if one != other else f"{name}"
    return {
        "VARCHAR": f"{name} || '.'",
        "BOOLEAN": f"NOT {name}",
        "DATE": f"{name} + 1",
        "TIMESTAMP": f"{name} + INTERVAL 1 MICROSECOND",
        "DOUBLE": f"{name} + greatest(1e-9, abs({name}) * 1e-9)",
        "BIGINT[]": f"list_append({name}, 1)",
        "DOUBLE[]": f"list_append({name}, 1.0)",
        "VARCHAR[]": f"list_append({name}, 'a')",
        "DECIMAL(10,2)": f"3 * {name} + 0.01",
        "DECIMAL(18,2)": f"3 * {name} + 0.01",
    }.get(kind.sql, f"{name} + 1")


def one_row(contract: TableContract) -> str:
    """SQL condition for a single row, of the second day if there are days."""
    name = table_name("baseline", contract)
    return f"rowid = (SELECT min(rowid) FROM {name} WHERE {_on_the_second_day(contract)})"


def _on_the_second_day(contract: TableContract) -> str:
    return f"day = '{SECOND}'" if contract.daily else "true"


def all_columns(contract: TableContract) -> str:
    return ", ".join(
        f"{c.name} = {another(c.type, c.name)}"
        for c in contract.columns
        if c.name not in (*contract.primary_key, "day") and another(c.type, c.name) != c.name
    )


TAMPERED: dict[str, Callable[[TableContract, str], str]] = {
    "lost": lambda c, name: f"DELETE FROM {name} WHERE {one_row(c)}",
    "doubled": lambda c, name: f"INSERT INTO {name} FROM {name} WHERE {one_row(c)}",
    "changed": lambda c, name: f"UPDATE {name} SET {all_columns(c)} WHERE {one_row(c)}",
}


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("how", TAMPERED)
def test_a_row_that_is_lost_doubled_or_changed_is_found_with_its_day_and_key(
    landed: LandedHistory, table: str, how: str
) -> None:
    contract = TABLES[table]
    finding = check(landed, table, TAMPERED[how](contract, table_name("baseline", contract)))
    assert finding.verdict is Verdict.FAILED
    assert {row["day"] for row in finding.rows} == {str(SECOND) if contract.daily else ""}
    assert any(row["key"] and row["expected"] != row["found"] for row in finding.rows)


@pytest.mark.parametrize("table", TABLES)
def test_the_smallest_change_of_each_column_is_found_and_shown(landed: LandedHistory, table: str) -> None:
    contract, unseen = TABLES[table], []
    name, condition = table_name("baseline", contract), one_row(contract)
    for column in contract.columns:
        value = another(column.type, column.name)
        known = f"SELECT {column.name} IS NOT NULL FROM {name} WHERE {condition}"
        is_key = column.name in (*contract.primary_key, "day")
        if is_key or value == column.name or not landed.connection.execute(known).fetchall()[0][0]:
            continue
        finding = check(landed, table, f"UPDATE {name} SET {column.name} = {value} WHERE {condition}")
        if finding.verdict is not Verdict.FAILED or finding.rows[0]["column"] != column.name:
            unseen.append(column.name)
    assert unseen == []


@pytest.mark.parametrize("table", TABLES)
def test_what_landed_passes(landed: LandedHistory, table: str) -> None:
    assert check(landed, table).verdict is Verdict.PASSED


@pytest.mark.parametrize(
    ("change", "verdict", "said"),
    [
        (
            "UPDATE baseline.transactions SET day = day + 1 WHERE day = '2024-03-05'",
            Verdict.FAILED,
            "2 days of transactions (2024-03-05, 2024-03-06)",
        ),
        (
            "INSERT INTO baseline.transactions SELECT * REPLACE (DATE '2024-04-01' AS day) FROM"
            " baseline.transactions WHERE day = '2024-03-05'",
            Verdict.FAILED,
            "1 days of transactions (2024-04-01)",
        ),
        (
            "UPDATE baseline_truth.landed_days SET digest = 'ff' WHERE table_name = 'transactions'",
            Verdict.FAILED,
            "so its record was changed",
        ),
        (
            "UPDATE baseline_truth.landed_days SET algorithm = 'crc32' WHERE table_name = 'transactions'",
            Verdict.INCONCLUSIVE,
            "algorithm crc32",
        ),
        (
            "DELETE FROM baseline_truth.landed_days",
            Verdict.INCONCLUSIVE,
            "4 days are of a version that kept no record",
        ),
        (
            "DELETE FROM baseline_truth.daily_intensity; DELETE FROM baseline.transactions",
            Verdict.FAILED,
            "4 days of transactions",
        ),
    ],
    ids=["to another day", "a day added", "the record", "an unknown algorithm", "no record", "all days"],
)
def test_days_that_move_appear_or_lose_their_record(
    landed: LandedHistory, change: str, verdict: Verdict, said: str
) -> None:
    finding = check(landed, "transactions", *change.split(";"))
    assert finding.verdict is verdict
    assert said in finding.summary
