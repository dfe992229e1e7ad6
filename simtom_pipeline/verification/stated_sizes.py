"""Does the ledger of drift say what the scenario states? No landed event is looked at here.

A size is stated of a drift by itself: it is compared with what is intended of the drift alone, and with the
ledger on days on which that drift has its whole weight and no other acts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import log
from typing import Any

import numpy as np

from ..scenarios.base import OUTCOME_RATE
from ..scenarios.drifts import Effect
from ..validation.drift import hellinger, psi
from .queries import LedgerEntry

Rows = Sequence[dict[str, Any]]

SIZE_TOLERANCE, PARAMETER_TOLERANCE = 0.2, 1e-3
"""Relative: of sizes of numbers, which land in lumps, and of everything else."""
SAME = 1e-6


@dataclass(frozen=True)
class Intended:
    """Rows of drift_ledger_daily of one target of one drift.

    Attributes
    ----------
    every : all of them.
    undisturbed : those of days on which the drift acts and nothing else moves the target's distribution.
    alone : those of days on which the drift has its whole weight and no other drift acts, and first what
        the scenario would intend if it had no other.
    without : those of days on which no drift acts, first as well.
    """

    every: Rows
    undisturbed: Rows
    alone: Rows
    without: Rows


@dataclass(frozen=True)
class StatedSize:
    """A size that the scenario states, and what the ledger makes of it."""

    name: str
    stated: float
    found: float
    tolerance: float

    @property
    def is_met(self) -> bool:
        """Whether they are the same within the tolerance."""
        return abs(self.found - self.stated) <= self.tolerance


def contradictions(entry: LedgerEntry, intended: Intended) -> int:
    """Days whose parameter, or whose intended shares, are not what the ledger says of the whole drift.

    One more where the ledger says something else of it than the scenario.
    """
    after, before = np.array(entry.after), np.array(entry.before)
    whole = [intended.alone[0], *(row for row in intended.every if row["w"] == 1)]
    wrong = sum(not np.allclose(row["parameter"], after, atol=SAME) for row in whole)
    if len(after) != len(entry.categories):
        return wrong
    return wrong + sum(
        not np.allclose(row["intended_shares"], before + row["w"] * (after - before), atol=SAME)
        for row in intended.undisturbed
    )


@dataclass(frozen=True)
class Statement:
    """An effect that a scenario states of a target, and the ledger's entry for it."""

    effect: Effect
    entry: LedgerEntry
    intended: Intended

    def sizes(self) -> Iterator[StatedSize]:
        """Every size that it states and that the ledger shows."""
        for name, stated in self.effect.sizes.items():
            if name == "shares":
                shares = [stated.get(value, 0.0) for value in self.entry.categories]
                yield StatedSize(name, 0.0, float(np.abs(np.array(self.entry.after) - shares).max()), SAME)
                continue
            wanted = log(stated) if name == "mean_ratio" else float(stated)
            if found := list(self._found(name)):
                worst = max(found, key=lambda value: abs(value - wanted))
                yield StatedSize(name, wanted, worst, self._tolerance(name) * abs(wanted) + SAME)

    @cached_property
    def _is_of_numbers(self) -> bool:
        return self.entry.kind == "covariate" and not self.entry.categories

    def _tolerance(self, name: str) -> float:
        return SIZE_TOLERANCE if self._is_of_numbers and name != "to" else PARAMETER_TOLERANCE

    def _found(self, name: str) -> Iterator[float]:
        entry, alone = self.entry, self.intended.alone
        if name == "to" or (name == OUTCOME_RATE and entry.kind == "prior"):
            yield entry.after[0]
        if name in ("psi", "hellinger") and entry.categories:
            distance = {"psi": psi, "hellinger": hellinger}[name]
            yield distance(np.array(entry.after), np.array(entry.reference_shares))
        if name == "mean_ratio":
            yield from self._mean_ratio()
        elif name != "to":
            column = "expected_default_rate" if name == OUTCOME_RATE else f"intended_{name}"
            yield from (row[column] for row in alone)

    def _mean_ratio(self) -> Iterator[float]:
        """Its logarithm: of the means where they are of the target alone, otherwise of the parameters."""
        if not self._is_of_numbers:
            yield log(self.entry.after[0] / self.entry.before[0])
            return
        for row, without in zip(self.intended.alone, self.intended.without, strict=False):
            yield log(row["intended_mean"] / without["intended_mean"])
