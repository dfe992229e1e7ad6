"""The command as a person meets it: output, exit codes, no traceback for a mistake of theirs."""

import os
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner, Result

from simtom_pipeline import load_scenario
from simtom_pipeline.cli import app
from simtom_pipeline.history import land_history
from simtom_pipeline.landing import DuckDBFile
from simtom_pipeline.simulation import Simulation
from tests.support.visits import furnish

SIMTOM = [sys.executable, "-c", "from simtom_pipeline.cli import main; main()"]
SMALL = ["--set", "volume.base_daily_volume=100", "--set", "bnpl.population.initial_customers=300"]


def simtom(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments), catch_exceptions=False)


def test_a_run_through_the_real_command_lands_checks_and_leaves_history(home: Path) -> None:
    """In a process of its own, with SQLite on disk, from an empty home."""
    command = [*SIMTOM, "run", "baseline", "--to", "2024-01-03", *SMALL]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ.copy())
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "baseline.transactions" in done.stdout
    assert "FROM baseline.bnpl_records LIMIT 5;" in done.stdout
    queries = [line for line in done.stdout.splitlines() if line.endswith(";")]
    assert len(queries) == 3
    with duckdb.connect(str(home / "simtom.duckdb"), read_only=True) as connection:
        for query in queries:
            assert connection.execute(query).fetchall(), query
        days = connection.execute("SELECT count(DISTINCT day) FROM baseline.transactions").fetchall()
        assert days == [(3,)]
    import dagster as dg

    with dg.DagsterInstance.from_config(str(home / "dagster")) as instance:
        (run,) = instance.get_runs()
        assert run.status == dg.DagsterRunStatus.SUCCESS
        landed = instance.get_materialized_partitions(dg.AssetKey(["baseline", "transactions"]))
        assert landed == {f"2024-01-{n:02}" for n in range(1, 4)}
    assert not instance.telemetry_enabled


def test_a_feed_with_faults_runs_like_any_other_even_if_the_day_never_arrives(prepared_home: Path) -> None:
    result = simtom("run", "outage", "--from", "2024-08-14", "--to", "2024-08-14", *SMALL)
    assert result.exit_code == 0, result.output
    queries = [line for line in result.output.splitlines() if line.endswith(";")]
    with duckdb.connect(str(prepared_home / "simtom.duckdb"), read_only=True) as connection:
        ((landed, clean),) = connection.execute(
            "SELECT (SELECT count(*) FROM outage.transactions),"
            " (SELECT count(*) FROM outage_truth.clean_transactions)"
        ).fetchall()
        kinds = {row[0] for row in connection.execute(queries[3]).fetchall()}
    assert landed == 0
    assert clean > 50
    assert kinds == {"dropped_day"}


def test_a_file_that_is_called_as_the_scenario_is_refused(prepared_home: Path) -> None:
    file = prepared_home / "Outage.duckdb"
    result = simtom("run", "outage", "--to", "2024-01-01", "--database", str(file), *SMALL)
    assert result.exit_code == 2
    assert "Name another file, such as --database Outage_history.duckdb" in " ".join(result.output.split())


def test_a_failed_check_has_exit_code_one_and_says_what_is_wrong_where(prepared_home: Path) -> None:
    furnish(prepared_home, "2024-01-01", "2024-01-03")
    assert simtom("run", "visits").exit_code == 0
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


def test_a_table_without_days_is_not_mended_in_silence_but_when_asked(prepared_home: Path) -> None:
    small = {"volume.base_daily_volume": 100, "bnpl.population.initial_customers": 300}
    file = prepared_home / "simtom.duckdb"
    land_history(
        Simulation(load_scenario("baseline", small)),
        [date(2024, 1, 1), date(2024, 1, 2)],
        DuckDBFile(file),
        lambda _: None,
    )
    with duckdb.connect(str(file)) as connection:
        connection.execute("UPDATE baseline.products SET list_price = 3 * list_price WHERE product_id = 7")
    one_day = ["run", "baseline", "--from", "2024-01-02", "--to", "2024-01-02", *SMALL]
    again = simtom(*one_day)
    assert again.exit_code == 1
    said = " ".join(again.output.split())
    assert "FAILED: baseline/products landed_content: products is not as landed: 1 rows of products" in said
    assert "first key 7, list_price: " in said
    assert "simtom run baseline --fresh lands it again" in said
    assert simtom(*one_day, "--fresh").exit_code == 0


def test_a_part_of_a_year_lands_without_a_failure_and_says_what_it_cannot_tell(prepared_home: Path) -> None:
    result = simtom("run", "baseline", "--from", "2024-06-01", "--to", "2024-06-03", *SMALL)
    assert result.exit_code == 0, result.output
    assert "cannot tell: baseline/transactions temporal_integrity" in result.output
    assert "land every day from 2024-01-01 on" in result.output


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
    second = subprocess.run(command, capture_output=True, text=True, env=os.environ.copy(), timeout=120)
    assert second.returncode == 0, second.stderr
    assert days_in(file) == 32
    import dagster as dg

    with dg.DagsterInstance.from_config(str(prepared_home / "dagster")) as instance:
        statuses = [run.status for run in instance.get_runs()]
    assert statuses == [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]


def days_in(file: Path) -> int:
    """Days that have landed, as far as the file can be looked at."""
    try:
        with duckdb.connect(str(file), read_only=True) as connection:
            days = connection.execute("SELECT count(DISTINCT day) FROM visits.page_views").fetchall()
            return int(days[0][0])
    except (duckdb.IOException, duckdb.CatalogException):
        return 0


def test_two_runs_at_once_take_turns(prepared_home: Path) -> None:
    furnish(prepared_home, "2024-01-01", "2024-01-06")

    def start(first: str, last: str) -> subprocess.Popen[str]:
        command = [*SIMTOM, "run", "visits", "--from", first, "--to", last]
        pipes: dict[str, int] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(command, env=os.environ.copy(), text=True, **pipes)

    runs = [start("2024-01-01", "2024-01-04"), start("2024-01-03", "2024-01-06")]
    for run in runs:
        _, errors = run.communicate(timeout=120)
        assert run.returncode == 0, errors
    assert days_in(prepared_home / "simtom.duckdb") == 6


def test_a_home_that_cannot_be_used_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SIMTOM_HOME", str(tmp_path / "file"))
    database = ["--database", str(tmp_path / "ok.duckdb")]
    for arguments in (["init"], ["ui"], ["run", "baseline", "--to", "2024-01-02", *database, *SMALL]):
        result = simtom(*arguments)
        assert result.exit_code == 2, arguments
        assert "Set SIMTOM_HOME to a folder of yours" in " ".join(result.output.split())


def test_a_scenario_named_like_a_word_of_sql_can_be_queried_as_the_summary_says(prepared_home: Path) -> None:
    (prepared_home / "select.yaml").write_text("name: select\nextends: baseline\n")
    result = simtom("run", str(prepared_home / "select.yaml"), "--to", "2024-01-02", *SMALL)
    assert result.exit_code == 0, result.output
    queries = [line for line in result.output.splitlines() if line.endswith(";")]
    with duckdb.connect(str(prepared_home / "simtom.duckdb"), read_only=True) as connection:
        assert all(connection.execute(query).fetchall() for query in queries)
