"""Simulate and land a range of days, batch by batch, the next batch while the last one lands."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date

import duckdb
import pyarrow as pa

from .. import landing
from ..generators.base import BaseGenerator
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


RowsPerDay = dict[str, dict[date, int]]


def land_history(
    scenario: Scenario,
    generator: type[BaseGenerator],
    days: Sequence[date],
    connect: Connect,
    landed: Callable[[int], None],
) -> RowsPerDay:
    """Simulate and land `days`; returns the rows a day of each daily table.

    `landed(n)` is called after each transaction with the number of days it held.
    """
    contracts = generator.contracts(scenario)
    daily = [contract.name for contract in contracts if contract.daily]
    rows: RowsPerDay = {name: {} for name in daily}
    with ThreadPoolExecutor(max_workers=1) as simulator:
        batches = _batches(scenario, days)
        coming = simulator.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = simulator.submit(next, batches, None)
            tables = {
                contract.name: pa.concat_tables(batch.parts[contract.name])
                if contract.daily
                else batch.parts[contract.name][0]
                for contract in contracts
            }
            with connect() as connection:
                landing.replace_days(
                    connection, scenario.name, contracts, generator.landed_views(scenario), batch.days, tables
                )
            for name in daily:
                for day, part in zip(batch.days, batch.parts[name], strict=True):
                    rows[name][day] = part.num_rows
            landed(len(batch.days))
    return rows


def _batches(scenario: Scenario, days: Sequence[date]) -> Iterator[Batch]:
    batch = Batch()
    for day in days:
        batch.add(day, simulate_day(scenario, day))
        if batch.full:
            yield batch
            batch = Batch()
    if batch.days:
        yield batch
