"""Streams of tiny worlds, and everything that one of them sends."""

import json
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from simtom_pipeline import load_scenario
from simtom_pipeline.simulation import Simulation
from simtom_pipeline.streaming.delivery import Source
from simtom_pipeline.streaming.positions import Position
from simtom_pipeline.streaming.selection import Selection
from simtom_pipeline.streaming.sources import SimulatedDays
from simtom_pipeline.streaming.stream import Stream

START, END = date(2024, 1, 1), date(2024, 1, 4)
MUCH_LATER = END + timedelta(400)
"""By when everything of these worlds has come."""

TINY = {"clock.end": END.isoformat(), "volume.base_daily_volume": 25, "bnpl.population.initial_customers": 60}
LATE = [
    {"id": "late", "kind": "late", "table": "transactions", "rate": 0.3,
     "delay": {"kind": "exponential", "mean_hours": 40}},
    {"id": "twice", "kind": "duplicate", "table": "transactions", "rate": 0.2},
    {"id": "lost", "kind": "missing", "table": "outcomes", "columns": ["will_default"], "rate": 0.2},
]  # fmt: skip

Sent = tuple[str, str, bytes]
"""Id, name and JSON of a record."""


def world(name: str = "baseline", **more: Any) -> Simulation:
    return Simulation(load_scenario(name, TINY | {key.replace("__", "."): v for key, v in more.items()}))


def stream(
    selection: Selection, source: Source | None = None, last: date = MUCH_LATER, **more: Any
) -> Stream:
    first = more.pop("first", selection.simulation.scenario.clock.start)
    return Stream(selection, source or SimulatedDays(selection), first, last, **more)


def sent(one: Stream, after: str | None = None, most: int | None = None) -> list[Sent]:
    """What a stream sends after an id, or its first `most` records."""
    found: list[Sent] = []
    for portion in one.portions(Position.read(after) if after else None):
        ids = [str(position) for position in portion.positions]
        found += zip(ids, portion.names, portion.records(), strict=True)
        if most is not None and len(found) >= most:
            return found[:most]
    return found


def sent_with_moments(one: Stream) -> list[tuple[int, str, dict[str, Any]]]:
    """Moment (microseconds since 1970-01-01), name and values of every record."""
    return [
        (int(moment), name, json.loads(record))
        for portion in one.portions()
        for moment, name, record in zip(portion.moment, portion.names, portion.records(), strict=True)
    ]


def micros(moment: datetime | str | None) -> int | None:
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    return None if moment is None else (moment - datetime(1970, 1, 1)) // timedelta(microseconds=1)


def plain(value: Any) -> Any:
    """A Python value as JSON has it, by a way of its own."""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.%f")
    if isinstance(value, date):
        return value.isoformat()
    return float(value) if type(value).__name__ == "Decimal" else value


def multiset(rows: Sequence[dict[str, Any]]) -> list[str]:
    return sorted(
        json.dumps({name: plain(value) for name, value in row.items()}, sort_keys=True) for row in rows
    )
