"""Scenarios with drifts, and columns of their days."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa

from simtom_pipeline import load_scenario, simulate_day
from simtom_pipeline.scenarios.models import Clock, Scenario

YEAR = Clock(start=date(2024, 1, 1), end=date(2024, 12, 31))
ONSET = date(2024, 1, 16)
SUDDEN = {"kind": "sudden", "at": "2024-01-16"}
A_DAY, BEFORE = date(2024, 1, 18), date(2024, 1, 10)


def drift(kind: str, target: str | None, effect: Mapping[str, Any], schedule: Any = SUDDEN) -> dict[str, Any]:
    named = {"target": target} if target else {}
    return {"id": "d", "kind": kind, **named, "schedule": schedule, "effect": dict(effect)}


def world(*drifts: dict[str, Any], daily: int = 200, **overrides: Any) -> Scenario:
    values = {"clock.end": "2024-01-25", "volume.base_daily_volume": daily, "drifts": list(drifts)}
    return load_scenario("baseline", values | overrides)


def of_day(scenario: Scenario, day: date, table: str = "transactions") -> pa.Table:
    return simulate_day(scenario, day)[table]


def column(table: pa.Table, name: str) -> np.ndarray:
    return np.asarray(table[name].cast(pa.float64()))


EVERY_KIND = {
    "amount": drift("covariate", "amount", {"psi": 0.25}),
    "category": drift("covariate", "product_category", {"psi": 0.25, "towards": "sports"}),
    "behavior": drift("covariate", "risk_scenario", {"psi": 0.2, "towards": "impulse_purchase"}),
    "population": drift("covariate", "credit_score_range", {"ks": 0.2, "towards": "poor"}),
    "device": drift("covariate", "device_type", {"psi": 0.3, "towards": "desktop"}),
    "provider": drift("covariate", "payment_provider", {"psi": 0.3, "towards": "affirm"}),
    "prior": drift("prior", None, {"default_rate": 0.06}),
    "concept": drift("concept", "credit.log_odds", {"default_rate": 0.05}),
    "label_delay": drift("label_delay", None, {"to": 20}),
    "volume": drift("volume", None, {"mean_ratio": 1.5}),
    "stress": drift("economic_stress", None, {"to": 0.8}),
}

ALL_AT_ONCE = [
    entry | {"id": name, "schedule": {"kind": "gradual", "at": "2024-01-15", "width_days": 4}}
    for name, entry in EVERY_KIND.items()
    if name not in ("stress", "volume")
]
