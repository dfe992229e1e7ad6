"""Where the rows of a stream come from: drawn day by day, or read from where they have landed."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, timedelta
from time import monotonic, sleep
from typing import Literal

import pyarrow as pa

from ..contracts import TableContract
from ..home import run_command
from ..landing import InUseError, LandingError, Storage
from ..landing.records import kept
from ..sql import quoted
from .delivery import Source
from .flat_records import FlatRecords
from .selection import Selection

SourceName = Literal["simulated", "landed"]
MAX_WAIT = 30.0
"""Seconds to wait for a file that another process writes to."""


class AnotherWorldLandedError(LandingError):
    """A day is of another world than the stream's: it was replaced, or the scenario is another one now."""

    def __init__(self, scenario: str, day: date, landed: str | None, here: str) -> None:
        self.landed, self.here = landed, here
        super().__init__(
            f"{day} of {scenario} has landed of world {landed or 'unknown'}, this stream is of world {here}:"
            " the day was replaced, or the scenario is another one now. Begin a new stream."
        )


class NotLandedError(LandingError):
    """A day that is asked for has not landed."""


class SimulatedDays:
    """Days as they are drawn, one after the other; what was worked out for one is kept for the next."""

    def __init__(self, selection: Selection) -> None:
        self._simulation = selection.simulation
        self._record = selection.record
        self._flat = (
            FlatRecords(self._simulation, self._record, self._earlier) if self._record is not None else None
        )

    def day(self, day: date) -> Mapping[str, pa.Table]:
        """As `Source`."""
        tables = self._simulation.simulate_day(day)
        if self._flat is None or self._record is None:
            return tables
        return {**tables, self._record.name: self._flat.of(day, tables)}

    def close(self) -> None:
        """As `Source`."""
        if self._flat is not None:
            self._flat.close()
        self._simulation.forget()

    def _earlier(self, first: date, until: date) -> Iterator[Mapping[str, pa.Table]]:
        while first < until:
            yield self._simulation.simulate_day(first)
            first += timedelta(1)


class LandedDays:
    """Days as they lie in a storage, each read by a connection that is closed before a record is sent.

    Parameters
    ----------
    storage : where the scenario has landed.
    give_up : asked before each new attempt to open a storage that is in use; it may raise.
    """

    def __init__(
        self, selection: Selection, storage: Storage, give_up: Callable[[], None] = lambda: None
    ) -> None:
        self._selection, self._storage, self._give_up = selection, storage, give_up
        self._relations, self._record = selection.simulation.relations, selection.record
        self._flat = (
            FlatRecords(selection.simulation, self._record, self._earlier)
            if self._record is not None
            else None
        )

    def day(self, day: date) -> Mapping[str, pa.Table]:
        """As `Source`.

        A flat record is made of the days up to its own, which have to be there: later ones are not known yet.

        Raises
        ------
        NotLandedError : the day has not landed.
        AnotherWorldLandedError : it has, of another world; the message names both digests.
        InUseError : another process keeps the file for longer than `MAX_WAIT`.
        LandingError : it is no DuckDB file, its tables are not as they landed, or memory is too little.
        """
        tables = self._days(day, day, self._read_of_a_day())
        if self._flat is None or self._record is None:
            return tables
        return {**tables, self._record.name: self._flat.of(day, tables)}

    def close(self) -> None:
        """As `Source`."""
        if self._flat is not None:
            self._flat.close()

    def _earlier(self, first: date, until: date) -> Iterator[Mapping[str, pa.Table]]:
        if self._flat is not None:
            yield self._days(first, until - timedelta(1), self._flat.kept)

    def _days(self, first: date, last: date, read: Iterable[TableContract]) -> Mapping[str, pa.Table]:
        """Rows of some tables of all days from `first` to `last`, inclusive, in the order they landed in."""
        scenario, world = self._relations.scenario.name, self._selection.simulation.world.digest
        days = [first + timedelta(n) for n in range((last - first).days + 1)]
        if not self._storage.exists():
            raise NotLandedError(
                f"There is no file {self._storage.address}. Land it first:"
                f" {run_command(scenario, self._storage.address)}"
            )
        until = monotonic() + MAX_WAIT
        while True:
            try:
                with self._storage.open(read_only=True) as database:
                    worlds = kept(database.connection, scenario).worlds
                    for day in days:
                        if day not in worlds:
                            raise NotLandedError(
                                f"{day} of {scenario} has not landed in {self._storage.address}."
                            )
                        if worlds[day] != world:
                            raise AnotherWorldLandedError(scenario, day, worlds[day], world)
                    database.fits(self._relations)
                    return {
                        contract.name: database.connection.execute(
                            self._rows(contract), [first, last]
                        ).to_arrow_table()
                        for contract in read
                    }
            except InUseError:
                if monotonic() > until:
                    raise
                self._give_up()
                sleep(0.2)

    def _read_of_a_day(self) -> Iterable[TableContract]:
        read = {contract.name: contract for contract in self._selection.contracts}
        read[self._relations.event_table] = self._relations.events
        for outcome in self._selection.outcomes:
            read[outcome.table] = self._relations.table(outcome.table)
        if self._record is not None:
            read |= {c.name: c for c in self._relations.daily if c.name in self._record.reads}
        return read.values()

    def _rows(self, contract: TableContract) -> str:
        columns = ", ".join(quoted(name) for name in contract.column_names)
        name = self._relations.name_of(contract)
        return f"SELECT {columns} FROM {name} WHERE day BETWEEN ? AND ? ORDER BY rowid"


def source_of(
    selection: Selection, name: SourceName, storage: Storage, give_up: Callable[[], None] = lambda: None
) -> Source:
    """The source of that name."""
    return SimulatedDays(selection) if name == "simulated" else LandedDays(selection, storage, give_up)
