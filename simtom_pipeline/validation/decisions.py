"""How a check decides: effect sizes with exact intervals and family-wise bounds, no naive p-values.

Logical claims allow no violation. Exactness claims fail on evidence *and* effect. Magnitude claims
pass inside their tolerance, fail clearly outside, and otherwise say that they cannot tell.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

Row = Mapping[str, str | int | float]


class Verdict(StrEnum):
    """What a check found out."""

    PASSED = "passed"
    INCONCLUSIVE = "inconclusive"
    FAILED = "failed"


@dataclass(frozen=True)
class Finding:
    """A verdict, why in one sentence, and the figures behind it."""

    verdict: Verdict
    summary: str
    figures: Mapping[str, float | int | str] = field(default_factory=dict)
    rows: tuple[Row, ...] = ()
    """A table of particulars: broken days, or one row a share."""


@dataclass(frozen=True)
class CheckLine:
    """What one check said, in a line; `table` is `<scenario>/<table>` or `<scenario>/truth/<table>`."""

    table: str
    name: str
    verdict: Verdict
    summary: str


def logical(violations: int, claim: str, rows: Sequence[Row] = ()) -> Finding:
    """A claim without exceptions: one violation is a failure."""
    verdict = Verdict.FAILED if violations else Verdict.PASSED
    return Finding(verdict, f"{claim}: {violations} violations", {"violations": violations}, tuple(rows))


def exactness(adjusted_p: float, effect: float, tolerance: float, alpha: float) -> Verdict:
    """Drawn from the declared law: fails if the evidence is strong and the effect matters."""
    return Verdict.FAILED if adjusted_p < alpha and effect > tolerance else Verdict.PASSED


def magnitude(
    inner: tuple[float, float], outer: tuple[float, float], target: float, tolerance: float
) -> Verdict:
    """A size: `inner` is the 90 % interval, `outer` the 99.9 % interval of the estimate."""
    low, high = target - tolerance, target + tolerance
    if low <= inner[0] and inner[1] <= high:
        return Verdict.PASSED
    if outer[1] < low or outer[0] > high:
        return Verdict.FAILED
    return Verdict.INCONCLUSIVE


def holm(p_values: Sequence[float]) -> np.ndarray:
    """Holm's adjusted p-values (Holm 1979): reject below alpha, and the family errs with at most alpha."""
    p = np.asarray(p_values, float)
    order = np.argsort(p)
    scaled = p[order] * np.arange(len(p), 0, -1)
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return adjusted


def alpha_per_day(family_wise: float, days: int) -> float:
    """1 - (1 - a)^(1/days): each day's share of the family-wise error over all days."""
    return float(-np.expm1(np.log1p(-family_wise) / days))


def worst(verdicts: Sequence[Verdict]) -> Verdict:
    """The gravest of several verdicts."""
    return max(verdicts, key=list(Verdict).index, default=Verdict.PASSED)
