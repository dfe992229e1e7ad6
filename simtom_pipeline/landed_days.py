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
    def left_to_do(self) -> str:
        """What another run would be for."""
        if self.count == 0:
            return "land them" if len(self.days) > 1 else "land it"
        if self.count < len(self.days):
            return f"land the others, which --from {self.days[self.count]} does alone"
        return "measure and check them" if len(self.days) > 1 else "measure and check it"


def _as_they_were(days: Sequence[date]) -> str:
    return f"{_span(days)} {'is as it was' if len(days) == 1 else 'are as they were'}."


def _span(days: Sequence[date]) -> str:
    return str(days[0]) if len(days) == 1 else f"{days[0]} to {days[-1]}"
