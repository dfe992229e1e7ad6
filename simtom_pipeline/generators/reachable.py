"""Sizes of drift of numbers that land in whole units: which ones a factor can reach, and how.

What lands is rounded and prices come in lumps, so that a size is a step function of the factor, with gaps
and not monotone. Which sizes can be reached is therefore tried, not assumed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import exp, log

import numpy as np

from . import distance
from .exact import DECIMALS, exact_sum, steady

SIZE_TOLERANCE = 0.2
"""A size that differs by more from the stated one, relative to it, is not what was stated."""
CLOSE, EXACT = 0.02, 0.01
"""Off by less, a size is not improved upon; off by less, the larger of several drifts is taken."""
TRIED = 240
"""Factors that are tried, from far below any step to the largest."""
FINEST = 1e-6
SMALLEST_BIN = 0.002
"""Share of a bin of the reference population at least."""
HALVINGS = 40

Factors = Sequence[tuple[float, float]]
"""Each possible factor with its probability."""
UNCHANGED: Factors = [(1.0, 1.0)]


def whole(exact: np.ndarray, factor: float | np.ndarray, smallest: float) -> np.ndarray:
    """What lands of numbers under a factor: whole units, of which there are `smallest` at least; (n,)."""
    landed: np.ndarray = np.maximum(np.rint(exact * factor), smallest)
    return landed


@dataclass(frozen=True)
class WholeNumbers:
    """A column of the reference population that lands in whole units (cents, seconds).

    Attributes
    ----------
    exact : ascending values before rounding, in those units, each once, shape (n,).
    mass : share of each, shape (n,).
    smallest : what lands at least.
    """

    exact: np.ndarray
    mass: np.ndarray
    smallest: float

    @staticmethod
    def of(exact: np.ndarray, smallest: float) -> "WholeNumbers":
        """From values in any order."""
        values, counts = np.unique(exact, return_counts=True)
        return WholeNumbers(values, counts / counts.sum(), smallest)

    def under(self, factor: float) -> np.ndarray:
        """Ascending values as they land, shape (n,)."""
        return whole(self.exact, factor, self.smallest)

    @cached_property
    def edges(self) -> np.ndarray:
        """Inner edges of ten bins of like frequency, ascending, none if all values are equal; (9,) at most.

        Each lies half a unit above a decile: nothing that lands lies on an edge.
        """
        values, below = self.under(1.0), np.cumsum(self.mass)
        top = values[-1]
        inner = np.searchsorted(values, top) - 1
        if inner < 0:
            return np.empty(0)
        tenths = np.arange(1, distance.BINS) / distance.BINS
        edges = np.unique(np.minimum(values[np.searchsorted(below, tenths)], values[inner])) + 0.5
        cut = self.below(edges, UNCHANGED)
        return edges[(np.diff(cut, prepend=0.0) >= SMALLEST_BIN) & (1 - cut >= SMALLEST_BIN)]

    def below(self, at: np.ndarray, factors: Factors, weights: Sequence[np.ndarray] = ()) -> np.ndarray:
        """Distribution function of what lands, shape of `at`; weights of the values under each factor."""
        total = np.zeros(len(at))
        for (factor, probability), weight in zip(factors, self._weights(factors, weights), strict=True):
            cumulative = np.concatenate([[0.0], np.cumsum(weight)])
            count = np.searchsorted(self.under(factor), at, side="right")
            total += probability * cumulative[count] / cumulative[-1]
        return total

    def _weights(self, factors: Factors, weights: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
        return weights or [self.mass] * len(factors)

    def shares(self, factors: Factors = UNCHANGED, weights: Sequence[np.ndarray] = ()) -> np.ndarray:
        """Share of each bin, shape (len(edges) + 1,)."""
        return np.diff(self.below(self.edges, factors, weights), prepend=0.0, append=1.0)

    def mean(self, factors: Factors = UNCHANGED, weights: Sequence[np.ndarray] = ()) -> float:
        """Mean of what lands."""
        every = zip(factors, self._weights(factors, weights), strict=True)
        return float(sum(p * exact_sum(w * self.under(f)) / exact_sum(w) for (f, p), w in every))

    def distances(self, factors: Factors, weights: Sequence[np.ndarray] = ()) -> dict[str, float]:
        """PSI and Hellinger over the bins, KS, and W1 of the logarithm, with the factor against without."""
        shares, reference = self.shares(factors, weights), self.shares()
        values, gap = self._gap(factors, weights)
        return {
            "psi": distance.psi(shares, reference),
            "hellinger": distance.hellinger(shares, reference),
            "ks": float(gap.max()),
            "w1": exact_sum(gap[:-1] * np.diff(np.log(values))),
        }

    def _gap(self, factors: Factors, weights: Sequence[np.ndarray] = ()) -> tuple[np.ndarray, np.ndarray]:
        """Ascending values, and the gap there of the distribution functions with and without factor."""
        every = zip(factors, self._weights(factors, weights), strict=True)
        steps = np.concatenate([-self.mass, *(p * w / w.sum() for (_, p), w in every)])
        landed = np.concatenate([self.under(1.0), *(self.under(factor) for factor, _ in factors)])
        order = np.argsort(landed, kind="stable")
        landed = landed[order]
        last = np.append(landed[1:] > landed[:-1], True)
        return landed[last], np.abs(np.cumsum(steps[order]))[last]

    def size(self, name: str) -> Callable[[float], float]:
        """The size of that name as a function of the logarithm of the factor; of the mean its logarithm's."""
        if name == "mean_ratio":
            before = log(self.mean())
            return lambda step: abs(log(self.mean(_factor(step))) - before)
        if name == "ks":
            return lambda step: float(self._gap(_factor(step))[1].max())
        measure, reference = {"psi": distance.psi, "hellinger": distance.hellinger}[name], self.shares()
        return lambda step: measure(self.shares(_factor(step)), reference)


