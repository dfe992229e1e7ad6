"""Checks of outcomes that were drawn with a known probability: calibration, rate, Bayes AUC, leakage."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from ...claims import DeclaredOutcome
from ...landing import count_rows
from ...moments import day_number, day_of
from ...simulation import Simulation
from ...validation.decisions import Finding, Verdict, exactness, holm, logical, magnitude, worst
from ...validation.outcomes import (
    MAX_GROUPS,
    auc,
    auc_of_groups,
    compare_groups,
    normal_interval,
    quantile_groups,
    rate_interval,
    total_p,
)
from .. import queries
from ..check import Check
from ..history import LandedHistory

MIN_OUTCOMES = 25
"""Below, outcomes cannot be judged."""
LEAKAGE = """No public column knows more than the true probability, as far as groups of like values show.

Given the probability, the outcome is independent of every column that was there before it; and no
such column ranks better.
"""
SAME_AUC_Z = 5.0


def checks(simulation: Simulation) -> Iterator[Check]:
    """Of every declared outcome; what several share a table for carries the outcome in its name."""
    declared = simulation.generator.declared_outcomes()
    places = [(_table_of(name, one), name) for one in declared for name in OUTCOME_CHECKS]
    for one in declared:
        for name, (meaning, find, has_family) in OUTCOME_CHECKS.items():
            table = _table_of(name, one)
            called = name if places.count((table, name)) == 1 else f"{name}_of_{one.column}"
            family = f"{name} of {one.table}.{one.column}" if has_family else ""
            yield Check(table, called, meaning, partial(_find, declared=one, find=find), family=family)


def _table_of(name: str, declared: DeclaredOutcome) -> str:
    """A rate is that of the outcome's table, everything else is said of its true probability."""
    return declared.table if name == "outcome_rate" else declared.truth


@dataclass
class Outcomes:
    """The landed draws of one declared outcome, in the order of their key."""

    history: LandedHistory
    declared: DeclaredOutcome

    @cached_property
    def _rows(self) -> queries.DrawnOutcomes:
        return self.history.outcomes(self.declared)

    @property
    def drawn(self) -> tuple[np.ndarray, np.ndarray]:
        """Outcome (0 or 1) and the probability it was drawn with, shapes (n,)."""
        return self._rows.outcome, self._rows.probability

    @property
    def cluster(self) -> np.ndarray:
        """Number of each row's cluster, shape (n,)."""
        return self._rows.cluster

    @cached_property
    def expected_rate(self) -> float:
        """Expected share of yes among the landed rows."""
        days, rows = np.unique(self._rows.day, return_counts=True)
        rates = [self.declared.rate(day_of(day)) for day in days]
        return float(np.average(rates, weights=rows))

    @cached_property
    def before_drift(self) -> np.ndarray:
        """Rows of the days before any drift, a mask of shape (n,)."""
        first = self.declared.drifts_from
        rows: np.ndarray = self._rows.day < (np.inf if first is None else day_number(first))
        return rows

    @property
    def unusable(self) -> Finding | None:
        """What to say where events have not one outcome and probability each, or too few are expected."""
        outcome, probability = self.drawn
        wrong = int((~((probability >= 0) & (probability <= 1)) | np.isnan(outcome)).sum())
        wrong += len(outcome) - count_rows(
            self.history.connection, self.history.name, self.history.events_of(self.declared).name
        )
        if wrong:
            return logical(wrong, "every event has one outcome, and one probability between 0 and 1")
        expected = min(float(probability.sum()), float((1 - probability).sum()))
        return self._too_few() if expected < MIN_OUTCOMES else None

    @property
    def unrankable(self) -> Finding | None:
        """The same, or that too few are there to tell how well something ranks them."""
        yes = self.drawn[0].sum()
        few = min(yes, len(self.drawn[0]) - yes) < MIN_OUTCOMES
        return self.unusable or (self._too_few() if few else None)

    def _too_few(self) -> Finding:
        outcome, probability = self.drawn
        count, expected = int(outcome.sum()), float(probability.sum())
        return Finding(
            Verdict.INCONCLUSIVE,
            f"{count} of {len(outcome)} where {expected:.1f} are expected: too few to tell",
            {"n": len(outcome), "count": count, "expected": expected},
        )

    def over_the_reference(
        self, verdict: Verdict, summary: str, figures: Mapping[str, float | int | str]
    ) -> Finding:
        """A finding about what is stated for the reference population only."""
        if self.declared.is_reference or verdict is not Verdict.FAILED:
            return Finding(verdict, summary, figures)
        summary += " for a stationary population, which this scenario's is not"
        return Finding(Verdict.INCONCLUSIVE, summary, figures)


def declared_probability(outcomes: Outcomes) -> Finding:
    """Outcomes are coins with their declared probability: in total, and over groups of like probability."""
    if unusable := outcomes.unusable:
        return unusable
    outcome, probability = outcomes.drawn
    groups = compare_groups(outcome, probability, quantile_groups(probability))
    total, grouped = holm([total_p(outcome, probability), groups.p_value])
    # Any misfit is an error: the tolerance is zero.
    verdict = worst([exactness(p, 1.0, 0.0, outcomes.history.alpha) for p in (total, grouped)])
    rows = tuple(
        {"rows": int(n), "expected": round(float(e), 2), "count": int(o)}
        for n, e, o in zip(groups.rows, groups.expected, groups.observed, strict=True)
    )
    return Finding(
        verdict,
        f"{int(outcome.sum())} of {len(outcome)} where {probability.sum():.1f} are expected",
        {
            "n": len(outcome),
            "count": int(outcome.sum()),
            "expected": float(probability.sum()),
            "total_p": float(total),
            "groups_p": float(grouped),
        },
        rows,
    )


