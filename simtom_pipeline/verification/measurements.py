"""What is measured on the landed rows: the daily ledger of drift and the daily profile.

Intended figures come from the scenario, realised ones from plain SQL and `validation`. Both tables are
replaced whole, in one transaction.
"""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa

from ..contracts import TableContract
from ..generators.drift.ledger import DAILY_PROFILE, DRIFT_LEDGER_DAILY, LedgerPart
from ..landing import Database
from ..relations import MEASURED_TABLES
from ..simulation import Simulation
from ..validation.drift import Bins, Size, Yardstick
from ..validation.outcomes import auc_of_scores
from . import queries
from .as_simulated import as_simulated
from .by_day import by_day
from .history import LandedHistory, once

Rows = list[dict[str, Any]]


def land_measurements(database: Database, simulation: Simulation) -> dict[str, pa.Table]:
    """Measure what has landed and replace the measured tables by it, in one transaction."""
    with database.transaction():
        database.ensure(simulation.relations)
    tables = measured_tables(LandedHistory(simulation, database.connection))
    database.replace_whole(simulation.relations, tables)
    return tables


@once
def measured_tables(history: LandedHistory) -> dict[str, pa.Table]:
    """`daily_profile` of what has landed, and `drift_ledger_daily` of the same before noise and faults.

    Both have no rows while some days in the file are of another world: figures of two would be mixed.
    """
    if history.kept.of_other_worlds(history.simulation.world):
        return {contract.name: contract.schema.empty_table() for contract in MEASURED_TABLES}
    profile, parts = daily_profile(history), history.expectations.ledger_parts()
    with as_simulated(history) if parts else nullcontext(history) as true:
        ledger = daily_ledger(true, parts)
    return {
        DRIFT_LEDGER_DAILY.name: _table(DRIFT_LEDGER_DAILY, ledger),
        DAILY_PROFILE.name: _table(DAILY_PROFILE, profile),
    }


def _table(contract: TableContract, rows: Rows) -> pa.Table:
    columns = {
        column.name: pa.array([row[column.name] for row in rows], column.type.arrow)
        for column in contract.columns
    }
    return contract.table(columns)


def daily_profile(history: LandedHistory) -> Rows:
    """Expected and realised value of every metric on every landed day."""
    generator = history.expectations
    metrics = generator.profile_metrics()
    found = queries.profile(history.connection, history.name, generator.profile_from, metrics)
    rows = []
    for day in history.days:
        expected, realised = generator.profile_expected(day), found.get(day, {})
        rows += [
            {
                "day": day,
                "metric": metric.name,
                "expected": expected.get(metric.name),
                "realised": realised.get(metric.name),
            }
            for metric in metrics
        ]
    return rows


def daily_ledger(history: LandedHistory, parts: Sequence[LedgerPart]) -> Rows:
    """Intended and realised size of every target of every declared drift on every day of the clock."""
    if not parts:
        return []
    counts = queries.rows_per_day(history.connection, history.name, history.relations.events)
    rows = []
    for part in parts:
        realised, rates = realised_sizes(history, part, counts), realised_rates(history, part.outcome)
        for day in history.scenario.clock.days():
            count, size = realised.get(day, (None, NOTHING))
            rate, area = rates.get(day, (None, None))
            rows.append(
                {
                    "day": day,
                    "drift_id": part.drift_id,
                    "target": part.target,
                    **asdict(history.expectations.intended(part, day)),
                    "rows": count,
                    **{f"realised_{name}": value for name, value in asdict(size).items()},
                    "realised_default_rate": rate,
                    "realised_bayes_auc": area,
                }
            )
    return rows


NOTHING = Size(None, None, None, None, None, None)


def realised_sizes(
    history: LandedHistory, part: LedgerPart, counts: Mapping[date, int]
) -> dict[date, tuple[int, Size]]:
    """Rows and size of every landed day, measured as the landed ledger says."""
    entry = queries.ledger_entry(history.connection, history.name, part.drift_id, part.target)
    if entry is None:
        return {}
    if entry.measured_from is None:
        return {
            day: (count, Size(None, float(count), None, None, None, None)) for day, count in counts.items()
        }
    rows = queries.measured(history.name, entry)
    yardstick = yardstick_of(history, entry, bool(part.measured and part.measured.of_logarithm))
    days = by_day(history.connection, rows, ("value",), order=("value",))
    return {day: (len(of["value"]), yardstick.size(np.asarray(of["value"], float))) for day, of in days}


MAX_WINDOW = 1_000_000
"""Of a longer reference window so many order statistics stand for all.

The share of values below any point is off by 1e-6 at most, the share of a bin by twice that.
"""


def yardstick_of(history: LandedHistory, entry: queries.LedgerEntry, of_logarithm: bool) -> Yardstick:
    """What days are measured with: the ledger's bins and the landed days of its reference window."""
    rows = queries.measured(history.name, entry)
    days = f"day BETWEEN DATE '{entry.reference_from}' AND DATE '{entry.reference_to or date.min}'"
    window = f"value IS NOT NULL AND {days}"
    step = history.count(f"SELECT count(*) FROM {rows} WHERE {window}") // MAX_WINDOW + 1
    found = history.connection.execute(
        f"SELECT value FROM {rows} WHERE {window}"
        f" QUALIFY (row_number() OVER (ORDER BY value) - 1) % {step} = {step // 2} ORDER BY value"
    ).fetchnumpy()
    return Yardstick(
        Bins(len(entry.categories), np.array(entry.bin_edges)),
        np.asarray(found["value"], float),
        np.array(entry.reference_shares),
        of_logarithm,
    )


@once
def realised_rates(history: LandedHistory, outcome: str) -> dict[date, tuple[float, float | None]]:
    """Share of yes, and AUC of the true probability, of each landed day's draws of an outcome."""
    declared = history.outcome(outcome)
    if declared is None:
        return {}
    draws = history.draws(declared)
    known = f"(FROM {draws.rows} WHERE NOT isnan(outcome) AND NOT isnan(probability))"
    return {
        day: _rate(of["outcome"], of["probability"])
        for day, of in by_day(history.connection, known, ("outcome", "probability"))
    }


def _rate(happened: np.ndarray, probability: np.ndarray) -> tuple[float, float | None]:
    few = min(happened.sum(), len(happened) - happened.sum()) < 2
    return float(happened.mean()), None if few else auc_of_scores(happened, probability)[0]
