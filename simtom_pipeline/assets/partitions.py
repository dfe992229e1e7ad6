"""A scenario's calendar as Dagster partitions, and what the asset keys are called."""

from datetime import UTC, date, datetime, timedelta

import dagster as dg

from ..contracts import TableContract, ViewContract
from ..scenarios.models import Scenario


def daily_partitions(scenario: Scenario) -> dg.DailyPartitionsDefinition:
    """One partition a simulated day, whether it lies in the past or the future.

    Dagster leaves out what the wall clock has not reached; the offset, in days from today, brings it
    back. It decides nothing but that every simulated day is a partition.
    """
    end = scenario.clock.end + timedelta(1)
    ahead = (end - datetime.now(UTC).date()).days + 1
    return dg.DailyPartitionsDefinition(
        start_date=scenario.clock.start.isoformat(), end_date=end.isoformat(), end_offset=max(ahead, 0)
    )


def asset_key(scenario: Scenario, contract: TableContract | ViewContract) -> dg.AssetKey:
    """`<scenario>/<table>`, or `<scenario>/truth/<table>` for what only the simulator knows."""
    return dg.AssetKey([scenario.name, *(["truth"] if contract.truth else []), contract.name])


def range_tags(first: str, last: str) -> dict[str, str]:
    """Run tags that make one run materialize the partitions from `first` to `last`, inclusive."""
    return {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}


def days_asked_for(context: dg.AssetExecutionContext, scenario: Scenario) -> list[date]:
    """The days of a run's partitions, one at least: a run that lands no day is no success.

    Raises
    ------
    dg.Failure : the run names no day; a range that ends before it starts holds none.
    """
    named = [context.run.tags[tag] for tag in range_tags("", "") if tag in context.run.tags]
    asked = f"the range from {' to '.join(named)} holds none" if named else "the run names none"
    partitioned = context.has_partition_key or context.has_partition_key_range
    days = [date.fromisoformat(key) for key in (context.partition_keys if partitioned else [])]
    if not days:
        calendar = f"{scenario.clock.start} to {scenario.clock.end}"
        allowed = f"a day of {scenario.name}, {calendar}, or a range of them"
        raise dg.Failure(f"No day has landed: {asked}. Allowed: {allowed}.", allow_retries=False)
    return days


def lands_days(context: dg.AssetExecutionContext) -> bool:
    """Whether the run is about days, not about tables without days alone."""
    return any(tag in context.run.tags for tag in ("dagster/partition", *range_tags("", "")))
