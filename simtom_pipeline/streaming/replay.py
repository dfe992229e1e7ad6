"""Plays a stream to a destination: as fast as it is taken, or at the pace of a clock."""

from collections.abc import Callable, Iterator
from time import monotonic, sleep

import numpy as np

from .encoding import Portion
from .pace import Pace
from .positions import Position
from .sinks import Sink
from .stream import Stream

TICK_SECONDS = 0.05
"""Records that fall due within a tick are sent together."""
LONGEST_SLEEP = 3600.0
"""Seconds; there is a limit to what the system can be asked for."""


def replay(
    stream: Stream,
    sink: Sink,
    origin: int,
    speed: float | None = None,
    position: Position | None = None,
    told: Callable[[int], None] = lambda _: None,
) -> None:
    """Send every record of a stream once it is due.

    Parameters
    ----------
    origin : moment of the simulated clock that is now, microseconds since 1970-01-01; after a position it is
        that of the next record.
    speed : simulated seconds a second; None: as fast as the sink takes them.
    told : is told how many records were sent.

    Raises
    ------
    AnotherStreamError, LandingError : as `Stream.portions`.
    SinkError : the destination does not take them.
    """
    pace: Pace | None = None
    for portion in stream.portions(position):
        if speed is not None and pace is None:
            start = origin if position is None else int(portion.moment[0])
            pace = Pace(monotonic(), start, speed)
        for part in [portion] if pace is None else _as_they_fall_due(portion, pace):
            sink.send(part)
            told(len(part))
    sink.close()


def _as_they_fall_due(portion: Portion, pace: Pace) -> Iterator[Portion]:
    """Parts of a portion, each once its first record is due."""
    due, sent = pace.due(portion.moment), 0
    while sent < len(due):
        while (left := due[sent] - monotonic()) > 0:
            sleep(min(left, LONGEST_SLEEP))
        until = int(np.searchsorted(due, monotonic() + TICK_SECONDS, side="right"))
        until = max(until, sent + 1)
        yield portion.part(sent, until)
        sent = until
