"""The types of tables as they land: a column is as wide as what noise and faults can put into it.

A misspelt ENUM is text, an amount in another unit needs more digits, what can be lost may be NULL.
"""

from collections.abc import Sequence
from dataclasses import replace

from ..contracts import BIGINT, TEXT, WIDE_MONEY, Column, TableContract
from ..scenarios.faults import Fault, Leaves, columns_of, on_table
from ..scenarios.models import Scenario
from .ledgers import FAULT_LEDGER, NOISE_LEDGER


def landed_tables(contracts: Sequence[TableContract], scenario: Scenario) -> tuple[TableContract, ...]:
    """The contracts of true tables as a scenario's noise and faults make them, its ledgers included."""
    ledgers = ((FAULT_LEDGER,) if scenario.faults else ()) + ((NOISE_LEDGER,) if scenario.noise else ())
    return (*(_as_landed(contract, scenario) for contract in contracts), *ledgers)


def _as_landed(contract: TableContract, scenario: Scenario) -> TableContract:
    if contract.truth or not contract.daily:
        return contract
    noisy = {c for noise in scenario.noise if noise.table == contract.name for c in noise.columns}
    faults = on_table(scenario.faults, contract.name)
    columns = tuple(
        _wide_enough(
            column,
            [fault for fault in faults if column.name in columns_of(fault)],
            column.name in noisy,
        )
        for column in contract.columns
    )
    return contract if columns == contract.columns else replace(contract, columns=columns)


def _wide_enough(column: Column, faults: Sequence[Fault], is_noisy: bool) -> Column:
    left = frozenset[Leaves]().union(*(fault.leaves for fault in faults))
    changed = column.type
    if column.type.is_text and "text" in left:
        changed = TEXT
    if is_noisy or "digits" in left:
        changed = WIDE_MONEY if column.type.is_money else BIGINT if column.type.is_whole else changed
    return replace(column, type=changed, nullable=column.nullable or "null" in left)


def tables_with_faults(contracts: Sequence[TableContract], scenario: Scenario) -> list[TableContract]:
    """Those of the contracts that a fault can hit."""
    return [c for c in contracts if can_have_faults(c) and on_table(scenario.faults, c.name)]


def columns_that_faults_can_hit(contract: TableContract) -> list[str]:
    """Columns whose values can be lost: all but the key and the day."""
    return [name for name in contract.column_names if name not in (*contract.primary_key, "day")]


def can_have_faults(contract: TableContract) -> bool:
    """Whether faults can be declared on a table: one of days, no truth, whose rows whole numbers identify."""
    whole = all(contract.column(name).type.is_whole for name in contract.primary_key)
    return contract.daily and not contract.truth and whole