def outcome_rate(outcomes: Outcomes) -> Finding:
    """The share of yes is what the scenario states, within `rate_tolerance` of it."""
    if unusable := outcomes.unusable:
        return unusable
    outcome, _ = outcomes.drawn
    count, n, target = int(outcome.sum()), len(outcome), outcomes.expected_rate
    inner, outer = (rate_interval(outcome, outcomes.cluster, confidence) for confidence in (0.90, 0.999))
    tolerance = outcomes.history.scenario.checks.rate_tolerance * target
    return outcomes.over_the_reference(
        magnitude(inner, outer, target, tolerance),
        f"{count / n:.4%} where {target:.4%} is stated",
        {
            "n": n,
            "rate": count / n,
            "low_90": inner[0],
            "high_90": inner[1],
            "expected": target,
            "tolerance": tolerance,
        },
    )


def bayes_auc(outcomes: Outcomes) -> Finding:
    """Before any drift, ranking by the true probability reaches the AUC that the scenario states."""
    if unusable := outcomes.unrankable:
        return unusable
    outcome, probability = (values[outcomes.before_drift] for values in outcomes.drawn)
    if min(outcome.sum(), (1 - outcome).sum()) < MIN_OUTCOMES:
        count = int(outcome.sum())
        return Finding(Verdict.INCONCLUSIVE, f"{count} of {len(outcome)} before any drift: too few to tell")
    cluster = np.unique(outcomes.cluster[outcomes.before_drift], return_inverse=True)[1]
    estimate, error = auc(outcome, probability, cluster)
    inner, outer = (normal_interval(estimate, error, confidence) for confidence in (0.90, 0.999))
    target, tolerance = outcomes.declared.auc, outcomes.history.scenario.checks.auc_tolerance
    return outcomes.over_the_reference(
        magnitude(inner, outer, target, tolerance),
        f"AUC {estimate:.4f} where {target:.4f} is stated",
        {
            "n": len(outcome),
            "auc": estimate,
            "low_90": inner[0],
            "high_90": inner[1],
            "expected": target,
            "tolerance": tolerance,
        },
    )


def leakage(outcomes: Outcomes) -> Finding:
    """No public column knows more than the true probability, as far as groups of like values show.

    Given the probability, the outcome is independent of every column that was there before it; and no
    such column ranks better.
    """
    if unusable := outcomes.unrankable:
        return unusable
    outcome, probability = outcomes.drawn
    ceiling, ceiling_error = auc(outcome, probability)
    names, p_values, scores = [], [], []
    for name, values in queries.public_columns(
        outcomes.history.connection, outcomes.history.name, outcomes.declared
    ):
        if len(values) != len(outcome):
            surplus = abs(len(values) - len(outcome))
            return logical(surplus, f"the relation of {name} has one row an event")
        group = quantile_groups(values) if values.max() >= MAX_GROUPS else values
        names.append(name)
        p_values.append(compare_groups(outcome, probability, group).p_value)
        scores.append(auc_of_groups(outcome, group))
    adjusted = holm(p_values)
    verdicts = [
        worst(
            [
                exactness(p, 1.0, 0.0, outcomes.history.alpha),
                Verdict.FAILED
                if score - ceiling > SAME_AUC_Z * (error**2 + ceiling_error**2) ** 0.5
                else Verdict.PASSED,
            ]
        )
        for p, (score, error) in zip(adjusted, scores, strict=True)
    ]
    rows = sorted(
        (
            {"column": name, "adjusted_p": float(p), "auc": round(score, 4), "verdict": verdict.value}
            for name, p, (score, _), verdict in zip(names, adjusted, scores, verdicts, strict=True)
        ),
        key=lambda row: -float(row["auc"]),
    )
    failed = [str(row["column"]) for row in rows if row["verdict"] == Verdict.FAILED.value]
    return Finding(
        worst(verdicts),
        f"{len(failed)} of {len(rows)} public columns know more than the probability"
        + (f": {', '.join(failed)}" if failed else ""),
        {"n": len(outcome), "columns": len(rows), "failed": len(failed), "auc_of_probability": ceiling},
        tuple(rows),
    )


OUTCOME_CHECKS: Mapping[str, tuple[str, Callable[[Outcomes], Finding], bool]] = {
    "outcome_rate": (
        "The share of yes is what the scenario states, within `rate_tolerance` of it.",
        outcome_rate,
        False,
    ),
    "declared_probability": (
        "Outcomes are coins with their declared probability: in total, and over groups of like probability.",
        declared_probability,
        True,
    ),
    "bayes_auc": (
        "Before any drift, ranking by the true probability reaches the AUC that the scenario states.",
        bayes_auc,
        False,
    ),
    "leakage": (LEAKAGE, leakage, True),
}
"""Meaning and function of each check of an outcome, and whether it is a family of tests of its own."""


def _find(history: LandedHistory, declared: DeclaredOutcome, find: Callable[[Outcomes], Finding]) -> Finding:
    return find(Outcomes(history, declared))
