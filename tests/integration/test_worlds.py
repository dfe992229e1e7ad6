"""A file holds one world of a scenario: others are refused before the first row, unless asked for."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest
from typer.testing import CliRunner, Result

from simtom_pipeline import load_scenario
from simtom_pipeline.assets.factory import LogProgress, resources, scenario_definitions
from simtom_pipeline.assets.missing_days import days_in
from simtom_pipeline.assets.partitions import range_tags
from simtom_pipeline.cli import app
from simtom_pipeline.landing import DuckDBFile
from simtom_pipeline.landing.records import FRESH_TAG, AnotherWorldError
from simtom_pipeline.scenarios.models import Scenario
from simtom_pipeline.simulation import world
from tests.support.visits import furnish

LATER = ["--from", "2024-01-19"]


@pytest.fixture(scope="module")
def landed(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a small scenario, of which eleven days have landed; to be copied."""
    home = tmp_path_factory.mktemp("landed") / "home"
    shutil.copytree(prepared, home)
    furnish(home, "2024-01-10", "2024-01-20")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIMTOM_HOME", str(home))
        patch.setenv("DAGSTER_HOME", "")
        assert simtom("run", "visits").exit_code == 0
    return home


@pytest.fixture
def visits(home: Path, landed: Path) -> Path:
    """The file of a home of the test's own with those days."""
    shutil.copytree(landed, home, dirs_exist_ok=True)
    return home / "simtom.duckdb"


def simtom(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments), catch_exceptions=False)


def said(result: Result) -> str:
    return " ".join(result.output.split())


def ask(file: Path, query: str) -> list[Any]:
    with duckdb.connect(str(file), read_only=True) as connection:
        return connection.execute(query).fetchall()


def rows(file: Path) -> list[Any]:
    return ask(file, "FROM visits.page_views ORDER BY ALL") + ask(file, "FROM visits_truth.runs ORDER BY ALL")


def test_another_world_is_refused_before_the_first_row_and_what_differs_is_named(visits: Path) -> None:
    before = rows(visits)
    for setting, difference in {
        "clock.start=2024-01-05": "clock.start: 2024-01-10, now 2024-01-05",
        "seed=4": "seed: 3, now 4",
        "volume.base_daily_volume=51": "volume.base_daily_volume: 50.0, now 51.0",
        "arrivals.arrival_pattern=poisson": "arrivals.arrival_pattern: not stated, now poisson",
    }.items():
        refused = simtom("run", "visits", "--set", setting, *LATER)
        assert refused.exit_code == 2
        assert difference in said(refused)
        assert "11 days (2024-01-10 to 2024-01-20)" in said(refused)
        assert "No day has landed" in said(refused)
        assert "--fresh" in said(refused)
    assert rows(visits) == before


def test_a_later_end_and_other_words_land_beside_what_is_there(visits: Path) -> None:
    extended = ["--set", "clock.end=2024-01-22", "--set", "description=more", "--set", "checks.replay_days=5"]
    result = simtom("run", "visits", *extended, "--from", "2024-01-21")
    assert result.exit_code == 0, result.output
    assert ask(visits, "SELECT count(DISTINCT world), count(DISTINCT day) FROM visits_truth.landed_days") == [
        (1, 13)
    ]


