"""What can drift in a domain: one row for each target, and what the kind of its parameter makes possible."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any, Literal

from ...claims import Measured
from ...contracts import WHOLE_ROW, TableContract
from ...scenarios.base import OUTCOME_RATE
from .parameters import ParameterKind, Parameters, Value

Stated = Callable[[Any], Value]
"""Value of a parameter without drift, from the generator's settings."""
SIZES: Mapping[ParameterKind, tuple[str, ...]] = {
    ParameterKind.FACTOR: ("mean_ratio", "psi", "ks", "hellinger"),
    ParameterKind.SHARES: ("shares", "psi", "ks", "hellinger"),
    ParameterKind.COEFFICIENT: ("to", OUTCOME_RATE),
    ParameterKind.RATE: (OUTCOME_RATE,),
    ParameterKind.NUMBER: ("to",),
}
"""Sizes that an effect may state of a parameter of each kind."""


@dataclass(frozen=True)
class WholeUnits:
    """How a number that a factor multiplies lands: in whole units, so many of them to its own unit.

    `smallest` is what lands at least, in whole units.
    """

    per_unit: float
    smallest: float


@dataclass(frozen=True)
class NumberRange:
    """What a number can be, and how to speak of it.

    Attributes
    ----------
    low, high : bounds that it keeps under every drift.
    noun : what its values are called in a message, such as "mean days".
    max_stated : the highest that an effect may state; `high` if left out.
    name : what it is called where its `mean_ratio` may be stated; empty where it may not.
    law : whether each record has the number itself, or draws from the exponential law of that mean.
    """

    low: float
    high: float
    noun: str
    max_stated: float | None = None
    name: str = ""
    law: Literal["constant", "exponential"] = "constant"

    @property
    def limit(self) -> float:
        """The highest that an effect may state."""
        return self.high if self.max_stated is None else self.max_stated


def no_change(settings: Any) -> Value:
    """Without drift a factor is 1."""
    return 1.0


def nothing_added(settings: Any) -> Value:
    """Without drift nothing is added to the log-odds."""
    return 0.0


@dataclass(frozen=True)
class Target:
    """Something that can drift: a parameter of its name, and what shows of it.

    Attributes
    ----------
    name : as a scenario writes it.
    kind : kind of drift, as a scenario writes it.
    parameter : kind of the parameter.
    stated : its value without drift, from the generator's settings.
    measured : where its distribution shows; None if it is the number of events.
    descendants : "table.column" of everything that differs from the twin once it has drifted.
    outcome : of a coefficient or a rate, the outcome; empty for the domain's first one.
    is_intercept : whether the coefficient is added to the log-odds of every event of its outcome.
    lands : how the number that a factor multiplies lands.
    range : what a number can be.
    min_remnant : part of its share that a category keeps at least, such as of customers who do not vanish.
    """

    name: str
    kind: str
    parameter: ParameterKind
    stated: Stated
    measured: Measured | None
    descendants: tuple[str, ...]
    outcome: str = ""
    is_intercept: bool = False
    lands: WholeUnits = WholeUnits(1.0, 1.0)
    range: NumberRange = NumberRange(-inf, inf, "a number")
    min_remnant: float = 0.0

    @property
    def is_volume(self) -> bool:
        """Whether it is the expected number of events."""
        return self.measured is None

    @property
    def is_of_outcome(self) -> bool:
        """Whether what shows of it is how often an outcome occurs."""
        return self.parameter in (ParameterKind.COEFFICIENT, ParameterKind.RATE)

    @property
    def sizes(self) -> tuple[str, ...]:
        """Sizes that an effect may state."""
        if self.is_volume:
            return ("mean_ratio",)
        return (*SIZES[self.parameter], *(["mean_ratio"] if self.range.name else []))

    @property
    def values(self) -> tuple[str, ...]:
        """Its categories in order; none if it has none."""
        return self.measured.values if self.measured else ()


RECORD_OF_VOLUME = tuple(f"daily_intensity.{name}" for name in ("drift", "spillover", "expected_count"))
"""What is on record of the expected number of events."""


def volume_target(descendants: tuple[str, ...]) -> Target:
    """The row of the expected number of events."""
    return Target("volume", "volume", ParameterKind.FACTOR, no_change, None, descendants)


@dataclass(frozen=True)
class OpenTargets:
    """Targets that are too many for rows, such as the product of any two signals.

    Attributes
    ----------
    kind : kind of drift.
    shown : how a message lists them.
    named : the target of a name, or None.
    """

    kind: str
    shown: str
    named: Callable[[str], Target | None]


@dataclass(frozen=True)
class Composite:
    """A kind of drift that moves one number and brings others with it.

    `brings` says what comes with a step of one whole unit, by target: a factor, or shares; less with less.
    """

    target: str
    brings: Callable[[Any], Mapping[str, Value]]


@dataclass(frozen=True)
class TargetTable:
    """All that can drift in a domain; a drift that names no target means the first row of its kind."""

    rows: tuple[Target, ...]
    open_targets: OpenTargets | None = None
    composites: Mapping[str, Composite] = field(default_factory=dict)

    def named(self, name: str) -> Target | None:
        """The target that a scenario calls `name`, or None."""
        found = next((row for row in self.rows if row.name == name), None)
        return found if found or not self.open_targets else self.open_targets.named(name)

    def row(self, name: str) -> Target:
        """The row of that name, which is there."""
        return next(row for row in self.rows if row.name == name)

    def of_kind(self, kind: str) -> list[str]:
        """Names of the targets of a kind of drift, as a message lists them."""
        if kind in self.composites:
            return [self.composites[kind].target]
        names = [row.name for row in self.rows if row.kind == kind]
        of_open = [self.open_targets.shown] if self.open_targets and self.open_targets.kind == kind else []
        return names + of_open

    def intercept(self, outcome: str) -> Target:
        """The row of the intercept of an outcome."""
        return next(row for row in self.rows if row.is_intercept and row.outcome == outcome)

    def stated(self, settings: Any) -> Parameters:
        """Every parameter as it is without drift."""
        return Parameters({row.name: row.stated(settings) for row in self.rows if not row.is_volume})

    @property
    def bounds(self) -> dict[str, tuple[float, float]]:
        """Lowest and highest value of every number."""
        rows = (row for row in self.rows if row.parameter is ParameterKind.NUMBER)
        return {row.name: (row.range.low, row.range.high) for row in rows}


def values_of(*tables: TableContract) -> tuple[str, ...]:
    """Every "table.column" but the keys and the day, which say which row it is."""
    return tuple(
        f"{table.name}.{column}"
        for table in tables
        for column in table.column_names
        if column != "day" and column not in table.primary_key
    )


def rows_of(*tables: TableContract) -> tuple[str, ...]:
    """Whole rows of the tables."""
    return tuple(f"{table.name}.{WHOLE_ROW}" for table in tables)
