"""Checks of drift: each is what the scenario states, and the ledger shows it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from functools import lru_cache
from typing import Any

import numpy as np

from ...generators.drift.ledger import DRIFT_LEDGER_DAILY, LedgerPart
from ...scenarios.base import OUTCOME_RATE
from ...scenarios.drifts import Effect, Sudden
from ...scenarios.models import Scenario
from ...simulation import Simulation, make_generator
from ...validation.decisions import Finding, Verdict, logical, magnitude, worst
from ...validation.drift import (
    Bins,
    blocks,
    estimate_psi,
    hellinger,
    mean_of_blocks,
    psi,
    scheduled_weight,
)
from ...validation.outcomes import normal_interval, rate_interval
from .. import queries
from ..by_day import by_day
from ..check import Check
from ..history import LandedHistory, once
from ..measurements import yardstick_of
from ..stated_sizes import Intended, Statement, contradictions

ROWS_OF_A_BLOCK = 20_000
"""Needed on both sides to tell a PSI of 0.25 to 20 %."""
OUTCOMES_OF_A_BLOCK = 3_000
"""Expected positives needed to tell a rate to 10 %."""
MAX_BLOCKS = 6
PSI_TOLERANCE, SMALL_PSI_TOLERANCE = 0.2, 0.02
SAME = 1e-9
SETTLED = 0.999

Rows = list[dict[str, Any]]


def checks(simulation: Simulation) -> Iterator[Check]:
    """One, of the daily ledger; a scenario without drifts has none in it."""
    rate = _in_words(simulation.scenario)
    meaning = f"Each drift is what the ledger says: its course by logic, its size and its {rate} by interval."
    yield Check(DRIFT_LEDGER_DAILY.name, "drift_as_declared", meaning, drift_as_declared)


def _in_words(scenario: Scenario) -> str:
    """What the scenario's generator calls the rate of an outcome."""
    return scenario.settings.drift_vocabulary.outcome_rate.replace("_", " ")


@once
def daily_rows(history: LandedHistory) -> Mapping[tuple[str, str], Rows]:
    """Rows of drift_ledger_daily in order of day, by drift id and target."""
    table = history.relations.name_of(DRIFT_LEDGER_DAILY)
    found: dict[tuple[str, str], Rows] = {}
    for row in history.connection.execute(f"FROM {table} ORDER BY day").to_arrow_table().to_pylist():
        found.setdefault((row["drift_id"], row["target"]), []).append(row)
    return found


@once
def _acting(history: LandedHistory) -> Mapping[date, frozenset[tuple[str, str]]]:
    """Drift id and target of everything that has weight, by day."""
    found: dict[date, set[tuple[str, str]]] = {}
    for of, rows in daily_rows(history).items():
        for row in rows:
            found.setdefault(row["day"], set()).update([of] if row["w"] > 0 else [])
    return {day: frozenset(some) for day, some in found.items()}


def _stated(history: LandedHistory, part: LedgerPart) -> list[Effect]:
    """What the scenario states of this very target: nothing of what a composite drift moves besides."""
    first = next(p for p in history.expectations.ledger_parts() if p.drift_id == part.drift_id)
    drifts = (drift for drift in history.scenario.all_drifts if drift.id == part.drift_id)
    return [drift.effect for drift in drifts if part.target == first.target]


def _said(history: LandedHistory, size: str) -> str:
    """A size in the words of the scenario's generator."""
    vocabulary = history.scenario.settings.drift_vocabulary
    return vocabulary.outcome_rate if size == OUTCOME_RATE else size


def _intended(history: LandedHistory, drift_id: str, target: str) -> Intended:
    """The rows of one target, and those on which it can be told what its drift does by itself."""
    every, acting = daily_rows(history)[drift_id, target], _acting(history)
    alone, *without = _by_itself(history.scenario, drift_id)[target]
    priors = {drift.id for drift in history.scenario.all_drifts if drift.kind == "prior"}

    def others(row: dict[str, Any]) -> set[tuple[str, str]]:
        return {of for of in acting[row["day"]] if of[0] != drift_id}

    return Intended(
        every,
        [r for r in every if r["w"] > 0 and not any(i in priors or t == target for i, t in others(r))],
        [alone, *(r for r in every if r["w"] == 1 and not others(r))],
        [*without, *(r for r in every if not acting[r["day"]])],
    )


@lru_cache(maxsize=32)
def _by_itself(scenario: Scenario, drift_id: str) -> dict[str, list[dict[str, Any]]]:
    """What is intended of each target with the whole drift and without it, had the scenario no other."""
    clock = scenario.clock
    drift = next(drift for drift in scenario.all_drifts if drift.id == drift_id)
    only = drift.model_copy(update={"schedule": Sudden(kind="sudden", at=clock.end)})
    generator = make_generator(scenario.model_copy(update={"drifts": (only,), "drift_type": "none"}))
    days = [clock.end, *([clock.start] if clock.start < clock.end else [])]
    return {
        part.target: [asdict(generator.intended(part, day)) for day in days]
        for part in generator.ledger_parts()
    }


