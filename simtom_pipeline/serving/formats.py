"""How records look on the wire: Server-Sent Events, JSON Lines, or an Arrow stream."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import numpy as np
import orjson
import pyarrow as pa

from ..streaming.encoding import Portion, lines
from ..streaming.selection import SelectionError

SSE, JSON_LINES, ARROW = "text/event-stream", "application/x-ndjson", "application/vnd.apache.arrow.stream"
ALIASES = {
    SSE: SSE,
    "text/*": SSE,
    "*/*": SSE,
    JSON_LINES: JSON_LINES,
    "application/jsonl": JSON_LINES,
    "application/jsonlines": JSON_LINES,
    "application/json": JSON_LINES,
    "application/*": JSON_LINES,
    ARROW: ARROW,
}
MICROSECONDS_PER_BATCH = 100_000
"""Rows of an Arrow stream that are due within this much delivered time share a batch."""


class NotAcceptableError(ValueError):
    """The client accepts none of the forms that a stream has."""

    def __init__(self, accept: str, allowed: Iterable[str]) -> None:
        super().__init__(f"Accept: found {accept!r}; allowed: {', '.join(allowed)}")


def accepted(accept: str | None, forms: Mapping[str, str] = ALIASES) -> str:
    """The form that a client likes best of those that media types name; NotAcceptableError."""
    wanted = []
    for place, part in enumerate((accept or "*/*").split(",")):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weight = next((p[2:] for p in parameters if p.startswith("q=")), "1")
        try:
            wanted.append((-float(weight), place, name))
        except ValueError:
            continue
    for unlikeness, _, name in sorted(wanted):
        if unlikeness < 0 and name in forms:
            return forms[name]
    raise NotAcceptableError(accept or "", [name for name in forms if "*" not in name])


class Format(Protocol):
    """One form of a stream."""

    media_type: str

    def begin(self) -> bytes:
        """What comes before any record."""

    def frames(self, portion: Portion, speed: float | None) -> Sequence[bytes]:
        """Bytes of each record of a portion; those of a record that is sent with a later one are none."""

    def note(self, text: str) -> bytes:
        """What is no record: a sign of life, the lag; b"" where the form has no room for it."""

    def failure(self, message: str) -> bytes:
        """That the stream has ended before its end, and why."""

    def end(self) -> bytes:
        """What comes after the last record."""


class ServerSentEvents:
    """Events with an id; named after their table where `named`."""

    media_type = SSE

    def __init__(self, named: bool) -> None:
        self._named = named

    def begin(self) -> bytes:
        return b""

    def frames(self, portion: Portion, speed: float | None) -> list[bytes]:
        together = zip(portion.positions, portion.names, portion.records(), strict=True)
        if not self._named:
            return [b"id: %s\ndata: %s\n\n" % (str(at).encode(), record) for at, _, record in together]
        return [
            b"id: %s\nevent: %s\ndata: %s\n\n" % (str(at).encode(), name.encode(), record)
            for at, name, record in together
        ]

    def note(self, text: str) -> bytes:
        return f": {text}\n\n".encode()

    def failure(self, message: str) -> bytes:
        lines = "".join(f"data: {line}\n" for line in message.splitlines())
        return f"event: error\n{lines}\n".encode()

    def end(self) -> bytes:
        return b""


class JsonLines:
    """A record a line, with its id and its table first."""

    media_type = JSON_LINES

    def begin(self) -> bytes:
        return b""

    def frames(self, portion: Portion, speed: float | None) -> list[bytes]:
        return lines(portion)

    def note(self, text: str) -> bytes:
        return b""

    def failure(self, message: str) -> bytes:
        return orjson.dumps({"_error": message}) + b"\n"

    def end(self) -> bytes:
        return b""


class ArrowStream:
    """Record batches of one table, with the id of each record in the column `_id`."""

    media_type = ARROW

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema
        self._sink = _Sink()
        self._writer = pa.ipc.new_stream(pa.PythonFile(self._sink, "w"), schema)

    def begin(self) -> bytes:
        return self._sink.taken()

    def frames(self, portion: Portion, speed: float | None) -> list[bytes]:
        rows = portion.table().cast(self._schema)
        batch_of = np.zeros(len(rows), np.int64)
        if speed is not None:
            batch_of = ((portion.moment - portion.moment[0]) / speed / MICROSECONDS_PER_BATCH).astype(
                np.int64
            )
        frames = [b""] * len(rows)
        first = 0
        for last in np.flatnonzero(np.append(np.diff(batch_of) != 0, True)):
            for batch in rows.slice(first, last + 1 - first).combine_chunks().to_batches():
                self._writer.write_batch(batch)
            frames[last], first = self._sink.taken(), int(last) + 1
        return frames

    def note(self, text: str) -> bytes:
        return b""

    def failure(self, message: str) -> bytes:
        return b""

    def end(self) -> bytes:
        self._writer.close()
        return self._sink.taken()


class _Sink:
    """Keeps what is written until it is taken."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def taken(self) -> bytes:
        together = b"".join(self._parts)
        self._parts.clear()
        return together

    def flush(self) -> None: ...

    def close(self) -> None: ...


def format_of(media_type: str, first: Portion | None, tables: int, named: bool) -> Format:
    """The form of a stream; an Arrow stream has one table. `first` are its first records."""
    if media_type == SSE:
        return ServerSentEvents(named)
    if media_type == JSON_LINES or first is None:
        return JsonLines()
    if tables > 1:
        raise SelectionError(
            "tables", f"{tables} kinds of records", "one table without labels, in an Arrow stream"
        )
    return ArrowStream(pa.schema([field.with_nullable(True) for field in first.table().schema]))
