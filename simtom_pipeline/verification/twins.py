"""Twins: the same world without one drift, compared value by value with the world that has it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

import duckdb

from ..contracts import WHOLE_ROW, TableContract
from ..generators.drift.ledger import DRIFT_LEDGER, LedgerPart
from ..landing import LandingError, Storage, schema_of, table_name
from ..scenarios.models import TWIN_MARK
from ..simulation import registry
from ..sql import TRUTH_SUFFIX, quoted, truth_schema
from .queries import COPY, key_violations, unlike


@dataclass(frozen=True)
class Difference:
    """Values that differ: of one column, or whole rows (`column` is WHOLE_ROW)."""

    table: str
    column: str
    values: int
    days: int
    first_day: date | None
    last_day: date | None


@dataclass(frozen=True)
class Comparison:
    """How two landed scenarios differ over the days that both have."""

    days: int
    differences: list[Difference]


def compare(storage: Storage, one: str, other: str) -> Comparison | None:
    """Compare two landed scenarios of one generator; None if they have no day in common.

    Raises
    ------
    LandingError : the storage cannot be opened, or does not hold both of them, made by one generator.
    """
    if not storage.exists():
        raise LandingError(f"{storage.address} does not exist: land a scenario first, with simtom run.")
    with storage.open(read_only=True) as database:
        connection = database.connection
        contracts = _common_contracts(connection, storage.address, one, other)
        common = common_days(connection, one, other)
        return common and Comparison(common[0], differences(connection, one, other, contracts))


def _common_contracts(
    connection: duckdb.DuckDBPyConnection, address: str, one: str, other: str
) -> list[TableContract]:
    """Contracts of the generator whose tables both scenarios have."""
    by_generator = [compared(generator.true_tables()) for generator in registry().generators.values()]
    for name in (one, other):
        if not any(_has_landed(connection, name, contracts) for contracts in by_generator):
            raise LandingError(
                f"{address} does not hold {name}: land it first, with simtom run or simtom twin."
            )
    for contracts in by_generator:
        if all(_has_landed(connection, name, contracts) for name in (one, other)):
            return contracts
    raise LandingError(f"{one} and {other} are of different generators: they have no tables in common.")


def _has_landed(
    connection: duckdb.DuckDBPyConnection, scenario: str, contracts: Sequence[TableContract]
) -> bool:
    rows = connection.execute(
        "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = current_database()"
    ).fetchall()
    return {(schema_of(scenario, contract), contract.name) for contract in contracts} <= set(rows)


def common_days(connection: duckdb.DuckDBPyConnection, one: str, other: str) -> tuple[int, date, date] | None:
    """How many days have landed of both scenarios, the first and the last; None if there are none."""
    tables = [quoted(truth_schema(name), "daily_intensity") for name in (one, other)]
    rows = connection.execute(
        f"SELECT count(*), min(day), max(day) FROM {tables[0]} a JOIN {tables[1]} b USING (day)"
    ).fetchall()
    return rows[0] if rows[0][0] else None


def differences(
    connection: duckdb.DuckDBPyConnection, one: str, other: str, contracts: Sequence[TableContract]
) -> list[Difference]:
    """Every table and column in which two landed scenarios differ on days that both have."""
    found: list[Difference] = []
    for contract in contracts:
        found += _table_differences(connection, one, other, contract)
    return found


def _table_differences(
    connection: duckdb.DuckDBPyConnection, one: str, other: str, contract: TableContract
) -> list[Difference]:
    key = ", ".join([*(quoted(column) for column in contract.primary_key), COPY])
    columns = [column for column in contract.columns if column.name not in contract.primary_key]
    values = [column.name for column in columns]
    alone = f"a.{quoted(contract.primary_key[0])} IS NULL OR b.{quoted(contract.primary_key[0])} IS NULL"
    differ = [f"NOT ({alone}) AND {unlike(column, 'a', 'b')}" for column in columns]
    day = "coalesce(a.day, b.day)" if contract.daily else "NULL::DATE"
    names, conditions = [WHOLE_ROW, *values], [alone, *differ]
    figures = ", ".join(
        f"{figure} FILTER (c{n})"
        for n in range(len(names))
        for figure in ("count(*)", "count(DISTINCT day)", "min(day)", "max(day)")
    )
    flags = ", ".join(f"({condition}) AS c{n}" for n, condition in enumerate(conditions))
    sides = [_side(connection, name, contract, one, other) for name in (one, other)]
    row = connection.execute(
        f"SELECT {figures} FROM (SELECT {day} AS day, {flags} FROM {sides[0]} a FULL JOIN {sides[1]} b"
        f" USING ({key}))"
    ).fetchall()[0]
    return [
        Difference(contract.name, name, *row[4 * n : 4 * n + 4]) for n, name in enumerate(names) if row[4 * n]
    ]


PLACE = "simtom_place"


def _side(
    connection: duckdb.DuckDBPyConnection, name: str, contract: TableContract, one: str, other: str
) -> str:
    """Rows of the days that both have; those of one key, if a fault doubled some, are numbered."""
    rows, key = table_name(name, contract), ", ".join(quoted(column) for column in contract.primary_key)
    number = f"1 AS {COPY}"
    if key_violations(connection, name, contract):
        # By place, which a view has as well as a table.
        rows = f"(SELECT *, row_number() OVER () AS {PLACE} FROM {rows})"
        number = f"row_number() OVER (PARTITION BY {key} ORDER BY {PLACE}) AS {COPY}"
    if not contract.daily:
        return f"(SELECT *, {number} FROM {rows})"
    both = " INTERSECT ".join(
        f"SELECT day FROM {quoted(truth_schema(scenario), 'daily_intensity')}" for scenario in (one, other)
    )
    return f"(SELECT *, {number} FROM {rows} WHERE day IN ({both}))"


def landed_twins(connection: duckdb.DuckDBPyConnection, scenario: str) -> list[str]:
    """Drift ids of the scenario's twins that are in the file."""
    prefix = f"{scenario}{TWIN_MARK}"
    rows = connection.execute(
        "SELECT DISTINCT schema_name FROM duckdb_tables() WHERE NOT internal"
        " AND database_name = current_database() AND table_name = 'daily_intensity' ORDER BY 1"
    ).fetchall()
    names = [schema.removesuffix(TRUTH_SUFFIX) for (schema,) in rows if schema.startswith(prefix)]
    return [name.removeprefix(prefix) for name in names]


def compared(true: Sequence[TableContract]) -> list[TableContract]:
    """Tables that twins are compared in: what is drawn, but for the ledger that tells them apart."""
    return [contract for contract in true if contract.name != DRIFT_LEDGER.name]


def allowed_differences(parts: Iterable[LedgerPart]) -> dict[str, date]:
    """From which day on a "table.column" may differ once these targets drift."""
    allowed: dict[str, date] = {}
    for part in parts:
        for name in part.causal_descendants:
            allowed[name] = min(part.onset, allowed.get(name, part.onset))
    return allowed
