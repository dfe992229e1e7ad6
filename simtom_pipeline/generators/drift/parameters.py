"""Parameters that drift can move: their kinds, and how the drifts of one parameter combine.

A parameter has its stated value until a drift moves it, on a scale on which the shifts of several drifts add
up; shares become those of a mixture, later drifts on top.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from math import exp, log

import numpy as np

from ..exact import steady

Value = float | np.ndarray
"""A number, or shares of shape (k,); with one for each record, shapes (n,) and (n, k)."""
Weight = float | np.ndarray
"""Of a drift: a number from 0 to 1, or one for each record, shape (n,)."""


class ParameterKind(StrEnum):
    """What a parameter is, and so on which scale it moves.

    FACTOR : multiplies a drawn number; moves by its logarithm.
    NUMBER : a quantity; moves as it is.
    SHARES : how often each category occurs; becomes a mixture.
    COEFFICIENT : of the log-odds of an outcome; moves as it is.
    RATE : of an outcome, whose events of either kind stay as they are; moves by its log-odds.
    """

    FACTOR = "factor"
    NUMBER = "number"
    SHARES = "shares"
    COEFFICIENT = "coefficient"
    RATE = "rate"


@dataclass(frozen=True)
class Shift:
    """How far one parameter goes with the whole weight of one drift.

    `size` is added on the parameter's scale, where a factor counts by its logarithm; for shares it is the
    new shares themselves, shape (k,).
    """

    parameter: str
    kind: ParameterKind
    size: Value

    def apply(self, value: Value, weight: Weight) -> Value:
        """The parameter once it is shifted with `weight`."""
        if self.kind is ParameterKind.SHARES:
            share = np.asarray(weight)[..., None]
            return (1 - share) * value + share * self.size
        if self.kind is ParameterKind.FACTOR:
            return value * steady(np.exp(weight * self.size))
        return value + weight * self.size


@dataclass(frozen=True, eq=False)
class Parameters(Mapping[str, Value]):
    """Parameters in force by name: the stated ones, and in their place those that drift has moved."""

    stated: Mapping[str, Value]
    moved: Mapping[str, Value] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Value:
        return self.moved[name] if name in self.moved else self.stated[name]

    def __iter__(self) -> Iterator[str]:
        yield from self.stated
        yield from (name for name in self.moved if name not in self.stated)

    def __len__(self) -> int:
        return len(self.stated.keys() | self.moved.keys())

    def shifted(self, shift: Shift, weight: Weight) -> "Parameters":
        """The same with one parameter shifted; one that is not stated begins at 0."""
        value = shift.apply(self.get(shift.parameter, 0.0), weight)
        return Parameters(self.stated, {**self.moved, shift.parameter: value})

    def within(self, bounds: Mapping[str, tuple[float, float]]) -> "Parameters":
        """The same with the moved ones among `bounds` kept within their lowest and highest value."""
        kept = {name: np.clip(self.moved[name], *bounds[name]) for name in bounds if name in self.moved}
        return Parameters(self.stated, {**self.moved, **kept})


def expected_parameter(
    kind: ParameterKind, before: tuple[float, ...], after: tuple[float, ...], weight: float, by_record: bool
) -> tuple[float, ...]:
    """A parameter under one drift alone, expected over records; shares for shares.

    `by_record` says that each record has the parameter of before or of after, `weight` of them the latter.
    """
    start, end = np.array(before), np.array(after)
    if by_record or kind is ParameterKind.SHARES:
        return tuple(map(float, start + weight * (end - start)))
    if kind is ParameterKind.FACTOR:
        return (float(start[0] * (end[0] / start[0]) ** weight),)
    if kind is ParameterKind.RATE:
        return (expit(logit(start[0]) + weight * (logit(end[0]) - logit(start[0]))),)
    return (float(start[0] + weight * (end[0] - start[0])),)


def expected_factor(factor: float, weight: float, by_record: bool) -> float:
    """A factor of the number of events under one drift."""
    return 1 + weight * (factor - 1) if by_record else float(steady(factor**weight))


def logit(rate: float) -> float:
    """Log-odds of a rate."""
    return log(rate / (1 - rate))


def expit(log_odds: float) -> float:
    """Rate with these log-odds."""
    return 1 / (1 + exp(-log_odds))
