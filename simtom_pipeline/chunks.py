"""A chunk of days, simulated wherever an executor runs it: in a thread, in a process, on another machine.

Promise: what a worker imports with this is what simulating needs; neither DuckDB nor Dagster.
"""

import os
import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from functools import cached_property, lru_cache
from itertools import takewhile
from pathlib import Path
from threading import Event

import pyarrow as pa

from .generators.registry import discover
from .home import simtom_home
from .simulation import Simulation

SimulatedDay = tuple[date, dict[str, pa.Table]]
"""A day and every table of it as it lands, by name."""


class PortableSimulation:
    """A simulation that can be sent to another process: as its scenario and the home of its generators.

    Who keeps it keeps what was worked out already; who receives it works that out again, once a process.

    Parameters
    ----------
    simulation : what simulates the days.
    """

    def __init__(self, simulation: Simulation) -> None:
        self.simulation, self._home = simulation, str(simtom_home())

    @cached_property
    def _scenario(self) -> bytes:
        return pickle.dumps(self.simulation.scenario)

    def __reduce__(self) -> tuple[Callable[[str, bytes], "PortableSimulation"], tuple[str, bytes]]:
        return _received, (self._home, self._scenario)


def _received(home: str, scenario: bytes) -> PortableSimulation:
    """The simulation in the process that it was sent to, whose home is from now on the sender's."""
    os.environ["SIMTOM_HOME"] = home
    return _worked_out(home, scenario)


@lru_cache(maxsize=4)
def _worked_out(home: str, scenario: bytes) -> PortableSimulation:
    discover(Path(home))  # a scenario has a section of its generator, whose module must be there to read it
    return PortableSimulation(Simulation(pickle.loads(scenario)))  # noqa: S301  # from the sender alone


class WantedDays:
    """Days for as long as they are wanted; in another process, which is not told of the end, all of them."""

    def __init__(self, days: Sequence[date], enough: Event) -> None:
        self._days, self._enough = tuple(days), enough

    def __iter__(self) -> Iterator[date]:
        return takewhile(lambda _: not self._enough.is_set(), self._days)

    def __reduce__(self) -> tuple[type[tuple[date, ...]], tuple[tuple[date, ...]]]:
        return tuple, (self._days,)


def simulate_chunk(portable: PortableSimulation, days: Iterable[date]) -> list[SimulatedDay]:
    """The days, simulated one after the other: what an executor is asked to run.

    Where a day cannot be simulated, those before it are returned; asked for first, it raises what is wrong.
    """
    simulated: list[SimulatedDay] = []
    for day in days:
        try:
            simulated.append((day, portable.simulation.simulate_day(day)))
        except Exception:
            if not simulated:
                raise
            break
    return simulated
