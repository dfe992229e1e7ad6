"""Dagster's event log, stored in batches: its rows, and what is read of them, are those of Dagster's own storage."""

import random
import re
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest
from dagster import EventLogEntry
from dagster._core.events import BATCH_WRITABLE_EVENTS, DagsterEvent, StepMaterializationData
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._serdes import serialize_value

from simtom_pipeline import load_scenario
from simtom_pipeline.assets import factory
from simtom_pipeline.assets.event_log import BatchedEventLogStorage
from tests.support.dagster_runs import materialize
from tests.support.event_logs import DAYS, by_dagster, furnish, opened

BY_THE_CLOCK = {"create_timestamp", "migration_completed", "update_timestamp"}
"""Columns that tell when a row was written."""

TOLD_BY_RUNS = [("index", "concurrency_limits"), ("index", "concurrency_slots")]
"""Tables that no event fills."""

Rows = dict[tuple[str, str], list[tuple[Any, ...]]]


pytestmark = pytest.mark.usefixtures("not_batched_yet")


@pytest.fixture
def new_home(prepared: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Makes homes that are set up."""
    return lambda name: Path(shutil.copytree(prepared, tmp_path / name))


def land(
    home: Path, instance: dg.DagsterInstance, first: str, last: str, **options: Any
) -> dg.ExecuteInProcessResult:
    return materialize(load_scenario("ticking"), home / "simtom.duckdb", instance, first, last, **options)


def rows(home: Path) -> Rows:
    """Every row of every table of the index and of each run's file, but for what the clock says."""
    found: Rows = {}
    for file in sorted((home / "dagster" / "history" / "runs").glob("*.db")):
        with closing(sqlite3.connect(file)) as connection:
            for (table,) in connection.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table'"
            ).fetchall():
                names = [name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})")]
                columns = ", ".join(f'"{name}"' for name in names if name not in BY_THE_CLOCK)
                found[file.stem, table] = connection.execute(
                    f"SELECT {columns} FROM {table} ORDER BY rowid"
                ).fetchall()
    return found


def unable(*_: object) -> None:
    raise RuntimeError("nothing can be measured")


def three_runs(home: Path, instance: dg.DagsterInstance) -> None:
    """One that lands days, one with a check that fails, one that fails when its days are recorded."""
    file = home / "simtom.duckdb"
    assert land(home, instance, DAYS[0], DAYS[2]).success
    with duckdb.connect(str(file)) as connection:
        connection.execute("DELETE FROM ticking.ticks WHERE day = '2024-01-02' AND tick_id % 2 = 0")
    checked = land(home, instance, DAYS[3], DAYS[4])
    assert not all(evaluation.passed for evaluation in checked.get_asset_check_evaluations())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(factory, "land_measurements", unable)
        assert not land(home, instance, DAYS[5], DAYS[6], raise_on_error=False).success


def report_without_a_run(instance: dg.DagsterInstance) -> None:
    """What users tell Dagster of assets of their own: the observed one is materialized last."""
    of, tags = {"asset_key": dg.AssetKey("observed")}, {"dagster/data_version": "1"}
    instance.report_runless_asset_event(dg.AssetObservation(**of, partition="one", tags=tags))
    instance.report_runless_asset_event(dg.AssetMaterialization("other", tags=tags))
    instance.report_runless_asset_event(dg.AssetMaterialization(**of, partition="one", tags=tags))
    instance.report_runless_asset_event(dg.AssetObservation("other", tags=tags))
    instance.report_runless_asset_event(dg.AssetCheckEvaluation(**of, check_name="fine", passed=False))


@dataclass(frozen=True)
class Stored:
    """What Dagster's own storage has."""

    of_runs: Rows
    """After three runs, without what differs between two times that the same happens."""
    rows: Rows
    """After what is reported without a run, too, as they are."""
    events: list[EventLogEntry]
    """In the order in which they were stored."""


