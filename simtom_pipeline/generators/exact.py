"""Figures that neither the number of threads, nor the width of vectors, nor a library's last digit moves.

A sum of floats depends on the order of its terms, and a matrix product on the machine. Here sums are sums
of whole numbers, whose order does not matter, and a solved parameter is rounded a million times more
coarsely than the last digits of what it is solved from can move it. Nothing that is simulated comes from
BLAS or LAPACK.
"""

from collections.abc import Callable, Sequence
from functools import cache
from math import frexp, ldexp, sqrt

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit

DECIMALS = 9
"""Of a solved parameter."""
STEP = 10.0**-DECIMALS
STEADY_DECIMALS = 12
"""Of a figure of moderate size that is worked out in one go."""
WORD = 62
SMALLEST = 1e-200
MIN_PIVOT = 1e-9


def exact_sum(values: np.ndarray) -> float:
    """Sum of numbers in any order, shape (n,), by whole multiples of a power of two.

    Of each number two words of `62 - log2(n)` bits are counted, from the highest bit of the largest on.
    """
    if len(values) == 0:
        return 0.0
    bits = WORD - len(values).bit_length()
    _, exponent = frexp(max(float(values.max()), -float(values.min()), SMALLEST))
    rest = values * 2.0 ** (bits - exponent)
    high = np.rint(rest)
    rest -= high
    rest *= 2.0**bits
    low = np.rint(rest, out=rest)
    total = (int(high.astype(np.int64).sum()) << bits) + int(low.astype(np.int64).sum())
    return ldexp(total, exponent - 2 * bits)


def exact_mean(values: np.ndarray) -> float:
    """Mean of numbers in any order, shape (n,)."""
    return exact_sum(values) / len(values)


def steady(value: float | np.ndarray) -> np.ndarray:
    """To twelve decimals, the shape of `value`: what is stated in few digits is met exactly.

    So 100 cents times exp(log(1.25)) are 125, however the exponential rounds.
    """
    return np.round(value, STEADY_DECIMALS)


def rounded_root(excess: Callable[[float], float], low: float, high: float) -> float:
    """The root of a function between `low` and `high`, to nine decimals.

    Where a root finder stops depends on its way. What decides are the signs halfway between multiples of
    `STEP`: they depend on the root alone.
    """
    excess = cache(excess)
    nearest = round(root(excess, low, high, STEP) / STEP)
    rising = excess(high) > excess(low)

    def is_passed(multiple: int) -> bool:
        halfway = (multiple + 0.5) * STEP
        return halfway >= high or (halfway > low and (excess(halfway) >= 0) == rising)

    below, above, stride = nearest - 1, nearest, 1
    while is_passed(below):
        below, above, stride = below - stride, below, 2 * stride
    while not is_passed(above):
        below, above, stride = above, above + stride, 2 * stride
    while above - below > 1:
        middle = (below + above) // 2
        below, above = (below, middle) if is_passed(middle) else (middle, above)
    return round(above * STEP, DECIMALS)


def root(excess: Callable[[float], float], low: float, high: float, tolerance: float = 1e-14) -> float:
    """A root of a function between `low` and `high`, found by Brent's method."""
    return float(brentq(excess, low, high, xtol=tolerance))


def intercept_of_rate(rest: np.ndarray, rate: float, weight: np.ndarray) -> float:
    """What has to be added to log-odds for a weighted mean probability of `rate`; arrays of shape (n,)."""
    return rounded_root(lambda a: exact_mean(weight * (expit(a + rest) - rate)), -40.0, 40.0)


def correlated(matrix: np.ndarray, independent: Sequence[np.ndarray]) -> np.ndarray:
    """Normals with a correlation matrix of shape (k, k), from k independent ones; shape (k, n)."""
    rows = []
    for weights in lower_factor(matrix):
        terms = [weight * normal for weight, normal in zip(weights, independent, strict=False)]
        rows.append(sum(terms[1:], start=terms[0]))
    return np.stack(rows)


def lower_factor(matrix: np.ndarray) -> list[list[float]]:
    """Rows of the Cholesky factor of a matrix of shape (k, k), each up to the diagonal.

    Raises
    ------
    ArithmeticError : the matrix is not positive definite.
    """
    rows: list[list[float]] = []
    for i in range(len(matrix)):
        row: list[float] = []
        for j in range(i + 1):
            rest = float(matrix[i, j]) - sum(a * b for a, b in zip(row, [*rows, row][j], strict=False))
            if i == j and rest <= MIN_PIVOT:
                raise ArithmeticError("the matrix is not positive definite")
            row.append(sqrt(rest) if i == j else rest / rows[j][j])
        rows.append(row)
    return rows
