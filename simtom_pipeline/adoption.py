"""Days that a version without records landed: taken over once they are seen to be what the scenario draws."""

from collections.abc import Sequence
from datetime import date

import pyarrow as pa

from . import landing, records
from .batches import Connect, batches
from .content import NO_ROWS, digests
from .contracts import TableContract
from .landing import Connection, LandingError, table_name
from .simulation import Simulation


def adopt_earlier_days(simulation: Simulation, connect: Connect, landing_now: Sequence[date]) -> None:
    """Put days of a version that kept no record on record, those aside that land now anyway.

    Raises
    ------
    LandingError : one of them is not what the scenario draws; nothing is recorded.
    """
    scenario, relations = simulation.scenario, simulation.relations
    with connect() as connection:
        found = records.kept(connection, scenario.name)
    days = sorted(set(found.unrecorded) - set(landing_now))
    if not days or found.world is not None:  # once a world is on record, they are of the one before
        return
    daily = relations.daily
    for batch in batches(days, simulation.simulate_day):
        with connect() as connection:
            for contract in daily:
                _verify(connection, scenario.name, contract, batch.days, batch.table(contract))
    recorder = records.Recorder(
        scenario.name, simulation.world, scenario.clock, fresh=False, days=days, how=records.ADOPTED
    )
    with connect() as connection, landing.transaction(connection):
        landing.ensure_tables(connection, relations)
        recorder.adopt(connection, daily, days)


def _verify(
    connection: Connection,
    scenario: str,
    contract: TableContract,
    days: Sequence[date],
    simulated: pa.Table,
) -> None:
    name = table_name(scenario, contract)
    found = digests(connection, contract, f"(FROM {name} WHERE day BETWEEN '{days[0]}' AND '{days[-1]}')")
    connection.register("simtom_content", simulated)
    expected = digests(connection, contract, "simtom_content")
    connection.unregister("simtom_content")
    for day in days:
        if found.get(day, NO_ROWS) != expected.get(day, NO_ROWS):
            raise LandingError(
                f"{landing.path_of(connection)} holds days of {scenario} from a version that kept no"
                f" record of their scenario, and {contract.name} of {day} is not what this one draws today."
                " Either land in another file (--database FILE), or land those days again"
                " too, with --fresh, for any days in any number of runs; or remove them first, with"
                f" simtom forget {scenario}."
            )
