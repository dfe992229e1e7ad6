"""Dagster's event log, stored in batches: its rows, and what is read of them, are those of Dagster's own storage."""

import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest
import sqlalchemy
from dagster import EventLogEntry
from dagster._core.events import BATCH_WRITABLE_EVENTS, DagsterEvent, StepMaterializationData
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.partition_status_cache import AssetPartitionStatus
from dagster._serdes import serialize_value
from sqlalchemy.engine import Connection, Engine
from typer.testing import CliRunner, Result

from simtom_pipeline import load_scenario
from simtom_pipeline.assets import factory
from simtom_pipeline.assets.event_log import BatchedEventLogStorage
from simtom_pipeline.assets.instance import SHIPPED_CONFIGURATION, prepare_instance
from simtom_pipeline.assets.partitions import daily_partitions
from simtom_pipeline.cli import app
from tests.support.dagster_runs import materialize

PLUGIN = Path(__file__).parents[1] / "support" / "plugins" / "slow_days.py"
TICKING = """\
name: ticking
generator: slow_days
clock: {start: 2024-01-01, end: 2024-01-08}
volume: {base_daily_volume: 20}
"""
DAYS = [f"2024-01-0{n}" for n in range(1, 9)]
TICKS = dg.AssetKey(["ticking", "ticks"])
MATERIALIZED, FAILED = AssetPartitionStatus.MATERIALIZED, AssetPartitionStatus.FAILED
BY_THE_CLOCK = {"create_timestamp", "migration_completed", "update_timestamp"}
"""Columns that tell when a row was written."""

Rows = dict[tuple[str, str], list[tuple[Any, ...]]]


@pytest.fixture(autouse=True)
def not_batched_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """What opening a storage sets is for the test alone."""
    monkeypatch.setenv("DAGSTER_HOME", "")
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "")
    monkeypatch.delenv("DAGSTER_EVENT_BATCH_SIZE")


def furnish(home: Path) -> None:
    for folder in ("scenarios", "generators", "hold", "reached", "broken"):
        (home / folder).mkdir(parents=True)
    shutil.copy(PLUGIN, home / "generators")
    (home / "scenarios" / "ticking.yaml").write_text(TICKING)


@pytest.fixture
def ticking(prepared_home: Path) -> Path:
    """A home with our storage, and a scenario of a few days that is quick to run."""
    furnish(prepared_home)
    return prepared_home


def by_dagster(home: Path) -> Path:
    """The home as an earlier version left it: Dagster keeps its events in its own storage."""
    (home / "dagster" / "dagster.yaml").write_bytes(SHIPPED_CONFIGURATION.read_bytes())
    return home


@pytest.fixture
def new_home(prepared: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Makes homes that are set up."""
    return lambda name: Path(shutil.copytree(prepared, tmp_path / name))


@contextmanager
def opened(home: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.from_config(str(home / "dagster")) as instance:
        yield instance


def land(
    home: Path, instance: dg.DagsterInstance, first: str, last: str, **options: Any
) -> dg.ExecuteInProcessResult:
    return materialize(load_scenario("ticking"), home / "simtom.duckdb", instance, first, last, **options)


def statuses(instance: dg.DagsterInstance) -> list[AssetPartitionStatus | None]:
    """What Dagster says of each day of the ticks."""
    found = instance.get_status_by_partition(TICKS, DAYS, daily_partitions(load_scenario("ticking")))
    assert found is not None
    return [found[day] for day in DAYS]


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


@pytest.fixture(scope="module")
def by_itself(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Rows, list[EventLogEntry]]:
    """The rows that Dagster's own storage has after three runs, and the events in the order it stored them."""
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
    return found, events


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
    by_itself: tuple[Rows, list[EventLogEntry]], new_home: Callable[[str], Path], how: str
) -> None:
    """In every table of the index and of the runs' files, with the same ids."""
    batches = in_batches(by_itself[1], how)
    one, other = by_dagster(new_home("one")), new_home("other")
    with opened(one) as instance:
        assert type(instance.event_log_storage) is SqliteEventLogStorage
        for event in (event for batch in batches for event in batch):
            instance.event_log_storage.store_event(event)
    with opened(other) as instance:
        assert type(instance.event_log_storage) is BatchedEventLogStorage
        for batch in batches:
            instance.event_log_storage.store_event_batch(batch)
    expected, stored = rows(one), rows(other)
    assert len(expected["index", "asset_event_tags"]) > 20
    assert len(expected["index", "asset_check_executions"]) > 50
    assert stored.keys() == expected.keys()
    for table in expected:
        assert stored[table] == expected[table], table


