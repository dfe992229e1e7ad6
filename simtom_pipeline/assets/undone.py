"""The landed history as it was before noise and faults, for all that speaks of the world itself.

Within `undone` the schemas of a scenario, and of its twins, show what was simulated; the names stay the
same. Nothing is written to the file.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from ..contracts import TableContract
from ..generators.base import DAILY_INTENSITY, BaseGenerator
from ..generators.clean_views import clean_rows
from ..generators.drift.ledger import DERIVED
from ..generators.fault_contracts import FAULT_LEDGER, NOISE_LEDGER, spoilt_contracts, spoilt_tables
from ..landing import create_view, quoted, schema_of
from ..record_tables import RECORDS
from ..scenarios.models import TWIN_MARK, Scenario
from .twins import landed_twins


@contextmanager
def undone(
    connection: duckdb.DuckDBPyConnection, scenario: Scenario, generator: type[BaseGenerator]
) -> Iterator[None]:
    """Let the scenario's schemas show what was simulated; a scenario without noise and faults as it is."""
    if not (scenario.noise or scenario.faults):
        yield
        return
    (file, path), *_ = connection.execute(
        "SELECT current_database(), current_setting('search_path')"
    ).fetchall()
    twins = [f"{scenario.name}{TWIN_MARK}{cause}" for cause in landed_twins(connection, scenario.name)]
    catalog = f"{file}_undone"
    connection.execute(f"ATTACH ':memory:' AS {quoted(catalog)}")
    try:
        for name in (scenario.name, *twins):
            _fill(connection, scenario, generator, (file, catalog), name)
        connection.execute(f"USE {quoted(catalog)}")
        for view in generator.views:
            for statement in create_view(scenario.name, view):
                connection.execute(statement)
        yield
    finally:
        connection.execute(f"USE {quoted(file)}")
        if path:
            connection.execute("SET search_path = ?", [path])
        connection.execute(f"DETACH {quoted(catalog)}")


def _fill(
    connection: duckdb.DuckDBPyConnection,
    scenario: Scenario,
    generator: type[BaseGenerator],
    catalogs: tuple[str, str],
    name: str,
) -> None:
    """One scenario's schemas: tables that were spoilt made anew, the others seen through."""
    file, catalog = catalogs
    found = connection.execute(
        "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = ?", [file]
    ).fetchall()
    for schema in (name, f"{name}_truth"):
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(catalog, schema)}")
    ledgers = {table for schema, table in found if schema == f"{name}_truth"}
    for contract in (*generator.clean_contracts(), *DERIVED, *RECORDS, FAULT_LEDGER, NOISE_LEDGER):
        place = (schema_of(name, contract), contract.name)
        if place not in found:
            continue
        rows = _true_rows(contract, scenario, generator, quoted(file, name), ledgers)
        # Its name in the catalog is what tells that a scenario has landed: a table, as it is there.
        kind = "TABLE" if rows or contract is DAILY_INTENSITY else "VIEW"
        connection.execute(
            f"CREATE {kind} {quoted(catalog, *place)} AS {rows or f'FROM {quoted(file, *place)}'}"
        )


def _true_rows(
    contract: TableContract,
    scenario: Scenario,
    generator: type[BaseGenerator],
    schema: str,
    ledgers: set[str],
) -> str:
    """SELECT of a table's rows before noise and faults; empty if neither can be on it."""
    truth = schema.removesuffix('"') + '_truth"'
    measured = {m.name: m for m in spoilt_contracts([contract], scenario.faultless)}[contract.name]
    can_be_hit = contract.name in [table.name for table in spoilt_tables([contract], scenario)]
    noisy = sorted({c for noise in scenario.noise if noise.table == contract.name for c in noise.columns})
    rows = ""
    if can_be_hit and FAULT_LEDGER.name in ledgers:
        rows = clean_rows(measured, schema, truth)
    if noisy and NOISE_LEDGER.name in ledgers:
        rows = without_noise(contract, noisy, rows or f"FROM {schema}.{quoted(contract.name)}", truth)
    return rows


def without_noise(contract: TableContract, noisy: list[str], rows: str, truth: str) -> str:
    """SELECT of rows with the true value wherever the noise ledger has one."""
    key = [f"key[{n}] AS {quoted(name)}" for n, name in enumerate(contract.primary_key, 1)]
    pivot = [f"max(true_value) FILTER (column_name = '{name}') AS {quoted('true_' + name)}" for name in noisy]
    by_key = ", ".join(str(n) for n in range(1, len(key) + 1))
    columns = [
        f"TRY_CAST(coalesce(n.{quoted('true_' + c.name)}, m.{quoted(c.name)}) AS {c.type.sql})"
        f" AS {quoted(c.name)}"
        if c.name in noisy
        else f"m.{quoted(c.name)}"
        for c in contract.columns
    ]
    on = " AND ".join(f"m.{quoted(name)} = n.{quoted(name)}" for name in contract.primary_key)
    return (
        f"SELECT {', '.join(columns)} FROM ({rows}) m LEFT JOIN (SELECT {', '.join(key)}, {', '.join(pivot)}"
        f" FROM {truth}.{NOISE_LEDGER.name} WHERE table_name = '{contract.name}' GROUP BY {by_key}) n ON {on}"
    )
