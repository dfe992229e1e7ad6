"""A pipe or a file of JSON Lines: a record a line, with its id and its table first."""

import sys
from pathlib import Path
from typing import IO

import orjson

from ..encoding import Portion, lines
from .base import SinkError

TAIL_BYTES = 1_000_000


class JsonLinesSink:
    """Lines on a binary stream; each portion is flushed, so that whole lines can be read."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.last: str | None = None
        self._stream = stream

    def send(self, portion: Portion) -> None:
        """As `Sink`; BrokenPipeError where nobody reads any more."""
        self._stream.write(b"".join(lines(portion)))
        self._stream.flush()
        self.last = str(portion.positions[-1])

    def close(self) -> None:
        """As `Sink`."""
        self._stream.flush()
        if self._stream is not sys.stdout.buffer:
            self._stream.close()


def open_new(path: Path) -> IO[bytes]:
    """A file that was not there; SinkError."""
    if path.exists():
        last = _last_id(path)
        go_on = f", or go on after its last record with --after {last} --to ANOTHER_FILE" if last else ""
        raise SinkError(f"{path} exists. Name another file{go_on}.")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("xb")


def _last_id(path: Path) -> str | None:
    """The id in the last whole line of a file."""
    with path.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(file.tell() - TAIL_BYTES, 0))
        whole = file.read().rpartition(b"\n")[0].rpartition(b"\n")[2]
    try:
        return str(orjson.loads(whole)["_id"])
    except (ValueError, KeyError, TypeError):
        return None