@pytest.fixture(scope="module")
def by_itself(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Stored:
    home = by_dagster(Path(shutil.copytree(prepared, tmp_path_factory.mktemp("by_itself") / "home")))
    furnish(home)
    events: list[EventLogEntry] = []
    store = SqliteEventLogStorage.store_event

    def listened(storage: SqliteEventLogStorage, event: EventLogEntry) -> None:
        events.append(event)
        store(storage, event)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIMTOM_HOME", str(home))
        patch.setenv("DAGSTER_EVENT_BATCH_SIZE", "0")
        patch.setattr(SqliteEventLogStorage, "store_event", listened)
        with opened(home) as instance:
            three_runs(home, instance)
            found = alike(rows(home), home, instance)
            report_without_a_run(instance)
    return Stored(found, rows(home), events)


def alike(found: Rows, home: Path, instance: dg.DagsterInstance) -> Rows:
    """Rows without what differs between two times that the same happens."""
    runs = {run.run_id: f"run {n}" for n, run in enumerate(instance.get_runs(ascending=True))}

    def said(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        text = value.replace(str(home), "HOME")
        for run_id, name in runs.items():
            text = text.replace(run_id, name)
        return DIFFERENT.sub("...", text)

    return {
        (runs.get(file, file), table): [tuple(said(value) for value in row) for row in rows]
        for (file, table), rows in found.items()
    }


DIFFERENT = re.compile(
    r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"  # identifiers
    r"|\b\d+(\.\d+)?m?s\b"  # durations
    r'|(?<="duration_ms": )[0-9.e-]+'
    r"|\b1[0-9]{9}\.[0-9]+\b"  # moments
    r"|\b20[2-9][0-9]-[0-9-]+[ T][0-9:.]+"  # moments, in words
    r'|(?<="log_key": )"[a-z]+"'
)

OF_DAGSTER = "in the batches that Dagster makes"


def in_batches(events: Sequence[EventLogEntry], how: str) -> list[list[EventLogEntry]]:
    if how == "in fives, whatever they are":
        return [list(events[n : n + 5]) for n in range(0, len(events), 5)]
    if how == "all at once":
        return [list(events), []]

    def batch(event: EventLogEntry) -> tuple[str, bool]:
        return event.run_id, event.is_dagster_event and event.dagster_event_type in BATCH_WRITABLE_EVENTS

    if how == "shuffled, a run at once":
        shuffled = sorted((event for event in events if batch(event)[1]), key=lambda event: event.timestamp)
        random.Random(1).shuffle(shuffled)
        events = sorted(shuffled, key=lambda event: event.run_id)
    return [list(some) for _, some in groupby(events, batch)]


@pytest.mark.parametrize(
    "how", [OF_DAGSTER, "in fives, whatever they are", "all at once", "shuffled, a run at once"]
)
def test_batches_leave_the_rows_that_dagster_leaves_of_the_events_one_by_one(
    by_itself: Stored, new_home: Callable[[str], Path], how: str
) -> None:
    """In every table of the index and of the runs' files, with the same ids."""
    batches, home = in_batches(by_itself.events, how), new_home("batches")
    with opened(home) as instance:
        assert type(instance.event_log_storage) is BatchedEventLogStorage
        for batch in batches:
            instance.event_log_storage.store_event_batch(batch)
    in_order = [event for batch in batches for event in batch]
    expected = by_itself.rows | {key: [] for key in TOLD_BY_RUNS}
    if in_order != by_itself.events:
        expected = one_by_one(by_dagster(new_home("one_by_one")), in_order)
    stored = rows(home)
    assert len(expected["index", "asset_event_tags"]) > 20
    assert len(expected["index", "asset_check_executions"]) > 50
    assert stored.keys() == expected.keys()
    for table in expected:
        assert stored[table] == expected[table], table


def one_by_one(home: Path, events: Sequence[EventLogEntry]) -> Rows:
    """The rows that Dagster's own storage leaves of them."""
    with opened(home) as instance:
        assert type(instance.event_log_storage) is SqliteEventLogStorage
        for event in events:
            instance.event_log_storage.store_event(event)
    return rows(home)


def test_runs_leave_the_rows_that_they_leave_with_dagsters_own_storage(
    by_itself: Stored, ticking: Path
) -> None:
    """But for identifiers, moments and durations: in the same order, with the same ids."""
    with opened(ticking) as instance:
        three_runs(ticking, instance)
        found = alike(rows(ticking), ticking, instance)
    assert found.keys() == by_itself.of_runs.keys()
    for table, expected in by_itself.of_runs.items():
        assert found[table] == expected, table


def materialized(run_id: str, asset: str, n: int, metadata: str = "") -> EventLogEntry:
    """The record of a day of an asset, with a version of its own."""
    tags = {"dagster/data_version": f"{run_id} {n}"}
    made = dg.AssetMaterialization(asset, partition=f"day {n}", tags=tags, metadata={"said": metadata})
    event = DagsterEvent("ASSET_MATERIALIZATION", "a_job", event_specific_data=StepMaterializationData(made))
    return EventLogEntry(None, 10, "", run_id, 1.7e9 + n, None, "a_job", event)


STORING = """
import sys
import dagster as dg
from dagster._serdes import deserialize_value

folder, events = sys.argv[1], [deserialize_value(line, dg.EventLogEntry) for line in open(sys.argv[2])]
with dg.DagsterInstance.from_config(folder) as instance:
    print(flush=True)
    sys.stdin.readline()
    for n in range(0, len(events), 10):
        instance.event_log_storage.store_event_batch(events[n : n + 10])
"""


def store_at_once(home: Path, batches: dict[Path, list[EventLogEntry]]) -> None:
    """Each file's events, in batches of a process of its own; they start together."""
    processes = []
    for file, events in batches.items():
        file.write_text("".join(f"{serialize_value(event)}\n" for event in events))
        command = [sys.executable, "-c", STORING, str(home / "dagster"), str(file)]
        processes.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
    for process in processes:
        assert process.stdout is not None
        process.stdout.readline()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0


def test_two_processes_that_store_batches_at_once_lose_nothing(prepared_home: Path, tmp_path: Path) -> None:
    """Each row of the index, its tag and its asset's row tell of the same event."""
    batches = {
        tmp_path / run_id: [materialized(run_id, "some" if n % 2 else "more", n) for n in range(150)]
        for run_id in ("one", "other")
    }
    store_at_once(prepared_home, batches)
    records: list[dg.EventLogRecord] = []
    with opened(prepared_home) as instance:
        for file, events in batches.items():
            assert instance.all_logs(file.name) == events
        for key in (dg.AssetKey("some"), dg.AssetKey("more")):
            records += instance.fetch_materializations(key, limit=600, ascending=True).records
            (row,) = instance.get_asset_records([key])
            assert row.asset_entry.last_materialization_record == records[-1]
    records.sort(key=lambda record: record.storage_id)
    for file, events in batches.items():
        assert [one.event_log_entry for one in records if one.run_id == file.name] == events
    tags = rows(prepared_home)["index", "asset_event_tags"]
    assert [(number, value) for _, number, _, _, value, *_ in tags] == [
        (record.storage_id, version(record)) for record in records
    ]


def version(record: dg.EventLogRecord) -> str:
    assert record.asset_materialization is not None
    return dict(record.asset_materialization.tags or {})["dagster/data_version"]


def test_a_thread_that_reads_while_another_one_stores_sees_the_whole_batch_or_nothing(
    prepared_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[set[str]] = []
    seen_early: list[set[str]] = []
    readers: list[threading.Thread] = []
    store = BatchedEventLogStorage._store_asset_event
    with opened(prepared_home) as instance:

        def read() -> None:
            seen.append(instance.get_materialized_partitions(dg.AssetKey("some")))

        def interrupted(storage: BatchedEventLogStorage, *arguments: Any) -> None:
            readers.append(threading.Thread(target=read))
            readers[-1].start()
            readers[-1].join(0.2)
            seen_early.extend(seen)
            store(storage, *arguments)

        monkeypatch.setattr(BatchedEventLogStorage, "_store_asset_event", interrupted)
        instance.event_log_storage.store_event_batch([materialized("one", "some", n) for n in range(10)])
        for reader in readers:
            reader.join(10)
    assert not any(seen_early)
    assert seen[len(seen_early) :] == [{f"day {n}" for n in range(10)}] * (len(readers) - len(seen_early))


def test_a_batch_is_stored_at_once_where_sqlite_keeps_no_log_of_its_writes(prepared_home: Path) -> None:
    """As on disks of a network: there a large transaction keeps other connections from reading."""
    index = prepared_home / "dagster" / "history" / "runs" / "index.db"
    with closing(sqlite3.connect(index)) as connection:
        assert connection.execute("PRAGMA journal_mode = DELETE").fetchall() == [("delete",)]
    events = [materialized("one", "some", n, "x" * 5000) for n in range(1000)]
    with opened(prepared_home) as instance:
        instance.event_log_storage.store_event_batch(events)
        assert len(instance.get_materialized_partitions(dg.AssetKey("some"))) == 1000


def test_what_is_wiped_and_stored_again_is_as_with_dagsters_own_storage(
    new_home: Callable[[str], Path],
) -> None:
    def wiped(home: Path) -> list[Rows]:
        found = []
        with opened(home) as instance:
            log = instance.event_log_storage
            for wipe in (
                lambda: log.wipe_asset(dg.AssetKey("some")),
                lambda: log.delete_events("one"),
                log.wipe,
                lambda: None,
            ):
                log.store_event_batch([materialized("one", "some", n) for n in range(3)])
                log.store_event_batch([materialized("other", "more", n) for n in range(3)])
                wipe()
                found.append(alike(rows(home), home, instance))
        return found

    assert wiped(new_home("one")) == wiped(by_dagster(new_home("other")))
