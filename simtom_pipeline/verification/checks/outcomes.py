"""Checks of outcomes that were drawn with a known probability: calibration, rate, Bayes AUC, leakage."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from ...claims import DeclaredOutcome
from ...contracts import TableContract
from ...simulation import Simulation
from ...sql import quoted
from ...validation.decisions import Finding, Verdict, exactness, holm, logical, magnitude, worst
from ...validation.outcomes import (
    Totals,
    auc_of_groups,
    compare_groups,
    normal_interval,
    rate_interval,
    total_p,
)
from .. import queries
from ..check import Check
from ..draws import Draws
from ..groups import Halves, sums_by_column, sums_by_probability
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
    """The landed draws of one declared outcome."""

    history: LandedHistory
    declared: DeclaredOutcome

    @property
    def draws(self) -> Draws:
        """All of them."""
        return self.history.draws(self.declared)

    @property
    def totals(self) -> Totals:
        """Their sums."""
        return self.draws.totals

    @property
    def expected_rate(self) -> float:
        """Expected share of yes among the landed rows."""
        rows = self.draws.per_day
        return float(np.average([self.declared.rate(day) for day in rows], weights=list(rows.values())))

    @cached_property
    def before_drift(self) -> Draws:
        """Those of the days before any drift."""
        return self.draws.before(self.declared.drifts_from)

    @property
    def unusable(self) -> Finding | None:
        """What to say where events have not one outcome and probability each, or too few are expected."""
        events = self.history.relations.name_of(self.history.events_of(self.declared))
        surplus = self.totals.rows - self.history.count(f"SELECT count(*) FROM {events}")
        if wrong := self.draws.unusable + surplus:
            return logical(wrong, "every event has one outcome, and one probability between 0 and 1")
        expected = min(self.totals.expected, self.totals.rows - self.totals.expected)
        return self._too_few() if expected < MIN_OUTCOMES else None

    @property
    def unrankable(self) -> Finding | None:
        """The same, or that too few are there to tell how well something ranks them."""
        few = min(self.totals.yes, self.totals.rows - self.totals.yes) < MIN_OUTCOMES
        return self.unusable or (self._too_few() if few else None)

    def _too_few(self) -> Finding:
        count, n, expected = int(self.totals.yes), self.totals.rows, self.totals.expected
        return Finding(
            Verdict.INCONCLUSIVE,
            f"{count} of {n} where {expected:.1f} are expected: too few to tell",
            {"n": n, "count": count, "expected": expected},
        )

    def over_the_reference(
        self, verdict: Verdict, summary: str, figures: Mapping[str, float | int | str]
    ) -> Finding:
        """A finding about what is stated for the reference population only."""
        if self.declared.is_of_reference or verdict is not Verdict.FAILED:
            return Finding(verdict, summary, figures)
        summary += " for a stationary population, which this scenario's is not"
        return Finding(Verdict.INCONCLUSIVE, summary, figures)


def declared_probability(outcomes: Outcomes) -> Finding:
    """Outcomes are coins with their declared probability: in total, and over groups of like probability."""
    if unusable := outcomes.unusable:
        return unusable
    totals, groups = outcomes.totals, compare_groups(sums_by_probability(outcomes.draws))
    total, grouped = holm([total_p(totals), groups.p_value])
    # Any misfit is an error: the tolerance is zero.
    verdict = worst([exactness(p, 1.0, 0.0, outcomes.history.alpha) for p in (total, grouped)])
    rows = tuple(
        {"rows": int(n), "expected": round(float(e), 2), "count": int(o)}
        for n, e, o in zip(groups.rows, groups.expected, groups.observed, strict=True)
    )
    return Finding(
        verdict,
        f"{int(totals.yes)} of {totals.rows} where {totals.expected:.1f} are expected",
        {
            "n": totals.rows,
            "count": int(totals.yes),
            "expected": totals.expected,
            "total_p": float(total),
            "groups_p": float(grouped),
        },
        rows,
    )


def outcome_rate(outcomes: Outcomes) -> Finding:
    """The share of yes is what the scenario states, within `rate_tolerance` of it."""
    if unusable := outcomes.unusable:
        return unusable
    (share, error), n, target = outcomes.draws.rate, outcomes.totals.rows, outcomes.expected_rate
    inner, outer = (rate_interval(share, error, n, confidence) for confidence in (0.90, 0.999))
    tolerance = outcomes.history.scenario.checks.rate_tolerance * target
    return outcomes.over_the_reference(
        magnitude(inner, outer, target, tolerance),
        f"{share:.4%} where {target:.4%} is stated",
        {
            "n": n,
            "rate": share,
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
    draws = outcomes.before_drift
    yes, n = int(draws.totals.yes), draws.totals.rows
    if min(yes, n - yes) < MIN_OUTCOMES:
        return Finding(Verdict.INCONCLUSIVE, f"{yes} of {n} before any drift: too few to tell")
    estimate, error = draws.auc()
    inner, outer = (normal_interval(estimate, error, confidence) for confidence in (0.90, 0.999))
    target, tolerance = outcomes.declared.auc, outcomes.history.scenario.checks.auc_tolerance
    return outcomes.over_the_reference(
        magnitude(inner, outer, target, tolerance),
        f"AUC {estimate:.4f} where {target:.4f} is stated",
        {
            "n": n,
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
    ceiling, ceiling_error = outcomes.draws.auc(clustered=False)
    names, p_values, scores = [], [], []
    for name, sums in _sums_by_public_column(outcomes):
        if isinstance(sums, int):
            return logical(sums, f"the relation of {name} has one row an event")
        names.append(name)
        p_values.append(compare_groups(sums.both).p_value)
        scores.append(auc_of_groups(sums.first, sums.second))
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
        {
            "n": outcomes.totals.rows,
            "columns": len(rows),
            "failed": len(failed),
            "auc_of_probability": ceiling,
        },
        tuple(rows),
    )


def _sums_by_public_column(outcomes: Outcomes) -> Iterator[tuple[str, Halves | int]]:
    """Sums over groups of each public column; where a relation is not one row a draw, how many are astray."""
    history, declared = outcomes.history, outcomes.declared
    seen = set(declared.not_public)
    for relation, key in declared.public.items():
        columns = queries.public_columns(history.connection, quoted(history.name, relation), seen)
        if not columns:
            continue
        with _made(history, relation, (key, *columns)) as name:
            if astray := _astray(outcomes, name, key):
                yield next(iter(columns)), astray
                return
            yield from sums_by_column(outcomes.draws, name, key, columns).items()
        seen.update(columns)


def _astray(outcomes: Outcomes, rows: str, key: str) -> int:
    """How many rows a relation has too many or too few; if none, how many draws have no row of their own."""
    surplus = outcomes.history.count(f"SELECT count(*) FROM {rows}") - outcomes.totals.rows
    without = f"FROM {outcomes.draws.rows} ANTI JOIN (SELECT {quoted(key)} AS key FROM {rows}) USING (key)"
    return abs(surplus) or outcomes.history.count(f"SELECT count(*) {without}")


@contextmanager
def _made(history: LandedHistory, relation: str, columns: Sequence[str]) -> Iterator[str]:
    """Quoted name of a relation's rows; a view is made but once, and only those columns of it."""
    name = quoted(history.name, relation)
    if isinstance(history.relations.relation(relation), TableContract):
        yield name
        return
    made = quoted("temp", "main", "simtom_public")
    some = ", ".join(dict.fromkeys(map(quoted, columns)))
    history.connection.execute(f"CREATE OR REPLACE TEMP TABLE {made} AS SELECT {some} FROM {name}")
    try:
        yield made
    finally:
        history.connection.execute(f"DROP TABLE {made}")


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
