"""The interface of a storage: closed, it can be opened; open, it takes days and answers SQL.

A storage is given contracts and Arrow tables. A day is either entirely the old one or entirely the new one:
everything of a batch of days happens in one transaction. A table that no longer fits its contract is refused,
never altered or dropped.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import date
from typing import Protocol

import duckdb
import pyarrow as pa

from ..contracts import TableContract
from ..relations import Relations

Connection = duckdb.DuckDBPyConnection


class LandingError(RuntimeError):
    """A batch of days could not be landed, or the storage not be used. The message says what to do.

    Batches that landed before stay: only who lands them knows whether there were any.
    """


class InUseError(LandingError):
    """Another process keeps the storage: it can be used once that has let it go."""


def nothing() -> None:
    """What is done about a commit where nobody wants to know of it."""


class Storage(Protocol):
    """A place where histories are kept, closed: others may use it until it is opened."""

    @property
    def address(self) -> str:
        """What a person names it by: a path."""

    @property
    def name(self) -> str:
        """What its database is called in SQL."""

    def exists(self) -> bool:
        """Whether anything is there."""

    def open(self, read_only: bool = False) -> AbstractContextManager["Database"]:
        """The database, for a short while: closed whatever happens. To write, it is made where it is missing.

        Raises
        ------
        LandingError : it is in use by another process, is no database, or its disk is full.
        """

    def open_to_examine(self) -> AbstractContextManager["Database"]:
        """The database, only to read, with room in memory for temporary tables; LandingError as `open`."""


class Database(Protocol):
    """An open storage."""

    @property
    def connection(self) -> Connection:
        """Answers every query in the SQL of DuckDB, whatever the rows are stored in."""

    @property
    def location(self) -> str:
        """What messages call it."""

    def fits(self, relations: Relations) -> set[tuple[str, str]]:
        """The (schema, table) pairs in it, once every one of the scenario's is seen to fit its contract.

        Raises
        ------
        LandingError : one does not; the message names every difference and what to do. Nothing is changed.
        """

    def ensure(self, relations: Relations) -> None:
        """Create what is missing: schemas, tables with their comments, views; LandingError as `fits`."""

    def replace_days(
        self,
        relations: Relations,
        days: Collection[date],
        tables: Mapping[str, pa.Table],
        record: "Record | None" = None,
        committed: Callable[[], None] = nothing,
    ) -> None:
        """Replace `days` in the given tables, in one transaction; tables without days are replaced whole.

        Days outside `days` are not touched. Missing schemas, tables and views are created, those that no
        rows are given for among them. `record` is called in the same transaction; `committed` if and only
        if the days have landed: no signal comes in between.

        Raises
        ------
        LandingError : a table in it does not fit its contract; no day was changed.
        """

    def replace_whole(
        self, relations: Relations, tables: Mapping[str, pa.Table], record: "Record | None" = None
    ) -> None:
        """Replace tables that have no days, and make sure that every table and view is there.

        Raises
        ------
        LandingError : as `replace_days`.
        """

    def transaction(self, committed: Callable[[], None] = nothing) -> AbstractContextManager[None]:
        """All or nothing of what is done to the database within; `committed` is called once it is done."""

    def insert(self, table: str, rows: pa.Table) -> None:
        """Add rows to a table, given its quoted name, by the names of their columns."""

    def count(self, schema: str, table: str) -> int:
        """Rows of a table or view."""


Record = Callable[
    [Database, Sequence[TableContract], Collection[date], Mapping[str, pa.Table]], Collection[str]
]
"""Keeps a record of what lands (contracts, days, tables), in the transaction that lands it.

It names the tables that need not land, because they are on record as the same.
"""
