"""One DuckDB file: one process at a time writes to it, and nobody reads meanwhile."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pyarrow as pa

from .. import disk
from ..contracts import TableContract, ViewContract
from ..interrupts import held_back
from ..relations import Relations
from ..sql import quoted, text
from . import memory
from .ddl import create_table, create_view, schema_of
from .fit import check_fits, location_of
from .storage import Connection, Database, InUseError, LandingError, Record, nothing

READ = "simtom_read"
"""What a file is called in the connection that examines it, whatever its name."""


@dataclass(frozen=True)
class DuckDBFile:
    """A DuckDB file, closed.

    Attributes
    ----------
    path : where it is, or will be.
    connect : how a connection that writes is made; without one as DuckDB does.
    """

    path: Path
    connect: Callable[[], AbstractContextManager[Connection]] | None = None

    @property
    def address(self) -> str:
        """Its path."""
        return str(self.path)

    @property
    def name(self) -> str:
        """What DuckDB calls it: as its file, without what follows the last dot."""
        return self.path.stem

    def exists(self) -> bool:
        """Whether anything is at that path."""
        return self.path.exists()

    @contextmanager
    def open(self, read_only: bool = False) -> Iterator[Database]:
        """A short connection to the file, closed whatever happens.

        Raises
        ------
        InUseError : the file is locked by another process.
        LandingError : it is not a DuckDB database, or its disk is full.
        """
        with _room_for(self.path), ExitStack() as stack:
            limits = _limits()  # before any file is made
            with _explained(self.path):
                if not read_only:
                    self.path.parent.mkdir(parents=True, exist_ok=True)
                connection = stack.enter_context(self._connected(read_only))
            stack.callback(connection.close)
            connection.execute(limits)
            yield DuckDBDatabase(connection)

    def _connected(self, read_only: bool) -> AbstractContextManager[Connection]:
        if self.connect is not None and not read_only:
            return self.connect()
        return closing(duckdb.connect(self.address, read_only=read_only))

    @contextmanager
    def open_to_examine(self) -> Iterator[Database]:
        """A connection that only reads the file, and keeps scratch tables in memory: a read-only one cannot.

        Raises
        ------
        LandingError : as `open`.
        """
        with _room_for(self.path), TemporaryDirectory() as folder, duckdb.connect() as connection:
            connection.execute(_limits())
            connection.execute(f"SET temp_directory = {text(folder)}")
            with _explained(self.path):
                connection.execute(f"ATTACH {text(self.address)} AS {READ} (READ_ONLY)")
            connection.execute(f"USE {READ}")
            yield DuckDBDatabase(connection)


@dataclass(frozen=True)
class DuckDBDatabase:
    """The database in use of a DuckDB connection."""

    connection: Connection

    @property
    def location(self) -> str:
        """Path of the file."""
        return location_of(self.connection)

    def fits(self, relations: Relations) -> set[tuple[str, str]]:
        """As `check_fits`."""
        return check_fits(self.connection, relations)

    def ensure(self, relations: Relations) -> None:
        """Create what is missing: schemas, tables with their comments, views; LandingError as `fits`."""
        self._create_missing(relations, self.fits(relations))

    def _create_missing(self, relations: Relations, existing: Collection[tuple[str, str]]) -> None:
        scenario = relations.scenario.name
        for contract in relations.tables:
            schema = schema_of(scenario, contract)
            if (schema, contract.name) not in existing:
                self.connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(schema)}")
                self._execute_all(create_table(scenario, contract))
        for view in relations.views:
            self._execute_all(create_view(scenario, view))

    def replace_days(
        self,
        relations: Relations,
        days: Collection[date],
        tables: Mapping[str, pa.Table],
        record: Record | None = None,
        committed: Callable[[], None] = nothing,
    ) -> None:
        """Delete `days` from the given tables and insert their rows, in one transaction; see `Database`."""
        with self.transaction(committed):
            existing = self.fits(relations)
            if not (_named(relations, relations.tables) <= existing and self._has_views(relations)):
                self._create_missing(relations, existing)
            there = record(self, relations.tables, days, tables) if record else ()
            for contract in relations.tables:
                if contract.name not in tables or contract.name in there:
                    continue
                name = relations.name_of(contract)
                if contract.daily:
                    self.connection.execute(f"DELETE FROM {name} WHERE list_contains(?, day)", [list(days)])
                else:
                    self.connection.execute(f"DELETE FROM {name}")
                self.insert(name, tables[contract.name])

    def replace_whole(
        self, relations: Relations, tables: Mapping[str, pa.Table], record: Record | None = None
    ) -> None:
        """Replace tables that have no days; see `Database`."""
        self.replace_days(relations, (), tables, record)

    def insert(self, table: str, rows: pa.Table) -> None:
        """Add rows to a table, by the names of their columns."""
        self.connection.register("simtom_rows", rows)
        try:
            self.connection.execute(f"INSERT INTO {table} BY NAME SELECT * FROM simtom_rows")
        finally:
            self.connection.unregister("simtom_rows")

    @contextmanager
    def transaction(self, committed: Callable[[], None] = nothing) -> Iterator[None]:
        """All or nothing of what is done to the database within; `committed` is called once it is done."""
        self.connection.execute("BEGIN TRANSACTION")
        try:
            yield
        except BaseException:
            with suppress(duckdb.Error):  # a full disk has ended the transaction already
                self.connection.execute("ROLLBACK")
            raise
        with held_back():
            self.connection.execute("COMMIT")
            committed()

    def count(self, schema: str, table: str) -> int:
        """Rows of a table or view."""
        (count,) = self.connection.execute(f"SELECT count(*) FROM {quoted(schema, table)}").fetchall()[0]
        return int(count)

    def _has_views(self, relations: Relations) -> bool:
        """Whether every view and table macro of a scenario is there."""
        found = self.connection.execute(
            "SELECT schema_name, view_name FROM duckdb_views()"
            " WHERE NOT internal AND database_name = current_database()"
            " UNION ALL SELECT schema_name, function_name FROM duckdb_functions()"
            " WHERE function_type = 'table_macro' AND database_name = current_database()"
        ).fetchall()
        return _named(relations, relations.views) <= set(found)

    def _execute_all(self, statements: Iterable[str]) -> None:
        for statement in statements:
            self.connection.execute(statement)


def in_memory() -> DuckDBDatabase:
    """A database of its own in memory, within its share of it; whoever asks for it closes its connection.

    There may be many in one process: each has the one thread that asks, and keeps no memory it has freed.
    """
    connection = duckdb.connect()
    connection.execute(
        f"{_limits()}; SET threads = 1; SET allocator_bulk_deallocation_flush_threshold = '0B'"
    )
    return DuckDBDatabase(connection)


def _limits() -> str:
    """SQL that keeps a database within its share of the memory, on no more threads than that is for."""
    threads = f"least(current_setting('threads'), {memory.threads_of_database()})"
    return f"SET memory_limit = '{memory.of_database()}B'; SET threads = {threads}"


def _named(
    relations: Relations, some: Sequence[TableContract] | Sequence[ViewContract]
) -> set[tuple[str, str]]:
    """Schema and name of some tables, or views and macros, of a scenario."""
    return {(schema_of(relations.scenario.name, one), one.name) for one in some}


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turns DuckDB's errors about opening the file into messages that say what to do."""
    try:
        yield
    except (duckdb.IOException, duckdb.ConnectionException, OSError) as error:
        if disk.is_full(error):
            raise
        raise _locked_or_broken(path, str(error)) from error


@contextmanager
def _room_for(path: Path) -> Iterator[None]:
    """Turns errors that come of a full disk or memory, from whatever statement, into a message about it."""
    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise LandingError(memory.refusal(error)) from error
    except (duckdb.Error, OSError) as error:
        if not disk.is_full(error):
            raise
        advice = "Make room there, or name a file on another disk with --database."
        raise LandingError(f"{disk.describe_full(error, path)} {advice}") from error


def _locked_or_broken(path: Path, message: str) -> LandingError:
    if not re.search("Could not set lock|Conflicting lock", message):
        reason = message.splitlines()[0].rstrip(".!")
        said = f"{path} cannot be opened: {reason}. Name another file with --database."
        return LandingError(said)
    holder = re.search(r"Conflicting lock is held in (.*?) \(PID (\d+)\)", message)
    who = f"process {holder[2]} ({holder[1]})" if holder else "another process"
    return InUseError(
        f"{path} is in use by {who}. DuckDB lets one process write at a time: close that connection"
        " (a notebook, a database browser, another run), or wait for it to end, and run again."
    )
