"""Days that have landed, told to Dagster where no step's result does: a run ended early, or asked for less.

Whole days land, every table of them in one transaction. Dagster knows only what a step says of itself at its
end, so the file would hold days that its pages show as missing.
"""

from collections.abc import Iterable, Iterator
from uuid import uuid4

import dagster as dg
from dagster._core.events import DagsterEvent, DagsterEventBatchMetadata

from ..contracts import TableContract
from ..history import RowsPerDay
from ..relations import Relations
from .partitions import asset_key


def tell_what_landed(
    context: dg.AssetExecutionContext, relations: Relations, tables: Iterable[TableContract], rows: RowsPerDay
) -> None:
    """One materialization for each of the tables and each day that has landed; of those without days, one."""
    told = list(_materializations(relations, tables, rows))
    step, batch = context.get_step_execution_context(), str(uuid4())
    for number, one in enumerate(told, start=1):
        # Together, as Dagster hands over those of a step: one by one, each is a transaction of its own.
        DagsterEvent.asset_materialization(step, one, DagsterEventBatchMetadata(batch, number == len(told)))


def _materializations(
    relations: Relations, tables: Iterable[TableContract], rows: RowsPerDay
) -> Iterator[dg.AssetMaterialization]:
    landed = any(rows.values())
    for contract in tables:
        key = asset_key(relations.scenario, contract)
        if not contract.daily and landed:
            yield dg.AssetMaterialization(key)
        for day, count in rows.get(contract.name, {}).items():
            metadata = {"dagster/partition_row_count": count}
            yield dg.AssetMaterialization(key, partition=day.isoformat(), metadata=metadata)
