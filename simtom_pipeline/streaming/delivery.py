"""What is delivered on which day, in which order: days of rows in, days of records out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..claims import DeclaredOutcome
from ..moments import MICROSECONDS_PER_DAY, day_number
from .known_rows import NEVER, arrivals, moments_of, own_moments, versions
from .packed import CHUNK, PackedRows, give_back_memory
from .positions import AnotherStreamError, Position
from .selection import LABEL, Selection


class Source(Protocol):
    """Where the rows of a day come from."""

    def close(self) -> None:
        """Let go of what is remembered from one day to the next; a day can be asked for again."""

    def day(self, day: date) -> Mapping[str, pa.Table]:
        """Every daily table of a day as it lands, by name, and the flat record if it is selected."""


@dataclass(frozen=True)
class Rows:
    """Rows of one table of one day, in order of their moments.

    Attributes
    ----------
    name : the table, or what else the records are called.
    moment : when each is delivered, ascending; microseconds since 1970-01-01, shape (n,).
    """

    name: str
    rows: pa.Table
    moment: np.ndarray

    def between(self, first: int, until: int) -> "Rows":
        """Those delivered from `first` on and before `until`."""
        low, high = np.searchsorted(self.moment, [first, until])
        return Rows(self.name, self.rows.slice(low, high - low), self.moment[low:high])

    def from_on(self, first: int) -> "Rows":
        """Those delivered from `first` on, without a hold on the others."""
        low, high = np.searchsorted(self.moment, [first, NEVER])
        if low == 0 and high == len(self.moment):
            return self
        return Rows(self.name, self.rows.take(pa.array(np.arange(low, high))), self.moment[low:high].copy())


Part = tuple[tuple[int, int, int], Rows]
"""Rows and their place among those of the same moment: by table, day they were drawn on, and version."""


def in_order(name: str, rows: pa.Table, moment: np.ndarray) -> Rows:
    """Rows in order of their moments; those of the same moment stay as they are."""
    order = np.argsort(moment, kind="stable")
    if np.all(order[1:] > order[:-1]):
        return Rows(name, rows, moment)
    return Rows(name, rows.take(pa.array(order)), moment[order])


@dataclass(frozen=True)
class DeliveredDay:
    """Every record that is delivered on a day, in order.

    Attributes
    ----------
    names : what the records of each part are called.
    parts : rows by table, day they were drawn on, and how much of them is known.
    part, row : of each record its place in `parts` and in the rows there, shape (n,).
    moment : of each record, ascending, microseconds since 1970-01-01, shape (n,).
    """

    day: date
    names: tuple[str, ...]
    parts: tuple[PackedRows, ...]
    part: np.ndarray
    row: np.ndarray
    moment: np.ndarray

    def __len__(self) -> int:
        return len(self.moment)

    @classmethod
    def of(cls, day: date, parts: tuple[Rows, ...]) -> "DeliveredDay":
        """The records of parts; those of the same moment in the order of the parts."""
        sizes = [len(part.moment) for part in parts]
        moment = np.concatenate([np.empty(0, np.int64), *(part.moment for part in parts)])
        part = np.repeat(np.arange(len(parts), dtype=np.int32), sizes)
        row = np.concatenate([np.empty(0, np.int32), *(np.arange(size, dtype=np.int32) for size in sizes)])
        order = np.argsort(moment, kind="stable")
        names, packed = tuple(part.name for part in parts), tuple(PackedRows(part.rows) for part in parts)
        return cls(day, names, packed, part[order], row[order], moment[order])


def delivered_days(selection: Selection, source: Source, first: date, last: date) -> Iterator[DeliveredDay]:
    """The days of a stream from `first` to `last`, both of the simulated clock and inclusive.

    Where records may come later than the day they were drawn on, the days before `first` are drawn as well;
    of those days only what is still to come is kept. After the end of the clock comes what is on its way.
    """
    clock = selection.simulation.scenario.clock
    day = clock.start if selection.needs_earlier_days else first
    on_the_way: list[Part] = []
    while day <= last:
        if clock.start <= day <= clock.end:
            on_the_way += _parts(selection, source.day(day), day_number(day))
            on_the_way.sort(key=lambda part: part[0])
        today, on_the_way = _divided(on_the_way, (day_number(day) + 1) * MICROSECONDS_PER_DAY)
        if day >= first:
            delivered = DeliveredDay.of(day, today)
            today = ()
            if len(delivered) > CHUNK:
                give_back_memory()
            yield delivered
        day += timedelta(1)


def _divided(parts: list[Part], until: int) -> tuple[tuple[Rows, ...], list[Part]]:
    """What of some parts is delivered before a moment, and what later."""
    before = tuple(part.between(-NEVER, until) for _, part in parts)
    later = [(key, part.from_on(until)) for key, part in parts]
    return tuple(part for part in before if len(part.moment)), [one for one in later if len(one[1].moment)]


def after(selection: Selection, position: Position | None) -> Position | None:
    """A position, once it is seen to be one of this stream; AnotherStreamError."""
    if position is not None and position.digest != selection.digest:
        raise AnotherStreamError(position.digest, selection.digest)
    return position


def _parts(selection: Selection, tables: Mapping[str, pa.Table], day: int) -> list[Part]:
    """What a day's rows bring, now or later, with its place among records of the same moment."""
    relations = selection.simulation.relations
    events = tables[relations.event_table]
    when = arrivals if selection.order == "ingested_at" else own_moments
    parts = []
    for rank, contract in enumerate(selection.contracts):
        rows = tables[contract.name]
        known = versions(contract, rows, when(relations, contract, rows, events))
        parts += [
            ((rank, day, version), in_order(contract.name, changed, moment))
            for version, (moment, changed) in enumerate(known)
        ]
    rank = len(selection.contracts)
    if selection.record is not None:
        records = tables[selection.record.name]
        moment = moments_of(pc.cast(records["_timestamp"], pa.timestamp("us")), day * MICROSECONDS_PER_DAY)
        parts.append(((rank, day, 0), in_order(selection.record.name, records, moment)))
    for place, outcome in enumerate(selection.outcomes, start=1):
        parts.append(((rank + place, day, 0), _labels(selection, tables, outcome, events)))
    return parts