def test_a_fresh_world_takes_the_place_of_the_other_day_by_day_and_no_third_comes_between(
    visits: Path,
) -> None:
    other = ["--set", "seed=4", "--set", "clock.start=2024-01-15"]
    begun = simtom("run", "visits", *other, "--to", "2024-01-16", "--fresh")
    assert begun.exit_code == 0, begun.output
    assert "4 landed days (2024-01-17 to 2024-01-20) are still of the world before this one" in said(begun)
    by_world = ask(
        visits, "SELECT min(day)::TEXT, max(day)::TEXT FROM visits_truth.landed_days GROUP BY world"
    )
    assert sorted(by_world) == [("2024-01-15", "2024-01-16"), ("2024-01-17", "2024-01-20")]
    assert ask(visits, "SELECT count(*) FROM visits.daily_profile") == [(0,)]
    for third in ([], ["--set", "seed=5"]):
        assert simtom("run", "visits", *third, *LATER).exit_code == 2
    done = simtom("run", "visits", *other, "--from", "2024-01-17")
    assert done.exit_code == 0, done.output
    assert "FAILED" not in done.output
    assert ask(visits, "SELECT count(DISTINCT world), min(day)::TEXT FROM visits_truth.landed_days") == [
        (1, "2024-01-15")
    ]
    runs = ask(visits, "SELECT how, first_day::TEXT, last_day::TEXT FROM visits_truth.runs ORDER BY run")
    assert runs == [
        ("landed", "2024-01-10", "2024-01-20"),
        ("fresh", "2024-01-15", "2024-01-16"),
        ("landed", "2024-01-17", "2024-01-20"),
    ]


def without_records(file: Path) -> None:
    """As a version without records left it."""
    with duckdb.connect(str(file)) as connection:
        connection.execute("DROP TABLE visits_truth.runs; DROP TABLE visits_truth.landed_days")


def test_days_without_a_record_are_adopted_once_their_replay_is_the_same(visits: Path) -> None:
    digests = "SELECT table_name, day, rows, digest FROM visits_truth.landed_days ORDER BY ALL"
    before = ask(visits, digests)
    without_records(visits)
    result = simtom("run", "visits", *LATER)
    assert result.exit_code == 0, result.output
    assert "Checks: " in result.output
    assert ask(visits, "SELECT how FROM visits_truth.runs ORDER BY run") == [("adopted",), ("landed",)]
    assert ask(visits, digests) == before


def test_days_without_a_record_that_are_not_what_is_drawn_are_refused_and_can_be_landed_again(
    visits: Path,
) -> None:
    without_records(visits)
    with duckdb.connect(str(visits)) as connection:
        connection.execute("DELETE FROM visits.page_views WHERE day = '2024-01-12' AND view_id % 9 = 0")
    refused = simtom("run", "visits", *LATER)
    assert refused.exit_code == 2
    assert "page_views of 2024-01-12 is not what this one draws today" in said(refused)
    assert "No day has landed" in said(refused)
    assert simtom("run", "visits", "--to", "2024-01-12").exit_code == 0
    assert ask(visits, "SELECT count(DISTINCT day) FROM visits_truth.landed_days") == [(11,)]


def test_a_fresh_world_takes_the_place_of_days_without_a_record_too(visits: Path) -> None:
    """Another start: days before it go, the others are of the world before until they have landed."""
    without_records(visits)
    other = ["--set", "clock.start=2024-01-12"]
    refused = simtom("run", "visits", *other, *LATER)
    assert refused.exit_code == 2
    assert "2 days (2024-01-10 to 2024-01-11) of visits outside its clock" in said(refused)
    begun = simtom("run", "visits", *other, "--to", "2024-01-13", "--fresh")
    assert begun.exit_code == 0, begun.output
    assert "7 landed days (2024-01-14 to 2024-01-20) are still of the world before this one" in said(begun)
    assert ask(visits, "SELECT count(*) FROM visits.daily_profile") == [(0,)]
    done = simtom("run", "visits", *other, "--from", "2024-01-14")
    assert done.exit_code == 0, done.output
    assert ask(visits, "SELECT min(day)::TEXT, count(DISTINCT day) FROM visits.page_views") == [
        ("2024-01-12", 9)
    ]
    assert ask(visits, "SELECT how FROM visits_truth.runs ORDER BY run") == [("fresh",), ("landed",)]


def test_an_earlier_end_is_refused_until_the_days_after_it_may_go(visits: Path) -> None:
    shorter = ["--set", "clock.end=2024-01-18"]
    refused = simtom("run", "visits", *shorter, "--from", "2024-01-17")
    assert refused.exit_code == 2
    assert "2 days (2024-01-19 to 2024-01-20) of visits outside its clock" in said(refused)
    assert simtom("run", "visits", *shorter, "--from", "2024-01-17", "--fresh").exit_code == 0
    assert ask(visits, "SELECT max(day)::TEXT FROM visits_truth.landed_days") == [("2024-01-18",)]


