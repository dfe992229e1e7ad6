"""Remove a scenario's data: its schemas from the file, and from Dagster what it knows of its days."""

from pathlib import Path

import dagster as dg

from .. import landing, records
from ..home import default_database
from ..interrupts import held_back
from ..landing import LandingError
from ..scenarios.base import valid_name
from ..scenarios.models import RESERVED_NAMES
from ..sql import TRUTH_SUFFIX, quoted, truth_schema
from .instance import command_run, prepare_instance


def landed_rows(file: Path, scenario: str) -> tuple[int, int]:
    """How many days and rows a file holds of a scenario, by its name.

    Raises
    ------
    LandingError : there is no such file, it is locked, or it holds nothing of the scenario.
    """
    if not file.exists():
        raise LandingError(f"{file} does not exist: there is nothing to forget.")
    with landing.connect(file, read_only=True) as connection:
        tables = _tables(connection, scenario)
        is_name = (
            valid_name(scenario) and scenario not in RESERVED_NAMES and not scenario.endswith(TRUTH_SUFFIX)
        )
        if not is_name or not tables:
            raise LandingError(f"{file} holds nothing of {scenario}: there is nothing to forget.")
        rows = sum(landing.count_rows(connection, schema, table) for schema, table in tables)
        return len(records.kept(connection, scenario).worlds), rows


def forget(file: Path, scenario: str, home: Path) -> None:
    """Drop the scenario's schemas with all they hold; its days count as never materialized in Dagster.

    Raises
    ------
    LandingError : as `landed_rows`.
    """
    prepare_instance(home)
    with dg.DagsterInstance.get() as instance, command_run(instance):
        landed_rows(file, scenario)
        with held_back():  # the file and Dagster's record are of one mind, whatever comes in between
            with landing.connect(file) as connection, landing.transaction(connection):
                for schema in (scenario, truth_schema(scenario)):
                    connection.execute(f"DROP SCHEMA IF EXISTS {quoted(schema)} CASCADE")
            if file == default_database():
                keys = [key for key in instance.all_asset_keys() if key.path[0] == scenario]
                instance.wipe_assets(keys)


def _tables(connection: landing.Connection, scenario: str) -> list[tuple[str, str]]:
    return connection.execute(
        "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = current_database()"
        " AND list_contains(?, schema_name)",
        [[scenario, truth_schema(scenario)]],
    ).fetchall()
