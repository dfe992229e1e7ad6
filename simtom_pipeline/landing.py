"""Landing in DuckDB: tables made from their contracts, days replaced whole, all tables at once.

A day is either entirely the old one or entirely the new one: everything of a batch of days happens in
one transaction. A table that no longer fits its contract is refused, never altered or dropped.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa

from . import disk
from .contracts import Column, TableContract, ViewContract
from .interrupts import held_back
from .relations import Relations
from .sql import quoted, text, truth_schema

Connection = duckdb.DuckDBPyConnection
Record = Callable[
    [Connection, Sequence[TableContract], Collection[date], Mapping[str, pa.Table]], Collection[str]
]
"""Keeps a record of what lands (contracts, days, tables), in the transaction that lands it.

It names the tables that need not land, because they are on record as the same.
"""


class LandingError(RuntimeError):
    """A batch of days could not be landed, or the file not be used. The message says what to do.

    Batches that landed before stay: only who lands them knows whether there were any.
    """


@contextmanager
def connect(path: Path | str, read_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
    """A short connection to the file, closed whatever happens.

    Raises
    ------
    LandingError : the file is locked by another process, is not a DuckDB database, or its disk is full.
    """
    with room_for(path):
        with explained(path):
            if not read_only:
                Path(path).parent.mkdir(parents=True, exist_ok=True)
            connection = duckdb.connect(str(path), read_only=read_only)
        try:
            yield connection
        finally:
            connection.close()


@contextmanager
def explained(path: Path | str) -> Iterator[None]:
    """Turns DuckDB's errors about opening the file into messages that say what to do."""
    try:
        yield
    except (duckdb.IOException, duckdb.ConnectionException, OSError) as error:
        if disk.is_full(error):
            raise
        raise LandingError(_locked_or_broken(path, str(error))) from error


@contextmanager
def room_for(path: Path | str) -> Iterator[None]:
    """Turns errors that come of a full disk, from whatever statement, into a message that names the disk."""
    try:
        yield
    except (duckdb.Error, OSError) as error:
        if not disk.is_full(error):
            raise
        advice = "Make room there, or name a file on another disk with --database."
        raise LandingError(f"{disk.describe_full(error, Path(path))} {advice}") from error


def _locked_or_broken(path: Path | str, message: str) -> str:
    if not re.search("Could not set lock|Conflicting lock", message):
        return f"{path} cannot be opened: {message.splitlines()[0]}. Name another file with --database."
    holder = re.search(r"Conflicting lock is held in (.*?) \(PID (\d+)\)", message)
    who = f"process {holder[2]} ({holder[1]})" if holder else "another process"
    return (
        f"{path} is in use by {who}. DuckDB lets one process write at a time: close that connection"
        " (a notebook, a database browser, another run), or wait for it to end, and run again."
    )


def readable(connection: duckdb.DuckDBPyConnection, name: str) -> str:
    """The name as a person would write it: quoted only where it is a word of SQL."""
    keyword = "SELECT 1 FROM duckdb_keywords() WHERE keyword_name = ? AND keyword_category <> 'unreserved'"
    return quoted(name) if connection.execute(keyword, [name]).fetchall() else name


def schema_of(scenario: str, contract: TableContract | ViewContract) -> str:
    """The schema a table or view lives in: `<scenario>`, or `<scenario>_truth`."""
    return truth_schema(scenario) if contract.truth else scenario


def table_name(scenario: str, contract: TableContract) -> str:
    """Quoted name of the table."""
    return quoted(schema_of(scenario, contract), contract.name)


def replace_days(
    connection: Connection,
    relations: Relations,
    days: Collection[date],
    tables: Mapping[str, pa.Table],
    record: Record | None = None,
    committed: Callable[[], None] = lambda: None,
) -> None:
    """Replace `days` in the given tables, in one transaction; constant tables are replaced whole.

    Days outside `days` are not touched. Missing schemas, tables and views are created, those
    that no rows are given for among them. `record` is called in the same transaction; `committed` if and
    only if the days have landed: no signal comes in between.

    Raises
    ------
    LandingError : a table in the file does not fit its contract; no day was changed.
    """
    with transaction(connection, committed):
        ensure_tables(connection, relations)
        there = record(connection, relations.tables, days, tables) if record else ()
        for contract in relations.tables:
            if contract.name not in tables or contract.name in there:
                continue
            name = relations.name_of(contract)
            if contract.daily:
                connection.execute(f"DELETE FROM {name} WHERE list_contains(?, day)", [list(days)])
            else:
                connection.execute(f"DELETE FROM {name}")
            insert(connection, name, tables[contract.name])


def replace_whole(
    connection: Connection,
    relations: Relations,
    tables: Mapping[str, pa.Table],
    record: Record | None = None,
) -> None:
    """Replace tables that have no days, and make sure that every table and view is there.

    Raises
    ------
    LandingError : as `replace_days`.
    """
    replace_days(connection, relations, (), tables, record)


