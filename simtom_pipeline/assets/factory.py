"""One asset graph per scenario: its daily tables in one step, its constants, its views, its checks."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

import dagster as dg
import duckdb
from dagster_duckdb import DuckDBResource

from .. import landing
from ..contracts import TableContract, ViewContract
from ..generators.base import BaseGenerator
from ..generators.drift.ledger import DERIVED
from ..record_tables import RECORDS
from ..records import FRESH_TAG, Recorder
from ..scenarios.models import Scenario
from ..simulation import make_generator, registry, world
from .batches import Connect
from .checks import build_checks
from .derived import land_derived
from .history import RowsPerDay, land_history
from .metadata import parents_first, pictures, spec
from .partitions import asset_key, daily_partitions, days_asked_for, lands_days
from .schedule import history_job, missing_days_schedule

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


@contextmanager
def opened(database: DuckDBResource) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection of the resource, closed also when the body fails."""
    with landing.room_for(database.database), ExitStack() as stack:
        with landing.explained(database.database):
            Path(database.database).parent.mkdir(parents=True, exist_ok=True)
            connection = stack.enter_context(database.get_connection())
        stack.callback(connection.close)
        yield connection


def resources(database: str, progress: Progress) -> dict[str, object]:
    """What the graphs need from outside."""
    return {"database": DuckDBResource(database=database), "progress": progress}


def scenario_definitions(
    scenario: Scenario, database: Path, pool: str | None = WRITER_POOL
) -> dg.Definitions:
    """Everything Dagster needs for one scenario, except the resources `database` and `progress`.

    `pool` is what steps that open the database queue in.
    """
    generator = registry().generator(scenario.generator)
    partitions = daily_partitions(scenario)
    job = history_job(scenario)
    return dg.Definitions(
        assets=[
            *_constants(scenario, generator, database.stem, pool),
            _history(scenario, generator, database.stem, partitions, pool),
            *_views(scenario, generator, database.stem, pool),
            _derived(scenario, generator, database.stem, pool),
        ],
        asset_checks=[build_checks(scenario, generator, opened, pool)],
        jobs=[job],
        schedules=[missing_days_schedule(scenario, generator, job, partitions, database)],
    )


def _history(
    scenario: Scenario,
    generator: type[BaseGenerator],
    database: str,
    partitions: dg.DailyPartitionsDefinition,
    pool: str | None,
) -> dg.AssetsDefinition:
    daily = parents_first(contract for contract in generator.contracts(scenario) if contract.daily)

    @dg.multi_asset(
        name=f"{scenario.name}_history",
        specs=[spec(scenario, contract, database, partitions) for contract in daily],
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        # Whatever is selected, whole days land. Dagster (1.13.27) refuses, depending on the hash seed of its
        # process, to backfill a step that may not be subset when its assets have several parents.
        can_subset=True,
        pool=pool,
    )
    def history(
        context: dg.AssetExecutionContext, database: DuckDBResource, progress: dg.ResourceParam[Progress]
    ) -> Iterator[dg.MaterializeResult[None]]:
        days = days_asked_for(context, scenario)
        rows = land_history(scenario, generator, days, _connect(database), progress.landed, _fresh(context))
        _attach_rows_per_day(context, scenario, generator, rows)
        for contract in daily:
            key = asset_key(scenario, contract)
            if key in context.selected_asset_keys:
                yield dg.MaterializeResult(key, metadata=_row_count(contract.name, rows))

    return history


def _fresh(context: dg.AssetExecutionContext) -> bool:
    """Whether the run may let its world take the place of another one."""
    return context.run.tags.get(FRESH_TAG, "").lower() == "true"


def _connect(database: DuckDBResource) -> Connect:
    return lambda: opened(database)


def _attach_rows_per_day(
    context: dg.AssetExecutionContext, scenario: Scenario, generator: type[BaseGenerator], rows: RowsPerDay
) -> None:
    for contract in generator.contracts(scenario):
        for day, count in rows.get(contract.name, {}).items():
            key = asset_key(scenario, contract)
            if key in context.selected_asset_keys:
                context.add_asset_metadata(
                    {"dagster/partition_row_count": count}, asset_key=key, partition_key=day.isoformat()
                )


