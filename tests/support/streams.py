"""Streams of small worlds, and what is in them."""

from datetime import timedelta
from typing import Any

from simtom_pipeline import load_scenario
from simtom_pipeline.simulation import Simulation
from simtom_pipeline.streaming.positions import Position
from simtom_pipeline.streaming.selection import Selection
from simtom_pipeline.streaming.sources import SimulatedDays
from simtom_pipeline.streaming.stream import Stream

SMALL = {
    "clock.end": "2024-01-06",
    "volume.base_daily_volume": 25,
    "bnpl.population.initial_customers": 60,
    "bnpl.credit.charge_off_days": 7,
}
Sent = tuple[str, str, bytes]
"""Id, table and JSON of a record."""


def small(name: str = "baseline", **overrides: Any) -> Simulation:
    """A world of a few days with a few purchases each."""
    return Simulation(load_scenario(name, SMALL | overrides))


def sent(stream: Stream, after: str | None = None) -> list[Sent]:
    """Everything that a stream sends after a record."""
    position = None if after is None else Position.read(after)
    return [
        (str(at), name, record)
        for portion in stream.portions(position)
        for at, name, record in zip(portion.positions, portion.names, portion.records(), strict=True)
    ]


def stream_of(selection: Selection, days_after: int = 0, **more: Any) -> Stream:
    """The stream of a whole clock, drawn."""
    clock = selection.simulation.scenario.clock
    last = clock.end + timedelta(days_after)
    return Stream(selection, more.pop("source", None) or SimulatedDays(selection), clock.start, last, **more)
