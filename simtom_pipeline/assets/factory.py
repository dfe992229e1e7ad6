"""One asset graph per scenario: its daily tables in one step, its constants, its views, its checks."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Protocol

import dagster as dg
from dagster._core.execution.context.metadata_logging import (
    AssetMetadataHandle,
    OutputMetadataAccumulator,
    OutputMetadataHandle,
)

from ..contracts import TableContract
from ..history import RowsPerDay, land_history
from ..interrupts import held_back
from ..landing import Database, Storage, schema_of
from ..landing.records import FRESH_TAG, Recorder
from ..record_tables import RECORDS
from ..relations import MEASURED_TABLES, Relations
from ..scenarios.models import Scenario
from ..simulation import Simulation
from ..verification.measurements import land_measurements
from .checks import build_checks
from .landed_events import tell_what_landed
from .metadata import parents_first, pictures, spec
from .missing_days import MissingDays
from .partitions import asset_key, daily_partitions, days_asked_for, lands_days
from .replay_clock import replay_clock_sensor
from .schedule import history_job, missing_days_schedule
from .storage import StorageResource

WRITER_POOL = "duckdb_writer"


class Progress(Protocol):
    """Who wants to know how many more days have landed."""

    def landed(self, days: int) -> None:
        """`days` more days are in the database."""


class LogProgress:
    """Where nobody watches a progress bar, the run's log tells."""

    def landed(self, days: int) -> None:
        """Log it."""
        dg.get_dagster_logger("simtom").info("landed %d more days", days)


def resources(database: str, progress: Progress) -> dict[str, object]:
    """What the graphs need from outside; `database` is the address of the storage."""
    return {"database": StorageResource(database=database), "progress": progress}


def scenario_definitions(
    scenario: Scenario, storage: Storage, pool: str | None = WRITER_POOL
) -> dg.Definitions:
    """Everything Dagster needs for one scenario, except the resources `database` and `progress`.

    `storage` is where schedule and clock look for days; `pool` is what steps that open the database queue in.
    """
    simulation = Simulation(scenario)
    relations = simulation.relations
    partitions = daily_partitions(scenario)
    job = history_job(scenario)
    missing = MissingDays(relations, job.name, partitions, storage)
    return dg.Definitions(
        assets=[
            *_constants(simulation, storage.name, pool),
            _history(simulation, storage.name, partitions, pool),
            *_views(simulation, storage.name, pool),
            _measured(simulation, storage.name, pool),
        ],
        asset_checks=[build_checks(simulation, pool)],
        jobs=[job],
        schedules=[missing_days_schedule(scenario, job, missing)],
        sensors=[replay_clock_sensor(simulation, job, missing)],
    )


def _history(
    simulation: Simulation, database: str, partitions: dg.DailyPartitionsDefinition, pool: str | None
) -> dg.AssetsDefinition:
    scenario, relations = simulation.scenario, simulation.relations
    daily = parents_first(relations.daily)

    @dg.multi_asset(
        name=f"{scenario.name}_history",
        specs=[spec(simulation, contract, database, partitions) for contract in daily],
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        # Whatever is selected, whole days land. Dagster (1.13.27) refuses, depending on the hash seed of its
        # process, to backfill a step that may not be subset when its assets have several parents.
        can_subset=True,
        pool=pool,
    )
    def history(
        context: dg.AssetExecutionContext,
        database: dg.ResourceParam[Storage],
        progress: dg.ResourceParam[Progress],
    ) -> Iterator[dg.MaterializeResult[None]]:
        days = days_asked_for(context, scenario)
        drawn, rows = Simulation(scenario), RowsPerDay()
        try:
            land_history(drawn, days, database, progress.landed, _fresh(context), rows=rows)
        except BaseException:
            # What ended the run is what has to be told, also where this cannot be recorded.
            with held_back(), suppress(Exception):
                tell_what_landed(context, relations, relations.daily, rows)
            raise
        drawn.forget()
        tell_what_landed(context, relations, _not_asked_for(context, relations), rows)
        _attach_rows_per_day(context, relations, rows)
        for contract in daily:
            key = asset_key(scenario, contract)
            if key in context.selected_asset_keys:
                yield dg.MaterializeResult(key, metadata=_row_count(contract.name, rows))

    return history


def _not_asked_for(context: dg.AssetExecutionContext, relations: Relations) -> list[TableContract]:
    """Simulated tables that no step of the run is about, and that land all the same."""
    asked = context.job_def.asset_layer.selected_asset_keys
    return [
        contract for contract in relations.simulated if asset_key(relations.scenario, contract) not in asked
    ]


