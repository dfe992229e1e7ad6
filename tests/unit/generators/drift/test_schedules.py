"""Schedules of drifts: weights, onsets, phases."""

import json
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simtom_pipeline.generators.drift.schedule import ScheduleCurve
from simtom_pipeline.scenarios.drifts import Drift
from simtom_pipeline.validation.drift import scheduled_weight
from tests.support.drifts import (
    YEAR,
)


def curve(**schedule: Any) -> ScheduleCurve:
    entry = {"id": "d", "kind": "volume", "schedule": schedule, "effect": {"mean_ratio": 2.0}}
    return ScheduleCurve(Drift.model_validate_json(json.dumps(entry, default=str)).schedule, YEAR)


SCHEDULES: dict[str, tuple[dict[str, Any], Any]] = {
    "sudden": ({"kind": "sudden", "at": "2024-06-01"}, lambda t: np.where(t >= 0, 1.0, 0.0)),
    "gradual": (
        {"kind": "gradual", "at": "2024-06-01", "width_days": 30},
        lambda t: np.where(np.abs(t) < 60, 1 / (1 + np.exp(-4 * t / 30)), t > 0),
    ),
    "linear": (
        {"kind": "linear", "from": "2024-06-01", "to": "2024-07-31"},
        lambda t: np.clip(t / 60, 0, 1),
    ),
    "seasonal": (
        {"kind": "seasonal", "at": "2024-06-01", "period_days": 40},
        lambda t: np.where(t > 0, (1 - np.cos(2 * np.pi * t / 40)) / 2, 0),
    ),
    "pulse": (
        {"kind": "pulse", "from": "2024-06-01", "to": "2024-06-20"},
        lambda t: np.where((t >= 0) & (t < 20), 1.0, 0.0),
    ),
}


@pytest.mark.parametrize("kind", SCHEDULES)
def test_a_weight_is_the_schedules_formula_on_every_day(kind: str) -> None:
    schedule, formula = SCHEDULES[kind]
    days = YEAR.days()
    elapsed = np.array([(day - date(2024, 6, 1)).days for day in days])
    assert [curve(**schedule).weight(day) for day in days] == pytest.approx(formula(elapsed), abs=1e-12)


@pytest.mark.parametrize("kind", SCHEDULES)
def test_nothing_has_weight_before_the_onset_and_phases_go_to_and_fro(kind: str) -> None:
    some = curve(**SCHEDULES[kind][0])
    assert all(some.weight(day) == 0 for day in YEAR.days() if day < some.onset)
    assert some.weight(some.onset) > 0
    targets = [phase.target for phase in some.phases]
    assert targets == [float(n % 2 == 0) for n in range(len(targets))]
    for phase in some.phases:
        assert phase.onset <= phase.settled
        if phase.settled <= YEAR.end:
            assert some.weight(phase.settled) == pytest.approx(phase.target, abs=1e-3)


def test_a_fraction_is_that_much_of_the_range() -> None:
    assert curve(kind="sudden", at=0.5).onset == date(2024, 7, 2)
    assert curve(kind="sudden", at=0).onset == date(2024, 1, 1)
    assert curve(kind="linear", **{"from": 0.25, "to": "2024-12-01"}).phases[0].settled == date(2024, 12, 1)


@given(
    kind=st.sampled_from(sorted(SCHEDULES)),
    start=st.dates(date(2023, 6, 1), date(2025, 6, 1)),
    length=st.integers(1, 200),
    scale=st.floats(2, 200),
    day=st.dates(date(2024, 1, 1), date(2024, 12, 31)),
)
def test_the_check_works_out_the_same_weights(
    kind: str, start: date, length: int, scale: float, day: date
) -> None:
    stop = start + timedelta(length)
    schedule: dict[str, Any] = {"kind": kind, "at": start}
    if kind in ("linear", "pulse"):
        schedule = {"kind": kind, "from": start, "to": stop}
    schedule |= {"gradual": {"width_days": scale}, "seasonal": {"period_days": scale}}.get(kind, {})
    found = scheduled_weight(kind, start, stop, schedule.get("width_days"), schedule.get("period_days"), day)
    assert found == pytest.approx(curve(**schedule).weight(day), abs=1e-9)
