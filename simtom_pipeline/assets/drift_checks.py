"""Checks of drift: the ledger keeps what it promises, and what it says was realised is what landed."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from functools import cached_property, lru_cache
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..contracts import TableContract
from ..generators.base import BaseGenerator
from ..generators.drift.ledger import DAILY_PROFILE, DRIFT_LEDGER, DRIFT_LEDGER_DAILY, LedgerPart
from ..landing import table_name
from ..scenarios.base import OUTCOME_RATE
from ..scenarios.drifts import Effect, Sudden
from ..scenarios.models import ALL_DRIFTS, TWIN_MARK, Scenario
from ..simulation import make_generator
from ..validation.decisions import Finding, Verdict, logical, magnitude, worst
from ..validation.drift import (
    blocks,
    estimate_psi,
    hellinger,
    mean_of_blocks,
    psi,
    scheduled_weight,
)
from ..validation.outcomes import auc, normal_interval, rate_interval
from . import questions as ask
from .derived import derived_tables, yardstick_of
from .stated import Intended, Statement, contradictions
from .twins import allowed_differences, common_days, compared, differences, landed_twins

ROWS_OF_A_BLOCK = 20_000
"""Needed on both sides to tell a PSI of 0.25 to 20 %."""
OUTCOMES_OF_A_BLOCK = 3_000
"""Expected positives needed to tell a rate to 10 %."""
MOST_BLOCKS = 6
PSI_TOLERANCE, SMALL_PSI_TOLERANCE = 0.2, 0.02
SAME = 1e-9
SETTLED = 0.999

Rows = list[dict[str, Any]]


@dataclass
class Ledger:
    """The landed truth about drift of one scenario."""

    scenario: Scenario
    expectations: BaseGenerator
    connection: duckdb.DuckDBPyConnection
    days: Sequence[date]

    @cached_property
    def anew(self) -> dict[str, pa.Table]:
        """The derived tables, measured again."""
        return derived_tables(self.connection, self.scenario)

    @cached_property
    def daily(self) -> Mapping[tuple[str, str], Rows]:
        """Rows of drift_ledger_daily in order of day, by drift id and target."""
        table = table_name(self.scenario.name, DRIFT_LEDGER_DAILY)
        found: dict[tuple[str, str], Rows] = {}
        for row in self.connection.execute(f"FROM {table} ORDER BY day").to_arrow_table().to_pylist():
            found.setdefault((row["drift_id"], row["target"]), []).append(row)
        return found

    @cached_property
    def acting(self) -> Mapping[date, frozenset[tuple[str, str]]]:
        """Drift id and target of everything that has weight, by day."""
        found: dict[date, set[tuple[str, str]]] = {}
        for of, rows in self.daily.items():
            for row in rows:
                found.setdefault(row["day"], set()).update([of] if row["w"] > 0 else [])
        return {day: frozenset(some) for day, some in found.items()}

    def stated(self, part: LedgerPart) -> list[Effect]:
        """What the scenario states of this very target: nothing of what a composite drift moves besides."""
        first = next(p for p in self.expectations.ledger_parts() if p.drift_id == part.drift_id)
        drifts = (drift for drift in self.scenario.all_drifts if drift.id == part.drift_id)
        return [drift.effect for drift in drifts if part.target == first.target]

    def said(self, size: str) -> str:
        """A size in the words of the scenario's generator."""
        return self.scenario.settings.drift_vocabulary.outcome_rate if size == OUTCOME_RATE else size

    def intended(self, drift_id: str, target: str) -> Intended:
        """The rows of one target, and those on which it can be told what its drift does by itself."""
        every, (alone, *without) = self.daily[drift_id, target], _by_itself(self.scenario, drift_id)[target]
        priors = {drift.id for drift in self.scenario.all_drifts if drift.kind == "prior"}

        def others(row: dict[str, Any]) -> set[tuple[str, str]]:
            return {of for of in self.acting[row["day"]] if of[0] != drift_id}

        return Intended(
            every,
            [r for r in every if r["w"] > 0 and not any(i in priors or t == target for i, t in others(r))],
            [alone, *(r for r in every if r["w"] == 1 and not others(r))],
            [*without, *(r for r in every if not self.acting[r["day"]])],
        )

    @cached_property
    def outcomes(self) -> ask.DrawnOutcomes | None:
        """Outcomes of every landed event; None if there are none by declaration."""
        declared = next(iter(self.expectations.declared_outcomes()), None)
        if declared is None:
            return None
        events = self.expectations.event_table
        contract = next(c for c in self.expectations.clean_contracts() if c.name == events)
        return ask.outcomes(self.connection, self.scenario.name, declared, events, contract.primary_key[0])


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


