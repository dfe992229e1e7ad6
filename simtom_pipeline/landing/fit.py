"""Whether the tables in a database are those that their contracts describe, and what to say if not."""

from collections.abc import Sequence

from ..contracts import TableContract
from ..relations import Relations
from ..sql import quoted
from .ddl import schema_of, table_name
from .storage import Connection, LandingError

Found = dict[str, tuple[str, bool]]
"""Type of each column, and whether it may be NULL."""


def location_of(connection: Connection) -> str:
    """Path of the file that a connection is to."""
    (path,) = connection.execute(
        "SELECT path FROM duckdb_databases() WHERE database_name = current_database()"
    ).fetchall()[0]
    return str(path)


def check_fits(connection: Connection, relations: Relations) -> set[tuple[str, str]]:
    """The (schema, table) pairs in the file, once every one of the scenario's is seen to fit its contract.

    Raises
    ------
    LandingError : one does not, or the file is called as a schema in it; the message names every difference
        and what to do. Nothing is changed here.
    """
    scenario, contracts = relations.scenario.name, relations.tables
    _refuse_ambiguity(connection, {schema_of(scenario, contract) for contract in contracts})
    existing = _existing_columns(connection)
    misfits = [
        misfit
        for contract in contracts
        if (columns := existing.get((schema_of(scenario, contract), contract.name))) is not None
        and (misfit := _misfit(table_name(scenario, contract), columns, contract))
    ]
    if misfits:
        raise LandingError(_refusal(connection, scenario, contracts, misfits))
    return set(existing)


def _refuse_ambiguity(connection: Connection, schemas: set[str]) -> None:
    """A file that is called as one of its schemas cannot be asked: SQL takes the name for the database's."""
    name, path = connection.execute(
        "SELECT database_name, path FROM duckdb_databases() WHERE database_name = current_database()"
    ).fetchall()[0]
    if name.lower() in schemas:
        raise LandingError(
            f"{path} is called as the schema {name} that would land in it, and DuckDB could not tell one from"
            f" the other. Name another file, such as --database {name}_history.duckdb."
        )


def _existing_columns(connection: Connection) -> dict[tuple[str, str], Found]:
    rows = connection.execute(
        "SELECT schema_name, table_name, column_name, data_type, is_nullable FROM duckdb_columns()"
        " WHERE NOT internal AND database_name = current_database() ORDER BY column_index"
    ).fetchall()
    found: dict[tuple[str, str], Found] = {}
    for schema, table, column, data_type, nullable in rows:
        found.setdefault((schema, table), {})[column] = (data_type, nullable)
    return found


def _misfit(name: str, found: Found, contract: TableContract) -> str:
    expected = {column.name: column for column in contract.columns}
    missing = [f"lacks {column} {c.type.sql}" for column, c in expected.items() if column not in found]
    extra = [f"has {column} {kind} besides" for column, (kind, _) in found.items() if column not in expected]
    there = {column: (*found[column], c) for column, c in expected.items() if column in found}
    changed = [
        f"has {column} as {kind} instead of {c.type.sql}"
        for column, (kind, _, c) in there.items()
        if kind != c.type.sql
    ]
    strict = [
        f"does not let {column} be NULL" for column, (_, may, c) in there.items() if c.nullable and not may
    ]
    differences = missing + extra + changed + strict
    return f"{name} {'; '.join(differences)}" if differences else ""


def _refusal(
    connection: Connection, scenario: str, contracts: Sequence[TableContract], misfits: list[str]
) -> str:
    schemas = sorted({schema_of(scenario, contract) for contract in contracts})
    drops = " ".join(f"DROP SCHEMA {quoted(schema)} CASCADE;" for schema in schemas)
    location = location_of(connection)
    return (
        f"{location}: {len(misfits)} table(s) were made by another version of the contract:\n  "
        + "\n  ".join(misfits)
        + "\nEither land in another file (--database FILE), or, if these rows may go, remove them with"
        f" simtom forget {scenario}, or in SQL with\n  {drops}\nand run again: every day can be simulated"
        " again."
    )
