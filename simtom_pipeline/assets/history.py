"""Simulate and land a range of days, batch by batch, the next batch while the last one lands."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date

from .. import landing
from ..generators.base import BaseGenerator
from ..records import Recorder
from ..scenarios.models import Scenario
from ..simulation import simulate_day, world
from .adoption import adopt_earlier_days
from .batches import Connect, batches

RowsPerDay = dict[str, dict[date, int]]


def land_history(
    scenario: Scenario,
    generator: type[BaseGenerator],
    days: Sequence[date],
    connect: Connect,
    landed: Callable[[int], None],
    fresh: bool = False,
) -> RowsPerDay:
    """Simulate and land `days`; returns the rows a day of each daily table.

    `landed(n)` is called after each transaction with the number of days it held. A `fresh` world may take
    the place of another one that is in the file.

    Raises
    ------
    LandingError : the file holds days of another world, or days that nothing is known of.
    """
    recorder = Recorder(scenario.name, world(scenario), scenario.clock, fresh, days)
    with connect() as connection:
        recorder.check(connection)
    if not fresh:
        adopt_earlier_days(scenario, generator, connect, days)
    contracts = generator.contracts(scenario)
    daily = [contract.name for contract in contracts if contract.daily]
    rows: RowsPerDay = {name: {} for name in daily}
    with ThreadPoolExecutor(max_workers=1) as simulator:
        simulated = batches(days, lambda day: simulate_day(scenario, day))
        coming = simulator.submit(next, simulated, None)
        while (batch := coming.result()) is not None:
            coming = simulator.submit(next, simulated, None)
            with connect() as connection:
                landing.replace_days(
                    connection,
                    scenario.name,
                    generator.landed_contracts(scenario),
                    generator.landed_views(scenario),
                    batch.days,
                    {contract.name: batch.table(contract) for contract in contracts},
                    recorder,
                )
            for name in daily:
                for day, part in zip(batch.days, batch.parts[name], strict=True):
                    rows[name][day] = part.num_rows
            landed(len(batch.days))
    return rows