def drift_as_declared(history: LandedHistory) -> Finding:
    """Each drift is what the ledger says: its course by logic, its size and its outcome rate by interval."""
    parts = history.expectations.ledger_parts()
    declared = {(part.drift_id, part.target) for part in parts}
    stray = len(set(daily_rows(history)) ^ declared)
    if stray or not parts:
        return logical(stray, "the ledger holds the declared drifts and no others")
    rows, verdicts, told = [], [], set[str]()
    for part in parts:
        entry = queries.ledger_entry(history.connection, history.name, part.drift_id, part.target)
        if entry is None:
            return logical(1, "the ledger holds the declared drifts and no others")
        rates = [] if part.drift_id in told else list(_rates(history, part))
        told.add(part.drift_id)
        for row, verdict in [*_judged(history, part, entry), *rates]:
            rows.append({"drift": part.drift_id, "target": part.target, **row, "verdict": verdict.value})
            verdicts.append(verdict)
    failed = sum(verdict is Verdict.FAILED for verdict in verdicts)
    return Finding(
        worst(verdicts),
        f"{failed} of {len(rows)} statements about {len(declared)} drifting targets are not met",
        {"statements": len(rows), "failed": failed, "psi_tolerance": PSI_TOLERANCE},
        tuple(rows),
    )


Judged = Iterator[tuple[dict[str, Any], Verdict]]


def _judged(history: LandedHistory, part: LedgerPart, entry: queries.LedgerEntry) -> Judged:
    rows = daily_rows(history)[part.drift_id, part.target]
    yield _by_logic("course", _course_violations(entry, rows))
    yield _by_logic("intended sizes", _size_violations(entry, rows))
    intended = _intended(history, part.drift_id, part.target)
    yield _by_logic("before and after", contradictions(entry, intended))
    for effect in _stated(history, part):
        for size in Statement(effect, entry, intended).sizes():
            verdict = Verdict.PASSED if size.is_met else Verdict.FAILED
            yield _row(f"stated {_said(history, size.name)}", "", 0, size.found, size.stated), verdict
    landed = [row for row in rows if row["rows"]]
    if not landed:
        return
    if entry.measured_from is not None:
        yield from _sizes(history, part, entry, landed)


def _by_logic(what: str, violations: int) -> tuple[dict[str, Any], Verdict]:
    return _row(what, "", 0, violations, 0), Verdict.FAILED if violations else Verdict.PASSED


def _course_violations(entry: queries.LedgerEntry, rows: Rows) -> int:
    """Days whose weight is not the schedule's, or is there before the onset."""
    return sum(
        abs(
            row["w"]
            - scheduled_weight(
                entry.schedule,
                entry.schedule_from,
                entry.schedule_to,
                entry.width_days,
                entry.period_days,
                row["day"],
            )
        )
        > SAME
        or (row["w"] > 0 and row["day"] < entry.onset)
        for row in rows
    )


def _size_violations(entry: queries.LedgerEntry, rows: Rows) -> int:
    """Days whose intended sizes are not those of their intended shares."""
    reference = np.array(entry.reference_shares)
    wrong = 0
    for row in rows:
        if row["intended_shares"] is not None:
            shares = np.array(row["intended_shares"])
            wrong += abs(psi(shares, reference) - row["intended_psi"]) > 1e-6
            wrong += abs(hellinger(shares, reference) - row["intended_hellinger"]) > 1e-6
    return int(wrong)


def _sizes(history: LandedHistory, part: LedgerPart, entry: queries.LedgerEntry, landed: Rows) -> Judged:
    """PSI over blocks of days, or the mean of a target without bins."""
    yardstick = yardstick_of(history, entry, of_logarithm=False)
    measured = _measured(history, entry, yardstick.bins)
    count, weight = np.array([row["rows"] for row in landed]), np.array([row["w"] for row in landed])
    window = sum(
        of.rows
        for day, of in measured.items()
        if entry.reference_to is not None and entry.reference_from <= day <= entry.reference_to
    )
    for block in blocks(count, weight, ROWS_OF_A_BLOCK, MAX_BLOCKS):
        some = [measured[day] for n in block if (day := landed[n]["day"]) in measured]
        rows = sum(of.rows for of in some)
        if not rows:  # the ledger is of rows that are no longer there
            what = "PSI" if yardstick.bins.count else "mean"
            yield _row(what, _about(landed, block), 0, np.nan, np.nan), Verdict.INCONCLUSIVE
        elif yardstick.bins.count:
            shares = mean_of_blocks([landed[n]["intended_shares"] for n in block], count[block])
            target = psi(shares, np.array(entry.reference_shares))
            counts = np.sum([of.counts for of in some], axis=0)
            estimate = estimate_psi(counts, yardstick.reference, window or np.inf)
            tolerance = max(PSI_TOLERANCE * target, SMALL_PSI_TOLERANCE)
            verdict = magnitude(estimate.interval(0.90), estimate.interval(0.999), target, tolerance)
            others = {i for n in block for i, _ in _acting(history)[landed[n]["day"]]} - {part.drift_id}
            what = "PSI, other drifts acting" if others else "PSI"
            yield _row(what, _about(landed, block), rows, estimate.value, target), verdict
        else:
            (target,) = mean_of_blocks([[landed[n]["intended_mean"]] for n in block], count[block])
            mean, deviation = _mean_and_deviation(some)
            inner, outer = (normal_interval(mean, deviation / rows**0.5, c) for c in (0.90, 0.999))
            tolerance = history.scenario.checks.rate_tolerance * abs(float(target)) + SAME
            verdict = magnitude(inner, outer, float(target), tolerance)
            yield _row("mean", _about(landed, block), rows, mean, target), verdict