def measured_anew(ledger: Ledger, contract: TableContract) -> Finding:
    """What the table says was realised is what the landed rows say; materialize it after new days."""
    key = ", ".join(contract.primary_key)
    table = table_name(ledger.scenario.name, contract)
    landed = ledger.connection.execute(f"FROM {table} ORDER BY {key}").to_arrow_table()
    anew = ledger.anew[contract.name].sort_by([(name, "ascending") for name in contract.primary_key])
    differing = abs(len(landed) - len(anew)) or differing_values(landed, anew)
    claim = (
        "every figure is what the landed rows say (if days have landed since, materialize the table again)"
    )
    return logical(differing, claim)


def differing_values(one: pa.Table, other: pa.Table) -> int:
    """Values that differ between tables of one shape; floats by more than a hair."""
    return sum(_differing(one[name], other[name]) for name in one.column_names)


def _differing(one: pa.ChunkedArray, other: pa.ChunkedArray) -> int:
    one, other = one.combine_chunks(), other.combine_chunks().cast(one.type)
    if pa.types.is_list(one.type):
        lengths = (pc.fill_null(pc.list_value_length(side), -1) for side in (one, other))
        unlike = int(pc.sum(pc.not_equal(*lengths)).as_py() or 0)
        return unlike or _differing(*(pa.chunked_array([pc.list_flatten(side)]) for side in (one, other)))
    if pa.types.is_floating(one.type):
        a, b = (side.to_numpy(zero_copy_only=False) for side in (one, other))
        return int((~np.isclose(a, b, rtol=SAME, atol=SAME, equal_nan=True)).sum())
    return sum(a != b for a, b in zip(one.to_pylist(), other.to_pylist(), strict=True))


def drift_as_declared(ledger: Ledger, contract: TableContract) -> Finding:
    """Each drift is what the ledger says: its course by logic, its size and its default rate by interval."""
    parts = ledger.expectations.ledger_parts()
    declared = {(part.drift_id, part.target) for part in parts}
    stray = len(set(ledger.daily) ^ declared)
    if stray or not parts:
        return logical(stray, "the ledger holds the declared drifts and no others")
    rows, verdicts, told = [], [], set[str]()
    for part in parts:
        entry = ask.ledger_entry(ledger.connection, ledger.scenario.name, part.drift_id, part.target)
        if entry is None:
            return logical(1, "the ledger holds the declared drifts and no others")
        rates = [] if part.drift_id in told else list(_rates(ledger, part))
        told.add(part.drift_id)
        for row, verdict in [*_judged(ledger, part, entry), *rates]:
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


def _judged(ledger: Ledger, part: LedgerPart, entry: ask.LedgerEntry) -> Judged:
    rows = ledger.daily[part.drift_id, part.target]
    yield _by_logic("course", _course_violations(entry, rows))
    yield _by_logic("intended sizes", _size_violations(entry, rows))
    intended = ledger.intended(part.drift_id, part.target)
    yield _by_logic("before and after", contradictions(entry, intended))
    for effect in ledger.stated(part):
        for size in Statement(effect, entry, intended).sizes():
            verdict = Verdict.PASSED if size.is_met else Verdict.FAILED
            yield _row(f"stated {ledger.said(size.name)}", "", 0, size.found, size.stated), verdict
    landed = [row for row in rows if row["rows"]]
    if not landed:
        return
    if entry.measured_from is not None:
        yield from _sizes(ledger, part, entry, landed)


