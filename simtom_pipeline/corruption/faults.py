"""Faults of the feed: a drawn day goes in; what lands, and the ledger that undoes it, come out.

Faults act in the order in which the scenario names them, and every one sees the values before any fault. A
value is corrupted at most once and a row doubled at most once: where two faults draw the same one, the first
named has it, be it the value of a row or of its copy. So each ledger entry holds the true value, and the
entries can be applied backwards in any order. A day that is dropped is none for the other faults.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..contracts import WHOLE_ROW, TableContract
from ..generators.drift.schedule import ScheduleCurve
from ..generators.random_streams import RandomStreams
from ..moments import MICROSECONDS_PER_DAY, day_number
from ..scenarios.faults import DroppedDay, Duplicate, Fault, columns_of, on_table
from ..scenarios.models import Scenario
from .effects import Values, can_be_hit, changed_values, is_hit, unlike
from .landed_types import columns_that_faults_can_hit
from .ledgers import FAULT_LEDGER, NOISE_LEDGER
from .noise import measure, noise_on
from .table_edit import TableEdit, keys_of


@dataclass(frozen=True)
class DayOfFaults:
    """What faults need to know of the day they act on."""

    scenario: Scenario
    streams: RandomStreams
    date: date

    @property
    def number(self) -> int:
        """Days since 1970-01-01."""
        return day_number(self.date)

    def uniform(self, fault: Fault, *about: str) -> Callable[[int], np.ndarray]:
        """Uniforms of one fault that no other draw shares."""
        name = ".".join(("fault", fault.id, *about))
        return lambda size: self.streams.uniform(name, self.date, size)


def hit_probability(scenario: Scenario, fault: Fault, day: date) -> float:
    """The rate times the schedule's weight on the day."""
    return fault.rate * (ScheduleCurve(fault.schedule, scenario.clock).weight(day) if fault.schedule else 1.0)


def corrupt_day(
    scenario: Scenario,
    contracts: Sequence[TableContract],
    tables: Mapping[str, pa.Table],
    streams: RandomStreams,
    when: date,
) -> dict[str, pa.Table]:
    """The tables of a simulated day as they land, and the day's ledgers of noise and faults.

    Parameters
    ----------
    contracts : as the tables land.
    tables : as they were simulated.
    """
    day = DayOfFaults(scenario, streams, when)
    landed = dict(tables)
    of_noise, of_faults = [_no_entries(NOISE_LEDGER)], [_no_entries(FAULT_LEDGER)]
    for contract in contracts:
        noise, faults = noise_on(scenario.noise, contract), on_table(scenario.faults, contract.name)
        if contract.truth or not contract.daily or not (noise or faults):
            continue
        edit = TableEdit.of(contract, tables[contract.name])
        of_noise += measure(edit, noise, streams, when)
        landed[contract.name], entries = _edit_with_faults(edit, faults, day)
        of_faults += entries
    if scenario.faults:
        landed[FAULT_LEDGER.name] = _ledger(FAULT_LEDGER, of_faults, day)
    if scenario.noise:
        landed[NOISE_LEDGER.name] = _ledger(NOISE_LEDGER, of_noise, day)
    return landed


def _no_entries(ledger: TableContract) -> pa.Table:
    return ledger.schema.remove(ledger.schema.get_field_index("day")).empty_table()


def _ledger(contract: TableContract, entries: Sequence[pa.Table], day: DayOfFaults) -> pa.Table:
    together = pa.concat_tables(
        [part.select(entries[0].column_names).cast(entries[0].schema) for part in entries]
    )
    columns = {name: together[name].combine_chunks() for name in together.column_names}
    return contract.table({**columns, "day": np.full(len(together), day.number, np.int32)})


def _edit_with_faults(
    edit: TableEdit, faults: Sequence[Fault], day: DayOfFaults
) -> tuple[pa.Table, list[pa.Table]]:
    """What lands of a table's day, and rows of the fault ledger, all columns but `day`."""
    for fault in faults:
        if isinstance(fault, DroppedDay) and day.uniform(fault)(1)[0] < hit_probability(
            day.scenario, fault, day.date
        ):
            return edit.table().slice(0, 0), list(_dropped(edit, fault))
    before = dict(edit.columns)
    entries: list[pa.Table] = []
    copies: list[Copies] = []
    for fault in faults:
        if isinstance(fault, Duplicate):
            doubled = _double(edit, before, fault, day)
            copies.append(doubled)
            entries += _entries_of_copies(edit, before, fault, doubled)
        elif not isinstance(fault, DroppedDay):
            entries += _hit_values(edit, before, fault, day)
    return pa.concat_tables([edit.table(), *(doubled.table(edit) for doubled in copies)]), entries


