"""A folder of Parquet: `<table>/day=YYYY-MM-DD/part.parquet` for each day of delivery, whole or not there."""

from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ..encoding import Portion
from .base import SinkError


class ParquetSink:
    """Keeps the rows of a day until it is over, then writes them, a file a table."""

    def __init__(self, folder: Path) -> None:
        self.last: str | None = None
        self._folder = folder
        self._day: date | None = None
        self._rows: dict[str, list[pa.Table]] = {}
        self._reached: str | None = None

    def send(self, portion: Portion) -> None:
        """As `Sink`."""
        if self._day is not None and portion.day.day != self._day:
            self._write()
        self._day = portion.day.day
        for name, rows in portion.tables().items():
            self._rows.setdefault(name, []).append(rows)
        self._reached = str(portion.positions[-1])

    def close(self) -> None:
        """As `Sink`."""
        if self._day is not None:
            self._write()

    def _write(self) -> None:
        for name, parts in self._rows.items():
            target = self._folder / name / f"day={self._day}" / "part.parquet"
            if target.exists():
                raise SinkError(f"{target} exists. Name another folder, or begin after that day with --from.")
            target.parent.mkdir(parents=True, exist_ok=True)
            unfinished = target.with_suffix(".unfinished")
            pq.write_table(pa.concat_tables(parts, promote_options="permissive"), unfinished)
            unfinished.rename(target)
        self._rows.clear()
        self.last = self._reached
