"""The rows of a table as they can be believed where a scenario's faults double them or change their keys.

A row that came twice is one; what its copies contradict is NULL. A key of another table is believed if a
column that no fault can change tells the same; where every such column can be changed, it is NULL.
"""

from collections.abc import Sequence

from ..contracts import ForeignKey, TableContract, ViewColumn, ViewContract
from ..scenarios.faults import Duplicate, Missing, columns_of, on_table
from ..scenarios.models import Scenario
from ..sql import quoted


def known_rows(contract: TableContract, scenario: Scenario) -> TableContract | ViewContract:
    """What views read of a table; the table itself where no fault can double it or change its keys."""
    if contract.truth or not contract.daily:
        return contract
    found: TableContract | ViewContract = contract
    faults = on_table(scenario.faults, contract.name)
    copied = [fault for fault in faults if isinstance(fault, Duplicate)]
    if copied:
        contested = {name for fault in copied for name in fault.columns}
        found = _selected(
            contract, found, {c: _agreed(c, contested) for c in _other(contract)}, _by_key(contract)
        )
    changed = {
        name for fault in faults if not isinstance(fault, (Missing, Duplicate)) for name in columns_of(fault)
    }
    doubted = {key.column: _told(key, changed) for key in contract.foreign_keys if key.column in changed}
    doubted = {name: expression for name, expression in doubted.items() if expression}
    return _selected(contract, found, doubted, "") if doubted else found


def _other(contract: TableContract) -> Sequence[str]:
    return [name for name in contract.column_names if name not in contract.primary_key]


def _by_key(contract: TableContract) -> str:
    return " GROUP BY " + ", ".join(quoted(name) for name in contract.primary_key)


def _agreed(name: str, contested: set[str]) -> str:
    column = quoted(name)
    if name not in contested:
        return f"any_value({column})"
    same = f"count({column}) = count(*) AND min({column}) = max({column})"
    return f"CASE WHEN {same} THEN min({column}) END"


def _told(key: ForeignKey, changed: set[str]) -> str:
    """SQL of a key where it is believed; empty if nothing else tells it."""
    if not key.told_by:
        return ""
    trusted = [f"({agrees})" for column, agrees in key.told_by if column not in changed]
    return f"CASE WHEN {' OR '.join(trusted) or 'false'} THEN {quoted(key.column)} END"


def _selected(
    contract: TableContract,
    source: TableContract | ViewContract,
    expressions: dict[str, str],
    grouped: str,
) -> ViewContract:
    """A table's columns, some of them by an expression, under the table's name."""
    columns = tuple(
        ViewColumn(
            c.name,
            c.type,
            c.meaning,
            c.unit,
            expression=expressions.get(c.name, quoted(c.name)),
            source=(contract.name, c.name),
        )
        for c in contract.columns
    )
    rows = f"FROM {{rows[{contract.name}]}}{grouped}"
    return ViewContract(contract.name, contract.row, columns, rows, over=(source,))
