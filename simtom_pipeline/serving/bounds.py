"""How much one request may ask for, and how much all of them together."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

from ..generators.base import BaseGenerator
from ..scenarios.models import Clock

MAX_BODY_BYTES = 65_536
MAX_EVENTS_PER_DAY = 1_000_000
"""Of the simulated clock: a day is drawn at once, and so many take five seconds and two gigabytes."""
MAX_EARLIER_ROWS = 1_000_000
"""Customers, say, who were there before the first day and are drawn with it."""
MAX_CLOCK_DAYS = 3_660
MAX_RECORDS_PER_SECOND = 10_000
"""Delivered: `rate_per_second` times `time_compression`."""
MAX_STREAMS = 64
RETRY_AFTER_SECONDS = 5


class TooMuchError(ValueError):
    """More is asked for than one request may; `key` is the parameter, `allowed` the bound."""

    def __init__(self, key: str, found: str, allowed: str) -> None:
        self.key, self.found, self.allowed = key, found, allowed
        super().__init__(f"{key}: found {found}; allowed: {allowed}")


class BusyError(RuntimeError):
    """As many streams are open as may be."""


def check_size(generator: BaseGenerator) -> None:
    """Refuse a scenario of a request whose days are too large or too many; TooMuchError."""
    clock = generator.scenario.clock
    days = (clock.end - clock.start).days + 1
    if days > MAX_CLOCK_DAYS:
        raise TooMuchError("clock.end", f"a clock of {days:,} days", f"at most {MAX_CLOCK_DAYS:,} days")
    check_rows("volume", generator.scenario.volume.events_per_day, "events a day")
    if (earlier := generator.earlier_rows()) > MAX_EARLIER_ROWS:
        raise TooMuchError(
            "volume", f"{earlier:,} rows before the first day", f"at most {MAX_EARLIER_ROWS:,}"
        )


def check_day(generator: BaseGenerator, day: date) -> None:
    """Refuse a day on which too many events are expected; TooMuchError."""
    check_rows("volume", generator.arrivals.expected_count(day), f"expected events on {day}")


def check_rows(key: str, found: float, what: str) -> None:
    """Refuse more events than a day may have; TooMuchError."""
    if found > MAX_EVENTS_PER_DAY:
        raise TooMuchError(
            key, f"{found:,.0f} {what} of the simulated clock", f"at most {MAX_EVENTS_PER_DAY:,}"
        )


def days_of(clock: Clock) -> int:
    """Length of a clock in days."""
    return (clock.end - clock.start).days + 1


class Slots:
    """A number of streams that may be open at once.

    >>> slots = Slots(1)
    >>> with slots.taken():
    ...     slots.open
    1
    """

    def __init__(self, size: int = MAX_STREAMS) -> None:
        self.size, self.open = size, 0

    def take(self) -> None:
        """One more stream; BusyError where all are taken."""
        if self.open >= self.size:
            raise BusyError(f"{self.open} streams are open, as many as this server allows. Try again later.")
        self.open += 1

    def give_back(self) -> None:
        """A stream has ended."""
        self.open -= 1

    @contextmanager
    def taken(self) -> Iterator[None]:
        """One more stream for a while; BusyError."""
        self.take()
        try:
            yield
        finally:
            self.give_back()
