"""The flat record of each event of a day: its view, asked of a database in memory that follows the days."""

from collections.abc import Callable, Iterable, Mapping
from datetime import date, timedelta

import pyarrow as pa

from ..contracts import TableContract, ViewContract
from ..landing.duckdb_file import in_memory
from ..simulation import Simulation


class FlatRecords:
    """The records of one day after another.

    What an event refers to came on earlier days, so every day before is drawn once, and of each the rows that
    can be referred to are kept; of events and what belongs to them, only the day's.

    Parameters
    ----------
    simulation : of the scenario.
    view : the view that is the flat record.
    earlier : the rows of the days from one on and before another, in one or more parts, of tables by name.
    """

    def __init__(
        self,
        simulation: Simulation,
        view: ViewContract,
        earlier: Callable[[date, date], Iterable[Mapping[str, pa.Table]]],
    ) -> None:
        self._view, self._earlier = view, earlier
        self._relations, self._clock = simulation.relations, simulation.scenario.clock
        self._database = in_memory()
        self._connection = self._database.connection
        self._database.ensure(self._relations)
        for name, rows in simulation.constants().items():
            if name in view.reads:
                self._database.insert(self._relations.name_of(self._relations.table(name)), rows)
        self._next = self._clock.start

    def of(self, day: date, tables: Mapping[str, pa.Table]) -> pa.Table:
        """Records of a day, given its tables; a day that comes again is begun anew."""
        if day < self._next:
            for contract in self._read:
                self._connection.execute(f"DELETE FROM {self._relations.name_of(contract)}")
            self._next = self._clock.start
        for part in self._earlier(self._next, day) if self._next < day else ():
            self._follow(part)
        self._follow(tables)
        self._next = day + timedelta(1)
        found = self._connection.execute(f"SELECT * FROM {self._relations.name_of(self._view)} ORDER BY ALL")
        return found.to_arrow_table()

    def _follow(self, tables: Mapping[str, pa.Table]) -> None:
        for contract in self._read:
            name = self._relations.name_of(contract)
            if self._is_of_an_event(contract):
                self._connection.execute(f"DELETE FROM {name}")
            if contract.name in tables:
                self._database.insert(name, tables[contract.name])

    @property
    def kept(self) -> list[TableContract]:
        """Tables whose rows of earlier days can be referred to."""
        return [contract for contract in self._read if not self._is_of_an_event(contract)]

    @property
    def _read(self) -> list[TableContract]:
        return [contract for contract in self._relations.daily if contract.name in self._view.reads]

    def _is_of_an_event(self, contract: TableContract) -> bool:
        events = self._relations.event_table
        return contract.name == events or any(key.parent == events for key in contract.foreign_keys)

    def close(self) -> None:
        """Let the database go."""
        self._connection.close()
