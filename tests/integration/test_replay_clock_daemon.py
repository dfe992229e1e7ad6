"""The replay clock for real: Dagster's daemon, killed in the midst of a run and started again."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import duckdb
import pytest
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    SensorInstigatorData,
)

PLUGIN = Path(__file__).parents[1] / "support" / "plugins" / "slow_days.py"
DAYS = [f"2024-01-{n:02}" for n in range(1, 13)]
SECONDS_A_DAY = 1.5
TICKING = f"""\
name: ticking
generator: slow_days
clock:
  start: {DAYS[0]}
  end: {DAYS[-1]}
  time_compression: {86_400 / SECONDS_A_DAY}
volume:
  base_daily_volume: 3
"""
LOCATION = """\
from pathlib import Path
from simtom_pipeline import load_scenario
from tests.support.dagster_runs import definitions

defs = definitions(load_scenario("ticking"), Path(__file__).with_name("simtom.duckdb"))
"""
"""A code location with this scenario alone, which loads sooner than one with every built-in scenario."""


@pytest.fixture
def ticking(prepared_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home whose scenario's days fall due one after the other, from now on."""
    home = prepared_home
    for folder in ("scenarios", "generators", "hold", "reached"):
        (home / folder).mkdir()
    shutil.copy(PLUGIN, home / "generators")
    now = f"  epoch: {datetime.now(UTC).replace(tzinfo=None).isoformat()}\n"
    (home / "scenarios" / "ticking.yaml").write_text(TICKING.replace("volume:\n", f"{now}volume:\n"))
    (home / "location.py").write_text(LOCATION)
    monkeypatch.setenv("DAGSTER_HOME", str(home / "dagster"))
    return home


@pytest.fixture
def instance(ticking: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.from_config(str(ticking / "dagster")) as one:
        yield one


@contextmanager
def daemon(home: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Dagster's daemon with its code server, in a process group of its own."""
    command = [sys.executable, "-m", "dagster._daemon", "run", "-f", str(home / "location.py")]
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])}
    with (home / "said").open("ab") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said, start_new_session=True, env=environment)
    try:
        yield process
    finally:
        for held in (home / "hold").glob("*"):
            held.unlink()
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def turn_on(instance: dg.DagsterInstance) -> None:
    """As the switch in the UI does."""
    location = RegisteredCodeLocationOrigin("location.py")
    origin = RemoteInstigatorOrigin(
        RemoteRepositoryOrigin(location, "__repository__"), "ticking_replay_clock"
    )
    data = SensorInstigatorData(min_interval=1)
    instance.add_instigator_state(
        InstigatorState(origin, InstigatorType.SENSOR, InstigatorStatus.RUNNING, data)
    )


def ticks(instance: dg.DagsterInstance) -> list[str]:
    """Why each tick requested nothing, the latest first."""
    (state,) = instance.all_instigator_state()
    return [
        tick.skip_reason or "" for tick in instance.get_ticks(state.instigator_origin_id, state.selector_id)
    ]


def wait_until(happened: Callable[[], bool], home: Path, seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, (home / "said").read_text()
        time.sleep(0.1)


def test_a_daemon_that_is_killed_in_the_midst_of_a_run_lands_every_day_exactly_once(
    ticking: Path, instance: dg.DagsterInstance
) -> None:
    """The run that is in progress goes on without its daemon; the next daemon asks for no day of it again."""
    turn_on(instance)
    (ticking / "hold" / DAYS[0]).touch()
    with daemon(ticking) as first:
        wait_until((ticking / "reached" / DAYS[0]).exists, ticking)
        first.kill()
        first.wait()
        before = len(ticks(instance))
        with daemon(ticking):
            wait_until(lambda: any("has not finished" in why for why in ticks(instance)[:-before]), ticking)
            (ticking / "hold" / DAYS[0]).unlink()
            wait_until(lambda: ticks(instance)[0] == f"the clock has ended on {DAYS[-1]}", ticking)
    runs = instance.get_runs()
    assert len(runs) >= 2
    assert {run.status for run in runs} == {dg.DagsterRunStatus.SUCCESS}
    records = instance.fetch_materializations(dg.AssetKey(["ticking", "ticks"]), limit=1000).records
    assert Counter(record.partition_key for record in records) == Counter(DAYS)
    with duckdb.connect(str(ticking / "simtom.duckdb"), read_only=True) as connection:
        landed = connection.execute(
            "SELECT CAST(day AS VARCHAR), rows FROM ticking_truth.landed_days WHERE table_name = 'ticks'"
            " ORDER BY day"
        ).fetchall()
    assert landed == [(day, 3) for day in DAYS]