def test_runs_leave_the_rows_that_they_leave_with_dagsters_own_storage(
    by_itself: tuple[Rows, list[EventLogEntry]], ticking: Path
) -> None:
    """But for identifiers, moments and durations: in the same order, with the same ids."""
    with opened(ticking) as instance:
        three_runs(ticking, instance)
        found = alike(rows(ticking), ticking, instance)
    assert found.keys() == by_itself[0].keys()
    for table, expected in by_itself[0].items():
        assert found[table] == expected, table


def test_days_of_a_failed_run_show_as_failed_and_those_that_landed_as_materialized(ticking: Path) -> None:
    (ticking / "broken" / DAYS[4]).touch()
    with opened(ticking) as instance:
        assert land(ticking, instance, DAYS[0], DAYS[2]).success
        assert not land(ticking, instance, DAYS[3], DAYS[5], raise_on_error=False).success
        assert statuses(instance) == [MATERIALIZED] * 3 + [FAILED] * 3 + [None] * 2
        (ticking / "broken" / DAYS[4]).unlink()
        assert land(ticking, instance, DAYS[3], DAYS[5]).success
        assert statuses(instance) == [MATERIALIZED] * 6 + [None] * 2


def test_days_that_have_landed_stay_so_where_their_run_fails_later(
    ticking: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(factory, "land_measurements", unable)
    with opened(ticking) as instance:
        assert not land(ticking, instance, DAYS[0], DAYS[2], raise_on_error=False).success
        assert statuses(instance) == [MATERIALIZED] * 3 + [None] * 5


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["run", "ticking", *arguments])


KILLED_AT_A_COMMIT = """
import os, signal, sys
from dagster import DagsterEventType
from simtom_pipeline.__main__ import main
from simtom_pipeline.assets.event_log import BatchedEventLogStorage
from sqlalchemy import event
from sqlalchemy.engine import Engine

commits, store = [], BatchedEventLogStorage.store_event_batch

def counted(connection):
    commits.append(connection)
    if len(commits) == int(sys.argv[1]):
        os.kill(os.getpid(), signal.SIGKILL)

def store_event_batch(self, events):
    if events[0].dagster_event_type is DagsterEventType.ASSET_MATERIALIZATION:
        event.listen(Engine, "commit", counted)
    store(self, events)

BatchedEventLogStorage.store_event_batch = store_event_batch
sys.argv[1:] = ["run", "ticking"]
main()
"""


