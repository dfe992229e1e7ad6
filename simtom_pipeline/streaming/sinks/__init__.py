"""Where a replay goes: a pipe or a file, a folder of Parquet, an address that takes POST, a topic of Kafka.

Each sink is given portions of a stream as they fall due, in order, and closed at the end. What it has been
given before it fails or is ended is named by the id of the last record that it is sure to have delivered.
"""

from .base import Sink, SinkError
from .open import opened

__all__ = ["Sink", "SinkError", "opened"]
