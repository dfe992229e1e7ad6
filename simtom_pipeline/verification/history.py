"""What has landed of a scenario: its tables, its days, and a connection to ask about them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property, wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import duckdb
import numpy as np

from ..claims import DeclaredOutcome
from ..contracts import TableContract
from ..generators.base import BaseGenerator
from ..landing.records import Kept, kept
from ..relations import Relations
from ..scenarios.models import Scenario
from ..simulation import Simulation
from . import queries
from .draws import Draws, keep_draws

P = ParamSpec("P")
T = TypeVar("T")


@dataclass
class LandedHistory:
    """A scenario and what of it is in the database.

    Attributes
    ----------
    simulation : where expected counts, shares and rows are worked out.
    families : how many families of statistical tests share the family-wise error.
    memory : what was worked out already, by function and arguments; see `once`.
    """

    simulation: Simulation
    connection: duckdb.DuckDBPyConnection
    families: int = 1
    memory: dict[Any, Any] = field(default_factory=dict, repr=False)

    @property
    def scenario(self) -> Scenario:
        """The scenario."""
        return self.simulation.scenario

    @property
    def name(self) -> str:
        """The scenario's name, as its schema is called."""
        return self.scenario.name

    @property
    def relations(self) -> Relations:
        """Every table and view of the scenario."""
        return self.simulation.relations

    @property
    def expectations(self) -> BaseGenerator:
        """What the scenario's generator says is to be expected."""
        return self.simulation.generator

    @property
    def alpha(self) -> float:
        """The family-wise error that one family of tests may have."""
        return self.scenario.checks.family_wise_error / self.families

    @cached_property
    def days(self) -> list[date]:
        """Landed days, ascending."""
        return queries.landed_days(self.connection, self.name)

    @cached_property
    def kept(self) -> Kept:
        """Which world each landed day is of."""
        return kept(self.connection, self.name)

    def outcome(self, column: str = "") -> DeclaredOutcome | None:
        """The declared outcome of that column; without one the first, and None if there is none."""
        declared = self.expectations.declared_outcomes()
        return next((one for one in declared if column in ("", one.column)), None)

    def events_of(self, declared: DeclaredOutcome) -> TableContract:
        """The table with a row for each draw of an outcome."""
        return self.relations.table(declared.events or self.relations.event_table)

    def draws(self, declared: DeclaredOutcome) -> Draws:
        """Every landed draw of an outcome."""
        at = ("draws", declared.table, declared.column)
        if at not in self.memory:
            events = self.events_of(declared)
            (key,) = events.primary_key
            self.memory[at] = keep_draws(self.connection, self.name, declared, events.name, key)
        found: Draws = self.memory[at]
        return found

    def per_day(self, sql: str, parameters: Mapping[str, Any] | None = None) -> np.ndarray:
        """Counts of a query that yields (day, count), for each landed day, shape (days,)."""
        found = dict(self.connection.execute(sql, parameters or {}).fetchall())
        return np.array([found.get(day, 0) for day in self.days])

    def count(self, sql: str, parameters: Mapping[str, Any] | None = None) -> int:
        """The one number that a query yields."""
        (count,) = self.connection.execute(sql, parameters or {}).fetchall()[0]
        return int(count or 0)


def once(
    function: Callable[Concatenate[LandedHistory, P], T],
) -> Callable[Concatenate[LandedHistory, P], T]:
    """Decorator of a function of a history and hashable arguments: it is worked out once a history."""

    @wraps(function)
    def remembered(history: LandedHistory, /, *args: P.args, **kwargs: P.kwargs) -> T:
        at = (function, args, tuple(kwargs.items()))
        if at not in history.memory:
            history.memory[at] = function(history, *args, **kwargs)
        found: T = history.memory[at]
        return found

    return remembered
