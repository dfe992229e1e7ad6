"""SQL that undoes noise and faults: the rows of a table as they were drawn, from landed rows and ledgers."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from ..contracts import TEXT, WHOLE_ROW, TableContract, ViewColumn, ViewContract
from ..scenarios.models import Scenario
from ..sql import quoted, text
from .landed_types import columns_that_faults_can_hit, landed_tables, tables_with_faults
from .ledgers import FAULT_LEDGER, NOISE_LEDGER

CLEAN_MARK = "clean_"


def view_without_faults(contract: TableContract) -> ViewContract:
    """The rows of a table as they were before any fault; `contract` is the clean table's.

    An ENUM is text in it: the type cannot be named in a view that older databases read, too.
    """
    columns = tuple(replace(c, type=TEXT) if c.type.values else c for c in contract.columns)
    portable = replace(contract, columns=columns)
    return ViewContract(
        name=CLEAN_MARK + contract.name,
        row=f"{contract.row}: with every fault undone",
        truth=True,
        from_sql=f"FROM ({rows_without_faults(portable, '{schema}', '{truth}')})",
        columns=tuple(
            ViewColumn.like(column, column.name, quoted(column.name), (contract.name, column.name))
            for column in columns
        ),
        over=(FAULT_LEDGER,),
    )


def rows_without_faults(contract: TableContract, schema: str, truth: str) -> str:
    """SELECT of the table's rows before any fault, from what landed and the fault ledger.

    Corrupted values are put back, doubled rows are one again, dropped rows come from the ledger alone. It has
    no common table expressions: DuckDB before 1.5 does not find them in a view that a later one has stored.
    """
    columns = columns_that_faults_can_hit(contract)
    key = [f"key[{n}] AS {quoted(name)}" for n, name in enumerate(contract.primary_key, 1)]
    pivot = [
        f"max(original_value) FILTER (column_name = {text(name)}) AS {quoted('was_' + name)},"
        f" bool_or(column_name = {text(name)}) AS {quoted('hit_' + name)}"
        for name in columns
    ]
    of_table = f"FROM {truth}.{FAULT_LEDGER.name} WHERE table_name = {text(contract.name)}"
    by_key = ", ".join(str(n) for n in range(1, len(key) + 1))
    hit = (
        f"SELECT {', '.join(key)}, bool_or(column_name = {text(WHOLE_ROW)}) AS is_doubled,"
        f" {', '.join(pivot)} {of_table} AND kind <> 'dropped_day' GROUP BY {by_key}"
    )
    restored = [
        f"CASE WHEN {quoted('hit_' + column.name)}"
        f" THEN TRY_CAST({quoted('was_' + column.name)} AS {column.type.sql})"
        f" ELSE TRY_CAST(l.{quoted(column.name)} AS {column.type.sql}) END AS {quoted(column.name)}"
        if column.name in columns
        else f"CAST(l.{quoted(column.name)} AS {column.type.sql}) AS {quoted(column.name)}"
        for column in contract.columns
    ]
    dropped = [
        f"TRY_CAST({quoted('was_' + column.name)} AS {column.type.sql}) AS {quoted(column.name)}"
        if column.name in columns
        else f"CAST({quoted(column.name)} AS {column.type.sql}) AS {quoted(column.name)}"
        for column in contract.columns
    ]
    names = ", ".join(quoted(column.name) for column in contract.columns)
    on = " AND ".join(f"l.{quoted(name)} = f.{quoted(name)}" for name in contract.primary_key)
    joined = (
        f"SELECT {', '.join(restored)} FROM {schema}.{quoted(contract.name)} l LEFT JOIN ({hit}) f ON {on}"
    )
    return (
        f"{joined} WHERE NOT coalesce(f.is_doubled, false)"
        f" UNION ALL SELECT DISTINCT {names} FROM ({joined} WHERE f.is_doubled)"
        f" UNION ALL SELECT {', '.join(dropped)} FROM (SELECT {', '.join(key)}, any_value(day) AS day,"
        f" {', '.join(pivot)} {of_table} AND kind = 'dropped_day' GROUP BY {by_key})"
    )


def true_rows(
    contract: TableContract, scenario: Scenario, schema: str, truth: str, there: Collection[str]
) -> str:
    """SELECT of a table's rows before noise and faults, from two quoted schemas; empty if neither is on it.

    `there` holds the names of the ledgers that have landed.
    """
    measured = next(m for m in landed_tables([contract], scenario.faultless) if m.name == contract.name)
    noisy = sorted({c for noise in scenario.noise if noise.table == contract.name for c in noise.columns})
    rows = ""
    if tables_with_faults([contract], scenario) and FAULT_LEDGER.name in there:
        rows = rows_without_faults(measured, schema, truth)
    if noisy and NOISE_LEDGER.name in there:
        rows = rows_without_noise(contract, noisy, rows or f"FROM {schema}.{quoted(contract.name)}", truth)
    return rows


def rows_without_noise(contract: TableContract, noisy: Sequence[str], rows: str, truth: str) -> str:
    """SELECT of rows with the true value wherever the noise ledger has one."""
    key = [f"key[{n}] AS {quoted(name)}" for n, name in enumerate(contract.primary_key, 1)]
    pivot = [f"max(true_value) FILTER (column_name = '{name}') AS {quoted('true_' + name)}" for name in noisy]
    by_key = ", ".join(str(n) for n in range(1, len(key) + 1))
    columns = [
        f"TRY_CAST(coalesce(n.{quoted('true_' + c.name)}, m.{quoted(c.name)}) AS {c.type.sql})"
        f" AS {quoted(c.name)}"
        if c.name in noisy
        else f"m.{quoted(c.name)}"
        for c in contract.columns
    ]
    on = " AND ".join(f"m.{quoted(name)} = n.{quoted(name)}" for name in contract.primary_key)
    return (
        f"SELECT {', '.join(columns)} FROM ({rows}) m LEFT JOIN (SELECT {', '.join(key)}, {', '.join(pivot)}"
        f" FROM {truth}.{NOISE_LEDGER.name} WHERE table_name = '{contract.name}' GROUP BY {by_key}) n ON {on}"
    )
