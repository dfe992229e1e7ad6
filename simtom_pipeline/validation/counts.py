"""Are daily and hourly counts what the intensity says?

A count has mean m and variance f * m, with the dispersion f of its arrival process: 0 where nothing is
left to chance, 1 for a Poisson process, above 1 for clustered arrivals, whose tails are bounded by the
negative binomial of the same two moments.
"""

from dataclasses import dataclass

import numpy as np
from scipy import special

from .laws import chi_squared_tail, gamma_tails, negative_binomial_tails, poisson_tails
from .shares import pearson_p

LJUNG_BOX_LAGS = 7
MIN_DAYS = 140
"""Below, the Ljung-Box statistic is not yet chi-squared in its tail."""
NEARLY_INDEPENDENT = 0.05


@dataclass(frozen=True)
class VolumeTest:
    """Daily counts against their expectation, over D days.

    Attributes
    ----------
    p_value : two-sided p-value of each day, shape (D,).
    ratio : total count over total expectation.
    inner, outer : 90 % and 99.9 % interval of the ratio.
    fano : mean of (count - m)^2 / (f * m), one if the dispersion is right.
    fano_p : two-sided p-value of that mean, see `spread_p`.
    autocorrelation : lag-1 correlation of the standardised counts.
    autocorrelation_p : Ljung-Box p-value over `LJUNG_BOX_LAGS` lags (1 for few days).
    """

    p_value: np.ndarray
    ratio: float
    inner: tuple[float, float]
    outer: tuple[float, float]
    fano: float
    fano_p: float
    autocorrelation: float
    autocorrelation_p: float


def compare_volume(
    counts: np.ndarray, expected: np.ndarray, dispersion: np.ndarray, correlation: float = 0.0
) -> VolumeTest:
    """Compare the counts of D days with their means and dispersions, all of shape (D,).

    `correlation` is that of consecutive days. It widens the intervals of the total as an autoregression
    would; where it exceeds `NEARLY_INDEPENDENT`, spread and independence of days are not judged.
    """
    variance = dispersion * expected
    random = variance > 0
    p_value = np.ones(len(counts))
    p_value[~random] = np.where(np.abs(counts[~random] - expected[~random]) <= 0.5 + 1e-9, 1.0, 0.0)
    p_value[random] = count_p_value(counts[random], expected[random], dispersion[random])
    z = (counts[random] - expected[random]) / np.sqrt(variance[random])
    total, mean = float(counts.sum()), float(expected.sum())
    total_variance = float(variance.sum()) * (1 + correlation) / (1 - correlation)
    judged = z if correlation <= NEARLY_INDEPENDENT else z[:0]
    excess = excess_kurtosis(expected[random], dispersion[random])
    fano, fano_p = (float((judged**2).mean()), spread_p(judged, excess)) if len(judged) else (1.0, 1.0)
    autocorrelation, autocorrelation_p = ljung_box(judged, LJUNG_BOX_LAGS)
    return VolumeTest(
        p_value=p_value,
        ratio=total / mean if mean > 0 else 1.0,
        inner=_ratio_interval(total, mean, total_variance, 0.90),
        outer=_ratio_interval(total, mean, total_variance, 0.999),
        fano=fano,
        fano_p=fano_p,
        autocorrelation=autocorrelation,
        autocorrelation_p=autocorrelation_p,
    )


def count_p_value(counts: np.ndarray, mean: np.ndarray, dispersion: np.ndarray) -> np.ndarray:
    """Two-sided p-values of counts: Poisson where the dispersion is 1, else negative binomial."""
    clustered = dispersion > 1 + 1e-9
    of_clustered = negative_binomial_tails(counts, mean, np.where(clustered, dispersion, 2.0))
    lower, upper = np.where(clustered, of_clustered, poisson_tails(counts, mean))
    return np.minimum(2 * np.minimum(lower, upper), 1.0)


def garwood_interval(count: float, confidence: float) -> tuple[float, float]:
    """Exact interval for a Poisson mean (Garwood 1936)."""
    tail = (1 - confidence) / 2
    low = special.gammaincinv(count, tail) if count > 0 else 0.0
    return float(low), float(special.gammainccinv(count + 1, tail))


def _ratio_interval(total: float, mean: float, variance: float, confidence: float) -> tuple[float, float]:
    """Interval of total / mean: Garwood's, widened around the total by the square root of the dispersion."""
    if mean <= 0 or variance <= 0:  # nothing is left to chance: each day has been judged by itself
        return 1.0, 1.0
    low, high = garwood_interval(total, confidence)
    wider = (variance / mean) ** 0.5
    return (total - wider * (total - low)) / mean, (total + wider * (high - total)) / mean


def excess_kurtosis(mean: np.ndarray, dispersion: np.ndarray) -> np.ndarray:
    """Of Poisson counts (1 / mean), or of the negative binomial with the same dispersion f.

    With size r = mean / (f - 1) that is 6 / r + 1 / (f (f - 1) r).
    """
    return 6 * (dispersion - 1) / mean + 1 / (dispersion * mean)


def spread_p(z: np.ndarray, excess: np.ndarray) -> float:
    """Two-sided p-value of the sum of z^2, whose mean is D and whose variance sum(2 + excess).

    A gamma law of these two moments; for normal z it is chi-squared with D degrees of freedom.
    """
    n, statistic, variance = len(z), float((z**2).sum()), float((2 + excess).sum())
    return min(2 * min(gamma_tails(statistic, n, variance)), 1.0)


def ljung_box(z: np.ndarray, lags: int) -> tuple[float, float]:
    """Lag-1 autocorrelation and the Ljung-Box p-value (Ljung & Box 1978); mean known to be zero."""
    n, power = len(z), float((z**2).sum())
    if n < MIN_DAYS or power == 0:
        return 0.0, 1.0
    r = np.array([float((z[k:] * z[:-k]).sum()) / power for k in range(1, lags + 1)])
    statistic = n * (n + 2) * float((r**2 / (n - np.arange(1, lags + 1))).sum())
    return float(r[0]), chi_squared_tail(statistic, lags)


def compare_hours(counts: np.ndarray, expected: np.ndarray, dispersion: float) -> tuple[float, float]:
    """Total variation and p-value of hourly counts against their expectation, both of shape (24,).

    Clustered counts spread more: the chi-squared statistic is divided by the dispersion, which for
    arrivals that cluster over minutes is an upper bound within an hour.
    """
    n = counts.sum()
    if n == 0:
        return 0.0, 1.0
    shares = expected / expected.sum()
    total_variation = float(np.abs(counts / n - shares).sum() / 2)
    if counts[shares == 0].any():
        return total_variation, 0.0
    open_hours = shares > 0
    p_value = pearson_p(counts[open_hours], n * shares[open_hours], max(dispersion, 1.0))
    return total_variation, p_value