@pytest.mark.parametrize("commit", [1, 2], ids=["of its own file", "of the index"])
def test_a_run_that_is_killed_while_it_records_leaves_a_log_to_read_and_its_days_to_land(
    ticking: Path, commit: int
) -> None:
    """Before it commits the days to the one file or to the other."""
    command = [sys.executable, "-c", KILLED_AT_A_COMMIT.replace("sys.argv[1]", str(commit))]
    killed = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    for file in (ticking / "dagster" / "history" / "runs").glob("*.db"):
        with closing(sqlite3.connect(file)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    with opened(ticking) as instance:
        (dead,) = instance.get_runs()
        made = [event.asset_materialization for event in instance.all_logs(dead.run_id)]
        assert [one.partition for one in made if one and one.partition] == DAYS * (commit - 1)
        assert not instance.get_materialized_partitions(TICKS)
    again = run()
    assert again.exit_code == 0, again.output
    with opened(ticking) as instance:
        assert [one.status for one in instance.get_runs(ascending=True)] == [
            dg.DagsterRunStatus.FAILURE,
            dg.DagsterRunStatus.SUCCESS,
        ]
        assert statuses(instance) == [MATERIALIZED] * 8


def test_a_home_of_an_earlier_version_is_moved_over_with_its_runs(ticking: Path) -> None:
    configuration = by_dagster(ticking) / "dagster" / "dagster.yaml"
    text = configuration.read_text()
    with opened(ticking) as instance:
        assert land(ticking, instance, DAYS[0], DAYS[2]).success
        (old,) = instance.get_runs()
        events = instance.all_logs(old.run_id)
    result = run("--from", DAYS[3])
    assert result.exit_code == 0, result.output
    assert configuration.read_text().startswith(text)
    told = configuration.read_bytes()
    with opened(ticking) as instance:
        assert type(instance.event_log_storage) is BatchedEventLogStorage
        runs = instance.get_runs(ascending=True)
        assert [one.run_id for one in runs][:1] == [old.run_id]
        assert [one.status for one in runs] == [dg.DagsterRunStatus.SUCCESS] * 2
        assert instance.all_logs(old.run_id) == events
        assert statuses(instance) == [MATERIALIZED] * 8
    prepare_instance(ticking)
    assert configuration.read_bytes() == told


ADDED_TO = {
    "nothing": b"",
    "a comment": "# Grüße\n".encode(),
    "lines of Windows": b"telemetry:\r\n  enabled: false\r\n",
    "no end of the last line": b"telemetry:\n  enabled: false",
    "blank lines": b"telemetry: {enabled: false}\n\n\n",
    "a start of the document": b"---\ntelemetry: {enabled: false}\n",
}


@pytest.mark.parametrize("edited", ADDED_TO)
def test_a_configuration_of_the_users_keeps_its_text_and_is_told_once(ticking: Path, edited: str) -> None:
    configuration = ticking / "dagster" / "dagster.yaml"
    configuration.write_bytes(ADDED_TO[edited])
    configuration.chmod(0o600)
    prepare_instance(ticking)
    told = configuration.read_bytes()
    assert told.startswith(ADDED_TO[edited])
    assert configuration.stat().st_mode & 0o777 == 0o600
    with opened(ticking) as instance:
        assert type(instance.event_log_storage) is BatchedEventLogStorage
    prepare_instance(ticking)
    assert configuration.read_bytes() == told


LET_BE = {
    "a storage": "storage: {sqlite: {base_dir: PLACE}}\n",
    "a storage of events": """\
event_log_storage:
  module: dagster._core.storage.event_log
  class: SqliteEventLogStorage
  config: {base_dir: PLACE}
""",
    "a place of what runs make": """\
local_artifact_storage:
  module: dagster._core.storage.root
  class: LocalArtifactStorage
  config: {base_dir: PLACE}
""",
    "a mapping in braces": "{telemetry: {enabled: false}}\n",
    "an end of the document": "telemetry: {enabled: false}\n...\n",
    "an indented mapping": "  telemetry: {enabled: false}\n  nux: {enabled: false}\n",
    "an empty list": "[]\n",
}


@pytest.mark.parametrize("said", LET_BE)
def test_a_configuration_that_says_where_events_are_or_cannot_be_added_to_is_let_be(
    ticking: Path, tmp_path: Path, said: str
) -> None:
    configuration = ticking / "dagster" / "dagster.yaml"
    configuration.write_text(LET_BE[said].replace("PLACE", str(tmp_path / "place")))
    before = configuration.read_bytes()
    with opened(ticking) as instance:
        assert type(instance.event_log_storage) is SqliteEventLogStorage
    prepare_instance(ticking)
    assert configuration.read_bytes() == before


@pytest.mark.parametrize("wrong", [b"telemetry: [\n", b"- a\n- list\n", "# Grüße\n".encode("latin1")])
def test_a_configuration_that_dagster_cannot_read_is_let_be(ticking: Path, wrong: bytes) -> None:
    configuration = ticking / "dagster" / "dagster.yaml"
    configuration.write_bytes(wrong)
    prepare_instance(ticking)
    assert configuration.read_bytes() == wrong


def test_a_link_to_a_configuration_stays_one(ticking: Path, tmp_path: Path) -> None:
    configuration, linked = ticking / "dagster" / "dagster.yaml", tmp_path / "elsewhere.yaml"
    linked.write_text("# mine\n")
    configuration.unlink()
    configuration.symlink_to(linked)
    prepare_instance(ticking)
    assert configuration.is_symlink()
    assert linked.read_text().startswith("# mine\n")
    with opened(ticking) as instance:
        assert type(instance.event_log_storage) is BatchedEventLogStorage


def test_a_configuration_on_a_disk_that_is_only_read_is_let_be(ticking: Path, tmp_path: Path) -> None:
    configuration, disk = ticking / "dagster" / "dagster.yaml", tmp_path / "disk"
    disk.mkdir()
    linked = disk / "dagster.yaml"
    linked.write_text("# ours\n")
    configuration.unlink()
    configuration.symlink_to(linked)
    for options in ("bind", "remount,bind,ro"):
        mount = ["mount", "-o", options, str(disk), str(disk)]
        if subprocess.run(mount, capture_output=True).returncode:
            pytest.skip("a file system cannot be mounted here")
    try:
        prepare_instance(ticking)
    finally:
        subprocess.run(["umount", str(disk)], check=True)
    assert linked.read_text() == "# ours\n"


BATCHES_TOLD = """
import sys
from dagster._cli import main
from simtom_pipeline.assets.event_log import BatchedEventLogStorage
store = BatchedEventLogStorage.store_event_batch

def told(self, events):
    print("batch", *(event.dagster_event.event_type_value for event in events))
    store(self, events)

BatchedEventLogStorage.store_event_batch = told
main()
"""


def test_the_command_stores_its_events_in_batches(ticking: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each in one transaction on the run's file and one on the index."""
    batches: list[list[str]] = []
    commits: list[Connection] = []
    counts: list[int] = []
    commit, store = commits.append, BatchedEventLogStorage.store_event_batch

    def counted(storage: BatchedEventLogStorage, events: Sequence[EventLogEntry]) -> None:
        commits.clear()
        store(storage, events)
        counts.append(len(commits))
        batches.append([event.get_dagster_event().event_type_value for event in events])

    monkeypatch.setattr(BatchedEventLogStorage, "store_event_batch", counted)
    sqlalchemy.event.listen(Engine, "commit", commit)
    try:
        result = run()
    finally:
        sqlalchemy.event.remove(Engine, "commit", commit)
    assert result.exit_code == 0, result.output
    assert_planned_and_recorded_at_once(batches)
    assert counts == [4, 2, 2]  # two more make the file


def test_dagster_hands_over_the_events_of_a_run_of_its_own_in_batches(ticking: Path) -> None:
    """Nothing but DAGSTER_HOME says how: as in the UI, the daemon and what they launch."""
    tags = f'{{"dagster/asset_partition_range_start": "{DAYS[0]}", "dagster/asset_partition_range_end": "{DAYS[-1]}"}}'
    job = ["job", "execute", "-m", "simtom_pipeline.definitions", "-j", "ticking_job", "--tags", tags]
    done = subprocess.run(
        [sys.executable, "-c", BATCHES_TOLD, *job],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "DAGSTER_HOME": str(ticking / "dagster")},
    )
    assert done.returncode == 0, done.stderr
    told = [line.split()[1:] for line in done.stdout.splitlines() if line.startswith("batch ")]
    assert_planned_and_recorded_at_once(told)
    with opened(ticking) as instance:
        assert statuses(instance) == [MATERIALIZED] * 8


def assert_planned_and_recorded_at_once(batches: list[list[str]]) -> None:
    """What is intended in one batch, and of each daily table its days in one."""
    planned, *recorded = batches
    assert set(planned) == {"ASSET_MATERIALIZATION_PLANNED", "ASSET_CHECK_EVALUATION_PLANNED"}
    assert recorded == [["ASSET_MATERIALIZATION"] * 8] * 2


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
        tmp_path / run_id: [materialized(run_id, "some" if n % 2 else "more", n) for n in range(300)]
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
