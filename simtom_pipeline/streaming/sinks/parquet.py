"""A folder of Parquet: `<table>/delivered=YYYY-MM-DD/part.parquet` for each day, whole or not there.

The day in the path is that of delivery; `day`, a column of most tables, is the one on which a row was drawn.
"""

from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ...interrupts import held_back
from ..encoding import Portion
from ..positions import Position
from .base import SinkError


class ParquetSink:
    """Keeps the rows of a day until it is over, then writes them, a file a table; all of them or none.

    A day of which only the rest is replayed, after a record in its midst, gets a file with another name.

    Parameters
    ----------
    after : the record after which the replay goes on.
    """

    def __init__(self, folder: Path, after: Position | None = None) -> None:
        self.last: str | None = None
        self._folder, self._after = folder, after
        self._day: date | None = None
        self._file = ""
        self._rows: dict[str, list[pa.Table]] = {}
        self._reached: str | None = None

    def send(self, portion: Portion) -> None:
        """As `Sink`."""
        if portion.day.day != self._day:
            self._day = portion.day.day
            self._file = "part.parquet" if portion.low == 0 else f"part-{portion.low}.parquet"
        for name, rows in portion.tables().items():
            if name not in self._rows:
                self._refuse_what_is_there(self._place(name), portion.digest)
            self._rows.setdefault(name, []).append(rows)
        self._reached = str(portion.positions[-1])
        if portion.high == len(portion.day):
            self._write()

    def close(self) -> None:
        """As `Sink`."""
        self._write()

    def _place(self, name: str) -> Path:
        return self._folder / name / f"delivered={self._day}"

    def _refuse_what_is_there(self, place: Path, digest: str) -> None:
        if not any(place.glob("*.parquet")):
            return
        last = _last_position(self._folder, digest)
        if last is not None and last == self._after and not (place / self._file).exists():
            return
        go_on = (
            f", or go on after its last record with --after {last}" if last not in (None, self._after) else ""
        )
        raise SinkError(f"{place} exists. Name another folder{go_on}.")

    def _write(self) -> None:
        """All files of the day, under names that no reader looks at until the last one is complete."""
        whole: dict[Path, Path] = {}
        try:
            for name, parts in self._rows.items():
                target = self._place(name) / self._file
                target.parent.mkdir(parents=True, exist_ok=True)
                whole[target] = unfinished = target.with_name(f".{target.name}.unfinished")
                pq.write_table(pa.concat_tables(parts, promote_options="permissive"), unfinished)
            with held_back():
                for target, unfinished in whole.items():
                    unfinished.rename(target)
                self.last = self._reached
        finally:
            for unfinished in whole.values():
                unfinished.unlink(missing_ok=True)
        self._rows.clear()


def _last_position(folder: Path, digest: str) -> Position | None:
    """The last record of a stream that is in a folder."""
    found = []
    for table in folder.iterdir():
        for file in max(table.glob("delivered=*"), default=table).glob("*.parquet"):
            ids = pq.read_table(file, columns=["_id"], partitioning=None)["_id"]
            found.append(Position.read(ids[-1].as_py()))
    return max((position for position in found if position.digest == digest), default=None)
