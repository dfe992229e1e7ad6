"""What every destination of a replay is."""

from typing import Protocol

from ..encoding import Portion


class SinkError(RuntimeError):
    """A destination cannot be used, or has not taken a record. The message says what to do."""


class Sink(Protocol):
    """A destination.

    Attributes
    ----------
    last : id of the last record that is sure to have arrived; None: none.
    """

    last: str | None

    def send(self, portion: Portion) -> None:
        """Take the records of a portion, in order; SinkError."""

    def close(self) -> None:
        """Deliver what is not delivered yet; SinkError."""
