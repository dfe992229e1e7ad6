"""Is a yes-or-no outcome drawn with the probability that was declared, and does nothing else give it away?

Given its probability p an outcome is a coin of its own: over any group of rows that is formed without
looking at outcomes, their sum has mean sum(p) and variance sum(p (1 - p)), and nothing is estimated.
"""

from dataclasses import dataclass

import numpy as np
from scipy import special

from .laws import gamma_tails, normal_quantile_above, normal_tail

MIN_VARIANCE = 10.0
"""Neighbouring groups are pooled until the variance of the sum of their outcomes is about this."""
TOO_FEW_FOR_AN_AUC = "an AUC needs two outcomes of each kind"


@dataclass(frozen=True)
class Totals:
    """Sums over rows that each have an outcome (0 or 1) and the probability p that it was drawn with.

    Attributes
    ----------
    rows, yes, expected : how many they are, how many of them are 1, and the sum of p.
    variance, skewness : sums of p (1 - p) and p (1 - p) (1 - 2 p).
    impossible : how many have an outcome that their probability rules out.
    """

    rows: int
    yes: float
    expected: float
    variance: float
    skewness: float
    impossible: int


@dataclass(frozen=True)
class GroupSums:
    """The same sums over each of k groups of rows, shapes (k,)."""

    rows: np.ndarray
    yes: np.ndarray
    expected: np.ndarray
    variance: np.ndarray
    impossible: np.ndarray


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


def compare_groups(sums: GroupSums) -> GroupTest:
    """Compare outcomes with their probabilities over groups, pooled with their neighbours where small."""
    pool = _pool(sums.variance)
    variance, yes, expected = (np.bincount(pool, of) for of in (sums.variance, sums.yes, sums.expected))
    varies = variance > 0
    z = (yes - expected)[varies] / np.sqrt(variance[varies])
    p_value = 0.0 if sums.impossible.any() else excess_p(z, variance[varies])
    return GroupTest(yes, expected, np.bincount(pool, sums.rows).astype(np.int64), p_value)


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
    return gamma_tails(float((z**2).sum()), len(z), spread)[1]


def total_p(totals: Totals) -> float:
    """Two-sided p-value of the number of outcomes given their probabilities.

    Poisson-binomial by a skewed normal of the same three moments (Cornish & Fisher 1938, first order).
    """
    if totals.impossible:
        return 0.0
    if totals.variance == 0:
        return 1.0
    skew = totals.skewness / totals.variance**1.5
    z = (totals.yes - totals.expected) / totals.variance**0.5
    return min(2 * normal_tail(abs(z - skew * (z**2 - 1) / 6)), 1.0)


def auc(yes: np.ndarray, no: np.ndarray) -> tuple[float, float]:
    """Area under the ROC curve and its standard error, given how many of each kind a score's levels have.

    Levels ascend, shapes (k,). Standard error: DeLong, DeLong & Clarke-Pearson 1988.

    Raises
    ------
    ValueError : fewer than two outcomes of a kind.
    """
    m, n = yes.sum(), no.sum()
    if m < 2 or n < 2:
        raise ValueError(TOO_FEW_FOR_AN_AUC)
    beats = (np.cumsum(no) - no / 2) / n  # share of the no's that a yes of this level ranks above
    beaten = 1 - (np.cumsum(yes) - yes / 2) / m  # share of the yes's that rank above a no of this level
    area = float((yes * beats).sum() / m)
    squares = yes * ((beats - area) / (m - 1)) ** 2 + no * ((beaten - area) / (n - 1)) ** 2
    return area, float(squares.sum() ** 0.5)


def auc_of_scores(outcome: np.ndarray, score: np.ndarray) -> tuple[float, float]:
    """`auc` of a score, shapes (n,)."""
    level = np.unique(score, return_inverse=True)[1]
    yes = np.bincount(level, outcome)
    return auc(yes, np.bincount(level) - yes)


def clopper_pearson(count: float, n: float, confidence: float) -> tuple[float, float]:
    """Exact interval of a share (Clopper & Pearson 1934)."""
    tail = (1 - confidence) / 2
    low = float(special.betaincinv(count, n - count + 1, tail)) if count > 0 else 0.0
    high = float(special.betainccinv(count + 1, n - count, tail)) if count < n else 1.0
    return low, high


def rate_interval(share: float, error: float, rows: int, confidence: float) -> tuple[float, float]:
    """Clopper-Pearson's interval for as many independent rows as tell as much (Korn & Graubard 1998).

    `error` is the standard error of the share, which is larger where rows depend on each other.
    """
    independent = (share * (1 - share) / max(rows, 1)) ** 0.5
    telling = rows * min((independent / error) ** 2, 1.0) if error > 0 else rows
    return clopper_pearson(share * telling, telling, confidence)


def normal_interval(estimate: float, error: float, confidence: float) -> tuple[float, float]:
    """Estimate plus and minus a normal quantile of its standard error."""
    z = normal_quantile_above((1 - confidence) / 2)
    return estimate - z * error, estimate + z * error


def auc_of_groups(ranking: GroupSums, judging: GroupSums) -> tuple[float, float]:
    """AUC of ranking groups by their rate of yes, and its standard error.

    Some rows of each of k groups rank it, the others judge the ranking.

    Raises
    ------
    ValueError : fewer than two outcomes of a kind among the rows that judge.
    """
    overall = ranking.yes.sum() / max(ranking.rows.sum(), 1)
    share = np.where(ranking.rows > 0, ranking.yes / np.maximum(ranking.rows, 1), overall)
    level = np.unique(share, return_inverse=True)[1]
    yes = np.bincount(level, judging.yes)
    return auc(yes, np.bincount(level, judging.rows) - yes)
