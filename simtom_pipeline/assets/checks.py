"""The checks of a scenario as Dagster knows them: one step that opens the database once."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import dagster as dg
import duckdb
from dagster_duckdb import DuckDBResource

from .. import landing
from ..simulation import Simulation
from ..verification.verify import checks_of, findings
from .check_results import check_result
from .partitions import asset_key

Opened = Callable[[DuckDBResource], AbstractContextManager[duckdb.DuckDBPyConnection]]


def check_specs(simulation: Simulation) -> list[dg.AssetCheckSpec]:
    """Every check of a scenario, as Dagster is told of it."""
    scenario, relations = simulation.scenario, simulation.relations
    return [
        dg.AssetCheckSpec(
            check.name, asset=asset_key(scenario, relations.table(check.table)), description=check.meaning
        )
        for check in checks_of(simulation)
    ]


def build_checks(simulation: Simulation, opened: Opened, pool: str | None) -> dg.AssetChecksDefinition:
    """All checks of a scenario in one step."""
    scenario, relations = simulation.scenario, simulation.relations
    keys = {contract.name: asset_key(scenario, contract) for contract in relations.tables}

    @dg.multi_asset_check(
        name=f"{scenario.name}_checks", specs=check_specs(simulation), can_subset=True, pool=pool
    )
    def checks(
        context: dg.AssetCheckExecutionContext, database: DuckDBResource
    ) -> Iterator[dg.AssetCheckResult]:
        wanted = {(key.asset_key.path[-1], key.name) for key in context.selected_asset_check_keys}
        with opened(database) as connection:
            landing.ensure_tables(connection, relations)
            for check, finding in findings(Simulation(scenario), connection, wanted):
                yield check_result(keys[check.table], check.name, finding)

    return checks
