"""Laws by which values are judged: distribution functions, tail areas and quantiles.

From SciPy's special functions: `scipy.stats` has the same, and takes longer to import than most checks
to run."""

from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import ArrayLike
from scipy import special


@dataclass(frozen=True)
class Uniform:
    """Any value from low to high is as likely."""

    low: float
    high: float

    @property
    def median(self) -> float:
        """Half of the values are below."""
        return (self.low + self.high) / 2

    @property
    def standard_deviation(self) -> float:
        """Root of the mean squared distance from the mean."""
        return float((self.high - self.low) / 12**0.5)

    def cdf(self, value: ArrayLike) -> np.ndarray:
        """Share of values that are at most `value`, shape of `value`."""
        return np.clip((np.asarray(value, float) - self.low) / (self.high - self.low), 0.0, 1.0)


@dataclass(frozen=True)
class Normal:
    """Normal errors around zero."""

    standard_deviation: float

    def cdf(self, value: ArrayLike) -> np.ndarray:
        """Share of values that are at most `value`, shape of `value`."""
        return np.asarray(special.ndtr(np.asarray(value, float) / self.standard_deviation))


@dataclass(frozen=True)
class Exponential:
    """Waiting times that do not age."""

    mean: float

    @property
    def median(self) -> float:
        """Half of the values are below."""
        return self.mean * log(2)

    def cdf(self, value: ArrayLike) -> np.ndarray:
        """Share of values that are at most `value`, shape of `value`."""
        return -np.expm1(-np.maximum(np.asarray(value, float), 0.0) / self.mean)


@dataclass(frozen=True)
class Lognormal:
    """Values whose logarithms are normal with standard deviation sigma."""

    median: float
    sigma: float

    def cdf(self, value: ArrayLike) -> np.ndarray:
        """Share of values that are at most `value`, shape of `value`."""
        with np.errstate(divide="ignore"):
            logarithm = np.log(np.maximum(np.asarray(value, float), 0.0) / self.median)
        return np.asarray(special.ndtr(logarithm / self.sigma))


def normal_tail(z: float) -> float:
    """Chance that a standard normal value is above z."""
    return float(special.ndtr(-z))


def normal_quantile_above(tail: float) -> float:
    """The z that a standard normal value is above with the chance `tail`."""
    return float(-special.ndtri(tail))


def gamma_tails(value: float, mean: float, variance: float) -> tuple[float, float]:
    """Chances that a gamma variable of these moments is at most, and above, a value."""
    shape, scale = mean**2 / variance, variance / mean
    return float(special.gammainc(shape, value / scale)), float(special.gammaincc(shape, value / scale))


def chi_squared_tail(value: float, degrees: float) -> float:
    """Chance that a chi-squared variable is above a value."""
    return float(special.chdtrc(degrees, value))


def binomial_tails(hits: ArrayLike, n: ArrayLike, p: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Chances that of n trials at most, and at least, so many hit."""
    hits, n, p = (np.asarray(a, float) for a in (hits, n, p))
    some, not_all = hits > 0, hits < n
    at_most = special.betaincc(hits + 1, np.where(not_all, n - hits, 1.0), p)
    at_least = special.betainc(np.where(some, hits, 1.0), n - hits + 1, p)
    return np.where(not_all, at_most, 1.0), np.where(some, at_least, 1.0)


def poisson_tails(counts: np.ndarray, mean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Chances that a Poisson variable is at most, and at least, so many; shapes (n,)."""
    some = counts > 0
    at_least = special.gammainc(np.where(some, counts, 1.0), mean)
    return special.pdtr(counts, mean), np.where(some, at_least, 1.0)


def negative_binomial_tails(
    counts: np.ndarray, mean: np.ndarray, dispersion: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Chances that a negative binomial variable is at most, and at least, so many; shapes (n,).

    Its variance is dispersion times the mean, more than one.
    """
    size, chance, some = mean / (dispersion - 1), 1 / dispersion, counts > 0
    at_least = special.betaincc(size, np.where(some, counts, 1.0), chance)
    return special.betainc(size, counts + 1, chance), np.where(some, at_least, 1.0)


def kolmogorov_smirnov_p(chances: np.ndarray) -> float:
    """P-value of Kolmogorov and Smirnov's test that values (n,) are uniform on [0, 1].

    Twice the exact one-sided chance (Smirnov 1944), an upper bound: both sides are hardly ever that far off
    at once, so that it is exact to a thousandth below .05.
    """
    n, chances = len(chances), np.sort(chances)
    above = float((np.arange(1, n + 1) / n - chances).max())
    below = float((chances - np.arange(n) / n).max())
    return min(2 * float(special.smirnov(n, max(above, below))), 1.0)
