"""Days that a version without records landed: taken over once they are seen to be what the scenario draws."""

from collections.abc import Sequence
from datetime import date

import pyarrow as pa

from .. import landing, records
from ..content import NO_ROWS, digests
from ..contracts import TableContract
from ..generators.base import BaseGenerator
from ..landing import Connection, LandingError, table_name
from ..scenarios.models import Scenario
from ..simulation import simulate_day, world
from .batches import Connect, batches


def adopt_earlier_days(
    scenario: Scenario, generator: type[BaseGenerator], connect: Connect, landing_now: Sequence[date]
) -> None:
    """Put days of a version that kept no record on record, those aside that land now anyway.

    Raises
    ------
    LandingError : one of them is not what the scenario draws; nothing is recorded.
    """
    with connect() as connection:
        found = records.kept(connection, scenario.name)
    days = sorted(set(found.unrecorded) - set(landing_now))
    if not days or found.world is not None:  # once a world is on record, they are of the one before
        return
    daily = [contract for contract in generator.contracts(scenario) if contract.daily]
    for batch in batches(days, lambda day: simulate_day(scenario, day)):
        with connect() as connection:
            for contract in daily:
                _verify(connection, scenario, contract, batch.days, batch.table(contract))
    recorder = records.Recorder(
        scenario.name, world(scenario), scenario.clock, fresh=False, days=days, how=records.ADOPTED
    )
    with connect() as connection, landing.transaction(connection):
        contracts = generator.landed_contracts(scenario)
        landing.ensure_tables(connection, scenario.name, contracts, generator.landed_views(scenario))
        recorder.adopt(connection, daily, days)


def _verify(
    connection: Connection,
    scenario: Scenario,
    contract: TableContract,
    days: Sequence[date],
    simulated: pa.Table,
) -> None:
    name = table_name(scenario.name, contract)
    found = digests(connection, contract, f"(FROM {name} WHERE day BETWEEN '{days[0]}' AND '{days[-1]}')")
    connection.register("simtom_content", simulated)
    expected = digests(connection, contract, "simtom_content")
    connection.unregister("simtom_content")
    for day in days:
        if found.get(day, NO_ROWS) != expected.get(day, NO_ROWS):
            raise LandingError(
                f"{landing.path_of(connection)} holds days of {scenario.name} from a version that kept no"
                f" record of their scenario, and {contract.name} of {day} is not what this one draws today."
                " Either land in another file (--database FILE), or land those days again"
                " too, with --fresh, for any days in any number of runs; or remove them first, with"
                f" simtom forget {scenario.name}."
            )
