"""How far a run has come, in words: what has landed of the days that were asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date


@dataclass
class LandedDays:
    """The days that were asked for, which land in their order, and how many of them have landed so far."""

    days: Sequence[date]
    count: int = 0

    def __str__(self) -> str:
        done, others = self.days[: self.count], self.days[self.count :]
        if not done:
            return f"No day has landed: {_as_they_were(others)}"
        asked = "1 day" if len(self.days) == 1 else f"{len(self.days)} days"
        said = f"{self.count} of {asked} {'has' if self.count == 1 else 'have'} landed, whole: {_span(done)}."
        return f"{said} {_as_they_were(others)}" if others else said

    @property
    def next_step(self) -> str:
        """What to do where the command was ended."""
        them = "it" if len(self.days) == 1 else "them"
        if self.count == 0:
            return f"Run again to land {them}."
        if self.count < len(self.days):
            return f"Run again, from the first day or --from {self.days[self.count]}, to land the others."
        return f"Run again to measure and check {them}."


def _as_they_were(days: Sequence[date]) -> str:
    return f"{_span(days)} {'is as it was' if len(days) == 1 else 'are as they were'}."


def _span(days: Sequence[date]) -> str:
    return str(days[0]) if len(days) == 1 else f"{days[0]} to {days[-1]}"
