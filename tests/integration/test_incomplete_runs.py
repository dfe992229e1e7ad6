"""Runs that end before every day has landed: what is said is what the file holds, and none of them is a success."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest
from dagster import AssetPartitionStatus
from typer.testing import CliRunner, Result

from simtom_pipeline import load_scenario
from simtom_pipeline.assets.factory import LogProgress, resources, scenario_definitions
from simtom_pipeline.assets.partitions import daily_partitions, range_tags
from simtom_pipeline.cli import app
from simtom_pipeline.landed_days import LandedDays
from simtom_pipeline.landing import Database, DuckDBFile

PLUGIN = Path(__file__).parents[1] / "support" / "plugins" / "slow_days.py"
TICKING = """\
name: ticking
generator: slow_days
clock: {start: 2024-01-01, end: 2024-02-02}
volume: {base_daily_volume: 20}
"""
HALF_WAY = (
    "30 of 33 days have landed, whole: 2024-01-01 to 2024-01-30. 2024-01-31 to 2024-02-02 are as they were."
)
HOLD = "import duckdb, sys; c = duckdb.connect(sys.argv[1], read_only=True); print(flush=True); sys.stdin.read({})"


@pytest.fixture
def ticking(prepared_home: Path) -> Path:
    home = prepared_home
    for folder in ("scenarios", "generators", "hold", "reached", "broken"):
        (home / folder).mkdir()
    shutil.copy(PLUGIN, home / "generators")
    (home / "scenarios" / "ticking.yaml").write_text(TICKING)
    return home


def days_in(home: Path) -> int:
    with duckdb.connect(str(home / "simtom.duckdb"), read_only=True) as connection:
        ((days,),) = connection.execute("SELECT count(DISTINCT day) FROM ticking.ticks").fetchall()
        return int(days)


def run() -> Result:
    return CliRunner().invoke(app, ["run", "ticking"])


@contextmanager
def taken_between_batches(home: Path, patch: pytest.MonkeyPatch) -> Iterator[list[subprocess.Popen[str]]]:
    """A process opens the file to read as soon as the first batch has landed and the file is closed."""
    holders: list[subprocess.Popen[str]] = []
    original = DuckDBFile.open

    @contextmanager
    def opened(file: DuckDBFile, read_only: bool = False) -> Iterator[Database]:
        with original(file, read_only) as database:
            yield database
        if not holders and "ticking" in str(duckdb_schemas(home)) and days_in(home) == 30:
            command = [sys.executable, "-c", HOLD.format(""), str(home / "simtom.duckdb")]
            holders.append(
                subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            )
            assert holders[0].stdout is not None
            holders[0].stdout.readline()

    patch.setattr(DuckDBFile, "open", opened)
    yield holders
    for holder in holders:
        holder.communicate("")


def duckdb_schemas(home: Path) -> list[Any]:
    with duckdb.connect(str(home / "simtom.duckdb"), read_only=True) as connection:
        return connection.execute("SELECT DISTINCT schema_name FROM duckdb_tables()").fetchall()


def test_a_reader_that_keeps_the_file_between_batches_is_named_and_what_landed_is_told(
    ticking: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dagster_duckdb.resource.backoff", lambda fn, kwargs, **_: fn(**kwargs))
    with taken_between_batches(ticking, monkeypatch) as holders:
        result = run()
    said = " ".join(result.output.split())
    assert result.exit_code == 2, result.output
    assert f"in use by process {holders[0].pid} " in said
    assert HALF_WAY in said
    assert "Nothing was changed" not in said
    assert days_in(ticking) == 30


def test_a_reader_that_lets_go_of_the_file_is_waited_for(
    ticking: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dagster._utils.backoff as waiting

    with taken_between_batches(ticking, monkeypatch) as holders:

        def lets_go(seconds: float) -> None:
            holders[0].communicate("")

        monkeypatch.setattr(waiting.time, "sleep", lets_go)
        result = run()
    assert result.exit_code == 0, result.output
    assert days_in(ticking) == 33


def test_a_generators_mistake_keeps_its_traceback_and_tells_what_landed(ticking: Path) -> None:
    (ticking / "broken" / "2024-02-01").touch()
    result = run()
    assert isinstance(result.exception, RuntimeError)
    assert str(result.exception) == "2024-02-01 is broken"
    assert result.exception.__notes__ == [HALF_WAY]
    assert days_in(ticking) == 30


def test_a_generators_missing_file_is_not_blamed_on_the_home(ticking: Path) -> None:
    plugin = ticking / "generators" / "slow_days.py"
    plugin.write_text(plugin.read_text().replace("raise RuntimeError(", "raise FileNotFoundError("))
    (ticking / "broken" / "2024-01-02").touch()
    result = run()
    assert isinstance(result.exception, FileNotFoundError)
    assert result.exception.__notes__ == ["No day has landed: 2024-01-01 to 2024-02-02 are as they were."]


def execute(
    home: Path, tags: dict[str, str], instance: dg.DagsterInstance | None = None
) -> dg.ExecuteInProcessResult:
    """The scenario's job in Dagster, as the UI starts it."""
    scenario, file = load_scenario("ticking"), home / "simtom.duckdb"
    graphs = dg.Definitions.merge(
        dg.Definitions(resources=resources(str(file), LogProgress()), executor=dg.in_process_executor),
        scenario_definitions(scenario, DuckDBFile(file)),
    )
    return graphs.resolve_job_def("ticking_job").execute_in_process(
        instance=instance,
        tags=tags,
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        raise_on_error=False,
    )


