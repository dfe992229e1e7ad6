"""Commands that have too little memory: one message that says what to do, and exit code 2."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner

from simtom_pipeline.cli import app

PLUGIN = Path(__file__).parents[1] / "support" / "plugins" / "greedy.py"
SCENARIO = """\
name: ticking
generator: greedy
clock: {start: 2024-01-01, end: 2024-01-03}
volume: {base_daily_volume: 20}
"""
REFUSAL = (
    "The database needs more than the 150.0MB it may take, a fifth of SIMTOM_MEMORY (750MB)."
    " Set SIMTOM_MEMORY to more, such as 4GB, and run again."
)


@pytest.fixture
def greedy_home(prepared_home: Path) -> Path:
    for folder in ("generators", "scenarios"):
        (prepared_home / folder).mkdir(exist_ok=True)
    shutil.copy(PLUGIN, prepared_home / "generators")
    (prepared_home / "scenarios" / "ticking.yaml").write_text(SCENARIO)
    return prepared_home


def in_one_line(text: str) -> str:
    return " ".join(text.split())


def test_a_check_that_cannot_do_with_the_memory_ends_the_command_and_says_how_to_give_it_more(
    greedy_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The days have landed; with more memory they are found to be as they should."""
    monkeypatch.setenv("SIMTOM_MEMORY", "750MB")
    command = [sys.executable, "-m", "simtom_pipeline", "run", "ticking"]
    run = subprocess.run(command, capture_output=True, text=True, env=os.environ.copy(), timeout=120)
    assert run.returncode == 2, run.stderr
    said = in_one_line(run.stderr)
    assert said.count(REFUSAL) == 1
    assert "Traceback" not in said
    assert "2024-01-01 to 2024-01-03" in said
    with duckdb.connect(str(greedy_home / "simtom.duckdb"), read_only=True) as connection:
        assert connection.execute("SELECT count(DISTINCT day) FROM ticking.ticks").fetchall() == [(3,)]
    verify = CliRunner().invoke(app, ["verify", "ticking"], catch_exceptions=False)
    assert (verify.exit_code, verify.stdout) == (2, "")
    assert in_one_line(verify.stderr).count(REFUSAL) == 1
    assert "Traceback" not in verify.stderr
    monkeypatch.setenv("SIMTOM_MEMORY", "4GB")
    again = CliRunner().invoke(app, ["verify", "ticking"])
    assert (again.exit_code, again.stderr) == (0, "")


def test_a_memory_that_cannot_be_is_refused_before_anything_is_made(
    greedy_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIMTOM_MEMORY", "plenty")
    run = CliRunner().invoke(app, ["run", "ticking"])
    assert run.exit_code == 2
    said = "SIMTOM_MEMORY=plenty: allowed is a size of 750MB or more, such as 1.5GB or 4GB."
    assert said in in_one_line(run.stderr)
    assert "Traceback" not in run.stderr
    assert not (greedy_home / "simtom.duckdb").exists()
