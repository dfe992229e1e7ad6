"""Simulate and land a range of days, batch by batch, the next batch while the last one lands."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from functools import partial

from . import interrupts
from .adoption import adopt_earlier_days
from .batches import Batch, Workers, simulated_batches
from .landed_days import LandedDays
from .landing import Storage
from .landing.records import Recorder
from .simulation import Simulation

RowsPerDay = dict[str, dict[date, int]]


def land_history(
    simulation: Simulation,
    days: Sequence[date],
    storage: Storage,
    landed: Callable[[int], None],
    fresh: bool = False,
    workers: Workers = Workers(),  # noqa: B008  # frozen
    rows: RowsPerDay | None = None,
) -> RowsPerDay:
    """Simulate and land `days`; returns the rows a day of each daily table.

    Whatever ends the landing early carries a note of what has landed by then.

    Parameters
    ----------
    simulation : the scenario.
    days : days of its clock, in the order in which they land.
    storage : where they land; it is open only while a batch of days is written.
    landed : called with each transaction that has been committed, with the number of days it held.
    fresh : whether this world may take the place of another one that is in the storage.
    workers : who simulates the days; the same rows land whoever it is.
    rows : what is returned, for who wants to know it also if the landing ends early: filled as days land.

    Raises
    ------
    LandingError : the storage holds days of another world, or days that nothing is known of.
    """
    scenario, relations = simulation.scenario, simulation.relations
    recorder = Recorder(scenario.name, simulation.world, scenario.clock, fresh, days)
    daily = [contract.name for contract in relations.daily]
    rows = {} if rows is None else rows
    rows.update({name: {} for name in daily})
    so_far = LandedDays(days)

    def committed(batch: Batch) -> None:
        for name in daily:
            for day, part in zip(batch.days, batch.parts[name], strict=True):
                rows[name][day] = part.num_rows
        so_far.count += len(batch.days)
        landed(len(batch.days))

    with _noted(so_far):
        with storage.open() as database:
            recorder.check(database)
        if not fresh:
            adopt_earlier_days(simulation, storage, days, workers)
    with _noted(so_far), simulated_batches(simulation, days, workers) as simulated:
        for batch in simulated:
            interrupts.act()
            tables = {contract.name: batch.table(contract) for contract in relations.simulated}
            with storage.open() as database:
                database.replace_days(relations, batch.days, tables, recorder, partial(committed, batch))
    return rows


@contextmanager
def _noted(so_far: LandedDays) -> Iterator[None]:
    """Whatever ends what happens within carries a note of what has landed by then."""
    try:
        yield
    except BaseException as error:
        error.add_note(str(so_far))
        raise