def _by_logic(what: str, violations: int) -> tuple[dict[str, Any], Verdict]:
    return _row(what, "", 0, violations, 0), Verdict.FAILED if violations else Verdict.PASSED


def _course_violations(entry: ask.LedgerEntry, rows: Rows) -> int:
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


def _size_violations(entry: ask.LedgerEntry, rows: Rows) -> int:
    """Days whose intended sizes are not those of their intended shares."""
    reference = np.array(entry.reference_shares)
    wrong = 0
    for row in rows:
        if row["intended_shares"] is not None:
            shares = np.array(row["intended_shares"])
            wrong += abs(psi(shares, reference) - row["intended_psi"]) > 1e-6
            wrong += abs(hellinger(shares, reference) - row["intended_hellinger"]) > 1e-6
    return int(wrong)


def _sizes(ledger: Ledger, part: LedgerPart, entry: ask.LedgerEntry, landed: Rows) -> Judged:
    """PSI over blocks of days, or the mean of a target without bins."""
    number, values = ask.measured(ledger.connection, ledger.scenario.name, entry)
    of_day = {day: values[number == ask.day_number(day)] for day in (row["day"] for row in landed)}
    count, weight = np.array([row["rows"] for row in landed]), np.array([row["w"] for row in landed])
    yardstick = yardstick_of(entry, of_day, of_logarithm=False)
    window = sum(
        len(some)
        for day, some in of_day.items()
        if entry.reference_to is not None and entry.reference_from <= day <= entry.reference_to
    )
    for block in blocks(count, weight, ROWS_OF_A_BLOCK, MOST_BLOCKS):
        some = np.concatenate([of_day[landed[n]["day"]] for n in block])
        if yardstick.bins.count:
            shares = mean_of_blocks([landed[n]["intended_shares"] for n in block], count[block])
            target = psi(shares, np.array(entry.reference_shares))
            estimate = estimate_psi(yardstick.bins.counts(some), yardstick.reference, window or np.inf)
            tolerance = max(PSI_TOLERANCE * target, SMALL_PSI_TOLERANCE)
            verdict = magnitude(estimate.interval(0.90), estimate.interval(0.999), target, tolerance)
            others = {i for n in block for i, _ in ledger.acting[landed[n]["day"]]} - {part.drift_id}
            what = "PSI, other drifts acting" if others else "PSI"
            yield _row(what, _about(landed, block), len(some), estimate.value, target), verdict
        else:
            (target,) = mean_of_blocks([[landed[n]["intended_mean"]] for n in block], count[block])
            error = float(some.std() / len(some) ** 0.5)
            inner, outer = (normal_interval(float(some.mean()), error, c) for c in (0.90, 0.999))
            tolerance = ledger.scenario.checks.rate_tolerance * abs(float(target)) + SAME
            verdict = magnitude(inner, outer, float(target), tolerance)
            yield _row("mean", _about(landed, block), len(some), some.mean(), target), verdict


def _about(landed: Rows, block: np.ndarray) -> str:
    return f"{landed[block[0]]['day']} to {landed[block[-1]]['day']}"


def _row(statement: str, days: str, n: int, realised: float, intended: float) -> dict[str, Any]:
    """One statement; every one has the same fields, which Dagster's tables demand."""
    figures = {"realised": float(realised), "intended": float(intended)}
    return {"statement": statement, "days": days, "n": n, **figures}


