"""Whether faults and noise have the declared rates and laws: exact tails, no approximation to trust."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from .laws import binomial_tails, kolmogorov_smirnov_p

MAX_ROWS = 20_000
"""A distribution is judged on so many rows at most: what is rounded is not quite continuous."""


def rate_p(hits: ArrayLike, eligible: ArrayLike, probability: ArrayLike) -> float:
    """P-value of daily hits, each binomial of its day's eligible values and probability; shapes (days,).

    Twice the smaller of two Bonferroni bounds: the worst day, and the sum. The sum of binomials of different
    probabilities is less spread than the binomial of the mean one (Hoeffding 1956), so both are upper bounds.
    """
    hits, eligible, probability = (np.asarray(a, float) for a in (hits, eligible, probability))
    if eligible.sum() == 0:
        return 1.0 if hits.sum() == 0 else 0.0
    worst_day = min(float(_two_sided(hits, eligible, probability).min()) * len(hits), 1.0)
    mean = np.average(probability, weights=eligible)
    total = float(_two_sided(hits.sum(), eligible.sum(), np.asarray(mean)))
    return min(2 * min(worst_day, total), 1.0)


def _two_sided(hits: np.ndarray, n: np.ndarray, p: np.ndarray) -> np.ndarray:
    return np.minimum(2 * np.minimum(*binomial_tails(hits, n, p)), 1.0)


def law_p(values: np.ndarray, distribution: Callable[[np.ndarray], np.ndarray]) -> float:
    """P-value of Kolmogorov and Smirnov's test that values (n,) have a distribution function.

    At most MAX_ROWS of them, evenly spread, are looked at.
    """
    if len(values) == 0:
        return 1.0
    some = values[:: -(-len(values) // MAX_ROWS)]
    return kolmogorov_smirnov_p(distribution(some))


def spread_over_unit(values: np.ndarray, unit: float) -> np.ndarray:
    """Values (n,) that stand for [value, value + unit) as points in it: a discrete law becomes continuous.

    The points are drawn from a fixed seed, so that the same values give the same answer.
    """
    return values + unit * np.random.default_rng(0).random(len(values))


def spread_between(low: np.ndarray, high: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Points drawn uniformly between two distribution functions, shapes (n,).

    Where a value is known only to lie in an interval (it was rounded, or is the end of a range), its law's
    distribution function at the two ends gives a point that is uniform on [0, 1] over all values.
    """
    return low + (high - low) * random.random(len(low))