def _fresh(context: dg.AssetExecutionContext) -> bool:
    """Whether the run may let its world take the place of another one."""
    return context.run.tags.get(FRESH_TAG, "").lower() == "true"


def _attach_rows_per_day(context: dg.AssetExecutionContext, relations: Relations, rows: RowsPerDay) -> None:
    """Rows of each day and table, for its event. One by one, as Dagster adds them, each copies all before."""
    keys = {contract.name: asset_key(relations.scenario, contract) for contract in relations.simulated}
    added: dict[OutputMetadataHandle | AssetMetadataHandle, Mapping[str, int]] = {
        AssetMetadataHandle(asset_key=key, partition_key=day.isoformat()): {
            "dagster/partition_row_count": count
        }
        for table, key in keys.items()
        if key in context.selected_asset_keys
        for day, count in rows.get(table, {}).items()
    }
    step = context.get_step_execution_context()
    there = step._metadata_accumulator.per_output_metadata
    step._metadata_accumulator = OutputMetadataAccumulator(per_output_metadata={**there, **added})


def _rows(database: Database, scenario: Scenario, contract: TableContract) -> int:
    return database.count(schema_of(scenario.name, contract), contract.name)


def _row_count(table: str, rows: RowsPerDay) -> dict[str, int]:
    return {"rows_landed_in_run": sum(rows[table].values()), "days_landed_in_run": len(rows[table])}


def _constants(simulation: Simulation, database: str, pool: str | None) -> Iterator[dg.AssetsDefinition]:
    scenario, relations = simulation.scenario, simulation.relations
    constant = parents_first(relations.constants)
    if not constant:
        return

    @dg.multi_asset(
        name=f"{scenario.name}_constants",
        specs=[spec(simulation, contract, database, None) for contract in constant],
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool=pool,
    )
    def constants(
        context: dg.AssetExecutionContext, database: dg.ResourceParam[Storage]
    ) -> Iterator[dg.MaterializeResult[None]]:
        simulation, fresh = Simulation(scenario), _fresh(context)
        tables = simulation.constants()
        recorder = Recorder(
            scenario.name, simulation.world, scenario.clock, fresh, days=(), restores=not lands_days(context)
        )
        with database.open() as landed:
            # Days without a record are seen to be of this world before anything changes: by the history.
            if fresh or not recorder.check(landed).unrecorded:
                landed.replace_whole(relations, tables, recorder)
        for contract in constant:
            yield dg.MaterializeResult(
                asset_key(scenario, contract),
                metadata={"dagster/row_count": tables[contract.name].num_rows},
            )

    yield constants


def _views(simulation: Simulation, database: str, pool: str | None) -> Iterator[dg.AssetsDefinition]:
    scenario, relations = simulation.scenario, simulation.relations
    if not relations.views:
        return

    @dg.multi_asset(
        name=f"{scenario.name}_views",
        specs=[spec(simulation, view, database, None) for view in relations.views],
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool=pool,
    )
    def views(database: dg.ResourceParam[Storage]) -> Iterator[dg.MaterializeResult[None]]:
        with database.open() as landed, landed.transaction():
            landed.ensure(relations)
        for view in relations.views:
            yield dg.MaterializeResult(asset_key(scenario, view))

    yield views


def _measured(simulation: Simulation, database: str, pool: str | None) -> dg.AssetsDefinition:
    scenario, tables = simulation.scenario, (*MEASURED_TABLES, *RECORDS)
    simulated = [asset_key(scenario, contract) for contract in simulation.relations.simulated]

    @dg.multi_asset(
        name=f"{scenario.name}_measured",
        specs=[
            spec(simulation, contract, database, None).replace_attributes(deps=simulated)
            for contract in tables
        ],
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool=pool,
    )
    def measured(database: dg.ResourceParam[Storage]) -> Iterator[dg.MaterializeResult[None]]:
        with database.open() as landed:
            land_measurements(landed, Simulation(scenario))
            rows = {contract.name: _rows(landed, scenario, contract) for contract in tables}
        drawn = pictures(scenario)
        for contract in tables:
            yield dg.MaterializeResult(
                asset_key(scenario, contract),
                metadata={"dagster/row_count": rows[contract.name], **drawn.get(contract.name, {})},
            )

    return measured
