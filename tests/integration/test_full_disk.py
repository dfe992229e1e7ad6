"""Disks that are really full: a small file system of its own, with the data on it, or Dagster's history."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import duckdb
import pytest
from typer.testing import CliRunner, Result

from simtom_pipeline import disk
from simtom_pipeline.assets.instance import prepare_instance
from simtom_pipeline.cli import app

SIMTOM = [sys.executable, "-m", "simtom_pipeline"]
PLUGIN = Path(__file__).parents[1] / "support" / "plugins" / "slow_days.py"
ALL_DAYS = 80
TICKING = """\
name: ticking
generator: slow_days
clock: {start: 2024-01-01, end: 2024-03-20}
volume: {base_daily_volume: 9000}
"""

Mount = Callable[[str], Path]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Mount]:
    """Mounts a disk of that size; mounts it again to make room."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mounted(size: str) -> Path:
        again = "remount," if folder.is_mount() else ""
        mount = ["mount", "-t", "tmpfs", "-o", f"{again}size={size}", "tmpfs", str(folder)]
        try:
            subprocess.run(mount, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f"a file system cannot be mounted here: {error}")
        return folder

    yield mounted
    if folder.is_mount():
        subprocess.run(["umount", str(folder)], check=True)


def furnish(home: Path) -> None:
    for name in ("scenarios", "generators", "hold", "reached"):
        (home / name).mkdir(parents=True)
    shutil.copy(PLUGIN, home / "generators")
    (home / "scenarios" / "ticking.yaml").write_text(TICKING)


def run(home: Path, file: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [*SIMTOM, "run", "ticking", "--database", str(file), *arguments]
    environment = {**os.environ, "SIMTOM_HOME": str(home)}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)


def run_here(file: Path, *arguments: str) -> Result:
    """The same in this process, once there is room."""
    return CliRunner().invoke(app, ["run", "ticking", "--database", str(file), *arguments])


def days_in(file: Path) -> int:
    with duckdb.connect(str(file), read_only=True) as connection:
        ((days,),) = connection.execute("SELECT count(DISTINCT day) FROM ticking.ticks").fetchall()
        return int(days)


def known_to_dagster(home: Path) -> int:
    with dg.DagsterInstance.from_config(str(home / "dagster")) as instance:
        return len(instance.get_materialized_partitions(dg.AssetKey(["ticking", "ticks"])))


def assert_said(done: subprocess.CompletedProcess[str], folder: Path, landed: int) -> None:
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert f"The disk at {folder} is full" in done.stderr
    told = f"{landed} of {ALL_DAYS} days have landed, whole: " if landed else "No day has landed: "
    assert told in done.stderr


def test_a_full_disk_under_the_data_is_named_and_keeps_whole_days(home: Path, small_disk: Mount) -> None:
    furnish(home)
    folder = small_disk("2m")
    file = folder / "data.duckdb"
    done = run(home, file)
    landed = days_in(file)
    assert landed in (30, 60)
    assert_said(done, folder, landed)
    small_disk("50m")
    assert days_in(file) == landed
    again = run_here(file, "--from", "2024-03-01")
    assert again.exit_code == 0, again.output
    assert days_in(file) == landed + 20


@pytest.mark.parametrize("room_kilobytes", [60, 1600])
def test_a_full_disk_under_dagsters_history_is_named(
    tmp_path: Path, small_disk: Mount, room_kilobytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the run is planned, or when the days have landed: Dagster never knows of more than there is."""
    folder = small_disk("20m")
    home, file = folder / "home", tmp_path / "data.duckdb"
    monkeypatch.setenv("DAGSTER_HOME", "")
    prepare_instance(home)
    furnish(home)
    (folder / "filler").write_bytes(bytes(shutil.disk_usage(folder).free - room_kilobytes * 1000))
    done = run(home, file, "--set", "volume.base_daily_volume=20")
    landed = days_in(file) if room_kilobytes == 1600 else 0
    assert_said(done, folder, landed)
    (folder / "filler").unlink()
    assert known_to_dagster(home) <= landed
    monkeypatch.setenv("SIMTOM_HOME", str(home))
    again = run_here(file, "--to", "2024-01-02", "--set", "volume.base_daily_volume=20")
    assert again.exit_code in (0, 1), again.output
    assert "Checks: " in again.output


@pytest.mark.parametrize("command", [("init",), ("preview", "ticking"), ("ui",)])
def test_other_commands_name_the_disk_and_leave_nothing_half_written(
    small_disk: Mount, command: tuple[str, ...]
) -> None:
    folder = small_disk("1m")
    home = folder / "home"
    furnish(home)
    (folder / "filler").write_bytes(bytes(shutil.disk_usage(folder).free))
    done = subprocess.run(
        [*SIMTOM, *command], capture_output=True, text=True, env={**os.environ, "SIMTOM_HOME": str(home)}
    )
    assert done.returncode == 2, done.stderr
    assert f"The disk at {folder} is full" in done.stderr
    assert "Traceback" not in done.stderr
    assert not [path for path in home.glob("*") if path.is_file()]


def test_a_disk_is_called_full_for_what_was_said_of_it_or_not_at_all() -> None:
    full, other = OSError(28, "No space left on device"), OSError(5, "Input/output error")
    assert disk.is_full(full)
    assert not disk.is_full(other)
    wrapped = RuntimeError("wrapped")
    wrapped.__cause__ = full
    assert disk.is_full(wrapped)
    assert not disk.is_full(RuntimeError("disk I/O error"), Path.cwd())
