"""Which destination a text names."""

from pathlib import Path
from urllib.parse import urlsplit

from ..positions import Position
from .base import Sink, SinkError
from .json_lines import JsonLinesSink, file_after, standard_output

ALLOWED = "-, a FILE, a FOLDER/, http(s)://..., kafka://HOST:PORT/TOPIC"


def opened(destination: str, after: Position | None = None) -> Sink:
    """The sink that a text names: `-`, a file, a folder (with a slash at its end), an address; SinkError.

    Parameters
    ----------
    after : the record after which a replay goes on; a file or folder that ends with it is added to.
    """
    if not destination.strip():
        raise SinkError(f"--to: found {destination!r}; allowed: {ALLOWED}")
    if destination == "-":
        return JsonLinesSink(standard_output)
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

                return ParquetSink(path, after)
            return JsonLinesSink(file_after(path, after))
    raise SinkError(f"--to: found {destination!r}; allowed: {ALLOWED}")
