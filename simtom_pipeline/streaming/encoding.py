"""Records as they are sent: JSON that is the same wherever it is made, or rows of one table as Arrow."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from .delivery import DeliveredDay
from .positions import Position

PORTION = 500
"""Most records that are encoded at once."""

Added = Callable[[dict[str, Any], int], dict[str, Any]]
"""What a record is sent as, given it and how many came before it."""


@dataclass(frozen=True)
class Portion:
    """Some records of a day, one after the other, n of them.

    Attributes
    ----------
    low, high : the first's number among the day's records, and that of the one after the last.
    count : how many records of the stream came before the first.
    """

    day: DeliveredDay
    digest: str
    low: int
    high: int
    count: int
    added: Added | None = None

    def __len__(self) -> int:
        return self.high - self.low

    @property
    def moment(self) -> np.ndarray:
        """When each is delivered, microseconds since 1970-01-01 of the simulated clock, shape (n,)."""
        return self.day.moment[self.low : self.high]

    @property
    def names(self) -> list[str]:
        """What each is called: its table, or `label`."""
        return [self.day.names[number] for number in self.day.part[self.low : self.high]]

    @property
    def positions(self) -> list[Position]:
        """Each one's place in the stream."""
        return [Position(self.digest, self.day.day, self.low + n, self.count + n) for n in range(len(self))]

    def objects(self) -> list[dict[str, Any]]:
        """Each as a mapping of plain values."""
        objects: list[dict[str, Any]] = [{}] * len(self)
        for number, places, rows in self._rows():
            plain = plain_columns(self.day.parts[number].take(rows))
            for place, one in zip(places, plain.to_pylist(), strict=True):
                objects[place] = one
        if self.added is None:
            return objects
        return [self.added(one, self.count + n) for n, one in enumerate(objects)]

    def records(self) -> list[bytes]:
        """Each as a JSON object."""
        return [orjson.dumps(one) for one in self.objects()]

    def table(self) -> pa.Table:
        """All of them as rows, where they are of one table, with their positions in a column `_id`."""
        parts = [
            decoded(self.day.parts[number].take(rows)).append_column("_n", pa.array(places))
            for number, places, rows in self._rows()
        ]
        together = pa.concat_tables(parts).sort_by("_n").drop_columns("_n")
        return together.append_column("_id", pa.array([str(position) for position in self.positions]))

    def tables(self) -> dict[str, pa.Table]:
        """Rows of each table among them, in order, with their positions in a column `_id`."""
        ids = pa.array([str(position) for position in self.positions])
        found: dict[str, list[pa.Table]] = {}
        for number, places, rows in self._rows():
            chosen = decoded(self.day.parts[number].take(rows)).append_column(
                "_id", ids.take(pa.array(places))
            )
            found.setdefault(self.day.names[number], []).append(chosen.append_column("_n", pa.array(places)))
        return {
            name: pa.concat_tables(parts, promote_options="permissive").sort_by("_n").drop_columns("_n")
            for name, parts in found.items()
        }

    def part(self, start: int, stop: int) -> "Portion":
        """Records `start` to `stop` of these."""
        return replace(self, low=self.low + start, high=self.low + stop, count=self.count + start)

    def _rows(self) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Of each part, the places of its records in the portion and its rows."""
        part, row = self.day.part[self.low : self.high], self.day.row[self.low : self.high]
        for number in np.unique(part):
            places = np.flatnonzero(part == number)
            yield int(number), places, row[places]


def portions(
    day: DeliveredDay, digest: str, start: int, stop: int, count: int, added: Added | None = None
) -> Iterator[Portion]:
    """Records `start` to `stop` of a day in portions; `count` came before the first."""
    for low in range(start, stop, PORTION):
        yield Portion(day, digest, low, min(low + PORTION, stop), count + low - start, added)


def lines(portion: Portion) -> list[bytes]:
    """Records as JSON Lines, each with its id and its table first."""
    together = zip(portion.positions, portion.names, portion.records(), strict=True)
    return [
        b'{"_id":"%s","_table":"%s",%s\n' % (str(at).encode(), name.encode(), record[1:])
        for at, name, record in together
    ]


def decoded(rows: pa.Table) -> pa.Table:
    """Rows whose words are text, whatever they were encoded as, and whose every value may be missing."""
    columns = [
        pc.cast(rows[name], rows[name].type.value_type)
        if pa.types.is_dictionary(rows[name].type)
        else rows[name]
        for name in rows.column_names
    ]
    return pa.table(columns, names=rows.column_names)


def plain_columns(rows: pa.Table) -> pa.Table:
    """Rows whose values JSON has: amounts as numbers, days and moments as ISO 8601 text."""
    rows = decoded(rows)
    return pa.table([_plain(rows[name]) for name in rows.column_names], names=rows.column_names)


def _plain(values: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = values.type
    if pa.types.is_decimal(kind):
        # By way of text, which becomes the nearest number; a cast multiplies and is a digit off.
        return pc.cast(pc.cast(values, pa.string()), pa.float64())
    if pa.types.is_timestamp(kind):
        return pc.strftime(values, format="%Y-%m-%dT%H:%M:%S")
    if pa.types.is_date(kind):
        return pc.strftime(values, format="%Y-%m-%d")
    return values
