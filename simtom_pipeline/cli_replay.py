"""What `simtom replay` does: plays the stream of a scenario somewhere, and says how to go on after it."""

import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, get_args

from . import interrupts
from .landing import DuckDBFile, LandingError
from .moments import microseconds
from .scenarios.models import Scenario
from .scenarios.problems import Origin, Problem, ScenarioError
from .simulation import Simulation
from .streaming.delivery import after
from .streaming.positions import Position
from .streaming.replay import replay
from .streaming.selection import Labels, Order, Selection
from .streaming.sinks import Sink, SinkError, opened
from .streaming.sources import SourceName, source_of
from .streaming.stream import Stream
from .terminal import records_bar

MAX_DAYS_AFTER_CLOCK = 3_660
"""Longest that a record may be on its way."""
SLOWEST, FASTEST = 1e-6, 1e9
"""Simulated seconds a second."""


@dataclass(frozen=True)
class Asked:
    """A replay as it was asked for, in the words of the command."""

    to: str
    speed: str
    first: str | None
    last: str | None
    tables: str | None
    order: str
    labels: str
    source: str
    after: str | None
    limit: int | None
    database: Path


def play(scenario: Scenario, asked: Asked) -> None:
    """Play a stream to its end; a reader who has had enough ends it as well.

    Raises
    ------
    ScenarioError, SelectionError, AnotherStreamError : what is asked for cannot be had.
    LandingError : a day that has to be read has not landed, or cannot be read.
    SinkError : the destination cannot be used, or does not take a record.
    OSError : a file cannot be written. A note of the last three says how to go on.
    """
    selection = Selection(
        Simulation(scenario),
        tuple(name for name in (asked.tables or "").split(",") if name),
        _one_of("--order", asked.order, Order),
        _one_of("--labels", asked.labels, Labels),
    )
    source = source_of(selection, _one_of("--source", asked.source, SourceName), DuckDBFile(asked.database))
    first, last = _days(scenario, asked)
    position, speed = after(selection, _position(asked.after)), _speed(asked.speed)
    stream = Stream(selection, source, first, last, None, asked.limit)
    sink = opened(asked.to, position)
    interrupts.say_at_the_end(lambda: f"Interrupted{_how_to_go_on(sink) or ' before the first record.'}")
    try:
        # A reader who has had enough is no mistake.
        with suppress(BrokenPipeError), records_bar(scenario.name, asked.to) as told:
            replay(stream, sink, microseconds(datetime.combine(first, time())), speed, position, told)
    except (LandingError, SinkError, OSError) as error:
        if isinstance(error, OSError) and error.filename is None:
            error.filename = os.path.realpath("/dev/stdout") if asked.to == "-" else asked.to
        if so_far := _how_to_go_on(sink):
            error.add_note(f"Ended{so_far}")
        raise


def _how_to_go_on(sink: Sink) -> str:
    """After what a replay goes on, once anything has arrived."""
    if sink.last is None:
        return ""
    return (
        f". {sink.last} is the last record that has certainly arrived; the same command with"
        f" --after {sink.last}, or the id of a later record that you have, goes on."
    )


def _one_of(option: str, found: str, allowed: Any) -> Any:
    names = get_args(allowed)
    if found not in names:
        raise ScenarioError([Problem(Origin(option), "", repr(found), ", ".join(names))])
    return found


def _days(scenario: Scenario, asked: Asked) -> tuple[date, date]:
    """First and last day of delivery; after the clock's end comes what is on its way."""
    clock = scenario.clock
    first = _day("--from", asked.first) or clock.start
    last = _day("--until", asked.last) or clock.end
    latest = clock.end + timedelta(MAX_DAYS_AFTER_CLOCK)
    if not clock.start <= first <= clock.end:
        raise ScenarioError([Problem(Origin("--from"), "", str(first), f"{clock.start} to {clock.end}")])
    if not first <= last <= latest:
        raise ScenarioError([Problem(Origin("--until"), "", str(last), f"{first} to {latest}")])
    return first, last


def _day(option: str, text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        problem = Problem(Origin(option), "", repr(text), "a day such as 2024-06-01")
        raise ScenarioError([problem]) from None


def _position(text: str | None) -> Position | None:
    try:
        return None if text is None else Position.read(text)
    except ValueError as error:
        raise ScenarioError([Problem(Origin("--after"), "", repr(text), str(error))]) from None


def _speed(text: str) -> float | None:
    """Simulated seconds a second; None for max."""
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not SLOWEST <= speed <= FASTEST:
        allowed = "max, or simulated seconds a second such as 1440"
        raise ScenarioError([Problem(Origin("--speed"), "", repr(text), allowed)])
    return speed
