"""Sizes of drift of numbers that land in whole units: which ones a factor can reach, and how.

What lands is rounded and prices come in lumps, so that a size is a step function of the factor, with gaps
and not monotone. Which sizes can be reached is therefore tried, not assumed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import exp, log

import numpy as np

from ..exact import DECIMALS, exact_sum, steady
from . import distances

SIZE_TOLERANCE = 0.2
"""A size that differs by more from the stated one, relative to it, is not what was stated."""
CLOSE, EXACT = 0.02, 0.01
"""Off by less than the first, a guess is taken; off by less than the second, the larger of several drifts."""
TRIED = np.union1d(np.geomspace(1e-6, 0.01, 60), np.linspace(0.0, 1.0, 201))
"""Which parts of the largest step, the logarithm of a factor, are tried."""
MIN_PLATEAU = 1e-8
"""Factors that give a size lie this far apart at least, by their logarithm."""
MIN_BIN_SHARE = 0.002
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
    def of(exact: np.ndarray, smallest: float) -> "tuple[WholeNumbers, np.ndarray]":
        """From values in any order, shape (N,); and where each of them stands among `exact`."""
        values, place, counts = np.unique(exact, return_inverse=True, return_counts=True)
        return WholeNumbers(values, counts / counts.sum(), smallest), place

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
        tenths = np.arange(1, distances.BINS) / distances.BINS
        edges = np.unique(np.minimum(values[np.searchsorted(below, tenths)], values[inner])) + 0.5
        cut = self.below(edges, UNCHANGED)
        return edges[(np.diff(cut, prepend=0.0) >= MIN_BIN_SHARE) & (1 - cut >= MIN_BIN_SHARE)]

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
            "psi": distances.psi(shares, reference),
            "hellinger": distances.hellinger(shares, reference),
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

    def plateaus(self, sign: float, furthest: float) -> tuple[np.ndarray, np.ndarray]:
        """Every set of shares that factors above (sign 1) or below one (-1) reach, shapes (m,) and (m, bins).

        Shares change where a value passes an edge; with each set comes the step, the logarithm of the factor
        without sign, in the middle of those that lead to it.
        """
        passing = sign * np.log(self.edges / self.exact[:, None])
        value, edge = np.nonzero((passing > 0) & (passing <= furthest))
        at = passing[value, edge]
        order = np.argsort(at, kind="stable")
        value, edge, at = value[order], edge[order], at[order]
        shares = np.zeros((len(at) + 1, len(self.edges) + 1))
        shares[0] = self.shares()
        moves, row = sign * self.mass[value], np.arange(1, len(at) + 1)
        shares[row, edge], shares[row, edge + 1] = -moves, moves
        shares = np.maximum(np.cumsum(shares, axis=0), 0.0)
        start, end = np.concatenate([[0.0], at]), np.append(at, furthest)
        wide = end - start > MIN_PLATEAU
        return ((start + end) / 2)[wide], shares[wide]

    def size(self, name: str) -> Callable[[float], float]:
        """The size of that name as a function of the logarithm of the factor; of the mean its logarithm's."""
        if name == "mean_ratio":
            before = log(self.mean())
            return lambda step: abs(log(self.mean(_factor(step))) - before)
        if name == "ks":
            return lambda step: float(self._gap(_factor(step))[1].max())
        measure, reference = {"psi": distances.psi, "hellinger": distances.hellinger}[name], self.shares()
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


def nearest_in_bins(numbers: WholeNumbers, name: str, wanted: float, sign: float, furthest: float) -> Found:
    """The nearest to a PSI or Hellinger distance of all that factors above or below one reach."""
    steps, shares = numbers.plateaus(sign, furthest)
    sizes = SIZES_OF_BINS[name](shares, numbers.shares())
    return _best(steps, sizes, wanted)


def _psi(shares: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """As `distances.psi`, of every row; shape (m,)."""
    q, p = (np.maximum(some, distances.MIN_SHARE) for some in (shares, reference))
    return ((q - p) * np.log(q / p)).sum(axis=1)


def _hellinger(shares: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """As `distances.hellinger`, of every row; shape (m,)."""
    return np.sqrt(((np.sqrt(shares) - np.sqrt(reference)) ** 2).sum(axis=1) / 2)


SIZES_OF_BINS: Mapping[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "psi": _psi,
    "hellinger": _hellinger,
}


def nearest(size: Callable[[float], float], wanted: float, furthest: float) -> Found:
    """The step between 0 and `furthest` whose size, which grows with the step, is nearest to `wanted`.

    Many are tried; where `wanted` lies between the sizes of neighbours, the interval is halved.
    """
    steps = [round(float(step), DECIMALS) for step in furthest * TRIED]
    tried = {step: size(step) for step in steps}
    for low, high in pairwise(steps):
        if (tried[low] - wanted) * (tried[high] - wanted) < 0:
            tried |= _halved(size, wanted, low, high)
            break
    return _best(np.array(sorted(tried)), np.array([tried[step] for step in sorted(tried)]), wanted)


def _halved(size: Callable[[float], float], wanted: float, low: float, high: float) -> dict[float, float]:
    """Sizes at the midpoints on the way to where the size crosses `wanted`."""
    rises, tried = size(low) < wanted, dict[float, float]()
    for _ in range(HALVINGS):
        middle = round((low + high) / 2, DECIMALS)
        tried[middle] = size(middle)
        low, high = (middle, high) if (tried[middle] < wanted) == rises else (low, middle)
    return tried


def _best(steps: np.ndarray, sizes: np.ndarray, wanted: float) -> Found:
    """The best of ascending steps with these sizes, shapes (m,)."""
    off = np.maximum(np.round(np.abs(sizes - wanted) / wanted, 9), EXACT)
    best = np.flatnonzero(off == off.min())[-1]
    below, above = sizes[sizes <= wanted], sizes[sizes >= wanted]
    return Found(
        round(float(steps[best]), DECIMALS),
        float(sizes[best]),
        float(below.max()) if len(below) else None,
        float(above.min()) if len(above) else None,
    )
