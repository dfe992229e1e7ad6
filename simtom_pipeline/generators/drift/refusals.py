"""Effects that cannot be brought about: sizes out of reach, drifts that change nothing."""

from collections.abc import Sequence
from math import exp, log
from typing import TYPE_CHECKING

import numpy as np

from ...scenarios.drifts import Effect
from .reachable import CLOSE, SIZES_OF_BINS, Found, WholeNumbers, nearest, nearest_in_bins

if TYPE_CHECKING:
    from .solver import DriftPart

MAX_FACTOR = 20.0
SAME, NO_STEP = 1e-6, 1e-8
"""A parameter that moves by less, relative to itself and at all, does not move."""


class ImpossibleEffectError(ValueError):
    """The effect cannot be brought about; the message says what can, `key` where it stands in the effect."""

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
    size, furthest = numbers.size(name), log(MAX_FACTOR)
    if guess is not None and abs(size(sign * guess) - wanted) <= CLOSE * wanted:
        return sign * guess
    if name in SIZES_OF_BINS:
        found = nearest_in_bins(numbers, name, wanted, sign, furthest)
    else:
        found = nearest(lambda step: size(sign * step), wanted, furthest)
    if not found.is_close_to(wanted):
        of_mean = name == "mean_ratio"
        stated = exp(sign * wanted) if of_mean else wanted
        raise ImpossibleEffectError(f"effect.{name}", stated, _within_reach(found, sign if of_mean else None))
    return sign * found.step


def step_to_ratio(numbers: WholeNumbers, ratio: float) -> float:
    """Logarithm of the factor with which the mean of what lands becomes `ratio` times as large.

    Raises
    ------
    ImpossibleEffectError : as `factor_step`.
    """
    if not 1 / MAX_FACTOR <= ratio <= MAX_FACTOR:
        allowed = f"from {1 / MAX_FACTOR:g} to {MAX_FACTOR:g}"
        raise ImpossibleEffectError("effect.mean_ratio", ratio, allowed)
    step = log(ratio)
    return factor_step(numbers, "mean_ratio", abs(step), np.sign(step), abs(step)) if step else 0.0


def _within_reach(found: Found, sign: float | None) -> str:
    """What can be reached in words; a mean ratio's sizes are logarithms with that sign."""

    def stated(size: float | None) -> float:
        return exp(sign * (size or 0.0)) if sign else size or 0.0

    if found.above is None:
        return reach(*sorted((stated(0.0), stated(found.below))))
    return f"{stated(found.below):.4g} or {stated(found.above):.4g}, the nearest that can be reached"


def reach(low: float, high: float) -> str:
    """The sizes between two in words."""
    if high - low <= SAME * high:
        return f"{low:.4g}, which is all that can be reached"
    return f"between {low:.4g} and {high:.4g}, which is what can be reached"


def refuse_nothing(effect: Effect, parts: Sequence["DriftPart"]) -> None:
    """A drift must change something.

    Raises
    ------
    ImpossibleEffectError : every part ends where it begins.
    """
    if all(np.allclose(part.after, part.before, rtol=SAME, atol=NO_STEP) for part in parts):
        name, stated = next(iter(effect.sizes.items()))
        raise ImpossibleEffectError(f"effect.{name}", stated, "another value: it is so without the drift")
