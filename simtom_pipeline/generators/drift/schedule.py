"""When a drift acts: its weight w in [0, 1] on every day.

A drift moves parameters before anything is drawn. On a link scale, where shifts add, its parameter is
base + w * (value - base). A gradual drift instead gives each record the whole shift with probability w.
Schedules after Lu et al. 2018, "Learning under concept drift: a review".
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from math import ceil, cos, exp, pi

import numpy as np

from ...scenarios.drifts import Gradual, Linear, Pulse, Schedule, Seasonal, Sudden
from ...scenarios.models import Clock
from ..exact import steady
from ..random_streams import RandomStreams

GRADUAL_WIDTHS = 2.0
"""A gradual drift has weight 0 or 1 further than this many widths from its middle (it is within 0.04 %)."""


@dataclass(frozen=True)
class Phase:
    """From `onset` on the weight moves towards `target` (1 is the new concept, 0 the old one).

    It is there from `settled` on; None where the schedule leaves the phase open.
    """

    onset: date
    settled: date
    target: float


class ScheduleCurve:
    """The weight of one schedule on every day of the clock, and when it changes.

    Positions in the schedule that are fractions are days of this clock.
    """

    def __init__(self, schedule: Schedule, clock: Clock) -> None:
        self.schedule = schedule
        self.clock = clock

    @property
    def by_record(self) -> bool:
        """Whether each record is wholly of the old or of the new concept."""
        return isinstance(self.schedule, Gradual)

    def position(self, at: date | float) -> date:
        """The day that a position of the schedule means."""
        return self.clock.position(at)

    @property
    def in_order(self) -> bool:
        """Whether it ends after it begins, now that fractions are days."""
        if isinstance(self.schedule, Linear):
            return self.position(self.schedule.from_) < self.position(self.schedule.to)
        if isinstance(self.schedule, Pulse):
            return self.position(self.schedule.from_) <= self.position(self.schedule.to)
        return True

    def weight(self, day: date) -> float:
        """w on `day`."""
        match self.schedule:
            case Sudden(at=at):
                return float(day >= self.position(at))
            case Gradual(at=at, width_days=width):
                widths = (day - self.position(at)).days / width
                if abs(widths) >= GRADUAL_WIDTHS:
                    return float(widths > 0)
                return float(steady(1 / (1 + exp(-4 * widths))))
            case Linear(from_=first, to=last):
                start, stop = self.position(first), self.position(last)
                if day >= stop:
                    return 1.0
                return max((day - start).days / (stop - start).days, 0.0)
            case Seasonal(at=at, period_days=period):
                elapsed = (day - self.position(at)).days
                return float(steady((1 - cos(2 * pi * elapsed / period)) / 2)) if elapsed > 0 else 0.0
            case Pulse(from_=first, to=last):
                return float(self.position(first) <= day <= self.position(last))

    @property
    def onset(self) -> date:
        """First day on which the weight may be above 0."""
        return self.phases[0].onset

    @property
    def phases(self) -> tuple[Phase, ...]:
        """Every movement that begins within the clock (the first one in any case), returns included."""
        match self.schedule:
            case Sudden(at=at):
                return (Phase(self.position(at), self.position(at), 1.0),)
            case Gradual(at=at, width_days=width):
                middle, reach = self.position(at), timedelta(ceil(GRADUAL_WIDTHS * width))
                return (Phase(middle - reach + timedelta(1), middle + reach, 1.0),)
            case Linear(from_=first, to=last):
                start, stop = self.position(first), self.position(last)
                return (Phase(min(start + timedelta(1), stop), stop, 1.0),)
            case Pulse(from_=first, to=last):
                back = self.position(last) + timedelta(1)
                start = self.position(first)
                return (Phase(start, start, 1.0), Phase(back, back, 0.0))
            case Seasonal(at=at, period_days=period):
                return tuple(self._half_cycles(self.position(at), period))

    def _half_cycles(self, start: date, period: float) -> Iterable[Phase]:
        half = 0
        while half == 0 or start + timedelta(round(half * period / 2)) < self.clock.end:
            turn, next_turn = (start + timedelta(round(k * period / 2)) for k in (half, half + 1))
            yield Phase(turn + timedelta(1), next_turn, float(half % 2 == 0))
            half += 1


def weights_of_records(
    drifts: Iterable[tuple[str, ScheduleCurve]], streams: RandomStreams, day: date, count: int
) -> dict[str, float | np.ndarray]:
    """Weight of each drift by its id: a number, or 0 and 1 for each of `count` records, shape (count,)."""
    weights: dict[str, float | np.ndarray] = {}
    for drift_id, curve in drifts:
        weight = curve.weight(day)
        if curve.by_record and 0 < weight < 1:
            weights[drift_id] = (streams.uniform(f"drift.{drift_id}", day, count) < weight).astype(float)
        else:
            weights[drift_id] = weight
    return weights


def possible_weights(
    drifts: Iterable[tuple[str, ScheduleCurve]], day: date
) -> list[tuple[dict[str, float], float]]:
    """Every combination of weights that a record of the day can have, with its probability."""
    possible: list[tuple[dict[str, float], float]] = [({}, 1.0)]
    for drift_id, curve in drifts:
        weight = curve.weight(day)
        options = [(weight, 1.0)]
        if curve.by_record and 0 < weight < 1:
            options = [(0.0, 1 - weight), (1.0, weight)]
        possible = [
            (known | {drift_id: value}, chance * probability)
            for known, chance in possible
            for value, probability in options
        ]
    return possible
