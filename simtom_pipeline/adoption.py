"""Days that a version without records landed: taken over once they are seen to be what the scenario draws."""

from collections.abc import Sequence
from datetime import date

import pyarrow as pa

from .batches import Workers, simulated_batches
from .contracts import TableContract
from .landing import Database, LandingError, Storage, records, table_name
from .landing.content import NO_ROWS, digests, digests_of
from .simulation import Simulation


def adopt_earlier_days(
    simulation: Simulation, storage: Storage, landing_now: Sequence[date], workers: Workers
) -> None:
    """Put days of a version that kept no record on record, those aside that land now anyway.

    Raises
    ------
    LandingError : one of them is not what the scenario draws; nothing is recorded.
    """
    scenario, relations = simulation.scenario, simulation.relations
    with storage.open() as database:
        found = records.kept(database.connection, scenario.name)
    days = sorted(set(found.unrecorded) - set(landing_now))
    if not days or found.world is not None:  # once a world is on record, they are of the one before
        return
    daily = relations.daily
    with simulated_batches(simulation, days, workers) as simulated:
        for batch in simulated:
            with storage.open() as database:
                for contract in daily:
                    _verify(database, scenario.name, contract, batch.days, batch.table(contract))
    recorder = records.Recorder(
        scenario.name, simulation.world, scenario.clock, fresh=False, days=days, how=records.ADOPTED
    )
    with storage.open() as database, database.transaction():
        database.ensure(relations)
        recorder.adopt(database, daily, days)


def _verify(
    database: Database,
    scenario: str,
    contract: TableContract,
    days: Sequence[date],
    simulated: pa.Table,
) -> None:
    name, connection = table_name(scenario, contract), database.connection
    found = digests(connection, contract, f"(FROM {name} WHERE day BETWEEN '{days[0]}' AND '{days[-1]}')")
    expected = digests_of(connection, contract, simulated)
    for day in days:
        if found.get(day, NO_ROWS) != expected.get(day, NO_ROWS):
            raise LandingError(
                f"{database.location} holds days of {scenario} from a version that kept no"
                f" record of their scenario, and {contract.name} of {day} is not what this one draws today."
                " Either land in another file (--database FILE), or land those days again"
                " too, with --fresh, for any days in any number of runs; or remove them first, with"
                f" simtom forget {scenario}."
            )
