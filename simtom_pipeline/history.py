"""Simulate and land a range of days, batch by batch, the next batch while the last one lands."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date
from functools import partial
from itertools import takewhile
from threading import Event

from . import interrupts, landing
from .adoption import adopt_earlier_days
from .batches import Batch, Connect, batches
from .landed_days import LandedDays
from .records import Recorder
from .simulation import Simulation

RowsPerDay = dict[str, dict[date, int]]


def land_history(
    simulation: Simulation,
    days: Sequence[date],
    connect: Connect,
    landed: Callable[[int], None],
    fresh: bool = False,
) -> RowsPerDay:
    """Simulate and land `days`; returns the rows a day of each daily table.

    `landed(n)` is called with each transaction that has been committed, with the number of days it held.
    Whatever ends the landing early carries a note of what has landed by then. A `fresh` world may take the
    place of another one that is in the file.

    Raises
    ------
    LandingError : the file holds days of another world, or days that nothing is known of.
    """
    scenario, relations = simulation.scenario, simulation.relations
    recorder = Recorder(scenario.name, simulation.world, scenario.clock, fresh, days)
    daily = [contract.name for contract in relations.daily]
    rows: RowsPerDay = {name: {} for name in daily}
    so_far = LandedDays(days)

    def committed(batch: Batch) -> None:
        for name in daily:
            for day, part in zip(batch.days, batch.parts[name], strict=True):
                rows[name][day] = part.num_rows
        so_far.count += len(batch.days)
        landed(len(batch.days))

    with _noted(so_far):
        with connect() as connection:
            recorder.check(connection)
        if not fresh:
            adopt_earlier_days(simulation, connect, days)
    with _noted(so_far), _simulated_ahead(simulation, days) as simulated:
        for batch in simulated:
            interrupts.act()
            with connect() as connection:
                landing.replace_days(
                    connection,
                    relations,
                    batch.days,
                    {contract.name: batch.table(contract) for contract in relations.simulated},
                    recorder,
                    partial(committed, batch),
                )
    return rows


@contextmanager
def _noted(so_far: LandedDays) -> Iterator[None]:
    """Whatever ends what happens within carries a note of what has landed by then."""
    try:
        yield
    except BaseException as error:
        error.add_note(str(so_far))
        raise


@contextmanager
def _simulated_ahead(simulation: Simulation, days: Sequence[date]) -> Iterator[Iterator[Batch]]:
    """Batches of days, each simulated while the one before lands; at the end no further day is begun."""
    enough = Event()
    wanted = takewhile(lambda _: not enough.is_set(), days)
    simulated = batches(wanted, simulation.simulate_day)
    simulator = ThreadPoolExecutor(max_workers=1)
    coming = simulator.submit(next, simulated, None)

    def one_ahead() -> Iterator[Batch]:
        nonlocal coming
        while (batch := coming.result()) is not None:
            coming = simulator.submit(next, simulated, None)
            yield batch

    try:
        yield one_ahead()
    finally:
        enough.set()
        simulator.shutdown(wait=False)
