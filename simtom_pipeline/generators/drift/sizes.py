"""Intended sizes of one target: how far what shows of it is from the reference population's."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from . import distances
from .ledger import LedgerPart, Numbers
from .reachable import Factors, WholeNumbers

Sizes = dict[str, Any]
"""Columns `intended_*` of drift_ledger_daily."""


def size_of_shares(shares: np.ndarray, reference: Numbers) -> Sizes:
    """Of shares (k,) against the reference population's."""
    stated = np.array(reference)
    return {
        "intended_shares": tuple(map(float, shares)),
        "intended_psi": distances.psi(shares, stated),
        "intended_ks": distances.ks(shares, stated),
        "intended_hellinger": distances.hellinger(shares, stated),
        "intended_w1": distances.total_variation(shares, stated),
    }


def size_of_rate(rate: float, reference: Numbers) -> Sizes:
    """Of the rate of an outcome, whose bins are no and yes."""
    return {**size_of_shares(np.array([1 - rate, rate]), reference), "intended_mean": rate}


def size_of_factor(
    numbers: WholeNumbers, per_unit: float, factors: Factors, weights: Sequence[np.ndarray], has_bins: bool
) -> Sizes:
    """Of numbers under each possible factor, with the weights of their values there."""
    found = {"mean": numbers.mean(factors, weights) / per_unit}
    found |= numbers.distances(factors, weights)
    if not has_bins:
        return {f"intended_{size}": found[size] for size in ("mean", "ks", "w1")}
    shares = numbers.shares(factors, weights)
    return {
        "intended_shares": tuple(map(float, shares)),
        **{f"intended_{size}": value for size, value in found.items()},
    }


def size_of_exponential(before: float, ledger: LedgerPart, means: Sequence[tuple[float, float]]) -> Sizes:
    """Of a mixture of exponential laws, means with probabilities, against the one with mean `before`."""
    mean = sum(c * m for m, c in means)
    found: Sizes = {"intended_mean": mean, "intended_w1": abs(mean - before)}
    if before == 0:
        return found

    def below(at: np.ndarray) -> np.ndarray:
        return np.sum([c * (-np.expm1(-at / m) if m > 0 else np.ones(len(at))) for m, c in means], axis=0)

    shares = np.diff(below(np.array(ledger.bin_edges)), prepend=0.0, append=1.0)
    grid = np.linspace(0, 20 * max(before, *(m for m, _ in means)), distances.GRID)[1:]
    gap = np.abs(below(grid) + np.expm1(-grid / before))
    return {**size_of_shares(shares, ledger.reference_shares), **found, "intended_ks": float(gap.max())}


def exponential_bins(mean: float) -> tuple[Numbers, Numbers]:
    """Inner edges at the deciles of the exponential law of that mean, and the shares between them."""
    tenths = np.arange(1, distances.BINS) / distances.BINS
    return tuple(map(float, -mean * np.log1p(-tenths))), (1 / distances.BINS,) * distances.BINS