def test_forget_removes_one_scenario_from_the_file_and_from_dagster_and_asks(visits: Path) -> None:
    with duckdb.connect(str(visits)) as connection:
        connection.execute("CREATE SCHEMA mine; CREATE TABLE mine.kept AS SELECT 1 AS a")
    declined = CliRunner().invoke(app, ["forget", "visits"], input="n\n")
    assert declined.exit_code == 130
    assert len(ask(visits, "FROM visits_truth.daily_intensity")) == 11
    assert simtom("forget", "visits", "--yes").exit_code == 0
    schemas = ask(visits, "SELECT DISTINCT schema_name FROM duckdb_tables()")
    assert schemas == [("mine",)]
    with dg.DagsterInstance.from_config(str(visits.parent / "dagster")) as instance:
        assert instance.get_materialized_partitions(dg.AssetKey(["visits", "page_views"])) == set()
    for name in ("visits", "main", "no such; name"):
        assert simtom("forget", name, "--yes").exit_code == 2
    assert simtom("run", "visits", "--set", "seed=9").exit_code == 0


# Dagster


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as one:
        yield one


def launch(scenario: Scenario, file: Path, instance: dg.DagsterInstance, **tags: str) -> Any:
    graphs = dg.Definitions.merge(
        dg.Definitions(resources=resources(str(file), LogProgress()), executor=dg.in_process_executor),
        scenario_definitions(scenario, DuckDBFile(file)),
    )
    return graphs.resolve_job_def("visits_job").execute_in_process(
        instance=instance,
        tags=range_tags("2024-01-18", "2024-01-19") | tags,
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        raise_on_error=False,
    )


def test_dagster_refuses_another_world_too_and_its_schedule_says_why(
    visits: Path, instance: dg.DagsterInstance
) -> None:
    changed = load_scenario("visits", {"seed": 4})
    before = rows(visits)
    result = launch(changed, visits, instance)
    assert not result.success
    failures = [event.event_specific_data.error_display_string for event in result.get_step_failure_events()]
    assert any("seed: 3, now 4" in failure and FRESH_TAG in failure for failure in failures)
    assert rows(visits) == before
    with pytest.raises(AnotherWorldError, match="seed: 3, now 4"):
        days_in(DuckDBFile(visits), changed)
    assert launch(changed, visits, instance, **{FRESH_TAG: "true"}).success
    assert days_in(DuckDBFile(visits), changed) == {"2024-01-18", "2024-01-19"}
    materialized = instance.get_latest_materialization_event(dg.AssetKey(["visits", "page_views"]))
    assert materialized is not None
    tags = materialized.asset_materialization.tags  # type: ignore[union-attr]
    assert tags["dagster/code_version"] == world(changed).digest[:16]


def test_a_check_alone_names_the_other_world_and_no_other_check_says_more_than_it_knows(
    visits: Path, instance: dg.DagsterInstance
) -> None:
    """The scenario was changed and nothing has landed since: what is checked is another world."""
    changed = load_scenario("visits", {"seed": 4})
    graphs = scenario_definitions(changed, DuckDBFile(visits))
    (checks,) = graphs.asset_checks or ()
    result = dg.materialize(
        [checks],  # type: ignore[list-item]
        instance=instance,
        resources=resources(str(visits), LogProgress()),
        selection=dg.AssetSelection.all_asset_checks(),
        raise_on_error=False,
    )
    found = {(e.asset_key.path[-1], e.check_name): e for e in result.get_asset_check_evaluations()}
    failed = [name for name, e in found.items() if e.severity == dg.AssetCheckSeverity.ERROR and not e.passed]
    assert failed == [("runs", "one_world")]
    assert "seed: 3, now 4" in (found["runs", "one_world"].description or "")
    assert found["page_views", "landed_content"].passed
    assert "see one_world" in (found["page_views", "daily_volume"].description or "")
