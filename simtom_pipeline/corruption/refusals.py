"""Noise and faults that a scenario states and its tables cannot have, each with what is allowed instead."""

import re
from collections.abc import Iterator, Sequence

from ..contracts import Column, TableContract
from ..generators.drift.schedule import ScheduleCurve
from ..scenarios.faults import (
    Fault,
    Missing,
    NewCategory,
    OutOfRange,
    Stuck,
    columns_of,
)
from ..scenarios.models import Scenario
from ..scenarios.problems import Refusal
from .landed_types import can_have_faults

KeyPath = tuple[str | int, ...]


def refused(contracts: Sequence[TableContract], scenario: Scenario) -> list[Refusal]:
    """Noise and faults that cannot be: tables and columns that are not there or not of that kind."""
    tables = {contract.name: contract for contract in contracts if can_have_faults(contract)}
    found = [
        refusal
        for n, noise in enumerate(scenario.noise)
        for refusal in _noise_refusals(tables, noise.table, noise.columns, ("noise", n))
    ]
    for n, fault in enumerate(scenario.faults):
        found += _fault_refusals(tables, fault, scenario, ("faults", n))
    return found


def _unknown_table(tables: dict[str, TableContract], table: str, at: KeyPath) -> Refusal:
    return Refusal((*at, "table"), table, f"a table that lands by the day: {', '.join(tables)}")


def _noise_refusals(
    tables: dict[str, TableContract], table: str, columns: Sequence[str], at: KeyPath
) -> Iterator[Refusal]:
    if table not in tables:
        yield _unknown_table(tables, table, at)
        return
    contract = tables[table]
    measured = [column.name for column in contract.columns if column.is_measurement]
    allowed = f"a measurement of {table}: {', '.join(measured) or 'it has none'}"
    for k, name in enumerate(columns):
        if name not in measured:
            yield Refusal((*at, "columns", k), name, allowed + _why_not(contract, name))


def _why_not(contract: TableContract, name: str) -> str:
    if name not in contract.column_names:
        return f" ({name} is no column of it)"
    column = contract.column(name)
    if name in contract.primary_key or name in [key.column for key in contract.foreign_keys]:
        return f" ({name} is an identifier)"
    if column.type.sql == "BOOLEAN":
        return f" ({name} is yes or no: a flag or a label)"
    return f" ({name} is no measurement: {column.meaning})"


def _fault_refusals(
    tables: dict[str, TableContract], fault: Fault, scenario: Scenario, at: KeyPath
) -> Iterator[Refusal]:
    if fault.schedule is not None and not ScheduleCurve(fault.schedule, scenario.clock).in_order:
        yield Refusal((*at, "schedule"), "`to` before `from`", "a `to` that is not before `from`")
    if fault.table is None:
        return
    if fault.table not in tables:
        yield _unknown_table(tables, fault.table, at)
        return
    contract = tables[fault.table]
    if fault.hits == "arrival" and not (contract.arrives_at and contract.dated_by):
        those = [name for name, table in tables.items() if table.arrives_at and table.dated_by]
        allowed = f"a table whose rows say when they arrived: {', '.join(those) or 'there is none'}"
        yield Refusal((*at, "table"), fault.table, allowed)
    if isinstance(fault, Stuck) and not contract.dated_by:
        those = [name for name, table in tables.items() if table.dated_by]
        allowed = f"a table whose rows are dated: {', '.join(those) or 'there is none'}"
        yield Refusal((*at, "table"), fault.table, allowed)
    for k, name in enumerate(columns_of(fault)):
        yield from _column_refusals(contract, fault, name, (*at, "columns", k))
    if isinstance(fault, Missing) and fault.given and fault.given.column is not None:
        if fault.given.column not in contract.column_names:
            allowed = f"a column of {contract.name}: {', '.join(contract.column_names)}"
            yield Refusal((*at, "given", "column"), fault.given.column, allowed)
        else:
            yield from _condition_refusals(contract, fault, fault.given.column, (*at, "given"))
    elif isinstance(fault, Missing) and fault.given:
        for name in fault.columns:
            if name in contract.column_names:
                yield from _condition_refusals(contract, fault, name, (*at, "given"))


def _condition_refusals(contract: TableContract, fault: Missing, name: str, at: KeyPath) -> Iterator[Refusal]:
    given, kind = fault.given, contract.column(name).type
    called = f"{contract.name}.{name}"
    countable = kind.is_text or kind.is_whole or kind.sql == "BOOLEAN"
    for bound in ("above", "below"):
        if getattr(given, bound) is not None and not kind.is_number:
            instead = f"`values`, for {called} is no number" if countable else _neither(called)
            yield Refusal((*at, bound), getattr(given, bound), instead)
    if given.values is None:
        return
    if not countable:
        instead = f"`above` or `below`, for {called} is no word" if kind.is_number else _neither(called)
        yield Refusal((*at, "values"), list(given.values), instead)
    known = ("false", "true") if kind.sql == "BOOLEAN" else kind.values
    if known and (strangers := sorted(set(given.values) - set(known))):
        yield Refusal((*at, "values"), ", ".join(strangers), f"values of {name}: {', '.join(known)}")
    elif kind.is_whole and (strangers := [text for text in given.values if not WHOLE_NUMBER.fullmatch(text)]):
        yield Refusal((*at, "values"), ", ".join(strangers), f"whole numbers in quotes, such as {called} has")


WHOLE_NUMBER = re.compile("0|-?[1-9][0-9]*")


def _neither(called: str) -> str:
    return f"another column, for {called} is a moment: a condition cannot be said of it"


def _column_refusals(contract: TableContract, fault: Fault, name: str, at: KeyPath) -> Iterator[Refusal]:
    fitting = [c.name for c in contract.columns if not _objection(contract, fault, c.name)]
    if objection := _objection(contract, fault, name):
        allowed = f"a column of {contract.name} that can be hit: {', '.join(fitting) or 'it has none'}"
        yield Refusal(at, name, f"{allowed} ({objection})")


def _objection(contract: TableContract, fault: Fault, name: str) -> str:
    """Why a fault cannot hit a column; empty if it can."""
    if name not in contract.column_names:
        return f"{name} is no column of it"
    if name in contract.primary_key or name == "day":
        return f"{name} says which row it is: the ledger needs it"
    if name == contract.arrives_at:
        return f"{name} is corrupted by the kinds late and out_of_order"
    kind = contract.column(name).type
    if fault.takes == "text or digits" and not (kind.is_text or kind.is_whole or kind.is_money):
        return f"{name} is neither text nor a whole number nor an amount"
    if fault.takes == "number" and not kind.is_number:
        return f"{name} is no number"
    if isinstance(fault, OutOfRange) and _is_empty(fault, contract.column(name)):
        steps = "whole cents" if kind.is_money else "whole numbers" if kind.is_whole else "steps of "
        steps += "" if kind.is_money or kind.is_whole else f"{contract.column(name).step:g}"
        return f"{name} is in {steps}, and there is none from {fault.low:g} to {fault.high:g}"
    if fault.takes == "text" and not kind.is_text:
        return f"{name} is no text"
    if isinstance(fault, NewCategory) and fault.category in kind.values:
        return f"{fault.category} is a known value of {name}"
    return ""


def _is_empty(fault: OutOfRange, column: Column) -> bool:
    """Whether no value of the column is in the range."""
    first, last = column.steps_between(fault.low, fault.high) if column.step else (0, 0)
    return first > last
