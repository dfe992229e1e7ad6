"""A pipe or a file of JSON Lines: a record a line, with its id and its table first."""

import os
import select
import stat
from collections.abc import Callable, Iterator
from functools import cached_property, partial
from pathlib import Path

import orjson

from ...interrupts import held_back
from ..encoding import Portion, lines
from ..positions import Position
from .base import SinkError

STANDARD_OUTPUT = 1
BYTES_AT_ONCE = select.PIPE_BUF
"""What a pipe that is ready takes without waiting, and whole."""
TAIL_BYTES = 1_000_000


class JsonLinesSink:
    """Whole lines on a file descriptor, which is opened for the first of them.

    A signal is acted on while the reader is waited for, and between two writes, never within one: what has
    arrived ends with a line, and that line's id is `last`.

    Parameters
    ----------
    descriptor : opens it; where no record can be had, no file is left behind.
    """

    def __init__(self, descriptor: Callable[[], int]) -> None:
        self.last: str | None = None
        self._open = descriptor

    @cached_property
    def _descriptor(self) -> int:
        return self._open()

    def send(self, portion: Portion) -> None:
        """As `Sink`; BrokenPipeError where nobody reads any more."""
        positions = portion.positions
        for text, stop in _pieces(lines(portion)):
            select.select([], [self._descriptor], [])
            with held_back():
                _write(self._descriptor, text)
                self.last = str(positions[stop - 1])

    def close(self) -> None:
        """As `Sink`."""
        if self._descriptor != STANDARD_OUTPUT:
            os.close(self._descriptor)


def standard_output() -> int:
    """Descriptor of the standard output."""
    return STANDARD_OUTPUT


def file_after(path: Path, after: Position | None) -> Callable[[], int]:
    """Opens a new file, or one that ends with the record after which a replay goes on; else SinkError."""
    if path.is_file() and path.stat().st_size and ((last := last_id(path)) is None or last != str(after)):
        go_on = f", or go on after its last record with --after {last}" if last else ""
        raise SinkError(f"{path} exists. Name another file{go_on}.")
    path.parent.mkdir(parents=True, exist_ok=True)
    return partial(os.open, path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)


def last_id(path: Path) -> str | None:
    """The id in the last line of a file; None if that is no whole line of a replay."""
    with path.open("rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(file.tell() - TAIL_BYTES, 0))
        *_, last, rest = [b"", *file.read().split(b"\n")]
    try:
        return None if rest else str(orjson.loads(last)["_id"])
    except (ValueError, KeyError, TypeError):
        return None


def _pieces(texts: list[bytes]) -> Iterator[tuple[bytes, int]]:
    """Lines that are written at once, and how many there are up to then; a line that is longer goes alone."""
    start = size = 0
    for number, text in enumerate(texts):
        if number > start and size + len(text) > BYTES_AT_ONCE:
            yield b"".join(texts[start:number]), number
            start, size = number, 0
        size += len(text)
    yield b"".join(texts[start:]), len(texts)


def _write(descriptor: int, text: bytes) -> None:
    """Write all of it; a file in which there is no room for it stays as it was."""
    written = 0
    try:
        while written < len(text):
            written += os.write(descriptor, text[written:])
    except OSError:
        if written and stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.ftruncate(descriptor, os.lseek(descriptor, 0, os.SEEK_CUR) - written)
        raise
