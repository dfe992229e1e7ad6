"""What Dagster shows of a table: its columns, where they come from, what it is called."""

from collections.abc import Iterable
from graphlib import TopologicalSorter
from typing import Any

import dagster as dg

from ..contracts import Column, TableContract, ViewContract
from ..generators.drift.ledger import DAILY_PROFILE, DRIFT_LEDGER_DAILY
from ..landing import schema_of
from ..relations import MEASURED_TABLES, Relations
from ..scenarios.models import Scenario
from ..simulation import Simulation
from .partitions import asset_key


def describe(relations: Relations, contract: TableContract | ViewContract, database: str) -> dict[str, Any]:
    """Metadata of an asset's definition."""
    schema = schema_of(relations.scenario.name, contract)
    name = contract.call if isinstance(contract, ViewContract) else contract.name
    return {
        "dagster/column_schema": column_schema(contract),
        "dagster/table_name": f"{database}.{schema}.{name}",
        "dagster/column_lineage": lineage(relations, contract),
    }


def column_schema(contract: TableContract | ViewContract) -> dg.TableSchema:
    """Names, SQL types and meanings of the columns."""
    keys = contract.primary_key if isinstance(contract, TableContract) else ()
    # A view joins what has landed: a day whose customers have not landed yet has none to show.
    of_view = isinstance(contract, ViewContract)
    return dg.TableSchema(
        [_column(c, of_view or c.nullable, unique=keys == (c.name,)) for c in contract.columns]
    )


def _column(column: Column, nullable: bool, unique: bool) -> dg.TableColumn:
    constraints = dg.TableColumnConstraints(nullable=nullable, unique=unique)
    return dg.TableColumn(column.name, column.type.sql, column.comment, constraints)


def lineage(relations: Relations, contract: TableContract | ViewContract) -> dg.TableColumnLineage:
    """Which column of another table a column repeats: a view's source, the key that a key points to."""
    if isinstance(contract, ViewContract):
        sources = {column.name: column.source for column in contract.columns}
    else:
        sources = {key.column: (key.parent, key.column) for key in contract.foreign_keys}
    return dg.TableColumnLineage(
        {
            column: [dg.TableColumnDep(_key(relations, table), source)]
            for column, (table, source) in sources.items()
        }
    )


def upstream(relations: Relations, contract: TableContract | ViewContract) -> list[dg.AssetKey]:
    """Assets that a view reads; tables with days that a table with days points to.

    A table without days is no parent of one with days: it lands with them, and Dagster would make a
    run of its own for it.
    """
    if isinstance(contract, ViewContract):
        return [_key(relations, name) for name in contract.reads]
    with_days = {table.name for table in relations.daily}
    parents = [key.parent for key in contract.foreign_keys]
    return [_key(relations, parent) for parent in parents if parent in with_days or not contract.daily]


def _key(relations: Relations, name: str) -> dg.AssetKey:
    return asset_key(relations.scenario, relations.relation(name))


def parents_first(contracts: Iterable[TableContract]) -> list[TableContract]:
    """In the order in which Dagster wants the tables of one step: what others point to comes first."""
    by_name = {contract.name: contract for contract in contracts}
    parents = {name: [key.parent for key in c.foreign_keys] for name, c in by_name.items()}
    return [by_name[name] for name in TopologicalSorter(parents).static_order() if name in by_name]


def pictures(scenario: Scenario) -> dict[str, dict[str, dg.MarkdownMetadataValue]]:
    """What `simtom preview` draws, by the table that measures it: drifts, or volume and hours."""
    # Altair takes half a second: only where something is drawn.
    from ..preview.charts import scenario_charts
    from ..preview.rendering import data_uri

    drawn: dict[str, dict[str, dg.MarkdownMetadataValue]] = {
        contract.name: {} for contract in MEASURED_TABLES
    }
    for key, chart in scenario_charts(scenario).items():
        table = DRIFT_LEDGER_DAILY if key.startswith("drift_") else DAILY_PROFILE
        drawn[table.name][key] = dg.MetadataValue.md(f"![{key}]({data_uri(chart)})")
    return drawn


def _kind(contract: TableContract | ViewContract) -> str:
    if isinstance(contract, TableContract):
        return "table"
    return "macro" if contract.parameters else "view"


def spec(
    simulation: Simulation,
    contract: TableContract | ViewContract,
    database: str,
    partitions: dg.PartitionsDefinition[str] | None,
) -> dg.AssetSpec:
    """The asset of a table or view; its code version is the world's: what another one left is stale."""
    scenario, relations = simulation.scenario, simulation.relations
    return dg.AssetSpec(
        asset_key(scenario, contract),
        deps=upstream(relations, contract),
        description=f"A row is {contract.row}.",
        group_name=scenario.name,
        kinds={"duckdb", _kind(contract)},
        metadata=describe(relations, contract, database),
        partitions_def=partitions,
        code_version=simulation.world.digest[:16],
    )
