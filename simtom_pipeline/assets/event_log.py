"""Dagster's event log in SQLite, a batch of events in one transaction: the same rows in far less time.

A year of a scenario is thousands of events. Dagster's own storage keeps each in transactions of its own, for
each of which it makes a new engine, compiles every statement and asks the database for its columns.
`dagster.yaml` names this class instead, which is a documented place to plug in a storage.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from threading import RLock
from typing import Any

import dagster as dg
from dagster import DagsterEventType, EventLogEntry
from dagster._core.events import ASSET_EVENTS
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster._core.storage.sql import create_engine
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._serdes import ConfigurableClassData
from sqlalchemy import func, inspect, select
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.pool import NullPool

from ..interrupts import held_back

EVENTS_PER_BATCH = 1_000
BATCHED = {*ASSET_EVENTS, DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED}
MAX_ENGINES = 16
"""One for each file; a webserver looks into those of many runs."""


class BatchedEventLogStorage(SqliteEventLogStorage):
    """Dagster's event log in SQLite, which stores a batch of events at once.

    Who opens it hands its events over in batches from then on, unless the environment says otherwise.

    Parameters
    ----------
    inst_data : how `dagster.yaml` describes it.
    """

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        self._inst_data = inst_data

    def register_instance(self, instance: dg.DagsterInstance) -> None:
        """Open the log of an instance, where Dagster's own storage would keep it."""
        os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", str(EVENTS_PER_BATCH))
        self._engine = lru_cache(maxsize=MAX_ENGINES)(self._new_engine)
        self._open: dict[str, Connection] = {}
        super().__init__(str(Path(instance.root_directory) / "history" / "runs"), self._inst_data)
        # A statement within a transaction may be one of Dagster's that opens the same file again.
        self._db_lock = RLock()  # type: ignore[assignment]
        super().register_instance(instance)

    @classmethod
    def config_type(cls) -> Mapping[str, Any]:
        """There is nothing to say of it in `dagster.yaml`."""
        return {}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "BatchedEventLogStorage":
        """The storage that `dagster.yaml` describes."""
        return cls(inst_data)

    def _new_engine(self, shard: str) -> Engine:
        return create_engine(
            self.conn_string_for_shard(shard),
            poolclass=NullPool,
            hide_parameters=True,
            connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS},
        )

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        """A transaction on one of the files; within it, the same one."""
        with self._db_lock:
            if shard in self._open:
                yield self._open[shard]
                return
            engine = self._engine(shard)
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.begin() as connection:
                try:
                    self._open[shard] = connection
                    yield connection
                finally:
                    self._open.pop(shard, None)

    def has_table(self, table_name: str) -> bool:
        """Whether the index has a table; within a transaction on it, asked there.

        Another connection may have to wait for the end of that transaction, which would wait for the answer.
        """
        with self.index_connection() as index:
            return inspect(index).has_table(table_name)

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """As `store_event` of each: in one transaction if they are of assets or plans, and of one run."""
        runs = {event.run_id for event in events}
        if len(runs) != 1 or not all(_type(event) in BATCHED for event in events):
            super().store_event_batch(events)
            return
        rows = [self._event_to_row(event) for event in events]
        with held_back(), self.index_connection() as index, self.run_connection(*runs) as log:
            log.execute(SqlEventLogStorageTable.insert(), rows)
            self._store_in_index(index, events, rows)

    def _store_in_index(
        self, index: Connection, events: Sequence[EventLogEntry], rows: Sequence[Mapping[str, Any]]
    ) -> None:
        """Mirror the events in the index, with what it keeps of their assets and checks."""
        table = SqlEventLogStorageTable
        index.execute(table.insert(), rows)
        # Nobody else inserts before the transaction ends: the rows are the last ones, in their order.
        end = index.scalars(select(func.max(table.c.id))).one() + 1
        stored = list(zip(events, range(end - len(rows), end), strict=True))
        of_assets = [(event, number) for event, number in stored if _type(event) in ASSET_EVENTS]
        if of_assets:
            self._store_asset_event_tags(index, *zip(*of_assets, strict=True))
        for event, number in _first_and_last(of_assets):
            self._store_asset_event(index, event, number)
        for event, number in stored:
            if _type(event) is DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED:
                self.store_asset_check_event(event, number)


def _first_and_last(stored: Sequence[tuple[EventLogEntry, int]]) -> Iterator[tuple[EventLogEntry, int]]:
    """The events that settle the rows of assets, by their numbers: of each type the first and the last.

    The first ones put the rows in order, the last ones fill them; those between would be overwritten.
    """
    first = {(_key(event), _type(event)): (event, number) for event, number in reversed(stored)}
    last = {(_key(event), _type(event)): (event, number) for event, number in stored}
    told = {number: event for event, number in (*first.values(), *last.values())}
    for number in sorted(told):
        yield told[number], number


def _key(event: EventLogEntry) -> dg.AssetKey | None:
    return event.dagster_event.asset_key if event.dagster_event else None


def _type(event: EventLogEntry) -> DagsterEventType | None:
    return event.dagster_event.event_type if event.dagster_event else None
