"""What is measured on the landed rows: the daily ledger of drift and the daily profile.

Intended figures come from the scenario, realised ones from plain SQL and `validation`. Both tables are
written anew, whole, in one transaction.
"""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from datetime import date
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from .. import landing
from ..contracts import TableContract
from ..generators.base import BaseGenerator
from ..generators.drift.ledger import DAILY_PROFILE, DERIVED, DRIFT_LEDGER_DAILY, LedgerPart
from ..records import kept
from ..scenarios.models import Scenario
from ..simulation import make_generator, registry, world
from ..validation.drift import Bins, Size, Yardstick
from ..validation.outcomes import auc
from . import questions as ask
from .undone import undone

Rows = list[dict[str, Any]]


def land_derived(connection: duckdb.DuckDBPyConnection, scenario: Scenario) -> dict[str, pa.Table]:
    """Measure what has landed and replace the derived tables by it, in one transaction."""
    generator = registry().generator(scenario.generator)
    contracts = generator.landed_contracts(scenario)
    landing.ensure_tables(connection, scenario.name, contracts, generator.landed_views(scenario))
    tables = derived_tables(connection, scenario)
    landing.replace_whole(connection, scenario.name, contracts, generator.landed_views(scenario), tables)
    return tables


def derived_tables(connection: duckdb.DuckDBPyConnection, scenario: Scenario) -> dict[str, pa.Table]:
    """`daily_profile` of what has landed, and `drift_ledger_daily` of the same before noise and faults.

    Both have no rows while some days in the file are of another world: figures of two would be mixed.
    """
    if kept(connection, scenario.name).of_other_worlds(world(scenario)):
        return {contract.name: contract.schema.empty_table() for contract in DERIVED}
    generator, landed = make_generator(scenario), ask.landed_days(connection, scenario.name)
    profile = daily_profile(connection, scenario, generator, landed)
    parts = generator.ledger_parts()
    with undone(connection, scenario, type(generator)) if parts else nullcontext():
        ledger = daily_ledger(connection, scenario, generator, parts)
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


def daily_profile(
    connection: duckdb.DuckDBPyConnection, scenario: Scenario, generator: BaseGenerator, landed: list[date]
) -> Rows:
    """Expected and realised value of every metric on every landed day."""
    metrics = generator.profile_metrics()
    found = ask.profile(connection, scenario.name, generator.profile_from, metrics)
    rows = []
    for day in landed:
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


def daily_ledger(
    connection: duckdb.DuckDBPyConnection,
    scenario: Scenario,
    generator: BaseGenerator,
    parts: Sequence[LedgerPart],
) -> Rows:
    """Intended and realised size of every target of every declared drift on every day of the clock."""
    if not parts:
        return []
    rates = realised_rates(connection, scenario, generator)
    counts = ask.rows_per_day(connection, scenario.name, _events(generator))
    rows = []
    for part in parts:
        realised = realised_sizes(connection, scenario, part, counts)
        for day in scenario.clock.days():
            count, size = realised.get(day, (None, NOTHING))
            rate, area = rates.get(day, (None, None))
            rows.append(
                {
                    "day": day,
                    "drift_id": part.drift_id,
                    "target": part.target,
                    **asdict(generator.intended(part, day)),
                    "rows": count,
                    **{f"realised_{name}": value for name, value in asdict(size).items()},
                    "realised_default_rate": rate,
                    "realised_bayes_auc": area,
                }
            )
    return rows


def _events(generator: BaseGenerator) -> TableContract:
    return next(c for c in generator.clean_contracts() if c.name == generator.event_table)


def _rows_of_days(number: np.ndarray) -> dict[date, np.ndarray]:
    """Numbers of the rows of each day, given days since 1970-01-01, shape (n,)."""
    order = np.argsort(number, kind="stable")
    days, start = np.unique(number[order], return_index=True)
    parts = np.split(order, start[1:]) if len(days) else []
    return dict(zip(map(ask.as_date, days), parts, strict=True))


NOTHING = Size(None, None, None, None, None, None)


def realised_sizes(
    connection: duckdb.DuckDBPyConnection, scenario: Scenario, part: LedgerPart, counts: Mapping[date, int]
) -> dict[date, tuple[int, Size]]:
    """Rows and size of every landed day, measured as the landed ledger says."""
    entry = ask.ledger_entry(connection, scenario.name, part.drift_id, part.target)
    if entry is None:
        return {}
    if entry.measured_from is None:
        return {
            day: (count, Size(None, float(count), None, None, None, None)) for day, count in counts.items()
        }
    number, values = ask.measured(connection, scenario.name, entry)
    of_day = {day: values[rows] for day, rows in _rows_of_days(number).items()}
    yardstick = yardstick_of(entry, of_day, bool(part.measured and part.measured.of_logarithm))
    return {day: (len(some), yardstick.size(some)) for day, some in of_day.items()}


def yardstick_of(entry: ask.LedgerEntry, of_day: Mapping[date, np.ndarray], of_logarithm: bool) -> Yardstick:
    """What days are measured with: the ledger's bins and the landed days of its reference window."""
    last = entry.reference_to
    window = [
        some for day, some in of_day.items() if last is not None and entry.reference_from <= day <= last
    ]
    return Yardstick(
        Bins(len(entry.categories), np.array(entry.bin_edges)),
        np.concatenate(window) if window else np.empty(0),
        np.array(entry.reference_shares),
        of_logarithm,
    )


def realised_rates(
    connection: duckdb.DuckDBPyConnection, scenario: Scenario, generator: BaseGenerator
) -> dict[date, tuple[float, float | None]]:
    """Share of yes, and AUC of the true probability, of each landed day's outcomes."""
    declared = next(iter(generator.declared_outcomes()), None)
    if declared is None:
        return {}
    events = _events(generator)
    (key,) = events.primary_key
    drawn = ask.outcomes(connection, scenario.name, declared, events.name, key)
    rates: dict[date, tuple[float, float | None]] = {}
    for day, rows in _rows_of_days(drawn.day).items():
        outcome, probability = drawn.outcome[rows], drawn.probability[rows]
        known = ~np.isnan(outcome) & ~np.isnan(probability)
        outcome, probability = outcome[known], probability[known]
        if len(outcome):
            few = min(outcome.sum(), len(outcome) - outcome.sum()) < 2
            area = None if few else auc(outcome, probability)[0]
            rates[day] = (float(outcome.mean()), area)
    return rates
