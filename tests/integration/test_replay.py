"""The command that replays: into a pipe, cut by a signal, gone on with, told what is wrong."""

import array
import fcntl
import json
import shlex
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest

SIMTOM = [sys.executable, "-m", "simtom_pipeline"]
SMALL = ["--set", "volume.base_daily_volume=200", "--set", "bnpl.population.initial_customers=100"]
REPLAY = [*SIMTOM, "replay", "baseline", "--until", "2024-01-03", "--labels", "as_known", *SMALL]
MUCH = 40_000
"""Bytes that wait in a pipe which is all but full: it has 16 pages of 4,096, and a write may leave room in each."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What a replay says that nobody cuts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIMTOM_HOME", str(tmp_path_factory.mktemp("home")))
        said = subprocess.run(REPLAY, capture_output=True, check=True).stdout
    assert len(said) > 5 * MUCH
    return said


def wait_until(happened: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while not happened():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)


def bytes_in(pipe: IO[bytes]) -> int:
    """How many wait to be read."""
    size = array.array("i", [0])
    fcntl.ioctl(pipe.fileno(), termios.FIONREAD, size)
    return size[0]


def last_of(lines: bytes) -> str:
    """Id of the last of whole lines."""
    assert lines.endswith(b"}\n")
    return str(json.loads(lines.splitlines()[-1])["_id"])


def test_a_replay_cut_while_its_reader_lags_ends_with_a_line_and_says_which(home: Path, whole: bytes) -> None:
    """The reader takes nothing until the command has ended: it waits, and has no way to write more."""
    with subprocess.Popen(REPLAY, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as cut:
        assert cut.stdout is not None
        pipe = cut.stdout
        wait_until(lambda: bytes_in(pipe) > MUCH, cut)
        cut.terminate()
        assert cut.wait(60) == 143
        received, said = cut.communicate()
    assert whole.startswith(received)
    assert said.decode().startswith(f"Interrupted. {last_of(received)} is the last record that has certainly")
    assert said.count(b"\n") == 1


def test_whatever_cuts_it_the_same_command_goes_on_in_a_file(
    home: Path, whole: bytes, tmp_path: Path
) -> None:
    """First the file cannot grow any more; then Ctrl-C, while the replay waits for a record to fall due."""
    file = tmp_path / "records.jsonl"
    to_file = [*REPLAY, "--to", str(file)]
    limited = subprocess.run(
        ["bash", "-c", f"ulimit -f 30; exec {shlex.join(to_file)}"], capture_output=True, text=True
    )
    first = file.read_bytes()
    assert limited.returncode == 2
    assert 0 < len(first) <= 30 * 1024
    assert limited.stderr.startswith(f"{file}: File too large. Name another place with --to. Ended. ")
    assert f"--after {last_of(first)}," in limited.stderr
    assert limited.stderr.count("\n") == 1

    paced = [*to_file, "--speed", "20000", "--after", last_of(first)]
    with subprocess.Popen(paced, stderr=subprocess.PIPE) as cut:
        wait_until(lambda: file.stat().st_size > len(first) + 5_000, cut)
        cut.send_signal(signal.SIGINT)
        _, said = cut.communicate(timeout=60)
    second = file.read_bytes()
    assert cut.returncode == 130
    assert len(second) < len(whole)
    assert f"--after {last_of(second)}," in said.decode()

    subprocess.run([*to_file, "--after", last_of(second)], check=True)
    assert file.read_bytes() == whole


def test_a_reader_who_has_enough_ends_it_quietly(home: Path) -> None:
    command = " ".join(map(repr, [*SIMTOM, "replay", "baseline"]))
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command} | head -3"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 3
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--speed", "fast"], "--speed: found 'fast'; allowed: max, or simulated seconds a second"),
        (["--speed", "1e-300"], "--speed: found '1e-300'; allowed: max, or"),
        (["--speed", "nan"], "--speed: found 'nan'; allowed: max, or"),
        (["--speed", "2", "--time-compression", "2"], "give one of them"),
        (["--order", "backwards"], "--order: found 'backwards'; allowed: event_time, ingested_at"),
        (["--tables", "orders"], "tables: found 'orders'; allowed: customers"),
        (["--after", "there"], "--after: found 'there'; allowed: the id of a record"),
        (["--after", "0123456789abcdef.2024-01-01.0.0"], "0123456789abcdef"),
        (["--from", "2023-01-01"], "--from: found 2023-01-01; allowed: 2024-01-01 to"),
        (["--until", "2023-01-01"], "--until: found 2023-01-01"),
        (["--source", "landed"], "Land it first: simtom run baseline"),
        (["--to", "ftp://there"], "--to: found 'ftp://there'; allowed: -"),
        (["--to", "kafka://127.0.0.1:1/to{day}"], "--to: found topic 'to{day}'; allowed: letters"),
        (["--to", "/proc/nowhere/records"], "Name another place with --to."),
    ],
)
def test_what_cannot_be_replayed_is_one_message(home: Path, options: list[str], said: str) -> None:
    from typer.testing import CliRunner

    from simtom_pipeline.cli import app

    result = CliRunner().invoke(app, ["replay", "baseline", *options], catch_exceptions=False)
    assert result.exit_code == 2, result.output
    assert said in result.output
    assert "Traceback" not in result.output


def test_where_nothing_has_landed_no_file_is_left_behind(home: Path, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from simtom_pipeline.cli import app

    file = tmp_path / "records.jsonl"
    command = ["replay", "baseline", "--source", "landed", "--to", str(file)]
    result = CliRunner().invoke(app, [*command, "--database", str(tmp_path / "none.duckdb")])
    assert result.exit_code == 2
    assert "Land it first: simtom run baseline" in result.output
    assert not file.exists()
