"""Which days of a scenario have not landed, and whether it is the moment to request them."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import dagster as dg
from dagster import AssetPartitionStatus
from dagster._core.execution.backfill import BulkActionsFilter, BulkActionStatus

from ..landing import LandingError, Storage
from ..landing.records import AnotherWorldError, Recorder
from ..relations import Relations
from ..scenarios.models import Scenario
from ..simulation import world
from .instance import UNFINISHED, end_dead_runs
from .partitions import asset_key

UNFINISHED_BACKFILLS = [BulkActionStatus.REQUESTED, BulkActionStatus.CANCELING, BulkActionStatus.FAILING]


@dataclass(frozen=True)
class MissingDays:
    """The days of one scenario that have not landed, as Dagster and the file know it.

    Attributes
    ----------
    job_name : of the job that lands the scenario.
    storage : where it lands.
    """

    relations: Relations
    job_name: str
    partitions: dg.DailyPartitionsDefinition
    storage: Storage

    @property
    def daily(self) -> list[dg.AssetKey]:
        """Keys of the scenario's daily tables."""
        return [asset_key(self.relations.scenario, contract) for contract in self.relations.daily]

    def reason_to_wait(self, instance: dg.DagsterInstance) -> str | None:
        """What is queued or in progress of the scenario, if anything is; dead runs of the command are not."""
        end_dead_runs(instance)
        return next(self._under_way(instance), None)

    def _under_way(self, instance: dg.DagsterInstance) -> Iterator[str]:
        for run in instance.get_runs(dg.RunsFilter(statuses=UNFINISHED)):
            if run.job_name == self.job_name or self._is_of_scenario(run.asset_selection):
                yield f"run {run.run_id} of {self.relations.scenario.name} has not finished"
        for backfill in instance.get_backfills(BulkActionsFilter(statuses=UNFINISHED_BACKFILLS)):
            if backfill.job_name == self.job_name or self._is_of_scenario(backfill.asset_selection):
                yield f"backfill {backfill.backfill_id} has not finished"

    def _is_of_scenario(self, keys: Collection[dg.AssetKey] | None) -> bool:
        return any(key.path[0] == self.relations.scenario.name for key in keys or ())

    def days(self, instance: dg.DagsterInstance) -> list[str]:
        """The missing ones, in order.

        Raises
        ------
        AnotherWorldError : the file holds another world; the message says what to do.
        """
        landed = days_in(self.storage, self.relations.scenario)
        return open_days(instance, self.daily, self.partitions, landed)


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


def days_in(storage: Storage, scenario: Scenario) -> set[str] | None:
    """Days in the file that need not land again; None if somebody is writing to it.

    Raises
    ------
    AnotherWorldError : the file holds another world; the message says what to do.
    """
    if not storage.exists():
        return set()
    recorder = Recorder(scenario.name, world(scenario), scenario.clock, fresh=False, days=())
    try:
        with storage.open(read_only=True) as database:
            found = recorder.check(database)
    except AnotherWorldError:
        raise
    except LandingError:
        return None
    others = set(found.of_other_worlds(recorder.world))
    return {day.isoformat() for day in found.worlds if day not in others}
