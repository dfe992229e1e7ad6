"""Do categories occur with the shares that were declared?"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .laws import chi_squared_tail

MIN_EXPECTED = 5.0


@dataclass(frozen=True)
class ShareTest:
    """Counts against declared shares.

    Attributes
    ----------
    n : number of draws.
    total_variation : half the sum of absolute differences of the shares.
    p_value : of Pearson's chi-squared test, rare categories pooled; 0 if an impossible one occurred.
    impossible : draws of a category whose declared share is zero; one is one too many.
    """

    n: int
    total_variation: float
    p_value: float
    impossible: int


def compare_shares(counts: Mapping[str, int], shares: Mapping[str, float]) -> ShareTest:
    """Compare counts by category with their declared shares (which add up to one)."""
    names = sorted(set(counts) | set(shares))
    observed = np.array([counts.get(name, 0) for name in names], float)
    declared = np.array([shares.get(name, 0.0) for name in names])
    n = int(observed.sum())
    if n == 0:
        return ShareTest(0, 0.0, 1.0, 0)
    total_variation = float(np.abs(observed / n - declared).sum() / 2)
    impossible = int(observed[declared == 0].sum())
    if impossible:
        return ShareTest(n, total_variation, 0.0, impossible)
    possible = declared > 0
    return ShareTest(n, total_variation, pearson_p(observed[possible], n * declared[possible]), 0)


def pearson_p(observed: np.ndarray, expected: np.ndarray, dispersion: float = 1.0) -> float:
    """P-value of Pearson's chi-squared statistic over k cells, rare ones pooled; shapes (k,).

    Counts that cluster have `dispersion` times the variance: the statistic is divided by it.
    """
    observed, expected = _pool_rare(observed, expected, MIN_EXPECTED * dispersion)
    if len(expected) < 2:
        return 1.0
    statistic = float(((observed - expected) ** 2 / expected).sum())
    return chi_squared_tail(statistic / dispersion, len(expected) - 1)


def _pool_rare(observed: np.ndarray, expected: np.ndarray, smallest: float) -> tuple[np.ndarray, np.ndarray]:
    """Put the rarest cells together until what they expect is `smallest` at least."""
    order = np.argsort(expected)
    observed, expected = observed[order], expected[order]
    if expected[0] >= smallest:
        return observed, expected
    enough = max(int((expected < smallest).sum()), int(np.searchsorted(np.cumsum(expected), smallest)) + 1)
    return (
        np.append(observed[enough:], observed[:enough].sum()),
        np.append(expected[enough:], expected[:enough].sum()),
    )
