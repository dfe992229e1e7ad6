"""Simulate and land a range of days, batch by batch, the next batch while the last one lands."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from threading import Event

import duckdb
import pyarrow as pa

from .. import landing
from ..contracts import TableContract
from ..generators.base import BaseGenerator
from ..landed_days import LandedDays
from ..scenarios.models import Scenario
from ..simulation import simulate_day

DAYS_PER_TRANSACTION = 30
ROWS_PER_TRANSACTION = 2_000_000
"""A batch ends after so many days or rows, whichever comes first: this bounds the memory."""

Connect = Callable[[], AbstractContextManager[duckdb.DuckDBPyConnection]]


@dataclass
class Batch:
    """Consecutive days that land in one transaction."""

    days: list[date] = field(default_factory=list)
    parts: dict[str, list[pa.Table]] = field(default_factory=lambda: defaultdict(list))
    rows: int = 0

    def add(self, day: date, tables: dict[str, pa.Table]) -> None:
        """Append one simulated day."""
        self.days.append(day)
        for name, table in tables.items():
            self.parts[name].append(table)
            self.rows += table.num_rows

    @property
    def full(self) -> bool:
        """Whether it is time to land."""
        return len(self.days) >= DAYS_PER_TRANSACTION or self.rows >= ROWS_PER_TRANSACTION

    def tables(self, contracts: Sequence[TableContract]) -> dict[str, pa.Table]:
        """Every table with the rows of all its days; one that does not depend on the day, once."""
        return {
            contract.name: pa.concat_tables(self.parts[contract.name])
            if contract.daily
            else self.parts[contract.name][0]
            for contract in contracts
        }


RowsPerDay = dict[str, dict[date, int]]


def land_history(
    scenario: Scenario,
    generator: type[BaseGenerator],
    days: Sequence[date],
    connect: Connect,
    landed: Callable[[int], None],
) -> RowsPerDay:
    """Simulate and land `days`; returns the rows a day of each daily table.

    `landed(n)` is called with each transaction that has been committed, with the number of days it held.
    Whatever ends the landing early carries a note of what has landed by then.
    """
    contracts = generator.contracts(scenario)
    daily = [contract.name for contract in contracts if contract.daily]
    rows: RowsPerDay = {name: {} for name in daily}
    so_far = LandedDays(days)

    def committed(batch: Batch) -> None:
        for name in daily:
            for day, part in zip(batch.days, batch.parts[name], strict=True):
                rows[name][day] = part.num_rows
        so_far.count += len(batch.days)
        landed(len(batch.days))

    with _noted(so_far), _simulated_ahead(scenario, days) as batches:
        for batch in batches:
            with connect() as connection:
                landing.replace_days(
                    connection, scenario.name, contracts, generator.landed_views(scenario), batch.days,
                    batch.tables(contracts), partial(committed, batch),
                )  # fmt: skip
    return rows


@contextmanager
def _noted(so_far: LandedDays) -> Iterator[None]:
    """Whatever ends what happens within carries a note of what has landed by then."""
    try:
        yield
    except BaseException as error:
        error.add_note(str(so_far))
        raise


@contextmanager
def _simulated_ahead(scenario: Scenario, days: Sequence[date]) -> Iterator[Iterator[Batch]]:
    """Batches of days, each simulated while the one before lands; at the end no further day is begun."""
    enough = Event()
    batches = _batches(scenario, days, enough)
    simulator = ThreadPoolExecutor(max_workers=1)
    coming = simulator.submit(next, batches, None)

    def one_ahead() -> Iterator[Batch]:
        nonlocal coming
        while (batch := coming.result()) is not None:
            coming = simulator.submit(next, batches, None)
            yield batch

    try:
        yield one_ahead()
    finally:
        enough.set()
        simulator.shutdown(wait=False)


def _batches(scenario: Scenario, days: Sequence[date], enough: Event) -> Iterator[Batch]:
    batch = Batch()
    for day in days:
        if enough.is_set():
            return
        batch.add(day, simulate_day(scenario, day))
        if batch.full:
            yield batch
            batch = Batch()
    if batch.days:
        yield batch
