"""The flat record of each event of a day: its view, asked of a database in memory that follows the days."""

from collections.abc import Mapping
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
    """

    def __init__(self, simulation: Simulation, view: ViewContract) -> None:
        self._simulation, self._view = simulation, view
        self._relations = simulation.relations
        self._database = in_memory()
        self._connection = self._database.connection
        self._database.ensure(self._relations)
        for name, rows in simulation.constants().items():
            if name in view.reads:
                self._database.insert(self._relations.name_of(self._relations.table(name)), rows)
        self._next = simulation.scenario.clock.start

    def of(self, day: date, tables: Mapping[str, pa.Table]) -> pa.Table:
        """Records of a day, given its tables; days are asked for in order."""
        while self._next < day:
            self._follow(self._simulation.simulate_day(self._next))
        self._follow(tables)
        found = self._connection.execute(f"SELECT * FROM {self._relations.name_of(self._view)} ORDER BY ALL")
        return found.to_arrow_table()

    def _follow(self, tables: Mapping[str, pa.Table]) -> None:
        for contract in self._relations.daily:
            if contract.name not in self._view.reads:
                continue
            name = self._relations.name_of(contract)
            if self._is_of_an_event(contract):
                self._connection.execute(f"DELETE FROM {name}")
            self._database.insert(name, tables[contract.name])
        self._next += timedelta(1)

    def _is_of_an_event(self, contract: TableContract) -> bool:
        events = self._relations.event_table
        return contract.name == events or any(key.parent == events for key in contract.foreign_keys)

    def close(self) -> None:
        """Let the database go."""
        self._connection.close()
