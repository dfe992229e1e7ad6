"""The job that materializes a scenario, and the schedule that catches up on what is missing."""

from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
from dagster import AssetPartitionStatus

from .. import landing
from ..records import AnotherWorldError, Recorder
from ..relations import Relations
from ..scenarios.models import Scenario
from ..simulation import world
from .instance import UNFINISHED, end_dead_runs
from .partitions import asset_key, range_tags

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition


def history_job(scenario: Scenario) -> "UnresolvedAssetJobDefinition":
    """Materializes and checks everything of the scenario; partitions come as range tags."""
    return dg.define_asset_job(
        f"{scenario.name}_job",
        selection=dg.AssetSelection.groups(scenario.name),
        executor_def=dg.in_process_executor,
        description=f"Simulate, land and check: {scenario.description}",
    )


def missing_days_schedule(
    relations: Relations,
    job: "UnresolvedAssetJobDefinition",
    partitions: dg.DailyPartitionsDefinition,
    database: Path,
) -> dg.ScheduleDefinition:
    """Every morning: one run over the shortest range that holds every missing or failed day."""
    scenario = relations.scenario
    daily = [asset_key(scenario, contract) for contract in relations.daily]

    @dg.schedule(
        name=f"{scenario.name}_missing_days",
        job=job,
        cron_schedule="0 6 * * *",
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description="Requests the days that are missing or failed, as one run over a range.",
    )
    def missing_days(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        end_dead_runs(context.instance)
        unfinished = context.instance.get_runs(dg.RunsFilter(job_name=job.name, statuses=UNFINISHED), limit=1)
        if unfinished:
            return dg.SkipReason(f"run {unfinished[0].run_id} of {job.name} has not finished")
        try:
            landed = days_in(database, scenario)
        except AnotherWorldError as error:
            return dg.SkipReason(str(error))
        days = open_days(context.instance, daily, partitions, landed)
        if not days:
            return dg.SkipReason(f"every day of {scenario.name} has landed")
        return dg.RunRequest(tags=range_tags(days[0], days[-1]))

    return missing_days


def open_days(
    instance: dg.DagsterInstance,
    keys: list[dg.AssetKey],
    partitions: dg.DailyPartitionsDefinition,
    landed: set[str] | None,
) -> list[str]:
    """Partitions, in order, that are not materialized in every one of the assets, or not in the file.

    `landed` is None where the file cannot be looked at.
    """
    days = partitions.get_partition_keys()
    done = [
        {
            day
            for day, status in (instance.get_status_by_partition(key, days, partitions) or {}).items()
            if status == AssetPartitionStatus.MATERIALIZED
        }
        for key in keys
    ]
    done += [] if landed is None else [landed]
    return [day for day in days if not all(day in those for those in done)]


def days_in(database: Path, scenario: Scenario) -> set[str] | None:
    """Days in the file that need not land again; None if somebody is writing to it.

    Raises
    ------
    AnotherWorldError : the file holds another world; the message says what to do.
    """
    if not database.exists():
        return set()
    recorder = Recorder(scenario.name, world(scenario), scenario.clock, fresh=False, days=())
    try:
        with landing.connect(database, read_only=True) as connection:
            found = recorder.check(connection)
    except AnotherWorldError:
        raise
    except landing.LandingError:
        return None
    others = set(found.of_other_worlds(recorder.world))
    return {day.isoformat() for day in found.worlds if day not in others}
