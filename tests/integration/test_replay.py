"""The command that replays: into a pipe, cut by a signal, gone on with, told what is wrong."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

SIMTOM = [sys.executable, "-m", "simtom_pipeline"]
SMALL = ["--set", "volume.base_daily_volume=200", "--set", "bnpl.population.initial_customers=100"]
REPLAY = [*SIMTOM, "replay", "baseline", "--until", "2024-01-03", "--labels", "as_known", *SMALL]


def test_a_replay_that_was_cut_goes_on_with_the_next_record(home: Path) -> None:
    whole = subprocess.run(REPLAY, capture_output=True, check=True).stdout
    assert whole.count(b"\n") > 400
    with subprocess.Popen(
        [*REPLAY, "--speed", "20000"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
    ) as cut:
        assert cut.stdout is not None
        before = b"".join(cut.stdout.readline() for _ in range(20))
        cut.send_signal(signal.SIGINT)
        rest, said = cut.communicate(timeout=30)
    assert cut.returncode == 130
    assert b"Traceback" not in said
    received = before + rest[: rest.rfind(b"\n") + 1]
    last = received.splitlines()[-1].split(b'"')[3].decode()
    certain = said.decode().split()[1]  # a signal may come between a record and the note that it was sent
    assert certain in [line.split('"')[3] for line in received.decode().splitlines()[-500:]]
    after = subprocess.run([*REPLAY, "--after", last], capture_output=True, check=True).stdout
    assert received + after == whole


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
        (["--speed", "2", "--time-compression", "2"], "give one of them"),
        (["--order", "backwards"], "--order: found 'backwards'; allowed: event_time, ingested_at"),
        (["--tables", "orders"], "tables: found 'orders'; allowed: customers"),
        (["--after", "there"], "--after: found 'there'; allowed: the id of a record"),
        (["--after", "0123456789abcdef.2024-01-01.0.0"], "0123456789abcdef"),
        (["--from", "2023-01-01"], "--from: found 2023-01-01; allowed: 2024-01-01 to"),
        (["--until", "2023-01-01"], "--until: found 2023-01-01"),
        (["--source", "landed"], "Land it first: simtom run baseline"),
        (["--to", "ftp://there"], "--to: found 'ftp://there'; allowed: -"),
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