def _labels(
    selection: Selection, tables: Mapping[str, pa.Table], outcome: DeclaredOutcome, events: pa.Table
) -> Rows:
    """Labels of a day's events, each when it is known, but not before its event: by arrival, has arrived.

    A row that a feed brings twice tells nothing new the second time; if it says something else, nobody knows
    which is right, and no label comes.
    """
    relations = selection.simulation.relations
    contract = relations.table(outcome.table)
    rows = tables[outcome.table]
    known_from = contract.column(outcome.column).known_from
    when = arrivals if selection.order == "ingested_at" else own_moments
    moment = when(relations, contract, rows, events)
    if known_from:
        moment = np.maximum(moment, moments_of(rows[known_from], NEVER))
    is_known = np.asarray(pc.is_valid(rows[outcome.column])) & (moment < NEVER)
    names = [*contract.primary_key, outcome.column, *([known_from] if known_from else [])]
    chosen = rows.select(names).filter(pa.array(is_known))
    known = in_order(LABEL, chosen, moment[is_known])
    first = first_without_contradiction(known.rows, contract.primary_key, outcome.column)
    return Rows(LABEL, known.rows.take(pa.array(first)), known.moment[first])


def first_without_contradiction(rows: pa.Table, key: Sequence[str], column: str) -> np.ndarray:
    """Numbers, ascending, of the first row of each key whose rows agree on a column, shape (k,)."""
    numbered = rows.select([*key, column]).append_column("_n", pa.array(np.arange(len(rows))))
    keys = numbered.group_by(list(key)).aggregate([("_n", "min"), (column, "count_distinct")])
    agreed = keys.filter(pc.equal(keys[f"{column}_count_distinct"], 1))
    return np.sort(np.asarray(agreed["_n_min"], np.int64))
