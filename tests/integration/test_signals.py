"""Real signals to the real command, at moments that are told by what has happened, never by the time."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import duckdb
import pytest
from typer.testing import CliRunner

from simtom_pipeline.assets.instance import ELSEWHERE, UNFINISHED
from simtom_pipeline.cli import app

PROJECT = Path(__file__).parents[2]
SIMTOM = [sys.executable, "-m", "simtom_pipeline"]
FIRST_BATCH, ALL_DAYS = 30, 33
TICKING = """\
name: ticking
generator: slow_days
clock: {start: 2024-01-01, end: 2024-02-02}
volume: {base_daily_volume: 20}
"""


@pytest.fixture
def ticking(prepared_home: Path) -> Path:
    """A home with a generator that can be stopped, and its scenario."""
    home = prepared_home
    for folder in ("scenarios", "generators", "hold", "reached"):
        (home / folder).mkdir()
    shutil.copy(PROJECT / "tests" / "support" / "plugins" / "slow_days.py", home / "generators")
    (home / "scenarios" / "ticking.yaml").write_text(TICKING)
    return home


@contextmanager
def running(home: Path, *command: str) -> Iterator[subprocess.Popen[str]]:
    """The command in a process group of its own, as a terminal starts it; what it says goes to `said`."""
    with (home / "said").open("w") as said:
        process = subprocess.Popen(
            command, stdout=said, stderr=said, text=True, start_new_session=True, env=os.environ.copy()
        )
    try:
        yield process
    finally:
        for held in (home / "hold").glob("*"):
            held.unlink()
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_until(happened: Callable[[], bool], process: subprocess.Popen[str], home: Path) -> None:
    deadline = time.monotonic() + 120
    # A look takes processor time: a moment that lasts, since something is held, is looked for less often.
    pause = 0.1 if any((home / "hold").iterdir()) else 0.02
    while not happened():
        assert process.poll() is None, (home / "said").read_text()
        assert time.monotonic() < deadline, (home / "said").read_text()
        time.sleep(pause)


def days_in(home: Path) -> int:
    """Days in the file, as far as it can be looked at."""
    if not (home / "simtom.duckdb").exists():
        return 0
    try:
        with duckdb.connect(str(home / "simtom.duckdb"), read_only=True) as connection:
            ((days,),) = connection.execute("SELECT count(DISTINCT day) FROM ticking.ticks").fetchall()
            return int(days)
    except (duckdb.IOException, duckdb.CatalogException):
        return 0


def materialized(home: Path) -> int:
    """Days that Dagster has begun to record."""
    index = home / "dagster" / "history" / "runs" / "index.db"
    with sqlite3.connect(f"file:{index}?mode=ro", uri=True) as connection:
        ((count,),) = connection.execute(
            "SELECT count(*) FROM event_logs WHERE dagster_event_type = 'ASSET_MATERIALIZATION'"
            " AND asset_key LIKE '%ticks%'"
        ).fetchall()
    return int(count)


def being_inserted(home: Path) -> bool:
    """Rows of a transaction that is under way: DuckDB writes them out as they come."""
    file = home / "simtom.duckdb"
    return file.exists() and file.stat().st_size > 400_000


def replaying(home: Path) -> bool:
    """A check draws a day again, which is held as soon as every day has landed."""
    if materialized(home):
        (home / "hold" / "any day").touch()
    return (home / "reached" / "any day").exists()


MOMENTS: dict[str, Callable[[Path], bool]] = {
    "importing": lambda home: "pydantic" in (home / "said").read_text(),
    "planning": lambda home: (home / "dagster" / ".command").exists(),
    "simulating the first days": lambda home: (home / "reached" / "2024-01-05").exists(),
    "landing the first days": being_inserted,
    "simulating later days": lambda home: days_in(home) == FIRST_BATCH,
    "recording what has landed": lambda home: materialized(home) > 0,
    "checking": lambda home: replaying(home),
}
HELD = {
    "simulating the first days": "2024-01-05",
    "landing the first days": "2024-02-01",
    "simulating later days": "2024-02-01",
}
LANDED = {
    "landing the first days": {0, FIRST_BATCH},  # a commit under way is waited for
    "simulating later days": {FIRST_BATCH},
    "recording what has landed": {ALL_DAYS},
    "checking": {ALL_DAYS},
}


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        ("importing", signal.SIGINT),
        ("planning", signal.SIGTERM),
        ("simulating the first days", signal.SIGINT),
        ("landing the first days", signal.SIGINT),
        ("simulating later days", signal.SIGTERM),
        ("recording what has landed", signal.SIGINT),
        ("checking", signal.SIGTERM),
    ],
)
def test_a_signal_ends_a_run_with_its_code_and_a_true_account(
    ticking: Path, moment: str, number: signal.Signals
) -> None:
    """No traceback, no half day, no run that Dagster takes to be under way, no day that only Dagster knows."""
    if moment in HELD:
        (ticking / "hold" / HELD[moment]).touch()
    verbose = ["-X", "importtime"] if moment == "importing" else []
    much = ["--set", "volume.base_daily_volume=30000"] if moment == "landing the first days" else []
    with running(ticking, SIMTOM[0], *verbose, *SIMTOM[1:], "run", "ticking", *much) as process:
        wait_until(lambda: MOMENTS[moment](ticking), process, ticking)
        os.killpg(process.pid, number)
        assert process.wait(60) == 128 + number
    said = (ticking / "said").read_text()
    assert "Traceback" not in said
    landed = days_in(ticking)
    assert landed in LANDED.get(moment, {0})
    assert said.splitlines()[-1].startswith("Interrupted.")
    assert said.count("Interrupted.") == 1
    if moment != "importing":
        assert (f"{landed} of {ALL_DAYS} days have landed" if landed else "No day has landed") in said
        of_another_world = ticking / "dagster" / ELSEWHERE
        known, there = dagster_and_file(ticking, of_another_world if much else ticking / "dagster")
        assert known <= there
        if moment != "recording what has landed":
            assert known == there


def dagster_and_file(home: Path, folder: Path) -> tuple[set[str], set[str]]:
    """Days that Dagster takes to have landed, and those in the file; no run is taken to be under way."""
    with dg.DagsterInstance.from_config(str(folder)) as instance:
        assert not instance.get_runs(dg.RunsFilter(statuses=UNFINISHED))
        known = instance.get_materialized_partitions(dg.AssetKey(["ticking", "ticks"]))
    if days_in(home) == 0:
        return known, set()
    with duckdb.connect(str(home / "simtom.duckdb"), read_only=True) as connection:
        days = connection.execute("SELECT DISTINCT CAST(day AS VARCHAR) FROM ticking.ticks").fetchall()
    return known, {day for (day,) in days}


def test_impatience_is_no_traceback_and_the_next_run_lands_the_rest(ticking: Path) -> None:
    """Ctrl-C again and again while the command is ending."""
    (ticking / "hold" / "2024-02-01").touch()
    with running(ticking, *SIMTOM, "run", "ticking") as process:
        wait_until(lambda: days_in(ticking) == FIRST_BATCH, process, ticking)
        while process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
            time.sleep(0.05)
    said = (ticking / "said").read_text()
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert "Run again, from the first day or --from 2024-01-31, to land the others." in said
    again = CliRunner().invoke(app, ["run", "ticking", "--from", "2024-01-31"])
    assert again.exit_code == 0, again.output
    assert days_in(ticking) == ALL_DAYS


@pytest.mark.parametrize("command", [("check", "ticking"), ("preview", "ticking"), ("diff", "one", "other")])
def test_a_signal_ends_the_other_commands_too(ticking: Path, command: tuple[str, ...]) -> None:
    duckdb.connect(str(ticking / "simtom.duckdb")).close()
    (ticking / "hold" / "import").touch()
    with running(ticking, *SIMTOM, *command) as process:
        wait_until((ticking / "reached" / "import").exists, process, ticking)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(60) == 130
    assert (ticking / "said").read_text() == "Interrupted.\n"


def test_the_command_that_is_installed_heeds_signals() -> None:
    scripts = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts == {"simtom": "simtom_pipeline.__main__:main"}
