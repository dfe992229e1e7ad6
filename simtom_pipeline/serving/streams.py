"""From a request to a stream: what it asks for is looked up, seen to be allowed, and made."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from ..generators.base import BaseGenerator
from ..landing import Storage
from ..moments import microseconds
from ..scenarios.models import Scenario
from ..scenarios.problems import ScenarioError
from ..simulation import Simulation, load_scenario, registry, scenario_files
from ..streaming.positions import Position
from ..streaming.selection import Selection, SelectionError, record_view
from ..streaming.sources import SimulatedDays, source_of
from ..streaming.stream import Stream
from .bounds import check_day, check_size
from .live import LiveRequest, live_scenario
from .paced import Wanted
from .scenario_streams import ScenarioRequest

MAX_DAYS_AFTER_CLOCK = 3_660
CHECKED_DAYS = 400
"""Days of a live clock whose size is looked at before the first record; the others when they are come to."""


class UnknownError(LookupError):
    """There is nothing of that name; `allowed` are the names there are."""

    def __init__(self, what: str, name: str, allowed: list[str]) -> None:
        super().__init__(f"{what} {name!r} is not there; there are {', '.join(allowed) or 'none'}")


@dataclass(frozen=True)
class Asked:
    """A stream that is asked for.

    Attributes
    ----------
    speed : simulated seconds a second; None: as fast as it can be had.
    begins : moment of the simulated clock that is now for who begins; microseconds since 1970-01-01.
    headers : what the answer says of it.
    """

    stream: Stream
    position: Position | None
    speed: float | None
    begins: int
    headers: dict[str, str]
    named: bool


def generator_named(name: str) -> type[BaseGenerator]:
    """The generator of that name; UnknownError."""
    generators = registry().generators
    if name not in generators:
        raise UnknownError("generator", name, sorted(generators))
    return generators[name]


def scenario_named(name: str) -> Scenario:
    """The scenario of that name, never a file's path; UnknownError, ScenarioError."""
    if name not in scenario_files():
        raise UnknownError("scenario", name, sorted(scenario_files()))
    return load_scenario(name)


def base_of(generator: str) -> str:
    """The scenario that a live stream starts from: the first that extends none; UnknownError."""
    another = None
    for name in sorted(scenario_files()):
        with suppress(ScenarioError):
            scenario = load_scenario(name)
            if scenario.generator == generator and scenario.extends is None:
                return name
            if scenario.generator == generator:
                another = another or name
    if another is None:
        raise UnknownError("a scenario of generator", generator, [])
    return another


def live(request: LiveRequest, generator: str, after: str | None) -> Asked:
    """The stream that a live request asks for."""
    model = generator_named(generator)
    settled = request.settled(datetime.now(UTC).replace(tzinfo=None))
    if request.scenario is not None and request.scenario not in scenario_files():
        raise UnknownError("scenario", request.scenario, sorted(scenario_files()))
    wanted = live_scenario(settled, request.scenario or base_of(generator), model)
    scenario = load_scenario(wanted.scenario, wanted.overrides)
    if scenario.generator != generator:
        raise SelectionError(
            "scenario", f"{scenario.name}, of generator {scenario.generator}", f"one of {generator}"
        )
    simulation = Simulation(scenario)
    check_size(simulation.generator)
    begins = wanted.begins or datetime.combine(scenario.clock.start, time())
    first, last = begins.date(), scenario.clock.end
    for day in range(min((last - first).days + 1, CHECKED_DAYS)):
        check_day(simulation.generator, first + timedelta(day))
    view = record_view(simulation)
    selection = Selection(simulation, (view.name if view else simulation.relations.event_table,))
    address = settled.address(generator)
    said = {
        "seed": scenario.seed,
        "start_time": begins.isoformat(),
        "rate_per_second": scenario.volume.rate_per_second,
        "time_compression": scenario.clock.time_compression,
        "digest": selection.digest,
        "url": address,
    }
    stream = Stream(
        selection,
        _Bounded(selection),
        first,
        last,
        microseconds(begins),
        settled.max_records,
        _Flat(generator, simulation, said),
    )
    headers = {
        "X-Simtom-Digest": selection.digest,
        "X-Simtom-Seed": str(scenario.seed),
        "X-Simtom-Start-Time": begins.isoformat(),
        "Content-Location": address,
    }
    position = _position(request.after if after is None else after)
    return Asked(stream, position, scenario.clock.time_compression, microseconds(begins), headers, False)


def of_scenario(
    request: ScenarioRequest, name: str, storage: Storage, after: str | None, wanted: Wanted
) -> Asked:
    """The stream of a scenario that a request asks for, as long as somebody wants it."""
    scenario = scenario_named(name)
    clock = scenario.clock
    first, last = request.first or clock.start, request.last or clock.end
    if not clock.start <= first <= clock.end:
        raise SelectionError("from", str(first), f"{clock.start} to {clock.end}")
    latest = clock.end + timedelta(MAX_DAYS_AFTER_CLOCK)
    if not first <= last <= latest:
        raise SelectionError("to", str(last), f"{first} to {latest}")
    simulation = Simulation(scenario)
    selection = Selection(simulation, tuple(request.tables), request.order, request.labels)
    source = source_of(selection, request.source, storage, wanted.check)
    stream = Stream(selection, source, first, last, None, request.limit)
    headers = {"X-Simtom-Digest": selection.digest, "X-Simtom-World": simulation.world.digest}
    speed = None if request.speed == "max" else float(request.speed)
    begins = microseconds(datetime.combine(first, time()))
    return Asked(stream, _position(request.after if after is None else after), speed, begins, headers, True)


def _position(text: str | None) -> Position | None:
    if text is None:
        return None
    try:
        return Position.read(text)
    except ValueError as error:
        raise SelectionError("after", repr(text[:100]), str(error)) from None


class _Bounded(SimulatedDays):
    """Days of a request's scenario, none of which may be too large."""

    def __init__(self, selection: Selection) -> None:
        super().__init__(selection)
        self._generator = selection.simulation.generator

    def day(self, day: date) -> Any:
        """As `Source`; TooMuchError."""
        check_day(self._generator, day)
        return super().day(day)


class _Flat:
    """What a record of a live stream has besides; the first says where the stream can be had again."""

    def __init__(self, generator: str, simulation: Simulation, said: dict[str, Any]) -> None:
        self._generator, self._said = generator, said
        self._dated_by = simulation.relations.events.dated_by

    def __call__(self, record: dict[str, Any], count: int) -> dict[str, Any]:
        if "_timestamp" not in record:
            record["_timestamp"] = record.get(self._dated_by or "")
        record |= {"_record_id": count, "_generator": self._generator}
        if count == 0:
            record["_stream"] = self._said
        return record