def _view_count(
    connection: duckdb.DuckDBPyConnection, scenario: Scenario, view: ViewContract
) -> dict[str, int]:
    """Rows of a view; a table macro has none before it is asked about a moment."""
    if view.parameters:
        return {}
    schema = landing.schema_of(scenario.name, view)
    return {"dagster/row_count": landing.count_rows(connection, schema, view.name)}


def _rows(connection: duckdb.DuckDBPyConnection, scenario: Scenario, contract: TableContract) -> int:
    return landing.count_rows(connection, landing.schema_of(scenario.name, contract), contract.name)


def _row_count(table: str, rows: RowsPerDay) -> dict[str, int]:
    return {"rows_landed_in_run": sum(rows[table].values()), "days_landed_in_run": len(rows[table])}


def _constants(
    scenario: Scenario, generator: type[BaseGenerator], database: str, pool: str | None
) -> Iterator[dg.AssetsDefinition]:
    constant = parents_first(contract for contract in generator.contracts(scenario) if not contract.daily)
    if not constant:
        return

    @dg.multi_asset(
        name=f"{scenario.name}_constants",
        specs=[spec(scenario, contract, database, None) for contract in constant],
        pool=pool,
    )
    def constants(
        context: dg.AssetExecutionContext, database: DuckDBResource
    ) -> Iterator[dg.MaterializeResult[None]]:
        tables = make_generator(scenario).constants()
        recorder = Recorder(
            scenario.name,
            world(scenario),
            scenario.clock,
            _fresh(context),
            days=(),
            restores=not lands_days(context),
        )
        with opened(database) as connection:
            # Days without a record are seen to be of this world before anything changes: by the history.
            if _fresh(context) or not recorder.check(connection).unrecorded:
                landing.replace_whole(
                    connection,
                    scenario.name,
                    generator.landed_contracts(scenario),
                    generator.landed_views(scenario),
                    tables,
                    recorder,
                )
        for contract in constant:
            yield dg.MaterializeResult(
                asset_key(scenario, contract),
                metadata={"dagster/row_count": tables[contract.name].num_rows},
            )

    yield constants


def _views(
    scenario: Scenario, generator: type[BaseGenerator], database: str, pool: str | None
) -> Iterator[dg.AssetsDefinition]:
    if not generator.landed_views(scenario):
        return

    @dg.multi_asset(
        name=f"{scenario.name}_views",
        specs=[spec(scenario, view, database, None) for view in generator.landed_views(scenario)],
        pool=pool,
    )
    def views(database: DuckDBResource) -> Iterator[dg.MaterializeResult[None]]:
        with opened(database) as connection:
            landing.ensure_tables(
                connection,
                scenario.name,
                generator.landed_contracts(scenario),
                generator.landed_views(scenario),
            )
            for view in generator.landed_views(scenario):
                yield dg.MaterializeResult(
                    asset_key(scenario, view), metadata=_view_count(connection, scenario, view)
                )

    yield views


def _derived(
    scenario: Scenario, generator: type[BaseGenerator], database: str, pool: str | None
) -> dg.AssetsDefinition:
    simulated = [asset_key(scenario, contract) for contract in generator.contracts(scenario)]

    @dg.multi_asset(
        name=f"{scenario.name}_measured",
        specs=[
            spec(scenario, contract, database, None).replace_attributes(deps=simulated)
            for contract in (*DERIVED, *RECORDS)
        ],
        pool=pool,
    )
    def derived(database: DuckDBResource) -> Iterator[dg.MaterializeResult[None]]:
        with opened(database) as connection:
            land_derived(connection, scenario)
            rows = {contract.name: _rows(connection, scenario, contract) for contract in (*DERIVED, *RECORDS)}
        drawn = pictures(scenario)
        for contract in (*DERIVED, *RECORDS):
            yield dg.MaterializeResult(
                asset_key(scenario, contract),
                metadata={"dagster/row_count": rows[contract.name], **drawn.get(contract.name, {})},
            )

    return derived
