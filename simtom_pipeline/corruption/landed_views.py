"""Views over tables as they land: with the types that land, and rows as they can be believed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..contracts import TableContract, ViewColumn, ViewContract
from ..generators.delivery import delivered_sql
from ..scenarios.models import Scenario
from .inverse import view_without_faults
from .known_rows import known_rows
from .landed_types import landed_tables, tables_with_faults


def landed_views(
    views: Sequence[ViewContract], contracts: Sequence[TableContract], scenario: Scenario
) -> tuple[ViewContract, ...]:
    """The generator's views with the types that land, and the views without faults."""
    typed = views_over(views, landed_tables(contracts, scenario), contracts, scenario)
    if not scenario.faults:
        return typed
    twin = landed_tables(contracts, scenario.faultless)
    return (*typed, *(view_without_faults(contract) for contract in tables_with_faults(twin, scenario)))


def views_over(
    views: Sequence[ViewContract],
    landed: Sequence[TableContract],
    contracts: Sequence[TableContract],
    scenario: Scenario,
) -> tuple[ViewContract, ...]:
    """Views that read tables as they land, a row that a fault can double once, with the types that land."""
    true: dict[str, TableContract | ViewContract] = {contract.name: contract for contract in contracts}
    read: dict[str, TableContract | ViewContract] = {c.name: known_rows(c, scenario) for c in landed}
    delivered = delivered_sql(scenario.clock)

    def fitted(view: ViewContract) -> ViewContract:
        for one in view.over:
            if one.name not in read and isinstance(one, ViewContract):
                read[one.name], true[one.name] = fitted(one), one
        columns = tuple(_as_landed(column, true, read) for column in view.columns)
        over = tuple(read.get(one.name, one) for one in view.over)
        return replace(view, columns=columns, over=over, delivered=delivered)

    for view in views:
        read[view.name], true[view.name] = fitted(view), view
    return tuple(one for view in views if isinstance(one := read[view.name], ViewContract))


def _as_landed(
    column: ViewColumn,
    true: Mapping[str, TableContract | ViewContract],
    landed: Mapping[str, TableContract | ViewContract],
) -> ViewColumn:
    """A column; if it repeats one of a table or view, with the type that lands."""
    source, name = column.source
    if source in true and name in true[source].column_names:
        was, now = (next(c for c in of[source].columns if c.name == name) for of in (true, landed))
        return replace(column, type=now.type) if column.type == was.type else column
    return column
