"""The command as a person meets it: output, exit codes, no traceback for a mistake of theirs."""

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner, Result

from simtom_pipeline import load_scenario
from simtom_pipeline.cli import app
from tests.support.landed import land
from tests.support.visits import furnish

PLUGINS = Path(__file__).parents[1] / "support" / "plugins"

SIMTOM = [sys.executable, "-c", "from simtom_pipeline.cli import main; main()"]
SMALL = ["--set", "volume.base_daily_volume=100", "--set", "bnpl.population.initial_customers=300"]


def simtom(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments), catch_exceptions=False)


@dataclass(frozen=True)
class Done:
    """What the real command said, and the home that it left."""

    home: Path
    said: str

    @property
    def queries(self) -> list[str]:
        return queries_of(self.said)


def queries_of(said: str) -> list[str]:
    """The SQL of a summary."""
    return [line for line in said.splitlines() if line.endswith(";")]


@pytest.fixture(scope="module")
def june(tmp_path_factory: pytest.TempPathFactory) -> Done:
    """Three days of June that landed in a process of its own, with SQLite on disk, from an empty home."""
    home = tmp_path_factory.mktemp("june") / "home"
    home.mkdir()
    (home / "select.yaml").write_text("name: select\nextends: baseline\n")
    days = ["--from", "2024-06-01", "--to", "2024-06-03"]
    done = subprocess.run(
        [*SIMTOM, "run", str(home / "select.yaml"), *days, *SMALL],
        capture_output=True,
        text=True,
        env={**os.environ, "SIMTOM_HOME": str(home)},
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return Done(home, done.stdout)


def test_a_run_through_the_real_command_lands_checks_and_leaves_history(june: Done) -> None:
    assert "select.transactions" in june.said
    assert "Checks: " in june.said
    with duckdb.connect(str(june.home / "simtom.duckdb"), read_only=True) as connection:
        days = connection.execute('SELECT count(DISTINCT day) FROM "select".transactions').fetchall()
        assert days == [(3,)]
    import dagster as dg

    with dg.DagsterInstance.from_config(str(june.home / "dagster")) as instance:
        (run,) = instance.get_runs()
        assert run.status == dg.DagsterRunStatus.SUCCESS
        landed = instance.get_materialized_partitions(dg.AssetKey(["select", "transactions"]))
        assert landed == {f"2024-06-{n:02}" for n in range(1, 4)}
    assert not instance.telemetry_enabled


def test_a_scenario_named_like_a_word_of_sql_can_be_queried_as_the_summary_says(june: Done) -> None:
    assert 'FROM "select".bnpl_records LIMIT 5;' in june.said
    assert len(june.queries) == 3
    with duckdb.connect(str(june.home / "simtom.duckdb"), read_only=True) as connection:
        for query in june.queries:
            assert connection.execute(query).fetchall(), query


def test_a_part_of_a_year_lands_without_a_failure_and_says_what_it_cannot_tell(june: Done) -> None:
    assert "FAILED" not in june.said
    assert "cannot tell: select/transactions temporal_integrity" in june.said
    assert "land every day from 2024-01-01 on" in june.said


NEVER_ARRIVES = "faults: [{id: lost, kind: dropped_day, table: page_views, rate: 1}]\n"


def test_a_feed_with_faults_runs_like_any_other_even_if_the_day_never_arrives(prepared_home: Path) -> None:
    furnish(prepared_home, "2024-08-14", "2024-08-14", volume=100, more=NEVER_ARRIVES)
    result = simtom("run", "visits")
    assert result.exit_code == 0, result.output
    with duckdb.connect(str(prepared_home / "simtom.duckdb"), read_only=True) as connection:
        ((landed, clean),) = connection.execute(
            "SELECT (SELECT count(*) FROM visits.page_views),"
            " (SELECT count(*) FROM visits_truth.clean_page_views)"
        ).fetchall()
        told = [connection.execute(query).fetchall() for query in queries_of(result.output)]
    assert landed == 0
    assert clean > 50
    assert {row[0] for row in told[-1]} == {"dropped_day"}


def test_a_file_that_is_called_as_the_scenario_is_refused(prepared_home: Path) -> None:
    file = prepared_home / "Outage.duckdb"
    result = simtom("run", "outage", "--to", "2024-01-01", "--database", str(file), *SMALL)
    assert result.exit_code == 2
    assert "Name another file, such as --database Outage_history.duckdb" in " ".join(result.output.split())


def test_a_failed_check_has_exit_code_one_and_says_what_is_wrong_where(prepared_home: Path) -> None:
    furnish(prepared_home, "2024-01-01", "2024-01-03")
    land(load_scenario("visits"), prepared_home / "simtom.duckdb")
    with duckdb.connect(str(prepared_home / "simtom.duckdb")) as connection:
        connection.execute("UPDATE visits.page_views SET page = 'home' WHERE day = '2024-01-01'")
    again = simtom("run", "visits", "--from", "2024-01-02")
    assert again.exit_code == 1
    said = " ".join(again.output.split())
    assert (
        "FAILED: visits/page_views landed_content: 1 days of page_views (2024-01-01) are not as landed"
        in said
    )
    assert "page: home where" in said


SHELF = "name: shop\ngenerator: shelf\nclock: {start: 2024-01-01, end: 2024-01-02}\nvolume: {base_daily_volume: 20}\n"


def test_a_table_without_days_is_not_mended_in_silence_but_when_asked(prepared_home: Path) -> None:
    for folder in ("generators", "scenarios"):
        (prepared_home / folder).mkdir()
    shutil.copy(PLUGINS / "shelf.py", prepared_home / "generators")
    (prepared_home / "scenarios" / "shop.yaml").write_text(SHELF)
    file = land(load_scenario("shop"), prepared_home / "simtom.duckdb")
    with duckdb.connect(str(file)) as connection:
        connection.execute("UPDATE shop.wares SET price = 3 * price WHERE ware_id = 7")
    again = simtom("run", "shop", "--from", "2024-01-02")
    assert again.exit_code == 1
    said = " ".join(again.output.split())
    assert "FAILED: shop/wares landed_content: wares is not as landed: 1 rows of wares" in said
    assert "first key 7, price: " in said
    assert "simtom run shop --fresh lands it again" in said
    assert simtom("run", "shop", "--from", "2024-01-02", "--fresh").exit_code == 0


MISTAKES = {
    "no such scenario": (["run", "basline"], "allowed: 'baseline'?"),
    "no such file": (["check", "nowhere.yaml"], "nowhere.yaml: found no such file or directory"),
    "a day that is none": (["run", "baseline", "--from", "2024-02-30"], "--from: found '2024-02-30'"),
    "a day outside the clock": (
        ["run", "baseline", "--to", "2025-01-01"],
        "--to: found 2025-01-01; allowed: a day of baseline: 2024-01-01 to 2024-12-31",
    ),
    "an end before the start": (
        ["run", "baseline", "--from", "2024-03-02", "--to", "2024-03-01"],
        "--to: found 2024-03-01; allowed: a day on or after --from 2024-03-02",
    ),
    "an override without a value": (["run", "baseline", "--set", "seed"], "--set: found 'seed'; allowed: KEY=VALUE"),
    "an override of nothing": (
        ["run", "baseline", "--set", "volume.base=5"],
        "override volume.base: volume.base: found the unknown key 'base'",
    ),
    "an override that is no YAML": (["run", "baseline", "--set", "seed=[1"], "--set seed:1: found a syntax error"),
    "a database in memory": (["run", "baseline", "--database", ":memory:"], "allowed: a file"),
    "an infinite volume": (["run", "baseline", "--set", "volume.base_daily_volume=.Inf"], "allowed: a finite number"),
    "an impossible port": (["ui", "--port", "99999"], "65535"),
    "an unknown option": (["run", "baseline", "--form", "x"], "No such option"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_message_and_exit_code_two(mistake: str, home: Path) -> None:
    arguments, message = MISTAKES[mistake]
    result = simtom(*arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())
    assert "Traceback" not in result.output
    assert not (home / "simtom.duckdb").exists()


def test_a_locked_database_is_said_at_once_with_its_holder(prepared_home: Path) -> None:
    file = prepared_home / "held.duckdb"
    program = (
        f"import duckdb, sys; c = duckdb.connect({str(file)!r}); print('held', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        result = simtom("run", "baseline", "--to", "2024-01-02", "--database", str(file), *SMALL)
    finally:
        holder.communicate("")
    assert result.exit_code == 2
    assert f"PID {holder.pid}" in result.output or str(holder.pid) in result.output
    assert "No day has landed: 2024-01-01 to 2024-01-02 are as they were." in result.output


def test_a_table_of_another_contract_is_refused_and_keeps_its_rows(prepared_home: Path) -> None:
    file = prepared_home / "old.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute("CREATE SCHEMA baseline; CREATE TABLE baseline.transactions AS SELECT 1 AS old")
    result = simtom("run", "baseline", "--to", "2024-01-02", "--database", str(file), *SMALL)
    assert result.exit_code == 2
    assert 'DROP SCHEMA "baseline" CASCADE' in result.output
    with duckdb.connect(str(file)) as connection:
        assert connection.execute("FROM baseline.transactions").fetchall() == [(1,)]


def test_init_writes_a_scenario_that_works_and_overwrites_nothing(home: Path) -> None:
    assert simtom("init").exit_code == 0
    mine = home / "scenarios" / "my_scenario.yaml"
    assert simtom("check", "my_scenario").exit_code == 0
    mine.write_text(mine.read_text() + "# mine\n")
    assert "kept" in simtom("init").output
    assert mine.read_text().endswith("# mine\n")
    assert "my_scenario" in simtom("scenarios").output


def test_check_says_how_much_a_scenario_holds(home: Path) -> None:
    result = simtom("check", "uniform_arrivals")
    assert result.exit_code == 0
    assert "366 days from 2024-01-01 to 2024-12-31, about 366,000 events" in " ".join(result.output.split())


def test_check_names_what_never_acts(home: Path) -> None:
    late = "[{id: late, kind: covariate, schedule: {kind: sudden, at: 2025-01-01}, effect: {psi: 0.2}}]"
    (home / "short.yaml").write_text(f"name: short\nextends: baseline\ndrifts: {late}\n")
    result = simtom("check", str(home / "short.yaml"))
    assert result.exit_code == 0
    assert "late never acts" in result.output


def test_a_run_killed_in_the_middle_leaves_whole_days_and_the_next_one_lands_the_rest(
    prepared_home: Path,
) -> None:
    """SIGKILL right after the first transaction: nothing waits for the dead, nothing is lost or doubled."""
    furnish(prepared_home, "2024-01-01", "2024-02-01")
    file = prepared_home / "simtom.duckdb"
    command = [*SIMTOM, "run", "visits"]
    first = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ.copy()
    )
    while first.poll() is None and days_in(file) == 0:
        time.sleep(0.05)
    first.kill()
    first.wait()
    assert days_in(file) in (30, 32)
    second = simtom("run", "visits")
    assert second.exit_code == 0, second.output
    assert days_in(file) == 32
    import dagster as dg

    with dg.DagsterInstance.from_config(str(prepared_home / "dagster")) as instance:
        statuses = [run.status for run in instance.get_runs()]
    assert statuses == [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]


def days_in(file: Path) -> int:
    """Days that have landed, as far as the file can be looked at."""
    if not file.exists():
        return 0
    try:
        with duckdb.connect(str(file), read_only=True) as connection:
            days = connection.execute("SELECT count(DISTINCT day) FROM visits.page_views").fetchall()
            return int(days[0][0])
    except (duckdb.IOException, duckdb.CatalogException):
        return 0


def test_two_runs_at_once_take_turns(prepared_home: Path) -> None:
    """The second one begins as soon as the first one has its turn."""
    furnish(prepared_home, "2024-01-01", "2024-01-06")
    command = [*SIMTOM, "run", "visits", "--to", "2024-01-04"]
    first = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=os.environ.copy(), text=True
    )
    while first.poll() is None and not (prepared_home / "dagster" / ".command").exists():
        time.sleep(0.01)
    assert first.poll() is None
    second = simtom("run", "visits", "--from", "2024-01-03")
    _, errors = first.communicate(timeout=120)
    assert first.returncode == 0, errors
    assert second.exit_code == 0, second.output
    assert days_in(prepared_home / "simtom.duckdb") == 6


def test_a_home_that_cannot_be_used_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SIMTOM_HOME", str(tmp_path / "file"))
    database = ["--database", str(tmp_path / "ok.duckdb")]
    for arguments in (["init"], ["ui"], ["run", "baseline", "--to", "2024-01-02", *database, *SMALL]):
        result = simtom(*arguments)
        assert result.exit_code == 2, arguments
        assert "Set SIMTOM_HOME to a folder of yours" in " ".join(result.output.split())
