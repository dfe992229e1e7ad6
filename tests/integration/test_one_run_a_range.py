"""A range of days is one run in which each day is simulated once, whoever asks for it."""

from datetime import date
from pathlib import Path

import dagster as dg
import duckdb
import pytest
from click.testing import CliRunner
from dagster._cli.asset import asset_materialize_command

from simtom_pipeline import load_scenario
from tests.support.dagster_runs import TINY, definitions

ITS_DEFINITIONS = """\
from pathlib import Path

from simtom_pipeline import load_scenario
from tests.support.dagster_runs import definitions

defs = definitions(load_scenario("tiny"), Path(__file__).with_name("simtom.duckdb"))
"""


def landings(file: Path) -> list[tuple[date, date]]:
    """First and last day of each run that has landed days."""
    with duckdb.connect(str(file), read_only=True) as connection:
        return connection.execute(
            "SELECT first_day, last_day FROM tiny_truth.runs WHERE how = 'landed'"
        ).fetchall()


@pytest.mark.filterwarnings("ignore::dagster.SupersessionWarning", "ignore::dagster.BetaWarning")
def test_dagsters_own_command_lands_a_range_of_a_group_in_one_run(
    prepared_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(prepared_home / "dagster"))
    (prepared_home / "scenarios").mkdir()
    (prepared_home / "scenarios" / "tiny.yaml").write_text(TINY)
    (prepared_home / "tiny_alone.py").write_text(ITS_DEFINITIONS)
    asked = ["--select", "group:tiny", "--partition-range", "2024-01-03...2024-01-07"]
    code = ["-f", str(prepared_home / "tiny_alone.py")]
    result = CliRunner().invoke(asset_materialize_command, [*code, *asked])
    assert result.exit_code == 0, result.output
    assert landings(prepared_home / "simtom.duckdb") == [(date(2024, 1, 3), date(2024, 1, 7))]
    with dg.DagsterInstance.from_config(str(prepared_home / "dagster")) as instance:
        (run,) = instance.get_runs()
        assert run.status is dg.DagsterRunStatus.SUCCESS
        for table in ("transactions", "products", "bnpl_records", "daily_profile"):
            (key,) = [key for key in instance.all_asset_keys() if key.path[-1] == table]
            assert instance.get_latest_materialization_event(key), table


@pytest.mark.parametrize("name", ["baseline", "dirty_feed", "gradual_drift"])
def test_no_table_of_days_waits_for_one_without_and_all_take_ranges_whole(name: str) -> None:
    """Dagster makes a run of its own for each alternation of tables with days and without."""
    scenario = load_scenario(name)
    graph = definitions(scenario, Path("any.duckdb")).resolve_asset_graph()
    with_days = {key for key in graph.get_all_asset_keys() if graph.get(key).partitions_def}
    assert with_days
    for key in graph.get_all_asset_keys():
        assert graph.get(key).backfill_policy == dg.BackfillPolicy.single_run()
        if key in with_days:
            assert graph.get(key).parent_keys <= with_days
