"""Views that apply the fault ledger backwards: of every table that faults can hit, the rows without them."""

from collections.abc import Sequence
from dataclasses import replace

from ..contracts import WHOLE_ROW, TableContract, ViewColumn, ViewContract
from ..scenarios.models import Scenario
from .fault_contracts import FAULT_LEDGER, columns_that_can_be_hit, spoilt_contracts, spoilt_tables

CLEAN_MARK = "clean_"


def landed_views(
    views: Sequence[ViewContract], contracts: Sequence[TableContract], scenario: Scenario
) -> tuple[ViewContract, ...]:
    """The generator's views with the types that land, and the views without faults."""
    clean = {contract.name: contract for contract in contracts}
    landed = {contract.name: contract for contract in spoilt_contracts(contracts, scenario)}
    typed = [_as_landed(view, clean, landed) for view in views]
    if not scenario.faults:
        return tuple(typed)
    twin = spoilt_contracts(contracts, scenario.faultless)
    return (*typed, *(clean_view(contract) for contract in spoilt_tables(twin, scenario)))


def _as_landed(
    view: ViewContract, clean: dict[str, TableContract], landed: dict[str, TableContract]
) -> ViewContract:
    """A view whose columns that repeat a table's have the types that land."""
    columns = []
    for column in view.columns:
        table, name = column.source
        if table in clean and column.type == clean[table].column(name).type:
            column = replace(column, type=landed[table].column(name).type)
        columns.append(column)
    return replace(view, columns=tuple(columns))


def clean_view(contract: TableContract) -> ViewContract:
    """The rows of a table as they were before any fault; `contract` is the clean table's."""
    return ViewContract(
        name=CLEAN_MARK + contract.name,
        row=f"{contract.row}: with every fault undone",
        truth=True,
        from_sql=f"FROM ({clean_rows(contract, '{schema}', '{truth}')})",
        columns=tuple(
            ViewColumn.like(column, column.name, _name(column.name), (contract.name, column.name))
            for column in contract.columns
        ),
    )


def clean_rows(contract: TableContract, schema: str, truth: str) -> str:
    """SELECT of the table's rows before any fault, from what landed and the fault ledger.

    Spoilt values are put back, doubled rows are one again, dropped rows come from the ledger alone.
    """
    columns = columns_that_can_be_hit(contract)
    key = [f"key[{n}] AS {_name(name)}" for n, name in enumerate(contract.primary_key, 1)]
    pivot = [
        f"max(original_value) FILTER (column_name = {_text(name)}) AS {_name('was_' + name)},"
        f" bool_or(column_name = {_text(name)}) AS {_name('hit_' + name)}"
        for name in columns
    ]
    of_table = f"FROM {truth}.{FAULT_LEDGER.name} WHERE table_name = {_text(contract.name)}"
    by_key = ", ".join(str(n) for n in range(1, len(key) + 1))
    restored = [
        f"CASE WHEN {_name('hit_' + column.name)}"
        f" THEN TRY_CAST({_name('was_' + column.name)} AS {column.type.sql})"
        f" ELSE TRY_CAST(l.{_name(column.name)} AS {column.type.sql}) END AS {_name(column.name)}"
        if column.name in columns
        else f"CAST(l.{_name(column.name)} AS {column.type.sql}) AS {_name(column.name)}"
        for column in contract.columns
    ]
    dropped = [
        f"TRY_CAST({_name('was_' + column.name)} AS {column.type.sql}) AS {_name(column.name)}"
        if column.name in columns
        else f"CAST({_name(column.name)} AS {column.type.sql}) AS {_name(column.name)}"
        for column in contract.columns
    ]
    names = ", ".join(_name(column.name) for column in contract.columns)
    on = " AND ".join(f"l.{_name(name)} = f.{_name(name)}" for name in contract.primary_key)
    return (
        f"WITH hit AS (SELECT {', '.join(key)}, bool_or(column_name = {_text(WHOLE_ROW)}) AS is_doubled,"
        f" {', '.join(pivot)} {of_table} AND kind <> 'dropped_day' GROUP BY {by_key}),"
        f" restored AS (SELECT {', '.join(restored)}, coalesce(f.is_doubled, false) AS is_doubled"
        f" FROM {schema}.{_name(contract.name)} l LEFT JOIN hit f ON {on})"
        f" SELECT {names} FROM restored WHERE NOT is_doubled"
        f" UNION ALL SELECT DISTINCT {names} FROM restored WHERE is_doubled"
        f" UNION ALL SELECT {', '.join(dropped)} FROM (SELECT {', '.join(key)}, any_value(day) AS day,"
        f" {', '.join(pivot)} {of_table} AND kind = 'dropped_day' GROUP BY {by_key})"
    )


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
