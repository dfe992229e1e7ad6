"""Scenarios landed for tests, through what a run lands them with, and what checks say of them."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa

from simtom_pipeline import simulate_day
from simtom_pipeline.history import land_history
from simtom_pipeline.landing import DuckDBFile, schema_of, table_name
from simtom_pipeline.landing.ddl import create_table, create_view
from simtom_pipeline.landing.duckdb_file import DuckDBDatabase
from simtom_pipeline.scenarios.models import Scenario
from simtom_pipeline.simulation import Simulation
from simtom_pipeline.sql import quoted
from simtom_pipeline.validation.decisions import Finding
from simtom_pipeline.verification.history import LandedHistory
from simtom_pipeline.verification.measurements import land_measurements
from simtom_pipeline.verification.verify import checks_of, findings, landed_history

TableAndName = tuple[str, str]
"""What identifies a check."""


@contextmanager
def opened(file: Path, read_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to a file, as a run opens it."""
    with DuckDBFile(Path(file)).open(read_only) as database:
        yield database.connection


def simulated(
    scenario: Scenario,
    days: Sequence[date] | None = None,
    simulate: Callable[[Scenario, date], Mapping[str, pa.Table]] = simulate_day,
) -> dict[str, pa.Table]:
    """The tables of some days of a scenario, or of all, as one transaction lands them."""
    parts = [simulate(scenario, day) for day in days or scenario.clock.days()]
    relations = Simulation(scenario).relations
    some = {contract.name: parts if contract.daily else parts[:1] for contract in relations.simulated}
    return {name: pa.concat_tables([part[name] for part in those]) for name, those in some.items()}


def put(
    connection: duckdb.DuckDBPyConnection, scenario: Scenario, tables: Mapping[str, pa.Table] | None = None
) -> None:
    """Every day of the scenario in a database, in one transaction and without a record."""
    days, relations = scenario.clock.days(), Simulation(scenario).relations
    rows = simulated(scenario) if tables is None else tables
    DuckDBDatabase(connection).replace_days(relations, days, rows)


def put_rows(
    connection: duckdb.DuckDBPyConnection, scenario: Scenario, tables: Mapping[str, pa.Table] | None = None
) -> None:
    """The same, but only simulated tables and the views that undo faults, and no comments."""
    relations, database = Simulation(scenario).relations, DuckDBDatabase(connection)
    rows = simulated(scenario) if tables is None else tables
    for contract in relations.simulated:
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(schema_of(scenario.name, contract))}")
        connection.execute(create_table(scenario.name, contract)[0])
        database.insert(table_name(scenario.name, contract), rows[contract.name])
    for view in relations.views:
        if view.truth:
            connection.execute(create_view(scenario.name, view)[0])


def land(scenario: Scenario, file: Path) -> Path:
    """Every day of the scenario in a file: the simulated tables and the views, nothing measured."""
    simulation = Simulation(scenario)
    land_history(simulation, scenario.clock.days(), DuckDBFile(file), lambda _: None)
    return file


def land_and_measure(scenario: Scenario, file: Path) -> Path:
    """The same, and what is measured on them."""
    land(scenario, file)
    with DuckDBFile(file).open() as database:
        land_measurements(database, Simulation(scenario))
    return file


def history_of(scenario: Scenario, connection: duckdb.DuckDBPyConnection) -> LandedHistory:
    """What has landed of a scenario, as its checks judge it."""
    simulation = Simulation(scenario)
    return landed_history(simulation, connection, checks_of(simulation))


def found(
    history: LandedHistory, wanted: Collection[TableAndName] | None = None
) -> dict[TableAndName, Finding]:
    """What all checks, or the `wanted` ones, find in what has landed now."""
    return {
        (check.table, check.name): finding
        for check, finding in findings(history.simulation, history.connection, wanted)
    }
