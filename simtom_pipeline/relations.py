"""Every table and view of one scenario, worked out once.

What is drawn, what noise and faults make of it, what is measured on it and what is kept of its landing: all
follows from what the generator declares and from the scenario's words. Nothing is drawn here, so that all
scenarios can be listed at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from .contracts import TableContract, ViewContract
from .corruption.landed_types import landed_tables, tables_with_faults
from .corruption.landed_views import landed_views
from .generators.base import BaseGenerator
from .generators.drift.ledger import DERIVED
from .record_tables import RECORDS
from .scenarios.models import Scenario
from .sql import quoted, truth_schema

MEASURED_TABLES = DERIVED
"""Tables that are measured on what has landed."""


@dataclass(frozen=True)
class Relations:
    """The tables and views of a scenario.

    Attributes
    ----------
    true : tables as they are drawn, before noise and faults.
    true_views : the generator's views over those.
    event_table : name of the table whose rows are the arrivals.
    """

    scenario: Scenario
    true: tuple[TableContract, ...]
    true_views: tuple[ViewContract, ...]
    event_table: str

    @cached_property
    def simulated(self) -> tuple[TableContract, ...]:
        """Tables that are simulated, as they land: with the types that noise and faults need, and ledgers."""
        return landed_tables(self.true, self.scenario)

    @cached_property
    def measured(self) -> tuple[TableContract, ...]:
        """Tables that faults can hit, as they land without any fault: with noise only."""
        return tuple(tables_with_faults(landed_tables(self.true, self.scenario.faultless), self.scenario))

    @cached_property
    def tables(self) -> tuple[TableContract, ...]:
        """Every table in the database: what is simulated, measured on it, and kept of its landing."""
        return (*self.simulated, *MEASURED_TABLES, *RECORDS)

    @cached_property
    def views(self) -> tuple[ViewContract, ...]:
        """Every view and macro in the database."""
        return landed_views(self.true_views, self.true, self.scenario)

    @cached_property
    def daily(self) -> tuple[TableContract, ...]:
        """Simulated tables that have days."""
        return tuple(contract for contract in self.simulated if contract.daily)

    @cached_property
    def constants(self) -> tuple[TableContract, ...]:
        """Simulated tables that are the same for every day."""
        return tuple(contract for contract in self.simulated if not contract.daily)

    @cached_property
    def _by_name(self) -> dict[str, TableContract]:
        return {contract.name: contract for contract in self.tables}

    def table(self, name: str) -> TableContract:
        """The table of that name, as it lands."""
        return self._by_name[name]

    def place(self, name: str) -> str:
        """A table as `<scenario>/<table>`, or `<scenario>/truth/<table>` if it is truth."""
        return "/".join([self.scenario.name, *(["truth"] if self.table(name).truth else []), name])

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def relation(self, name: str) -> TableContract | ViewContract:
        """The table or view of that name."""
        if name in self:
            return self.table(name)
        return next(view for view in self.views if view.name == name)

    @property
    def events(self) -> TableContract:
        """The table whose rows are the arrivals, as it lands."""
        return self.table(self.event_table)

    @property
    def schema(self) -> str:
        """Quoted schema of what anybody can know."""
        return quoted(self.scenario.name)

    @property
    def truth(self) -> str:
        """Quoted schema of what only the simulator knows."""
        return quoted(truth_schema(self.scenario.name))

    def name_of(self, relation: TableContract | ViewContract) -> str:
        """Quoted name of a table or view, its schema included."""
        return f"{self.truth if relation.truth else self.schema}.{quoted(relation.name)}"


def relations_of(generator: BaseGenerator) -> Relations:
    """The tables and views of a generator's scenario."""
    return Relations(
        generator.scenario, generator.true_tables(), tuple(generator.views), generator.event_table
    )


def named(relations: Sequence[TableContract], name: str) -> TableContract:
    """The table of that name."""
    return next(contract for contract in relations if contract.name == name)