def failure(result: dg.ExecuteInProcessResult) -> str:
    """What Dagster shows of the step that landed the days, and of what caused its end."""
    (event,) = [e for e in result.all_events if e.is_step_failure and e.step_key == "ticking_history"]
    error = event.step_failure_data.error
    assert error is not None
    return error.to_string()


def test_a_step_that_fails_in_dagster_tells_what_landed(ticking: Path) -> None:
    (ticking / "broken" / "2024-02-01").touch()
    result = execute(ticking, range_tags("2024-01-01", "2024-02-02"))
    assert not result.success
    assert HALF_WAY in failure(result)


def test_a_step_that_fails_leaves_the_days_that_landed_as_materialized(ticking: Path) -> None:
    (ticking / "broken" / "2024-02-01").touch()
    key = dg.AssetKey(["ticking", "ticks"])
    with dg.DagsterInstance.ephemeral() as instance:
        assert not execute(ticking, range_tags("2024-01-01", "2024-02-02"), instance).success
        known = instance.get_materialized_partitions(key)
        partitions = daily_partitions(load_scenario("ticking"))
        days = partitions.get_partition_keys()
        status = instance.get_status_by_partition(key, days, partitions) or {}
    assert known == set(days[:30])
    assert days_in(ticking) == 30
    assert {status[day] for day in days[30:]} == {AssetPartitionStatus.FAILED}


NO_DAY = {
    "a range turned round": (
        range_tags("2024-01-10", "2024-01-05"),
        "the range from 2024-01-10 to 2024-01-05 holds none",
    ),
    "no range at all": ({}, "the run names none"),
}


@pytest.mark.parametrize("asked", NO_DAY)
def test_a_run_that_lands_no_day_is_no_success(ticking: Path, asked: str) -> None:
    tags, reason = NO_DAY[asked]
    result = execute(ticking, tags)
    assert not result.success
    assert f"No day has landed: {reason}" in failure(result)
    recorded = {event.asset_key for event in result.get_asset_materialization_events()}
    assert dg.AssetKey(["ticking", "ticks"]) not in recorded


ITS_DEFINITIONS = """
from pathlib import Path
from simtom_pipeline import load_scenario
from tests.support.dagster_runs import definitions
defs = definitions(load_scenario("ticking"), Path(__file__).with_name("simtom.duckdb"))
"""


def test_dagsters_own_command_fails_where_no_day_lands(
    ticking: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", "")
    (ticking / "ticking_alone.py").write_text(ITS_DEFINITIONS)
    code = ["-f", str(ticking / "ticking_alone.py")]
    command = [sys.executable, "-m", "dagster", "asset", "materialize", *code]
    asked = ["--select", "ticking/ticks", "--partition-range", "2024-01-10...2024-01-05"]
    done = subprocess.run(
        [*command, *asked], capture_output=True, text=True, timeout=120, cwd=Path(__file__).parents[2]
    )
    assert done.returncode == 1
    assert "the range from 2024-01-10 to 2024-01-05 holds none" in done.stderr


DAYS = [date(2024, 1, n) for n in range(1, 4)]
ACCOUNTS = {
    (3, 0): "No day has landed: 2024-01-01 to 2024-01-03 are as they were.",
    (3, 1): "1 of 3 days has landed, whole: 2024-01-01. 2024-01-02 to 2024-01-03 are as they were.",
    (3, 2): "2 of 3 days have landed, whole: 2024-01-01 to 2024-01-02. 2024-01-03 is as it was.",
    (3, 3): "3 of 3 days have landed, whole: 2024-01-01 to 2024-01-03.",
    (1, 0): "No day has landed: 2024-01-01 is as it was.",
    (1, 1): "1 of 1 day has landed, whole: 2024-01-01.",
}


@pytest.mark.parametrize(("asked", "landed"), ACCOUNTS)
def test_an_account_names_the_days_on_both_sides(asked: int, landed: int) -> None:
    assert str(LandedDays(DAYS[:asked], landed)) == ACCOUNTS[asked, landed]
