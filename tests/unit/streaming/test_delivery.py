"""Every row is delivered once, on its day and in order, and is let go of then."""

from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from simtom_pipeline.moments import MICROSECONDS_PER_DAY, day_number
from simtom_pipeline.simulation import Simulation
from simtom_pipeline.streaming.delivery import delivered_days
from simtom_pipeline.streaming.selection import Selection
from simtom_pipeline.streaming.sources import SimulatedDays
from tests.support.streams import (
    END,
    LATE,
    MUCH_LATER,
    START,
    micros,
    multiset,
    sent_with_moments,
    stream,
    world,
)

DIRTY = world("dirty_feed", faults=LATE)


def drawn(simulation: Simulation, table: str) -> list[dict[str, Any]]:
    return [
        row
        for day in simulation.scenario.clock.days()
        for row in simulation.simulate_day(day)[table].to_pylist()
    ]


@pytest.mark.parametrize("table", ["transactions", "customers", "devices", "default_risk", "fault_ledger"])
def test_by_event_time_each_row_comes_once_in_ascending_time(table: str) -> None:
    found = sent_with_moments(stream(Selection(DIRTY, (table,))))
    assert multiset([row for *_, row in found]) == multiset(drawn(DIRTY, table))
    moments = [moment for moment, *_ in found]
    assert moments == sorted(moments)


def test_by_arrival_each_row_comes_once_when_it_arrives_also_after_the_clock_has_ended() -> None:
    days = list(delivered_days(
        selection := Selection(DIRTY, order="ingested_at"), SimulatedDays(selection), START, MUCH_LATER
    ))  # fmt: skip
    for day in days:
        inside = day.moment // MICROSECONDS_PER_DAY == day_number(day.day)
        assert inside.all()
        assert np.all(np.diff(day.moment) >= 0)
    assert any(len(day) for day in days if day.day > END)
    found = sent_with_moments(stream(selection))
    assert [moment for moment, *_ in found] == [micros(row["ingested_at"]) for *_, row in found]
    rows = drawn(DIRTY, "transactions")
    assert multiset([row for *_, row in found]) == multiset(rows)
    assert len({row["transaction_id"] for row in rows}) < len(rows)


def test_a_clock_before_1970_is_streamed_in_order() -> None:
    simulation = world(
        clock__start="1969-12-30", clock__end="1970-01-02", arrivals__arrival_pattern="uniform"
    )
    selection = Selection(simulation, ("transactions",), labels="as_known")
    found = sent_with_moments(stream(selection, last=date(1971, 1, 1)))
    moments = [moment for moment, name, _ in found if name == "transactions"]
    assert moments == [micros(row["event_time"]) for _, name, row in found if name == "transactions"]
    assert moments[0] < 0 < moments[-1]
    assert sum(name == "label" for _, name, _ in found) == len(moments)


def test_what_has_been_delivered_is_let_go_of() -> None:
    selection = Selection(DIRTY, ("transactions", "installments"), "ingested_at", "as_known")
    days = delivered_days(selection, SimulatedDays(selection), START, END + timedelta(20))
    total = sum(len(day) for day in delivered_days(selection, SimulatedDays(selection), START, MUCH_LATER))
    given = 0
    for day in days:
        given += len(day)
        del day
        parts = [part for _, part in days.gi_frame.f_locals["on_the_way"]]  # type: ignore[attr-defined]
        base = [part.moment if part.moment.base is None else part.moment.base for part in parts]
        assert sum(len(moment) for moment in base) <= total - given
        for part in parts:
            again = pa.concat_tables([part.rows]).take(pa.array(np.arange(len(part.rows))))
            assert part.rows.get_total_buffer_size() <= 1.5 * again.get_total_buffer_size() + 2048
