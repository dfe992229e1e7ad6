"""Is a drift what its ledger says: in time, in place and in size?

Sizes are measured here from values alone, with the bins that the ledger states; schedules are worked out
again from what it says of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from .laws import normal_quantile_above

EMPTY_BIN = 1e-6
"""What an empty bin counts as in a PSI."""
MAX_REFERENCE_VALUES = 20_000
"""Of a longer reference so many order statistics, evenly spaced, are enough for a Wasserstein distance."""
FURTHEST_WIDTHS = 2.0


def scheduled_weight(
    schedule: str, first: date, last: date | None, width: float | None, period: float | None, day: date
) -> float:
    """Weight on `day` of a schedule, as drift_ledger states it."""
    elapsed = (day - first).days
    if schedule == "linear":
        whole = (last - first).days if last else 0
        return float(np.clip(elapsed / whole if whole else elapsed >= 0, 0.0, 1.0))
    if schedule == "pulse":
        return float(last is not None and first <= day <= last)
    if schedule == "gradual" and width:
        near = abs(elapsed) < FURTHEST_WIDTHS * width
        return float(1 / (1 + np.exp(-4 * elapsed / width))) if near else float(elapsed > 0)
    if schedule == "seasonal" and period:
        return float(np.sin(np.pi * elapsed / period) ** 2) if elapsed > 0 else 0.0
    return float(elapsed >= 0)


@dataclass(frozen=True)
class Size:
    """How far some rows are from the reference; None where it cannot be said."""

    shares: tuple[float, ...] | None
    mean: float | None
    psi: float | None
    ks: float | None
    hellinger: float | None
    w1: float | None


@dataclass(frozen=True)
class Bins:
    """How values are counted: by category code, or between inner edges, upper ones included."""

    categories: int
    edges: np.ndarray

    @property
    def count(self) -> int:
        """Number of bins; 0 if there are none."""
        return self.categories or (len(self.edges) + 1 if len(self.edges) else 0)

    def counts(self, values: np.ndarray) -> np.ndarray:
        """Rows in each bin, shape (count,)."""
        code = values.astype(np.int64) if self.categories else np.searchsorted(self.edges, values, "left")
        return np.bincount(code, minlength=self.count)


class Yardstick:
    """Measures days against a reference.

    `window` holds the values of the reference window, shape (m,); where it is empty, `stated` shares take
    their place and distances of numbers cannot be said.
    """

    def __init__(self, bins: Bins, window: np.ndarray, stated: np.ndarray, of_logarithm: bool) -> None:
        self.bins, self._log = bins, of_logarithm
        self._window = np.sort(window)
        self.reference = bins.counts(window) / len(window) if len(window) and bins.count else stated
        step = max(len(window) // MAX_REFERENCE_VALUES, 1)
        self._thinned = self._scaled(self._window[step // 2 :: step])

    def _scaled(self, values: np.ndarray) -> np.ndarray:
        return np.log(np.maximum(values, 1e-9)) if self._log else values

    def size(self, values: np.ndarray) -> Size:
        """Size of the drift of some rows, values of shape (n,)."""
        if len(values) == 0:
            return Size(None, None, None, None, None, None)
        if self.bins.categories:
            shares = self.bins.counts(values) / len(values)
            mean = float(values.mean()) if self.bins.categories == 2 else None
            gap = shares - self.reference
            return Size(
                tuple(map(float, shares)),
                mean,
                psi(shares, self.reference),
                float(np.abs(np.cumsum(gap)).max()),
                hellinger(shares, self.reference),
                float(np.abs(gap).sum() / 2),
            )
        mean = float(values.mean())
        if self.bins.count == 0:
            w1 = self._distance(values)
            return Size(None, mean, None, None, None, w1)
        shares = self.bins.counts(values) / len(values)
        return Size(
            tuple(map(float, shares)),
            mean,
            psi(shares, self.reference),
            two_sample_ks(np.sort(values), self._window) if len(self._window) else None,
            hellinger(shares, self.reference),
            self._distance(values),
        )

    def _distance(self, values: np.ndarray) -> float | None:
        if len(self._thinned) == 0:
            return None
        return wasserstein(np.sort(self._scaled(values)), self._thinned)


def psi(shares: np.ndarray, reference: np.ndarray) -> float:
    """Population stability index, shapes (k,)."""
    q, p = np.clip(shares, EMPTY_BIN, None), np.clip(reference, EMPTY_BIN, None)
    return float(((q - p) * (np.log(q) - np.log(p))).sum())


def hellinger(shares: np.ndarray, reference: np.ndarray) -> float:
    """Hellinger distance of shares, shapes (k,)."""
    return float(np.sqrt(((np.sqrt(shares) - np.sqrt(reference)) ** 2).sum() / 2))


def two_sample_ks(values: np.ndarray, reference: np.ndarray) -> float:
    """Largest difference of two empirical distribution functions; both ascending, shapes (n,) and (m,)."""
    at = np.concatenate([values, reference[:: max(len(reference) // MAX_REFERENCE_VALUES, 1)]])
    below = np.searchsorted(values, at, "right") / len(values)
    return float(np.abs(below - np.searchsorted(reference, at, "right") / len(reference)).max())


def wasserstein(values: np.ndarray, reference: np.ndarray) -> float:
    """First Wasserstein distance of two samples; both ascending, shapes (n,) and (m,).

    SciPy's is a product of BLAS, whose last digits depend on the number of threads.
    """
    at = np.sort(np.concatenate([values, reference]))
    below = np.searchsorted(values, at[:-1], "right") / len(values)
    gap = np.abs(below - np.searchsorted(reference, at[:-1], "right") / len(reference))
    return float((gap * np.diff(at)).sum())


@dataclass(frozen=True)
class PsiEstimate:
    """A PSI freed of its bias, and its standard error."""

    value: float
    error: float

    def interval(self, confidence: float) -> tuple[float, float]:
        """Normal interval, from zero on."""
        z = normal_quantile_above((1 - confidence) / 2)
        return max(self.value - z * self.error, 0.0), max(self.value + z * self.error, 0.0)


def estimate_psi(counts: np.ndarray, reference: np.ndarray, reference_rows: float) -> PsiEstimate:
    """PSI of counts against reference shares, shapes (k,), that were themselves counted over some rows.

    Delta method: the gradient with respect to q is ln(q/p) + 1 - p/q, and the other way round for p. The
    bias (k - 1) (1/n + 1/m) is subtracted (Yurdakul & Naranjo 2020).
    """
    n = counts.sum()
    q, p = np.clip(counts / n, EMPTY_BIN, None), np.clip(reference, EMPTY_BIN, None)
    bias = (len(q) - 1) * (1 / n + 1 / reference_rows)
    to_q, to_p = np.log(q / p) + 1 - p / q, np.log(p / q) + 1 - q / p
    variance = _variance(to_q, q) / n + _variance(to_p, p) / reference_rows
    # Where nothing drifted the gradient vanishes; the spread is then that of the bias term.
    null = 2 * (len(q) - 1) * (1 / n + 1 / reference_rows) ** 2
    return PsiEstimate(psi(q, p) - bias, float((variance + null) ** 0.5))


def _variance(gradient: np.ndarray, shares: np.ndarray) -> float:
    return float((shares * gradient**2).sum() - (shares * gradient).sum() ** 2)


def blocks(rows: np.ndarray, weights: np.ndarray, least: float, most: int) -> list[np.ndarray]:
    """Days to judge together: consecutive days with weight above 0, cut into at most `most` like parts.

    `rows` and `weights` have shape (days,); each block has `least` rows at least if there are so many.
    """
    active = np.flatnonzero((weights > 0) & (rows > 0))
    total = rows[active].sum()
    parts = int(np.clip(total // least, 1, most)) if len(active) else 0
    if parts == 0:
        return []
    number = np.minimum((np.cumsum(rows[active]) - rows[active]) * parts // max(total, 1), parts - 1)
    return [active[number == part] for part in np.unique(number)]


def mean_of_blocks(values: Sequence[Sequence[float]], rows: np.ndarray) -> np.ndarray:
    """Mean over days weighted by their rows; values of shape (days, k), rows of shape (days,)."""
    return np.average(np.asarray(values, float), axis=0, weights=rows)
