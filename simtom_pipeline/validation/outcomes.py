"""Is a yes-or-no outcome drawn with the probability that was declared, and does nothing else give it away?

Given its probability p an outcome is a coin of its own: over any group of rows that is formed without
looking at outcomes, their sum has mean sum(p) and variance sum(p (1 - p)), and nothing is estimated.
"""

from dataclasses import dataclass

import numpy as np
import scipy

MIN_VARIANCE = 10.0
"""Neighbouring groups are pooled until the variance of the sum of their outcomes is about this."""
MAX_GROUPS = 50


@dataclass(frozen=True)
class GroupTest:
    """Outcomes against their probabilities over k groups.

    Attributes
    ----------
    observed, expected, rows : sums over each group, shape (k,).
    p_value : of the sum of squared standardised differences, see `excess_p`; 1 if k is 0.
    """

    observed: np.ndarray
    expected: np.ndarray
    rows: np.ndarray
    p_value: float


def compare_groups(outcome: np.ndarray, probability: np.ndarray, group: np.ndarray) -> GroupTest:
    """Compare outcomes (0 or 1) with their probabilities over groups 0 ... k - 1; shapes (n,)."""
    variance = np.bincount(group, probability * (1 - probability))
    pooled = _pool(variance)[group]
    variance = np.bincount(pooled, probability * (1 - probability))
    observed, expected = np.bincount(pooled, outcome), np.bincount(pooled, probability)
    varies = variance > 0
    z = (observed - expected)[varies] / np.sqrt(variance[varies])
    p_value = 0.0 if _impossible(outcome, probability) else excess_p(z, variance[varies])
    return GroupTest(observed, expected, np.bincount(pooled), p_value)


def _impossible(outcome: np.ndarray, probability: np.ndarray) -> bool:
    """Whether something happened whose probability is zero, or did not though it is one."""
    return bool(np.any(np.where(outcome > 0, probability, 1 - probability) <= 0))


def _pool(variance: np.ndarray) -> np.ndarray:
    """New number of each group, neighbours put together until they vary about enough; shape (k,)."""
    before = np.cumsum(variance) - variance
    last = max(int(variance.sum() / MIN_VARIANCE) - 1, 0)
    number = np.minimum((before / MIN_VARIANCE).astype(np.int64), last)
    return np.unique(number, return_inverse=True)[1]


def excess_p(z: np.ndarray, variance: np.ndarray) -> float:
    """P-value of a sum of k squared standardised sums that is too large; shapes (k,).

    A gamma law with mean k and variance sum(2 + 1 / variance): for rare outcomes, whose sums are nearly
    Poisson, 1 / variance is the excess kurtosis; without it the law is chi-squared.
    """
    if len(z) == 0:
        return 1.0
    spread = float((2 + 1 / variance).sum())
    return float(scipy.stats.gamma.sf(float((z**2).sum()), len(z) ** 2 / spread, scale=spread / len(z)))


def total_p(outcome: np.ndarray, probability: np.ndarray) -> float:
    """Two-sided p-value of the number of outcomes given their probabilities, shapes (n,).

    Poisson-binomial by a skewed normal of the same three moments (Cornish & Fisher 1938, first order).
    """
    variance = float((probability * (1 - probability)).sum())
    if _impossible(outcome, probability):
        return 0.0
    if variance == 0:
        return 1.0
    skew = float((probability * (1 - probability) * (1 - 2 * probability)).sum()) / variance**1.5
    z = float(outcome.sum() - probability.sum()) / variance**0.5
    return float(min(2 * scipy.stats.norm.sf(abs(z - skew * (z**2 - 1) / 6)), 1.0))


def quantile_groups(values: np.ndarray, most: int = MAX_GROUPS) -> np.ndarray:
    """Groups of neighbouring values, about equally large, equal values together; 0 ... k - 1, shape (n,)."""
    edges = np.unique(np.quantile(values, np.arange(1, most) / most, method="higher"))
    return np.unique(np.searchsorted(edges, values, side="right"), return_inverse=True)[1]


def auc(outcome: np.ndarray, score: np.ndarray, cluster: np.ndarray | None = None) -> tuple[float, float]:
    """Area under the ROC curve of a score and its standard error, shapes (n,).

    Standard error: DeLong, DeLong & Clarke-Pearson 1988; rows of one cluster 0 ... k - 1 may depend on each
    other (Obuchowski 1997).

    Raises
    ------
    ValueError : fewer than two outcomes of a kind.
    """
    level = np.unique(score, return_inverse=True)[1]
    yes = np.bincount(level, outcome)
    no = np.bincount(level) - yes
    m, n = yes.sum(), no.sum()
    if m < 2 or n < 2:
        raise ValueError("an AUC needs two outcomes of each kind")
    beats = (np.cumsum(no) - no / 2) / n  # share of the no's that a yes of this level ranks above
    beaten = 1 - (np.cumsum(yes) - yes / 2) / m  # share of the yes's that rank above a no of this level
    area = float((yes * beats).sum() / m)
    influence = np.where(outcome > 0, (beats[level] - area) / (m - 1), (beaten[level] - area) / (n - 1))
    return area, _root_sum(influence, cluster)


def rate(outcome: np.ndarray, cluster: np.ndarray | None = None) -> tuple[float, float]:
    """Share of yes and its standard error, rows of one cluster 0 ... k - 1 depending on each other."""
    share = float(outcome.mean())
    return share, _root_sum((outcome - share) / len(outcome), cluster)


def _root_sum(influence: np.ndarray, cluster: np.ndarray | None) -> float:
    """Root of the sum of squares, over clusters if there are any."""
    total = influence if cluster is None else np.bincount(cluster, influence)
    return float((total**2).sum() ** 0.5)


def clopper_pearson(count: float, n: float, confidence: float) -> tuple[float, float]:
    """Exact interval of a share (Clopper & Pearson 1934)."""
    tail = (1 - confidence) / 2
    low = float(scipy.stats.beta.ppf(tail, count, n - count + 1)) if count > 0 else 0.0
    high = float(scipy.stats.beta.isf(tail, count + 1, n - count)) if count < n else 1.0
    return low, high


def rate_interval(outcome: np.ndarray, cluster: np.ndarray | None, confidence: float) -> tuple[float, float]:
    """Clopper-Pearson's interval for as many independent rows as tell as much (Korn & Graubard 1998)."""
    share, error = rate(outcome, cluster)
    independent = (share * (1 - share) / len(outcome)) ** 0.5
    rows = len(outcome) * min((independent / error) ** 2, 1.0) if error > 0 else len(outcome)
    return clopper_pearson(share * rows, rows, confidence)


def normal_interval(estimate: float, error: float, confidence: float) -> tuple[float, float]:
    """Estimate plus and minus a normal quantile of its standard error."""
    z = float(scipy.stats.norm.isf((1 - confidence) / 2))
    return estimate - z * error, estimate + z * error


def auc_of_groups(outcome: np.ndarray, group: np.ndarray) -> tuple[float, float]:
    """AUC of ranking by the rate of yes in each row's group 0 ... k - 1, and its standard error; shapes (n,).

    The rates are those of every other row, the ranking is judged on the rows between.

    Raises
    ------
    ValueError : fewer than two outcomes of a kind among the rows that judge.
    """
    groups = int(group.max()) + 1
    yes = np.bincount(group[::2], outcome[::2], minlength=groups)
    rows = np.bincount(group[::2], minlength=groups)
    share = np.where(rows > 0, yes / np.maximum(rows, 1), outcome[::2].mean())
    return auc(outcome[1::2], share[group[1::2]])
