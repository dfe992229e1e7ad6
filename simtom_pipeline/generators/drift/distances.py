"""How far two distributions are apart, for the sizes that drifts are declared to have.

Formulas: population stability index sum (q - p) ln(q / p); Hellinger distance
(sum (sqrt(q) - sqrt(p))^2 / 2)^(1/2), which is (1 - sum sqrt(p q))^(1/2) without its loss of digits;
Kolmogorov-Smirnov max |F - G|; first Wasserstein distance integral |F - G|.
"""

from collections.abc import Sequence

import numpy as np

MIN_SHARE = 1e-6
"""An empty bin counts as this much, so that a PSI is a number."""
BINS = 10
GRID = 4096
SAME = 1e-9
"""Values closer than this, relatively, are equal: a quotient may miss what it stands for by an ulp."""


def psi(q: np.ndarray, p: np.ndarray) -> float:
    """Population stability index of shares q against p, shapes (k,)."""
    q, p = np.maximum(q, MIN_SHARE), np.maximum(p, MIN_SHARE)
    return float(((q - p) * np.log(q / p)).sum())


def hellinger(q: np.ndarray, p: np.ndarray) -> float:
    """Hellinger distance of shares, shapes (k,)."""
    return float((((np.sqrt(q) - np.sqrt(p)) ** 2).sum() / 2) ** 0.5)


def ks(q: np.ndarray, p: np.ndarray) -> float:
    """Largest difference of the cumulative shares, shapes (k,)."""
    return float(np.abs(np.cumsum(q - p)).max())


def total_variation(q: np.ndarray, p: np.ndarray) -> float:
    """Half the sum of absolute differences: the Wasserstein distance where values are equal or not."""
    return float(np.abs(q - p).sum() / 2)


def factor_distances(
    values: np.ndarray, factors: Sequence[tuple[float, float]], weights: Sequence[np.ndarray] = ()
) -> dict[str, float]:
    """PSI and Hellinger over deciles, KS and W1 of the logarithm, of multiples against the values.

    Parameters
    ----------
    values : ascending, shape (N,).
    factors : each possible factor with its probability.
    weights : of the values under each factor, shape (N,); equal if left out.
    """
    edges = decile_edges(values)
    reference = np.diff(factor_cdf(values, [(1.0, 1.0)], (), edges), prepend=0.0, append=1.0)
    drifted = np.diff(factor_cdf(values, factors, weights, edges), prepend=0.0, append=1.0)
    ends = np.log([min(f for f, _ in factors), max(f for f, _ in factors), 1.0])
    low, high = np.log(max(values[0], 1e-9)) + ends.min(), np.log(values[-1]) + ends.max()
    grid = np.linspace(low, high, GRID)
    gap = np.abs(
        factor_cdf(values, factors, weights, np.exp(grid))
        - factor_cdf(values, [(1.0, 1.0)], (), np.exp(grid))
    )
    at_values = values[:: max(len(values) // GRID, 1)]
    most = np.abs(
        factor_cdf(values, factors, weights, at_values) - factor_cdf(values, [(1.0, 1.0)], (), at_values)
    )
    return {
        "psi": psi(drifted, reference),
        "hellinger": hellinger(drifted, reference),
        "ks": float(max(most.max(), gap.max())),
        "w1": float(gap.sum() * (grid[1] - grid[0])),
    }


def decile_edges(values: np.ndarray) -> np.ndarray:
    """Inner edges of ten equally frequent bins, strictly ascending, shape (9,) at most."""
    return np.unique(np.quantile(values, np.arange(1, BINS) / BINS))


def factor_cdf(
    values: np.ndarray,
    factors: Sequence[tuple[float, float]],
    weights: Sequence[np.ndarray],
    at: np.ndarray,
) -> np.ndarray:
    """Distribution function of the multiplied values, shape of `at`."""
    total = np.zeros(len(at))
    for number, (factor, probability) in enumerate(factors):
        below = np.searchsorted(values, at / factor * (1 + SAME), side="right")
        if weights:
            cumulative = np.concatenate([[0.0], np.cumsum(weights[number])])
            total += probability * cumulative[below] / cumulative[-1]
        else:
            total += probability * below / len(values)
    return total
