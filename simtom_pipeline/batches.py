"""Days on their way to the database: simulated one by one, landed about thirty at a time."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date

import pyarrow as pa

from .contracts import TableContract
from .landing import Connection

DAYS_PER_TRANSACTION = 30
ROWS_PER_TRANSACTION = 2_000_000
"""A batch ends after so many days or rows, whichever comes first: this bounds the memory."""

Connect = Callable[[], AbstractContextManager[Connection]]


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


def batches(days: Iterable[date], simulate: Callable[[date], Mapping[str, pa.Table]]) -> Iterator[Batch]:
    """The days, simulated, batch by batch."""
    batch = Batch()
    for day in days:
        batch.add(day, simulate(day))
        if batch.full:
            yield batch
            batch = Batch()
    if batch.days:
        yield batch
