"""What Dagster's event log keeps of runs: of those that fail or are killed, and in how many batches."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy
from dagster import EventLogEntry
from sqlalchemy.engine import Connection, Engine

from simtom_pipeline import load_scenario
from simtom_pipeline.assets import factory
from simtom_pipeline.assets.event_log import BatchedEventLogStorage
from tests.support.dagster_runs import land, materialize
from tests.support.event_logs import (
    DAYS,
    FAILED,
    MATERIALIZED,
    TICKS,
    opened,
    run,
    statuses,
)

pytestmark = pytest.mark.usefixtures("not_batched_yet")


def unable(*_: object) -> None:
    raise RuntimeError("nothing can be measured")


def test_days_of_a_failed_run_show_as_failed_and_those_that_landed_as_materialized(ticking: Path) -> None:
    only_tables = partial(land, load_scenario("ticking"), ticking / "simtom.duckdb")
    (ticking / "broken" / DAYS[4]).touch()
    with opened(ticking) as instance:
        assert only_tables(instance, DAYS[0], DAYS[2]).success
        assert not only_tables(instance, DAYS[3], DAYS[5], raise_on_error=False).success
        assert statuses(instance) == [MATERIALIZED] * 3 + [FAILED] * 3 + [None] * 2
        (ticking / "broken" / DAYS[4]).unlink()
        assert only_tables(instance, DAYS[3], DAYS[5]).success
        assert statuses(instance) == [MATERIALIZED] * 6 + [None] * 2


def test_days_that_have_landed_stay_so_where_their_run_fails_later(
    ticking: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(factory, "land_measurements", unable)
    with opened(ticking) as instance:
        assert not materialize(
            load_scenario("ticking"),
            ticking / "simtom.duckdb",
            instance,
            DAYS[0],
            DAYS[2],
            raise_on_error=False,
        ).success
        assert statuses(instance) == [MATERIALIZED] * 3 + [None] * 5


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


ITS_DEFINITIONS = """
from pathlib import Path
from simtom_pipeline import load_scenario
from tests.support.dagster_runs import definitions
defs = definitions(load_scenario("ticking"), Path(__file__).with_name("simtom.duckdb"))
"""


def test_dagster_hands_over_the_events_of_a_run_of_its_own_in_batches(ticking: Path) -> None:
    """Nothing but DAGSTER_HOME says how: as in the UI, the daemon and what they launch."""
    (ticking / "ticking_alone.py").write_text(ITS_DEFINITIONS)
    tags = f'{{"dagster/asset_partition_range_start": "{DAYS[0]}", "dagster/asset_partition_range_end": "{DAYS[-1]}"}}'
    job = ["job", "execute", "-f", str(ticking / "ticking_alone.py"), "-j", "ticking_job", "--tags", tags]
    done = subprocess.run(
        [sys.executable, "-c", BATCHES_TOLD, *job],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "DAGSTER_HOME": str(ticking / "dagster")},
        cwd=Path(__file__).parents[2],
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