@dataclass(frozen=True)
class _Measured:
    """What a day's values of a target come to: rows, mean, mean square about it, and rows in each bin."""

    rows: int
    mean: float
    variance: float
    counts: np.ndarray


def _measured(history: LandedHistory, entry: queries.LedgerEntry, bins: Bins) -> dict[date, _Measured]:
    rows = queries.measured(history.name, entry)
    found = {}
    for day, of in by_day(history.connection, rows, ("value",), order=("value",)):
        values = np.asarray(of["value"], float)
        counts = bins.counts(values) if bins.count else np.empty(0)
        found[day] = _Measured(len(values), float(values.mean()), float(values.var()), counts)
    return found


def _mean_and_deviation(days: Sequence[_Measured]) -> tuple[float, float]:
    """Of all values of some days together."""
    rows, means = np.array([of.rows for of in days]), np.array([of.mean for of in days])
    mean = float(np.average(means, weights=rows))
    spread = np.array([of.variance for of in days]) + (means - mean) ** 2
    return mean, float(np.average(spread, weights=rows)) ** 0.5


def _about(landed: Rows, block: np.ndarray) -> str:
    return f"{landed[block[0]]['day']} to {landed[block[-1]]['day']}"


def _row(statement: str, days: str, n: int, realised: float, intended: float) -> dict[str, Any]:
    """One statement; every one has the same fields, which Dagster's tables demand."""
    figures = {"realised": float(realised), "intended": float(intended)}
    return {"statement": statement, "days": days, "n": n, **figures}


def _rates(history: LandedHistory, part: LedgerPart) -> Judged:
    """Its outcome's rate over blocks of days, and Bayes AUC where the drift is complete for a while."""
    declared = history.outcome(part.outcome)
    landed = [row for row in daily_rows(history)[part.drift_id, part.target] if row["rows"]]
    if declared is None or not landed:
        return
    draws, stationary = history.draws(declared), declared.is_of_reference
    count, weight = np.array([row["rows"] for row in landed]), np.array([row["w"] for row in landed])
    rate = np.array([row["expected_default_rate"] for row in landed])
    needed = OUTCOMES_OF_A_BLOCK / max(float(rate.max()), 1e-9)
    for block in blocks(count, weight, needed, MAX_BLOCKS):
        chosen = draws.on([landed[n]["day"] for n in block])
        target = float(np.average(rate[block], weights=count[block]))
        rows, (share, error) = chosen.totals.rows, chosen.rate
        inner, outer = (rate_interval(share, error, rows, confidence) for confidence in (0.90, 0.999))
        verdict = magnitude(inner, outer, target, history.scenario.checks.rate_tolerance * target)
        if verdict is Verdict.FAILED and not stationary:
            verdict = Verdict.INCONCLUSIVE
        what = f"{declared.name or declared.column} rate"
        yield _row(what, _about(landed, block), rows, share, target), verdict
    settled = np.flatnonzero(weight >= SETTLED)
    areas = np.array([row["expected_bayes_auc"] for row in landed])[settled]
    if len(settled) == 0 or np.ptp(areas) > SAME or part.rows[0]["schedule"] == "seasonal":
        return
    chosen = draws.on([landed[n]["day"] for n in settled])
    if min(chosen.totals.yes, chosen.totals.rows - chosen.totals.yes) < 2:
        return
    estimate, error = chosen.auc()
    inner, outer = (normal_interval(estimate, error, confidence) for confidence in (0.90, 0.999))
    verdict = magnitude(inner, outer, float(areas[0]), history.scenario.checks.auc_tolerance)
    if verdict is Verdict.FAILED and not stationary:
        verdict = Verdict.INCONCLUSIVE
    yield _row("Bayes AUC", _about(landed, settled), chosen.totals.rows, estimate, areas[0]), verdict
