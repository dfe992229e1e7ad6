"""What Dagster shows of a table: its columns, where they come from, what it is called."""

from typing import Any

import dagster as dg

from .. import landing
from ..contracts import Column, TableContract, ViewContract
from ..scenarios.models import Scenario
from .partitions import asset_key


def describe(scenario: Scenario, contract: TableContract | ViewContract, database: str) -> dict[str, Any]:
    """Metadata of an asset's definition."""
    schema = (
        landing.schema_of(scenario.name, contract) if isinstance(contract, TableContract) else scenario.name
    )
    return {
        "dagster/column_schema": column_schema(contract),
        "dagster/table_name": f"{database}.{schema}.{contract.name}",
        "dagster/column_lineage": lineage(scenario, contract),
    }


def column_schema(contract: TableContract | ViewContract) -> dg.TableSchema:
    """Names, SQL types and meanings of the columns."""
    keys = contract.primary_key if isinstance(contract, TableContract) else ()
    only_key = len(keys) == 1
    return dg.TableSchema([_column(c, unique=only_key and c.name in keys) for c in contract.columns])


def _column(column: Column, unique: bool) -> dg.TableColumn:
    constraints = dg.TableColumnConstraints(nullable=False, unique=unique)
    return dg.TableColumn(column.name, column.type.sql, column.comment, constraints)


def lineage(scenario: Scenario, contract: TableContract | ViewContract) -> dg.TableColumnLineage:
    """Which columns of other tables a column repeats: the keys it points to."""
    if isinstance(contract, ViewContract):
        return dg.TableColumnLineage({})
    return dg.TableColumnLineage(
        {
            key.column: [dg.TableColumnDep(dg.AssetKey([scenario.name, key.parent]), key.column)]
            for key in contract.foreign_keys
        }
    )


def upstream(scenario: Scenario, contract: TableContract | ViewContract) -> list[dg.AssetKey]:
    """Assets that a table points to, or that a view reads."""
    if isinstance(contract, ViewContract):
        return [dg.AssetKey([scenario.name, name]) for name in contract.reads]
    return [dg.AssetKey([scenario.name, key.parent]) for key in contract.foreign_keys]


def spec(
    scenario: Scenario,
    contract: TableContract | ViewContract,
    database: str,
    partitions: dg.PartitionsDefinition[str] | None,
) -> dg.AssetSpec:
    """The asset of a table or view."""
    return dg.AssetSpec(
        asset_key(scenario, contract),
        deps=upstream(scenario, contract),
        description=f"A row is {contract.row}.",
        group_name=scenario.name,
        kinds={"duckdb", "view" if isinstance(contract, ViewContract) else "table"},
        metadata=describe(scenario, contract, database),
        partitions_def=partitions,
    )
