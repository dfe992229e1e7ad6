"""A scenario and what of it has landed: what its checks look at."""

from dataclasses import dataclass
from datetime import date
from functools import cached_property

import duckdb

from ..contracts import TableContract
from ..generators.base import BaseGenerator
from ..scenarios.models import Scenario
from ..simulation import make_generator
from . import questions as ask

EXACTNESS_CHECKS = 7
"""Volume, hours, shares, declared probability, leakage, faults and noise divide the family-wise error.

Holm's bound divides it further.
"""


@dataclass
class Landed:
    """A scenario and what of it is in the database."""

    scenario: Scenario
    generator: type[BaseGenerator]
    connection: duckdb.DuckDBPyConnection

    @cached_property
    def days(self) -> list[date]:
        """Landed days, ascending."""
        return ask.landed_days(self.connection, self.scenario.name)

    @cached_property
    def contracts(self) -> dict[str, TableContract]:
        """Contract by table name."""
        return {contract.name: contract for contract in self.generator.landed_contracts(self.scenario)}

    @cached_property
    def expectations(self) -> BaseGenerator:
        """Where expected counts and shares are worked out from the scenario."""
        return make_generator(self.scenario)

    @property
    def alpha(self) -> float:
        """The family-wise error that one check of exactness may have."""
        return self.scenario.checks.family_wise_error / EXACTNESS_CHECKS