def _dropped(edit: TableEdit, fault: Fault) -> Iterator[pa.Table]:
    rows = np.arange(edit.rows)
    nothing = pa.nulls(len(rows), pa.string())
    yield _entries(edit, fault, WHOLE_ROW, rows, nothing, nothing)
    for name in columns_that_faults_can_hit(edit.contract):
        yield _entries(edit, fault, name, rows, as_text(edit.columns[name]), nothing)


def _hit_values(
    edit: TableEdit, before: dict[str, pa.Array], fault: Fault, day: DayOfFaults
) -> Iterator[pa.Table]:
    """Hit the values of every column of the fault; a row is hit in each of them by itself."""
    arrival = (edit.contract.arrives_at or "",)
    for name in arrival if fault.hits == "arrival" else columns_of(fault):
        values = Values(
            edit.contract,
            edit.contract.column(name),
            before[name],
            before,
            day.number * MICROSECONDS_PER_DAY,
            lambda what, name=name: day.uniform(fault, edit.contract.name, name, what)(edit.rows),  # type: ignore[misc]
        )
        hit = is_hit(fault, values, np.asarray(hit_probability(day.scenario, fault, day.date)))
        rows = np.flatnonzero(hit & edit.free(name) & can_be_hit(fault, values))
        if len(rows) == 0:
            continue
        became = changed_values(fault, values, rows)
        edit.put(name, rows, became)
        yield _entries(edit, fault, name, rows, as_text(before[name].take(pa.array(rows))), as_text(became))


@dataclass(frozen=True)
class Copies:
    """Rows that arrive twice.

    Attributes
    ----------
    rows : their numbers, shape (n,).
    changed : by column, which of `rows` have another value in the copy, and that value; shapes (m,).
    """

    rows: np.ndarray
    changed: dict[str, tuple[np.ndarray, pa.Array]]

    def table(self, edit: TableEdit) -> pa.Table:
        """The copies of the rows as they land, every fault included."""
        rows = pa.array(self.rows)
        copy = TableEdit(edit.contract, {name: values.take(rows) for name, values in edit.columns.items()})
        for name, (which, values) in self.changed.items():
            copy.put(name, which, values)
        return copy.table()


def _double(edit: TableEdit, before: dict[str, pa.Array], fault: Duplicate, day: DayOfFaults) -> Copies:
    """Which rows arrive twice, and where the copy has the value of another row."""
    about = edit.contract.name
    hit = day.uniform(fault, about, "hit")(edit.rows) < hit_probability(day.scenario, fault, day.date)
    rows = np.flatnonzero(hit & edit.free(WHOLE_ROW))
    edit.take(WHOLE_ROW, rows)
    changed = {}
    for name in fault.columns if edit.rows > 1 else ():
        which = day.uniform(fault, about, name, "which")(edit.rows)[rows]
        another = rows + 1 + (which * (edit.rows - 1)).astype(np.int64)
        others = before[name].take(pa.array(another % edit.rows))
        own = before[name].take(pa.array(rows))
        differing = np.flatnonzero(unlike(own, others) & edit.free(name)[rows])
        edit.take(name, rows[differing])
        changed[name] = differing, others.take(pa.array(differing))
    return Copies(rows, changed)


def _entries_of_copies(
    edit: TableEdit, before: dict[str, pa.Array], fault: Duplicate, doubled: Copies
) -> Iterator[pa.Table]:
    nothing = pa.nulls(len(doubled.rows), pa.string())
    yield _entries(edit, fault, WHOLE_ROW, doubled.rows, nothing, nothing)
    for name, (which, others) in doubled.changed.items():
        rows = doubled.rows[which]
        yield _entries(edit, fault, name, rows, as_text(before[name].take(pa.array(rows))), as_text(others))


def as_text(values: pa.Array) -> pa.Array:
    """Values as text that the database casts back to the same values."""
    return pc.cast(values, pa.string())


def _entries(
    edit: TableEdit, fault: Fault, name: str, rows: np.ndarray, original: pa.Array, became: pa.Array
) -> pa.Table:
    n = len(rows)
    return pa.table({
        "table_name": pa.repeat(edit.contract.name, n),
        "key": keys_of(edit, rows),
        "column_name": pa.repeat(name, n),
        "fault_id": pa.repeat(fault.id, n),
        "kind": pa.repeat(fault.kind, n),
        "original_value": original,
        "spoilt_value": became,
    })  # fmt: skip
