"""Effects that cannot be had: sizes out of reach, drifts that change nothing, drifts that bend each other."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from math import exp, log
from typing import TYPE_CHECKING, Any

import numpy as np

from ...scenarios.drifts import Effect
from ...scenarios.models import Clock
from ...scenarios.problems import Refusal
from ..reachable import Found, WholeNumbers, nearest
from . import config
from .credit import DefaultLaw
from .entities import CORRELATED
from .reference import Reference
from .world import BETA

if TYPE_CHECKING:
    from .drifts import Part, Resolved

LARGEST_FACTOR = 20.0
SAME, NO_STEP = 1e-6, 1e-8
"""A parameter that moves by less, relative to itself and at all, does not move."""


class ImpossibleEffectError(ValueError):
    """The effect cannot be had; the message says what can, `key` where it stands in the effect."""

    def __init__(self, key: str, found: object, allowed: str) -> None:
        self.key, self.found, self.allowed = key, found, allowed
        super().__init__(f"{key}: {allowed}")


def factor_step(numbers: WholeNumbers, name: str, wanted: float, sign: float, guess: float | None) -> float:
    """Logarithm of the factor with which what lands has the wanted size, or the nearest within tolerance.

    A `mean_ratio` is wanted as its logarithm without sign; the sign of the logarithm is given.

    Raises
    ------
    ImpossibleEffectError : no factor comes near enough; it names the sizes that can be reached.
    """
    size = numbers.size(name)
    found = nearest(lambda step: size(sign * step), wanted, log(LARGEST_FACTOR), guess)
    if not found.is_close_to(wanted):
        of_mean = name == "mean_ratio"
        stated = exp(sign * wanted) if of_mean else wanted
        raise ImpossibleEffectError(f"effect.{name}", stated, _within_reach(found, sign if of_mean else None))
    return sign * found.step


def _within_reach(found: Found, sign: float | None) -> str:
    """What can be reached in words; a mean ratio's sizes are logarithms with that sign."""
    every = [size for size in (0.0, found.below, found.above) if size is not None]
    low, below, above = (
        f"{exp(sign * size) if sign else size:.4g}"
        for size in (0.0, found.below or 0.0, max(every))
    )
    if found.above is not None:
        return f"{below} or {above}, the nearest that can be reached"
    if below == low:
        return f"{low}, which is all that can be reached"
    low, below = (below, low) if sign and sign < 0 else (low, below)
    return f"between {low} and {below}, which is what can be reached"


def refuse_nothing(effect: Effect, parts: Sequence["Part"]) -> None:
    """A drift must change something.

    Raises
    ------
    ImpossibleEffectError : every part ends where it begins.
    """
    if all(np.allclose(part.after, part.before, rtol=SAME, atol=NO_STEP) for part in parts):
        name, stated = next(iter(effect.sizes.items()))
        raise ImpossibleEffectError(f"effect.{name}", stated, "another value: it is so without the drift")


def silent(
    drifts: Sequence["Resolved"], population: Reference, law: DefaultLaw, numbers: Mapping[str, int]
) -> Iterator[Refusal]:
    """Refusals of drifts of coefficients whose signal moves no probability of default; `numbers` by drift id."""
    stress = max([population.settings.economic_stress_factor, *_after(drifts, "stress")])
    for drift in drifts:
        parameters = [move.parameter for _, move in drift.moves if move.parameter.startswith(BETA)]
        for signal in (parameter.removeprefix(BETA) for parameter in parameters):
            by_name = population.signals(stress)
            values = np.prod([by_name[part] for part in signal.split("*")], axis=0)
            if law.scale == 0 or not np.any(values):
                yield Refusal(
                    ("drifts", numbers[drift.drift.id], "target"),
                    drift.drift.target,
                    "a coefficient that moves probabilities of default, which this one does not here",
                )


def _after(drifts: Sequence["Resolved"], parameter: str) -> Iterator[float]:
    for drift in drifts:
        for part in drift.parts:
            if part.move is not None and part.move.parameter == parameter:
                yield part.after[0]


def bent(
    drifts: Sequence["Resolved"], settings: config.BnplSettings, clock: Clock, numbers: Mapping[str, int]
) -> Iterator[Refusal]:
    """Refusals of drifts of correlated attributes that are in force together: each moves the other's shares."""
    matrix = settings.population.correlation.matrix()
    of_attributes = [
        (drift, part.target.name) for drift in drifts for part in drift.parts if part.target.name in CORRELATED
    ]
    for (one, name), (other, other_name) in combinations(of_attributes, 2):
        correlated = matrix[CORRELATED.index(name), CORRELATED.index(other_name)] != 0
        if name != other_name and correlated and _together(one, other, clock):
            yield Refusal(
                ("drifts", numbers[other.drift.id], "target"),
                other_name,
                f"a target that is not correlated with {name}, which drifts at the same time"
                f" ({one.drift.id}): neither would have its shares",
            )


def _together(one: "Resolved", other: "Resolved", clock: Clock) -> bool:
    return any(one.course.weight(day) > 0 and other.course.weight(day) > 0 for day in clock.days())
