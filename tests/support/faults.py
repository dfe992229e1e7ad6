"""Scenarios with faults of every kind, and their days beside those without."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import pandas as pd
import pyarrow as pa
from scipy import stats

from simtom_pipeline import load_scenario, simulate_day
from simtom_pipeline.generators.bnpl.tables import TRANSACTIONS
from simtom_pipeline.scenarios.models import Scenario

A_DAY = date(2024, 1, 3)
ALPHA = 1e-6
"""Every seed is fixed: a test of a law that holds fails, once and for all, with this probability."""


ONE_DAY: Mapping[str, Any] = {
    "clock": {"start": "2024-01-01", "end": "2024-01-08"},
    "volume.base_daily_volume": 6000,
    "bnpl.population.customer_lifetime_days": 30,
}

NOISE = (
    {
        "table": "transactions",
        "columns": ["time_on_site_seconds"],
        "noise_type": "gaussian",
        "noise_level": 0.1,
    },
    {"table": "transactions", "columns": ["risk_score"], "noise_type": "uniform", "noise_level": 0.2},
    {"table": "transactions", "columns": ["amount"], "noise_type": "outliers", "share": 0.1, "size": 8},
)


def fault(kind: str, **said: Any) -> dict[str, Any]:
    """A fault of transactions, unless another table is named."""
    table = {} if kind == "dropped_day" else {"table": "transactions"}
    return {"id": f"a_{kind}", "kind": kind, **table, **said}


def corrupted(*faults: dict[str, Any], noise: Sequence[dict[str, Any]] = (), **more: Any) -> Scenario:
    """A scenario with these faults."""
    return load_scenario("baseline", {**ONE_DAY, "faults": list(faults), "noise": list(noise), **more})


def days_of(scenario: Scenario, table: str, days: Sequence[date] = (A_DAY,)) -> pd.DataFrame:
    """Some days of a simulated table."""
    frames = pa.concat_tables([simulate_day(scenario, day)[table] for day in days]).to_pandas()
    return frames.astype({name: float for name in frames if _is_decimal(frames[name])})


def _is_decimal(values: "pd.Series[Any]") -> bool:
    known = values.dropna()
    return values.dtype == object and len(known) > 0 and type(known.iloc[0]).__name__ == "Decimal"


def both(
    scenario: Scenario, table: str = "transactions", key: str = "transaction_id"
) -> tuple[pd.DataFrame, ...]:
    """The clean and the landed rows of a day, and the day's ledger, the first two by key."""
    clean = days_of(scenario.without("faults"), table).set_index(key)
    return clean, days_of(scenario, table).set_index(key), days_of(scenario, "fault_ledger")


def hits_of(ledger: pd.DataFrame, column: str) -> pd.DataFrame:
    """Entries of a column, by the only value of their key."""
    own = ledger[ledger.column_name == column]
    return own.set_index(own.key.str[0])


def fits_rate(hits: int, eligible: int, rate: float) -> bool:
    """Whether a count is one of a binomial distribution."""
    return bool(stats.binomtest(hits, eligible, rate).pvalue > ALPHA)


ON_ONE_WORD: tuple[dict[str, Any], ...] = (
    {"kind": "missing"},
    {"kind": "typo"},
    {"kind": "new_category", "category": "odd"},
    {"kind": "truncated", "length": 3},
    {"kind": "stuck", "stretch_minutes": 120},
    {"kind": "duplicate"},
)

ON_ONE_NUMBER: tuple[dict[str, Any], ...] = (
    {"kind": "missing", "given": {"above": 60}},
    {"kind": "typo"},
    {"kind": "out_of_range", "low": -9, "high": -2},
    {"kind": "unit_change"},
    {"kind": "stuck"},
    {"kind": "duplicate"},
)

ON_ONE_ARRIVAL: tuple[dict[str, Any], ...] = (
    {"kind": "late", "delay": {"kind": "exponential", "mean_hours": 5}},
    {"kind": "out_of_order", "places": 2},
)

RIVALS = (
    [{"columns": ("risk_level",), **one} for one in ON_ONE_WORD],
    [{"columns": ("amount",), **one} for one in ON_ONE_NUMBER],
    ON_ONE_ARRIVAL,
)

MEASURED = [column for column in TRANSACTIONS.columns if column.is_measurement]

EVERY_KIND: tuple[dict[str, Any], ...] = (
    {"kind": "missing", "table": "transactions", "columns": ["risk_level", "amount", "event_time"]},
    {
        "kind": "missing",
        "table": "transactions",
        "columns": ["risk_score"],
        "given": {"column": "amount", "above": 90},
    },
    {"kind": "missing", "table": "transactions", "columns": ["credit_utilization"], "given": {"above": 0.1}},
    {"kind": "missing", "table": "installments", "columns": ["paid_at", "amount_paid", "repayment_method"]},
    {"kind": "duplicate", "table": "transactions"},
    {
        "kind": "duplicate",
        "table": "transactions",
        "columns": ["amount", "customer_id", "event_time", "risk_score"],
    },
    {"kind": "duplicate", "table": "installments", "columns": ["paid_at", "days_past_due"]},
    {"kind": "late", "table": "transactions", "delay": {"kind": "exponential", "mean_hours": 30}},
    {"kind": "late", "table": "transactions", "delay": {"kind": "lognormal", "median_hours": 3, "sigma": 1}},
    {"kind": "out_of_order", "table": "transactions", "places": 3},
    {"kind": "typo", "table": "transactions", "columns": ["purchase_context", "product_id", "amount"]},
    {"kind": "typo", "table": "customers", "columns": ["state"]},
    {
        "kind": "out_of_range",
        "table": "transactions",
        "columns": ["installment_count", "risk_score", "amount"],
        "low": -7,
        "high": -1,
    },
    {"kind": "unit_change", "table": "transactions", "columns": ["amount", "time_on_site_seconds"]},
    {"kind": "unit_change", "table": "installments", "columns": ["amount_due"], "factor": 0.01},
    {"kind": "stuck", "table": "transactions", "columns": ["risk_score", "device_id", "event_time"]},
    {"kind": "stuck", "table": "customers", "columns": ["birth_date"], "stretch_minutes": 600},
    {
        "kind": "new_category",
        "table": "transactions",
        "columns": ["checkout_speed"],
        "category": "O'Clock \u2764",
    },
    {"kind": "truncated", "table": "customers", "columns": ["income_bracket"], "length": 3},
    {"kind": "dropped_day", "table": "outcomes"},
    {"kind": "dropped_day"},
)

STRONG: tuple[dict[str, Any], ...] = (
    {"noise_type": "gaussian", "noise_level": 1.0},
    {"noise_type": "uniform", "noise_level": 1.0},
    {"noise_type": "outliers", "share": 0.5, "size": 60},
)
