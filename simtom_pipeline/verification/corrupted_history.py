"""What checks of noise and faults ask of a history: rows before any fault, and how often each should hit."""

from collections.abc import Mapping

import numpy as np

from ..contracts import TableContract
from ..corruption.inverse import CLEAN_MARK
from ..corruption.ledgers import FAULT_LEDGER
from ..generators.drift.schedule import ScheduleCurve
from ..scenarios.drifts import Linear, Pulse
from ..scenarios.faults import Fault
from ..sql import listed, quoted, truth_schema
from ..validation.drift import scheduled_weight
from .history import LandedHistory, once


@once
def tables_with_faults(history: LandedHistory) -> Mapping[str, TableContract]:
    """Contracts of the tables that faults can hit, by name, as they land without any."""
    return {contract.name: contract for contract in history.relations.measured}


def fault_ledger(history: LandedHistory) -> str:
    """Quoted name of the ledger."""
    return history.relations.name_of(FAULT_LEDGER)


@once
def rows_without_faults(history: LandedHistory, table: str) -> str:
    """Quoted name of a table's rows before any fault: a copy, or the table where no fault can be."""
    if table not in tables_with_faults(history):
        return quoted(history.name, table)
    copy = quoted("temp", "main", f"simtom_{CLEAN_MARK}{table}")
    view = quoted(truth_schema(history.name), CLEAN_MARK + table)
    history.connection.execute(f"CREATE OR REPLACE TEMP TABLE {copy} AS FROM {view}")
    return copy


def hit_probability(history: LandedHistory, fault: Fault) -> np.ndarray:
    """Probability that the fault hits, on each landed day, shape (days,)."""
    if (schedule := fault.schedule) is None:
        return np.full(len(history.days), fault.rate)
    course = ScheduleCurve(schedule, history.scenario.clock)
    first, last = (
        (schedule.from_, schedule.to) if isinstance(schedule, (Linear, Pulse)) else (schedule.at, None)
    )
    days = course.position(first), None if last is None else course.position(last)
    width, period = (getattr(schedule, name, None) for name in ("width_days", "period_days"))
    weights = [scheduled_weight(schedule.kind, *days, width, period, day) for day in history.days]
    return fault.rate * np.array(weights)


def key_of(contract: TableContract) -> str:
    """Columns of the primary key, as SQL lists them."""
    return listed(contract.primary_key)


def key_in_ledger(contract: TableContract) -> str:
    """The same columns, as a ledger's `key` has them."""
    return ", ".join(f"key[{n}] AS {quoted(name)}" for n, name in enumerate(contract.primary_key, 1))
