"""The job that materializes a scenario, and the schedule that catches up on what is missing."""

from typing import TYPE_CHECKING

import dagster as dg

from ..landing.records import AnotherWorldError
from ..scenarios.models import Scenario
from .missing_days import MissingDays
from .partitions import range_tags

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition


def history_job_name(scenario: Scenario) -> str:
    """What the job that lands the scenario is called."""
    return f"{scenario.name}_job"


def history_job(scenario: Scenario) -> "UnresolvedAssetJobDefinition":
    """Materializes and checks everything of the scenario; partitions come as range tags."""
    what = f"Simulates, lands and checks the scenario {scenario.name}. {scenario.description}"
    return dg.define_asset_job(
        history_job_name(scenario),
        selection=dg.AssetSelection.groups(scenario.name),
        executor_def=dg.in_process_executor,
        description=what.strip(),
    )


def missing_days_schedule(
    scenario: Scenario, job: "UnresolvedAssetJobDefinition", missing: MissingDays
) -> dg.ScheduleDefinition:
    """Every morning: one run over the shortest range that holds every missing or failed day."""

    @dg.schedule(
        name=f"{scenario.name}_missing_days",
        job=job,
        cron_schedule="0 6 * * *",
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description="Requests the days that are missing or failed, as one run over a range.",
    )
    def missing_days(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        if reason := missing.reason_to_wait(context.instance):
            return dg.SkipReason(reason)
        try:
            days = missing.days(context.instance)
        except AnotherWorldError as error:
            return dg.SkipReason(str(error))
        if not days:
            return dg.SkipReason(f"every day of {scenario.name} has landed")
        return dg.RunRequest(tags=range_tags(days[0], days[-1]))

    return missing_days
