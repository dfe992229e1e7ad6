"""A stream: the records of a selection from a moment on, or after a record, to a last day or a limit."""

from collections.abc import Generator
from dataclasses import dataclass
from datetime import date

import numpy as np

from .delivery import DeliveredDay, Source, after, delivered_days
from .encoding import Added, Portion, portions
from .positions import Position
from .selection import Selection


@dataclass(frozen=True)
class Stream:
    """The records of a selection in the order of their clock, each once.

    Attributes
    ----------
    first, last : days of the simulated clock, both inclusive.
    begins : moment before which nothing is streamed, microseconds since 1970-01-01; None: `first`'s midnight.
    limit : how many records at most, wherever it is begun; None: all.
    added : what a record is sent as.
    """

    selection: Selection
    source: Source
    first: date
    last: date
    begins: int | None = None
    limit: int | None = None
    added: Added | None = None

    def portions(self, position: Position | None = None) -> Generator[Portion, None, None]:
        """The records after a position, or all, in portions; a day is drawn or read when it is come to.

        Raises
        ------
        AnotherStreamError : the position is of another stream.
        LandingError : a day that has to be read has not landed, is of another world, or cannot be read.
        """
        position = after(self.selection, position)
        first = self.first if position is None else max(self.first, position.day)
        count = 0 if position is None else position.count + 1
        if self.limit is not None and count >= self.limit:
            return
        try:
            for day in delivered_days(self.selection, self.source, first, self.last):
                start = self._start(day, position)
                stop = len(day) if self.limit is None else min(len(day), start + self.limit - count)
                yield from portions(day, self.selection.digest, start, stop, count, self.added)
                count += max(stop - start, 0)
                if self.limit is not None and count >= self.limit:
                    return
        finally:
            self.source.close()

    def _start(self, day: DeliveredDay, position: Position | None) -> int:
        """The first record of a day that is streamed."""
        start = position.sequence + 1 if position is not None and day.day == position.day else 0
        if self.begins is not None and day.day == self.first:
            start = max(start, int(np.searchsorted(day.moment, self.begins)))
        return start
