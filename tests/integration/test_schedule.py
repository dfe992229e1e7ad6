"""The schedule that requests days that are missing: which, when, and what it waits for."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster import AssetPartitionStatus

from simtom_pipeline import load_scenario
from simtom_pipeline.assets import factory
from simtom_pipeline.assets.partitions import daily_partitions, range_tags
from simtom_pipeline.scenarios.models import Scenario
from tests.support.dagster_runs import definitions, land, rows_a_day
from tests.support.visits import furnish


@pytest.fixture
def kept_instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """On disk, as a schedule needs it."""
    folder = tmp_path / "instance"
    folder.mkdir()
    with dg.DagsterInstance.local_temp(str(folder)) as one:
        yield one


@pytest.fixture
def scenario(home: Path) -> Scenario:
    """Ten days of a small scenario."""
    furnish(home, "2024-01-01", "2024-01-10")
    return load_scenario("visits")


def evaluate_schedule(
    scenario: Scenario, file: Path, instance: dg.DagsterInstance
) -> dg.ScheduleEvaluationContext:
    graphs = definitions(scenario, file)
    schedule = graphs.resolve_schedule_def("visits_missing_days")
    with dg.build_schedule_context(instance=instance, repository_def=graphs.get_repository_def()) as context:
        return schedule.evaluate_tick(context)  # type: ignore[return-value]


def test_the_schedule_requests_what_is_missing_or_failed_as_one_range(
    scenario: Scenario, kept_instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "x.duckdb"

    def requested() -> dict[str, str] | None:
        tick = evaluate_schedule(scenario, file, kept_instance)
        if not tick.run_requests:  # type: ignore[attr-defined]
            return None
        (request,) = tick.run_requests  # type: ignore[attr-defined]
        return {k: v for k, v in request.tags.items() if "range" in k}

    assert requested() == range_tags("2024-01-01", "2024-01-10")
    land(scenario, file, kept_instance, "2024-01-01", "2024-01-03")
    land(scenario, file, kept_instance, "2024-01-06", "2024-01-10")
    assert requested() == range_tags("2024-01-04", "2024-01-05")

    def fails(*_: object) -> None:
        raise RuntimeError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(factory, "land_history", fails)
        failed = land(scenario, file, kept_instance, "2024-01-07", "2024-01-08", raise_on_error=False)
    assert not failed.success
    status = kept_instance.get_status_by_partition(
        dg.AssetKey(["visits", "page_views"]), ["2024-01-07", "2024-01-09"], daily_partitions(scenario)
    )
    assert status == {
        "2024-01-07": AssetPartitionStatus.FAILED,
        "2024-01-09": AssetPartitionStatus.MATERIALIZED,
    }
    assert requested() == range_tags("2024-01-04", "2024-01-08")
    land(scenario, file, kept_instance, "2024-01-04", "2024-01-08")
    assert requested() is None
    rows = rows_a_day(file, "visits.page_views")
    assert len(rows) == 10
    assert min(rows.values()) > 0


def test_the_schedule_is_off_by_default_and_waits_for_a_run_under_way(
    scenario: Scenario, kept_instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    graphs = definitions(scenario, tmp_path / "x.duckdb")
    schedule = graphs.resolve_schedule_def("visits_missing_days")
    assert schedule.default_status == dg.DefaultScheduleStatus.STOPPED
    kept_instance.create_run_for_job(graphs.resolve_job_def("visits_job"), status=dg.DagsterRunStatus.STARTED)
    tick = evaluate_schedule(scenario, tmp_path / "x.duckdb", kept_instance)
    assert "has not finished" in (tick.skip_message or "")  # type: ignore[attr-defined]


def test_days_that_are_not_in_the_file_are_requested_whatever_dagster_remembers(
    scenario: Scenario, kept_instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    file = tmp_path / "x.duckdb"
    land(scenario, file, kept_instance, "2024-01-01", "2024-01-10")
    assert not evaluate_schedule(scenario, file, kept_instance).run_requests  # type: ignore[attr-defined]
    file.unlink()
    (request,) = evaluate_schedule(scenario, file, kept_instance).run_requests  # type: ignore[attr-defined]
    assert range_tags("2024-01-01", "2024-01-10").items() <= request.tags.items()


def test_a_dead_run_of_the_command_does_not_stop_the_schedule(
    scenario: Scenario, kept_instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    graphs = definitions(scenario, tmp_path / "x.duckdb")
    dead = kept_instance.create_run_for_job(
        graphs.resolve_job_def("visits_job"),
        status=dg.DagsterRunStatus.STARTED,
        tags={"simtom/command": "run"},
    )
    tick = evaluate_schedule(scenario, tmp_path / "x.duckdb", kept_instance)
    assert tick.run_requests  # type: ignore[attr-defined]
    ended = kept_instance.get_run_by_id(dead.run_id)
    assert ended is not None
    assert ended.status == dg.DagsterRunStatus.FAILURE