def insert(connection: Connection, name: str, rows: pa.Table) -> None:
    """Add rows to a table, by the names of their columns."""
    connection.register("simtom_rows", rows)
    try:
        connection.execute(f"INSERT INTO {name} BY NAME SELECT * FROM simtom_rows")
    finally:
        connection.unregister("simtom_rows")


@contextmanager
def transaction(connection: Connection, committed: Callable[[], None] = lambda: None) -> Iterator[None]:
    """All or nothing of what is done to the database within; `committed` is called once it is done."""
    connection.execute("BEGIN TRANSACTION")
    try:
        yield
    except BaseException:
        with suppress(duckdb.Error):  # a full disk has ended the transaction already
            connection.execute("ROLLBACK")
        raise
    with held_back():
        connection.execute("COMMIT")
        committed()


def ensure_tables(connection: duckdb.DuckDBPyConnection, relations: Relations) -> None:
    """Create what is missing: schemas, tables with their comments, views.

    Raises
    ------
    LandingError : as `check_fits`.
    """
    existing, scenario = check_fits(connection, relations), relations.scenario.name
    for contract in relations.tables:
        schema = schema_of(scenario, contract)
        if (schema, contract.name) not in existing:
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(schema)}")
            _execute_all(connection, create_table(scenario, contract))
    for view in relations.views:
        _execute_all(connection, create_view(scenario, view))


def check_fits(connection: duckdb.DuckDBPyConnection, relations: Relations) -> set[tuple[str, str]]:
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


def _refuse_ambiguity(connection: duckdb.DuckDBPyConnection, schemas: set[str]) -> None:
    """A file that is called as one of its schemas cannot be asked: SQL takes the name for the database's."""
    name, path = connection.execute(
        "SELECT database_name, path FROM duckdb_databases() WHERE database_name = current_database()"
    ).fetchall()[0]
    if name.lower() in schemas:
        raise LandingError(
            f"{path} is called as the schema {name} that would land in it, and DuckDB could not tell one from"
            f" the other. Name another file, such as --database {name}_history.duckdb."
        )


def path_of(connection: Connection) -> str:
    """The file that a connection is to."""
    (path,) = connection.execute(
        "SELECT path FROM duckdb_databases() WHERE database_name = current_database()"
    ).fetchall()[0]
    return str(path)


def count_rows(connection: duckdb.DuckDBPyConnection, schema: str, table: str) -> int:
    """Rows of a table or view."""
    (count,) = connection.execute(f"SELECT count(*) FROM {quoted(schema, table)}").fetchall()[0]
    return int(count)


def _execute_all(connection: duckdb.DuckDBPyConnection, statements: Iterable[str]) -> None:
    for statement in statements:
        connection.execute(statement)


def create_table(scenario: str, contract: TableContract) -> list[str]:
    """DDL of a table and its comments, a statement each."""
    name = table_name(scenario, contract)
    columns = ",\n".join(
        f"  {quoted(c.name)} {c.type.sql}{'' if c.nullable else ' NOT NULL'}" for c in contract.columns
    )
    key = ", ".join(contract.primary_key)
    comment = f"A row is {contract.row}. Primary key: {key}."
    return [
        f"CREATE TABLE {name} (\n{columns}\n)",
        f"COMMENT ON TABLE {name} IS {text(comment)}",
        *_column_comments(name, contract.columns),
    ]


def create_view(scenario: str, view: ViewContract) -> list[str]:
    """DDL of a view or table macro and its comments, a statement each."""
    name = quoted(schema_of(scenario, view), view.name)
    select = view.sql(quoted(scenario), quoted(truth_schema(scenario)))
    if view.parameters:
        return [
            f"CREATE OR REPLACE MACRO {name}({', '.join(view.parameters)}) AS TABLE {select}",
            f"COMMENT ON MACRO TABLE {name} IS {text(f'A row is {view.row}.')}",
        ]
    return [
        f"CREATE OR REPLACE VIEW {name} AS {select}",
        f"COMMENT ON VIEW {name} IS {text(f'A row is {view.row}.')}",
        *_column_comments(name, view.columns),
    ]


def _column_comments(name: str, columns: Sequence[Column]) -> list[str]:
    return [f"COMMENT ON COLUMN {name}.{quoted(c.name)} IS {text(c.comment)}" for c in columns]


Found = dict[str, tuple[str, bool]]
"""Type of each column, and whether it may be NULL."""


def _existing_columns(connection: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], Found]:
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
    return (
        f"{path_of(connection)}: {len(misfits)} table(s) were made by another version of the contract:\n  "
        + "\n  ".join(misfits)
        + "\nEither land in another file (--database FILE), or, if these rows may go, remove them with"
        f" simtom forget {scenario}, or in SQL with\n  {drops}\nand run again: every day can be simulated"
        " again."
    )
