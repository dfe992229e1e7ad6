"""The checks of a scenario as Dagster knows them: one step that opens the database once."""

from collections.abc import Iterator

import dagster as dg

from ..landing import Storage
from ..simulation import Simulation
from ..verification.verify import checks_of, findings
from .check_results import check_result
from .partitions import asset_key


def check_specs(simulation: Simulation) -> list[dg.AssetCheckSpec]:
    """Every check of a scenario, as Dagster is told of it."""
    scenario, relations = simulation.scenario, simulation.relations
    return [
        dg.AssetCheckSpec(
            check.name, asset=asset_key(scenario, relations.table(check.table)), description=check.meaning
        )
        for check in checks_of(simulation)
    ]


def build_checks(simulation: Simulation, pool: str | None) -> dg.AssetChecksDefinition:
    """All checks of a scenario in one step."""
    scenario, relations = simulation.scenario, simulation.relations
    keys = {contract.name: asset_key(scenario, contract) for contract in relations.tables}

    @dg.multi_asset_check(
        name=f"{scenario.name}_checks", specs=check_specs(simulation), can_subset=True, pool=pool
    )
    def checks(
        context: dg.AssetCheckExecutionContext, database: dg.ResourceParam[Storage]
    ) -> Iterator[dg.AssetCheckResult]:
        wanted = {(key.asset_key.path[-1], key.name) for key in context.selected_asset_check_keys}
        with database.open() as landed:
            with landed.transaction():
                landed.ensure(relations)
            for check, finding in findings(Simulation(scenario), landed.connection, wanted):
                yield check_result(keys[check.table], check.name, finding)

    return checks
