"""Checks of how many events landed, and at which hours: what the scenario's intensity says."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from ...simulation import Simulation
from ...validation.counts import VolumeTest, compare_hours, compare_volume
from ...validation.decisions import (
    Finding,
    Row,
    Verdict,
    alpha_per_day,
    exactness,
    holm,
    logical,
    magnitude,
    worst,
)
from .. import queries
from ..check import Check
from ..history import LandedHistory

VOLUME = "Each day's count, their sum, their spread and their independence are what the intensity says."
HOURS = "The hours of the day get the shares that the intensity gives them."
FANO_TOLERANCE = 0.05
AUTOCORRELATION_TOLERANCE = 0.02


def checks(simulation: Simulation) -> Iterator[Check]:
    """Of the arrivals: how many, and at which hours."""
    table = simulation.relations.event_table
    yield Check(table, "daily_volume", VOLUME, daily_volume, family="volume")
    yield Check(table, "hour_of_day", HOURS, hour_of_day, family="hours")


@dataclass(frozen=True)
class RareDay:
    """A day whose count its law all but rules out; `simulated` is what is drawn for it."""

    date: date
    count: int
    expected: float
    p_value: float
    simulated: int

    @property
    def is_broken(self) -> bool:
        """Whether chance cannot have made it: other events landed than were drawn, or it cannot occur."""
        return self.count != self.simulated or self.p_value == 0

    @property
    def row(self) -> Row:
        """The day in a table of findings."""
        return {
            "day": str(self.date),
            "count": self.count,
            "expected": round(self.expected, 2),
            "simulated": self.simulated,
            "p_value": self.p_value,
            "is": "broken" if self.is_broken else "improbable, but what is drawn for the day",
        }


def daily_volume(history: LandedHistory) -> Finding:
    """Each day's count, their sum, their spread and their independence are what the intensity says."""
    arrivals, days = history.expectations.arrivals, history.days
    counts = queries.counts_per_day(history.connection, history.name, history.relations.events, days)
    expected = np.array([arrivals.expected_count(day) for day in days])
    dispersion = np.array([arrivals.dispersion(day) for day in days])
    test = compare_volume(counts, expected, dispersion, arrivals.correlation_of_days())
    rare = _rare_days(history, counts, expected, test.p_value)
    of_all_days, figures = _all_days(history, test)
    broken = sum(day.is_broken for day in rare)
    summary = f"{int(counts.sum())} events where {expected.sum():.1f} are expected; {broken} broken days"
    if improbable := len(rare) - broken:
        summary += f", {improbable} improbable but as drawn"
    return Finding(
        worst([verdict_of_days(rare, history.scenario.checks.family_wise_error, len(days)), *of_all_days]),
        summary,
        {"days": len(days), "count": int(counts.sum()), "expected": float(expected.sum()), **figures},
        tuple(day.row for day in rare),
    )


def _rare_days(
    history: LandedHistory, counts: np.ndarray, expected: np.ndarray, p_value: np.ndarray
) -> list[RareDay]:
    """Days below their share of the family-wise error, each drawn again; all arrays of shape (days,)."""
    below = p_value < alpha_per_day(history.scenario.checks.family_wise_error, len(p_value))
    return [
        RareDay(
            history.days[n],
            int(counts[n]),
            float(expected[n]),
            float(p_value[n]),
            len(history.expectations.day(history.days[n]).event_time),
        )
        for n in np.flatnonzero(below)
    ]


def verdict_of_days(rare: Sequence[RareDay], family_wise: float, days: int) -> Verdict:
    """A broken day fails. One that was drawn like that is chance, and says so; two are not.

    Neither is one as improbable as two together.
    """
    if any(day.is_broken for day in rare) or len(rare) > 1:
        return Verdict.FAILED
    if any(day.p_value < alpha_per_day(family_wise**2, days) for day in rare):
        return Verdict.FAILED
    return Verdict.INCONCLUSIVE if rare else Verdict.PASSED


def _all_days(history: LandedHistory, test: VolumeTest) -> tuple[list[Verdict], dict[str, float]]:
    """Verdicts on sum, spread and independence, and their figures."""
    tolerances = history.scenario.checks
    fano_p, correlation_p = (float(p) for p in holm([test.fano_p, test.autocorrelation_p]))
    verdicts = [
        magnitude(test.inner, test.outer, 1.0, tolerances.volume_tolerance),
        exactness(fano_p, abs(test.fano - 1), FANO_TOLERANCE, history.alpha),
        exactness(correlation_p, abs(test.autocorrelation), AUTOCORRELATION_TOLERANCE, history.alpha),
    ]
    return verdicts, {
        "ratio": test.ratio,
        "ratio_low_90": test.inner[0],
        "ratio_high_90": test.inner[1],
        "ratio_tolerance": tolerances.volume_tolerance,
        "fano": test.fano,
        "fano_p": fano_p,
        "autocorrelation": test.autocorrelation,
        "autocorrelation_p": correlation_p,
        "alpha_per_day": alpha_per_day(tolerances.family_wise_error, len(test.p_value)),
    }


def hour_of_day(history: LandedHistory) -> Finding:
    """The hours of the day get the shares that the intensity gives them."""
    tolerances, arrivals = history.scenario.checks, history.expectations.arrivals
    counts = queries.counts_per_hour(history.connection, history.name, history.relations.events)
    by_day = np.array([arrivals.expected_by_hour(day) for day in history.days])
    expected = by_day.sum(axis=0)
    dispersions = [arrivals.dispersion(day) for day in history.days]
    rows = tuple(
        {"hour": hour, "count": int(counts[hour]), "expected": round(float(expected[hour]), 1)}
        for hour in range(24)
    )
    if not any(dispersions):  # evenly spaced: an hour is never off by more than one event a day
        off = int((np.abs(counts - expected) > len(history.days)).sum())
        return logical(off, "evenly spaced events fill each hour", rows)
    if expected.sum() == 0:
        return logical(int(counts.sum()), "no event is expected and none came")
    if counts.sum() == 0:
        return Finding(
            Verdict.INCONCLUSIVE, f"no event where {expected.sum():.1f} are expected", {"n": 0}, rows
        )
    if closed := int(counts[expected == 0].sum()):
        return logical(closed, "no event comes in an hour without intensity", rows)
    effect, p_value = compare_hours(counts, expected, float(np.mean(dispersions)))
    verdict = exactness(p_value, effect, tolerances.share_tolerance, history.alpha)
    figures = {
        "n": int(counts.sum()),
        "total_variation": effect,
        "tolerance": tolerances.share_tolerance,
        "p_value": p_value,
    }
    return Finding(verdict, f"total variation {effect:.4f} from the expected hours", figures, rows)
