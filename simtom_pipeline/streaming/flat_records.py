"""The flat record of each event of a day: its view, asked of a database in memory that follows the days."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from datetime import date, timedelta
from functools import cached_property

import pyarrow as pa

from ..contracts import TableContract, ViewContract
from ..landing.ddl import schema_of
from ..landing.duckdb_file import DuckDBDatabase, in_memory
from ..simulation import Simulation
from ..sql import quoted


class FlatRecords:
    """The records of one day after another.

    What an event refers to came on earlier days, so every day before is drawn once, and of each the rows that
    can be referred to are kept; events and what belongs to them are only read, where they are.

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
        self._simulation, self._view, self._earlier = simulation, view, earlier
        self._relations = simulation.relations
        self._database: DuckDBDatabase | None = None
        self._next = simulation.scenario.clock.start

    def of(self, day: date, tables: Mapping[str, pa.Table]) -> pa.Table:
        """Records of a day, given its tables; a day that comes again is begun anew."""
        if day < self._next:
            self.close()
        if self._database is None:
            self._database = self._begun()
        database = self._database
        for part in self._earlier(self._next, day) if self._next < day else ():
            self._keep(database, part)
        self._keep(database, tables)
        self._next = day + timedelta(1)
        view = self._view.sql(self._relations.schema, self._relations.truth)
        with ExitStack() as stack:
            for contract in self._of_events:
                database.connection.register(_of_the_day(contract), tables[contract.name])
                stack.callback(database.connection.unregister, _of_the_day(contract))
            return database.connection.execute(f"SELECT * FROM ({view}) ORDER BY ALL").to_arrow_table()

    def _begun(self) -> DuckDBDatabase:
        """A database with what does not depend on the day, and with room for what is kept."""
        database, scenario = in_memory(), self._simulation.scenario.name
        constants = self._simulation.constants()
        read = [contract for contract in self._relations.simulated if contract.name in self._view.reads]
        for schema in dict.fromkeys(schema_of(scenario, contract) for contract in read):
            database.connection.execute(f"CREATE SCHEMA {quoted(schema)}")
        for contract in read:
            if contract in self._of_events:
                self._make_view(database, contract)
                continue
            name = self._relations.name_of(contract)
            declared = ", ".join(f"{quoted(column.name)} {column.type.sql}" for column in contract.columns)
            database.connection.execute(f"CREATE TABLE {name} ({declared})")
            if contract.name in constants:
                database.insert(name, constants[contract.name])
        return database

    def _make_view(self, database: DuckDBDatabase, contract: TableContract) -> None:
        """A view of the rows that are registered as a table of the day, in the types in which they land."""
        columns = {quoted(column.name): column.type.sql for column in contract.columns}
        typed = ", ".join(f"{column}::{kind} AS {column}" for column, kind in columns.items())
        database.connection.register(_of_the_day(contract), contract.schema.empty_table())
        database.connection.execute(
            f"CREATE VIEW {self._relations.name_of(contract)} AS"
            f" SELECT {typed} FROM {quoted(_of_the_day(contract))}"
        )
        database.connection.unregister(_of_the_day(contract))

    def _keep(self, database: DuckDBDatabase, tables: Mapping[str, pa.Table]) -> None:
        for contract in self.kept:
            if contract.name in tables:
                database.insert(self._relations.name_of(contract), tables[contract.name])

    @cached_property
    def kept(self) -> list[TableContract]:
        """Tables whose rows of earlier days can be referred to."""
        return [contract for contract in self._read if contract not in self._of_events]

    @cached_property
    def _of_events(self) -> list[TableContract]:
        """Tables that are read of the day alone: the events', and those whose rows belong to one of them."""
        events = self._relations.event_table
        return [
            contract
            for contract in self._read
            if contract.name == events or any(key.parent == events for key in contract.foreign_keys)
        ]

    @cached_property
    def _read(self) -> list[TableContract]:
        return [contract for contract in self._relations.daily if contract.name in self._view.reads]

    def close(self) -> None:
        """Let go of what is kept; a day that is asked for now is begun anew."""
        if self._database is not None:
            self._database.connection.close()
        self._database, self._next = None, self._simulation.scenario.clock.start


def _of_the_day(contract: TableContract) -> str:
    """What the day's rows of a table are called in the database."""
    return f"simtom_{contract.name}"