def _rates(ledger: Ledger, part: LedgerPart) -> Judged:
    """Default rate over blocks of days, and Bayes AUC where the drift is complete for good or a while."""
    drawn, landed = ledger.outcomes, [row for row in ledger.daily[part.drift_id, part.target] if row["rows"]]
    if drawn is None or not landed:
        return
    stationary = next(iter(ledger.expectations.declared_outcomes())).is_reference
    count, weight = np.array([row["rows"] for row in landed]), np.array([row["w"] for row in landed])
    rate = np.array([row["expected_default_rate"] for row in landed])
    needed = OUTCOMES_OF_A_BLOCK / max(float(rate.max()), 1e-9)
    for block in blocks(count, weight, needed, MOST_BLOCKS):
        chosen = np.isin(drawn.day, [ask.day_number(landed[n]["day"]) for n in block])
        outcome, cluster = drawn.outcome[chosen], np.unique(drawn.cluster[chosen], return_inverse=True)[1]
        target = float(np.average(rate[block], weights=count[block]))
        inner, outer = (rate_interval(outcome, cluster, confidence) for confidence in (0.90, 0.999))
        verdict = magnitude(inner, outer, target, ledger.scenario.checks.rate_tolerance * target)
        if verdict is Verdict.FAILED and not stationary:
            verdict = Verdict.INCONCLUSIVE
        yield _row("default rate", _about(landed, block), len(outcome), outcome.mean(), target), verdict
    settled = np.flatnonzero(weight >= SETTLED)
    areas = np.array([row["expected_bayes_auc"] for row in landed])[settled]
    if len(settled) == 0 or np.ptp(areas) > SAME or part.rows[0]["schedule"] == "seasonal":
        return
    chosen = np.isin(drawn.day, [ask.day_number(landed[n]["day"]) for n in settled])
    if min(drawn.outcome[chosen].sum(), (1 - drawn.outcome[chosen]).sum()) < 2:
        return
    cluster = np.unique(drawn.cluster[chosen], return_inverse=True)[1]
    estimate, error = auc(drawn.outcome[chosen], drawn.probability[chosen], cluster)
    inner, outer = (normal_interval(estimate, error, confidence) for confidence in (0.90, 0.999))
    verdict = magnitude(inner, outer, float(areas[0]), ledger.scenario.checks.auc_tolerance)
    if verdict is Verdict.FAILED and not stationary:
        verdict = Verdict.INCONCLUSIVE
    yield _row("Bayes AUC", _about(landed, settled), int(chosen.sum()), estimate, areas[0]), verdict


def twins(ledger: Ledger, contract: TableContract) -> Finding:
    """Wherever a twin has landed: identical before onset, then only the target and what follows from it."""
    name, rows, days = ledger.scenario.name, list[dict[str, str | int | float]](), 0
    landed = landed_twins(ledger.connection, name)
    for drift_id in landed:
        other = f"{name}{TWIN_MARK}{drift_id}"
        if not (common := common_days(ledger.connection, name, other)):
            continue
        days += common[0]
        left_out = [p for p in ledger.expectations.ledger_parts() if drift_id in (p.drift_id, ALL_DRIFTS)]
        allowed = allowed_differences(left_out)
        for found in differences(ledger.connection, name, other, compared(ledger.expectations)):
            onset = allowed.get(f"{found.table}.{found.column}")
            if onset is None or (found.first_day is not None and found.first_day < onset):
                rows.append({
                    "twin": other, "table": found.table, "column": found.column, "values": found.values,
                    "first_day": str(found.first_day), "allowed_from": str(onset or "never"),
                })  # fmt: skip
    if not days:
        return Finding(
            Verdict.PASSED, f"no twin has landed: simtom twin {name} lands one", {"twins": len(landed)}
        )
    claim = f"{len(landed)} twins over {days} days differ after onset only, and only in what follows"
    return logical(sum(int(row["values"]) for row in rows), claim, rows)


OF_DRIFT: Mapping[tuple[str, str], Callable[[Ledger, TableContract], Finding]] = {
    (DRIFT_LEDGER.name, "twins"): twins,
    (DRIFT_LEDGER_DAILY.name, "drift_as_declared"): drift_as_declared,
    (DRIFT_LEDGER_DAILY.name, "measured_anew"): measured_anew,
    (DAILY_PROFILE.name, "measured_anew"): measured_anew,
}
"""Check by table and name."""
