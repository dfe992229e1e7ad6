"""A scenario with noise or faults, what of it has landed, and how statements about it are judged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any

import duckdb
import numpy as np

from ..contracts import TableContract
from ..generators.base import BaseGenerator
from ..generators.clean_views import CLEAN_MARK
from ..generators.drift.schedule import ScheduleCurve
from ..generators.fault_contracts import (
    FAULT_LEDGER,
    spoilt_contracts,
    spoilt_tables,
)
from ..landing import quoted, table_name
from ..scenarios.drifts import Linear, Pulse
from ..scenarios.faults import (
    Fault,
)
from ..scenarios.models import Scenario
from ..validation.decisions import Finding, Verdict, holm, worst
from ..validation.drift import scheduled_weight

Rows = list[dict[str, str | int | float]]


@dataclass
class Spoilt:
    """A scenario with noise or faults, and what of it has landed."""

    scenario: Scenario
    generator: type[BaseGenerator]
    connection: duckdb.DuckDBPyConnection
    days: Sequence[date]
    alpha: float
    copied: set[str] = field(default_factory=set)

    @cached_property
    def landed(self) -> dict[str, TableContract]:
        """Contract by table name, as the tables land."""
        return {contract.name: contract for contract in self.generator.contracts(self.scenario)}

    @cached_property
    def measured(self) -> dict[str, TableContract]:
        """Contracts of the tables that faults can hit, as the clean twin's land."""
        twin = spoilt_contracts(self.generator.clean_contracts(), self.scenario.faultless)
        return {contract.name: contract for contract in spoilt_tables(twin, self.scenario)}

    @property
    def fault_ledger(self) -> str:
        """Quoted name of the ledger."""
        return table_name(self.scenario.name, FAULT_LEDGER)

    def clean(self, table: str) -> str:
        """Quoted name of a table's rows before any fault: a copy, or the table where no fault can be."""
        if table not in self.measured:
            return quoted(self.scenario.name, table)
        if table not in self.copied:
            view = quoted(f"{self.scenario.name}_truth", CLEAN_MARK + table)
            self.connection.execute(f"CREATE OR REPLACE TEMP TABLE {_copy(table)} AS FROM {view}")
            self.copied.add(table)
        return _copy(table)

    def probability(self, fault: Fault) -> np.ndarray:
        """Of a hit on each landed day, shape (days,)."""
        if (schedule := fault.schedule) is None:
            return np.full(len(self.days), fault.rate)
        course = ScheduleCurve(schedule, self.scenario.clock)
        first, last = (
            (schedule.from_, schedule.to) if isinstance(schedule, (Linear, Pulse)) else (schedule.at, None)
        )
        days = course.position(first), None if last is None else course.position(last)
        width, period = (getattr(schedule, name, None) for name in ("width_days", "period_days"))
        weights = [scheduled_weight(schedule.kind, *days, width, period, day) for day in self.days]
        return fault.rate * np.array(weights)

    def per_day(self, sql: str, parameters: Mapping[str, Any] | None = None) -> np.ndarray:
        """Counts of a query that yields (day, count), shape (days,)."""
        found = dict(self.connection.execute(sql, parameters or {}).fetchall())
        return np.array([found.get(day, 0) for day in self.days])

    def count(self, sql: str, parameters: Mapping[str, Any] | None = None) -> int:
        """The one number that a query yields."""
        (count,) = self.connection.execute(sql, parameters or {}).fetchall()[0]
        return int(count or 0)


def _copy(table: str) -> str:
    return quoted("temp", "main", f"simtom_{CLEAN_MARK}{table}")


def key_of(contract: TableContract) -> str:
    """Columns of the primary key, as SQL lists them."""
    return ", ".join(quoted(name) for name in contract.primary_key)


def key_in_ledger(contract: TableContract) -> str:
    """The same columns, as a ledger's `key` has them."""
    return ", ".join(f"key[{n}] AS {quoted(name)}" for n, name in enumerate(contract.primary_key, 1))


@dataclass(frozen=True)
class Statement:
    """One statement about a fault or noise on a column: violations where it is logical, else a p-value."""

    fault: str
    table: str
    column: str
    about: str
    n: int
    expected: float
    found: float
    violations: int = 0
    p_value: float = 1.0


def judged(statements: Sequence[Statement], alpha: float, what: str) -> Finding:
    """A finding of statements, by the method of Holm; `what` each is about heads its column."""
    adjusted = holm([statement.p_value for statement in statements]) if statements else np.empty(0)
    rows: Rows = []
    verdicts = []
    for statement, p in zip(statements, adjusted, strict=True):
        verdict = Verdict.FAILED if statement.violations or not p >= alpha else Verdict.PASSED
        verdicts.append(verdict)
        rows.append({
            what: statement.fault, "table": statement.table, "column": statement.column,
            "statement": statement.about, "n": statement.n, "expected": float(statement.expected),
            "found": float(statement.found), "violations": statement.violations, "adjusted_p": float(p),
            "verdict": verdict.value,
        })  # fmt: skip
    failed = sum(verdict is Verdict.FAILED for verdict in verdicts)
    summary = f"{failed} of {len(rows)} statements about what was spoilt are not met"
    return Finding(worst(verdicts), summary, {"statements": len(rows), "failed": failed}, tuple(rows))
