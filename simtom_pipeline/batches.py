"""Days on their way to the database: simulated in chunks by an executor, landed about thirty at a time.

A batch holds the same days whatever the executor and the size of the chunks.
"""

from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from threading import Event

import pyarrow as pa

from .chunks import PortableSimulation, SimulatedDay, WantedDays, simulate_chunk
from .contracts import TableContract
from .simulation import Simulation

DAYS_PER_TRANSACTION = 30
ROWS_PER_TRANSACTION = 1_000_000
"""A batch ends after so many days or rows, whichever comes first: this bounds the memory."""

MAX_DAYS_PER_CHUNK = 5
EVENTS_PER_CHUNK = 5_000
"""A chunk is expected to hold at most so many events: a small part of what a batch may hold."""
ROWS_PER_EVENT = 10
"""Guess of how many rows of all tables an event has, before a day of them has been seen."""


@dataclass
class Batch:
    """Days that land in one transaction, in the order in which they were asked for."""

    days: list[date] = field(default_factory=list)
    parts: dict[str, list[pa.Table]] = field(default_factory=lambda: defaultdict(list))
    rows: int = 0

    def add(self, day: date, tables: Mapping[str, pa.Table]) -> None:
        """Append one simulated day."""
        self.days.append(day)
        for name, table in tables.items():
            self.parts[name].append(table)
            self.rows += table.num_rows

    def table(self, contract: TableContract) -> pa.Table:
        """The rows of all its days; a table without days is the same on each."""
        parts = self.parts[contract.name]
        return pa.concat_tables(parts) if contract.daily else parts[0]

    @property
    def full(self) -> bool:
        """Whether it is time to land."""
        return len(self.days) >= DAYS_PER_TRANSACTION or self.rows >= ROWS_PER_TRANSACTION


@dataclass(frozen=True)
class Workers:
    """Who simulates days, and how many of them at a time.

    Attributes
    ----------
    executor : what simulates chunks of days. Processes are to be started by "spawn" or "forkserver": a
        forked one inherits what this one has open. None: one thread of this process.
    days_per_chunk : how many days are simulated at once, at most; None: as many as few rows are expected of.
    """

    executor: Executor | None = None
    days_per_chunk: int | None = None

    def chunks(self, simulation: Simulation, days: Sequence[date]) -> list[Sequence[date]]:
        """The days in chunks, none of which reaches from one full batch of days into the next."""
        size = self.days_per_chunk or _few_days(simulation)
        batches = [days[n : n + DAYS_PER_TRANSACTION] for n in range(0, len(days), DAYS_PER_TRANSACTION)]
        return [batch[n : n + size] for batch in batches for n in range(0, len(batch), size)]


def _few_days(simulation: Simulation) -> int:
    per_day = simulation.scenario.volume.events_per_day
    return max(1, min(MAX_DAYS_PER_CHUNK, int(EVENTS_PER_CHUNK / per_day)))


@contextmanager
def simulated_batches(
    simulation: Simulation, days: Sequence[date], workers: Workers
) -> Iterator[Iterator[Batch]]:
    """Batches of days, each simulated while the one before lands; at the end no further day is begun.

    An executor that is given is left running.
    """
    executor = workers.executor or ThreadPoolExecutor(max_workers=1)
    ahead = _Ahead(simulation, workers.chunks(simulation, days), executor)
    try:
        yield _batches(ahead)
    finally:
        ahead.end()
        if workers.executor is None:
            executor.shutdown(wait=False)


def _batches(ahead: "_Ahead") -> Iterator[Batch]:
    batch = Batch()
    for day, tables in ahead:
        batch.add(day, tables)
        if batch.full:
            yield batch
            batch = Batch()
    if batch.days:
        yield batch


class _Ahead:
    """Days in their order, simulated ahead of who takes them: by about as many as a batch may hold."""

    def __init__(self, simulation: Simulation, chunks: Sequence[Sequence[date]], executor: Executor) -> None:
        self._portable, self._executor = PortableSimulation(simulation), executor
        self._waiting = deque(chunks)
        self._coming: deque[tuple[Sequence[date], Future[list[SimulatedDay]]]] = deque()
        self._enough = Event()
        self._days, self._rows = 1, int(ROWS_PER_EVENT * simulation.scenario.volume.events_per_day)

    def __iter__(self) -> Iterator[SimulatedDay]:
        self._begin_more()
        while self._coming:
            days, task = self._coming[0]
            simulated = task.result()
            self._coming.popleft()
            if rest := days[len(simulated) :]:
                self._coming.appendleft((rest, self._begin(rest)))
            self._days += len(simulated)
            self._rows += sum(table.num_rows for _, tables in simulated for table in tables.values())
            self._begin_more()
            yield from simulated

    def _begin_more(self) -> None:
        """Fill up to a batch, in days and, as it was on the days so far, in rows; one chunk at least."""
        most = min(DAYS_PER_TRANSACTION, ROWS_PER_TRANSACTION * self._days / max(self._rows, 1))
        under_way = sum(len(days) for days, _ in self._coming)
        while self._waiting and (not under_way or under_way + len(self._waiting[0]) <= most):
            days = self._waiting.popleft()
            self._coming.append((days, self._begin(days)))
            under_way += len(days)

    def _begin(self, days: Sequence[date]) -> Future[list[SimulatedDay]]:
        return self._executor.submit(simulate_chunk, self._portable, WantedDays(days, self._enough))

    def end(self) -> None:
        """Begin no further day."""
        self._enough.set()
        for _, task in self._coming:
            task.cancel()