def _factor(step: float) -> Factors:
    return [(float(steady(exp(step))), 1.0)]


@dataclass(frozen=True)
class Found:
    """The nearest to a wanted size that can be reached: at which step, and the nearest on either side of it.

    `below` and `above` are None where nothing was reached there.
    """

    step: float
    size: float
    below: float | None
    above: float | None

    def is_close_to(self, wanted: float) -> bool:
        """Whether it may be called the wanted size."""
        return abs(self.size - wanted) <= SIZE_TOLERANCE * wanted


def nearest(size: Callable[[float], float], wanted: float, furthest: float, guess: float | None) -> Found:
    """The step between 0 and `furthest` whose size is nearest to `wanted`: the guess if it is close.

    Otherwise many are tried; where `wanted` lies between the sizes of neighbours, the interval is halved.
    """
    if guess is not None and abs(size(guess) - wanted) <= CLOSE * wanted:
        return _best({guess: size(guess)}, wanted)
    steps = [0.0, *(round(float(step), DECIMALS) for step in furthest * np.geomspace(FINEST, 1.0, TRIED))]
    tried = {step: size(step) for step in steps}
    for low, high in pairwise(steps):
        if (tried[low] - wanted) * (tried[high] - wanted) < 0:
            tried |= _halved(size, wanted, low, high)
            if abs(_best(tried, wanted).size - wanted) <= CLOSE * wanted:
                break
    return _best(tried, wanted)


def _halved(size: Callable[[float], float], wanted: float, low: float, high: float) -> dict[float, float]:
    """Sizes at the midpoints on the way to where the size crosses `wanted`."""
    rises, tried = size(low) < wanted, dict[float, float]()
    for _ in range(HALVINGS):
        middle = round((low + high) / 2, DECIMALS)
        tried[middle] = size(middle)
        low, high = (middle, high) if (tried[middle] < wanted) == rises else (low, middle)
    return tried


def _best(tried: dict[float, float], wanted: float) -> Found:
    off = {step: round(abs(size - wanted) / wanted, 9) for step, size in tried.items()}
    step = min(tried, key=lambda step: (max(off[step], EXACT), -step))
    below = max((size for size in tried.values() if size <= wanted), default=None)
    above = min((size for size in tried.values() if size >= wanted), default=None)
    return Found(step, tried[step], below, above)
