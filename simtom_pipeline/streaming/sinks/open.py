"""Which destination a text names."""

import sys
from pathlib import Path
from urllib.parse import urlsplit

from .base import Sink, SinkError
from .json_lines import JsonLinesSink, open_new

ALLOWED = "-, a FILE, a FOLDER/, http(s)://..., kafka://HOST:PORT/TOPIC"


def opened(destination: str) -> Sink:
    """The sink that a text names: `-`, a file, a folder (with a slash at its end), an address; SinkError."""
    if destination == "-":
        return JsonLinesSink(sys.stdout.buffer)
    parts = urlsplit(destination)
    match parts.scheme:
        case "http" | "https":
            from .http import HttpSink

            return HttpSink(destination)
        case "kafka":
            from .kafka import KafkaSink

            topic = parts.path.strip("/")
            if not parts.netloc or not topic:
                raise SinkError(f"--to: found {destination!r}; allowed: kafka://HOST:PORT/TOPIC")
            return KafkaSink(parts.netloc, topic)
        case "":
            path = Path(destination).expanduser()
            if destination.endswith("/") or path.is_dir():
                from .parquet import ParquetSink

                return ParquetSink(path)
            return JsonLinesSink(open_new(path))
    raise SinkError(f"--to: found {destination!r}; allowed: {ALLOWED}")
