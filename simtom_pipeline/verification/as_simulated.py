"""The landed history as it was before noise and faults, for all that speaks of the world itself.

Within `as_simulated` the schemas of a scenario, and of its twins, show what was drawn; the names stay the
same. Nothing is written to the file.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from ..corruption.inverse import true_rows
from ..corruption.ledgers import FAULT_LEDGER, NOISE_LEDGER
from ..generators.base import DAILY_INTENSITY
from ..landing import create_view, schema_of
from ..record_tables import RECORDS
from ..relations import MEASURED_TABLES
from ..scenarios.models import TWIN_MARK
from ..sql import quoted, truth_schema
from .history import LandedHistory
from .twins import landed_twins


@contextmanager
def as_simulated(history: LandedHistory) -> Iterator[LandedHistory]:
    """The same history with every row as it was drawn; itself, if it has neither noise nor faults."""
    scenario, connection = history.scenario, history.connection
    if not (scenario.noise or scenario.faults):
        yield history
        return
    (file, path), *_ = connection.execute(
        "SELECT current_database(), current_setting('search_path')"
    ).fetchall()
    twins = [f"{scenario.name}{TWIN_MARK}{cause}" for cause in landed_twins(connection, scenario.name)]
    catalog = f"{file}_undone"
    connection.execute(f"ATTACH ':memory:' AS {quoted(catalog)}")
    try:
        for name in (scenario.name, *twins):
            _fill(history, (file, catalog), name)
        connection.execute(f"USE {quoted(catalog)}")
        for view in history.relations.true_views:
            definition, *_comments = create_view(scenario.name, view)
            connection.execute(definition)
        yield LandedHistory(history.simulation, connection, history.families)
    finally:
        connection.execute(f"USE {quoted(file)}")
        if path:
            connection.execute("SET search_path = ?", [path])
        connection.execute(f"DETACH {quoted(catalog)}")


def _fill(history: LandedHistory, catalogs: tuple[str, str], name: str) -> None:
    """One scenario's schemas: tables that were corrupted are restored, the others seen through."""
    (file, catalog), run = catalogs, history.connection.execute
    found = run(
        "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = ?", [file]
    ).fetchall()
    schema, truth = name, truth_schema(name)
    for one in (schema, truth):
        run(f"CREATE SCHEMA IF NOT EXISTS {quoted(catalog, one)}")
    there = {table for of, table in found if of == truth}
    for contract in (*history.relations.true, *MEASURED_TABLES, *RECORDS, FAULT_LEDGER, NOISE_LEDGER):
        place = (schema_of(name, contract), contract.name)
        if place not in found:
            continue
        rows = true_rows(contract, history.scenario, quoted(file, schema), quoted(file, truth), there)
        # Its name in the catalog is what tells that a scenario has landed: a table, as it is there.
        kind = "TABLE" if rows or contract is DAILY_INTENSITY else "VIEW"
        run(f"CREATE {kind} {quoted(catalog, *place)} AS {rows or f'FROM {quoted(file, *place)}'}")
