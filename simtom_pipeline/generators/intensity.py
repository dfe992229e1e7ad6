"""Expected volume: how many events a day should have, and how they spread over its hours.

mu_d = base * day_of_week * week_of_month * month * event * exp(sigma * Z_d - sigma^2 / 2) * drift, whose
noise factor has mean one. Within a day the intensity is piecewise constant, so its integral is piecewise
linear and can be inverted exactly.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from math import exp, prod

import numpy as np

from ..scenarios.models import Arrivals, Volume
from . import calendar_effects as calendar
from .exact import steady
from .random_streams import RandomStreams

SECONDS_PER_DAY = 86_400.0
SECONDS_PER_HOUR = 3_600.0


@dataclass(frozen=True)
class DayFactors:
    """Where the expected volume of one day comes from; events a day, then plain factors."""

    base: float
    day_of_week: float
    week_of_month: float
    month: float
    event: float
    noise: float
    drift: float

    @property
    def mean(self) -> float:
        """mu_d, events a day before flash sales."""
        return float(prod(vars(self).values()))


def day_factors(volume: Volume, streams: RandomStreams, day: date, drift: float) -> DayFactors:
    """The factors of mu_d, the lognormal day factor included; `drift` is the last one."""
    sigma = volume.daily_noise
    noise = 1.0
    if sigma > 0:
        normal = float(streams.normal("volume.daily_noise", day, 1)[0])
        noise = float(steady(exp(sigma * normal - sigma**2 / 2)))
    return DayFactors(
        base=volume.events_per_day,
        day_of_week=calendar.day_of_week_factor(volume, day),
        week_of_month=calendar.week_of_month_factor(volume, day),
        month=calendar.month_factor(volume, day),
        event=calendar.event_factor(volume, day),
        noise=noise,
        drift=drift,
    )


@dataclass(frozen=True)
class PiecewiseRate:
    """A piecewise-constant rate over a day.

    Attributes
    ----------
    edges : seconds since midnight, shape (k + 1,), from 0 to 86,400.
    rate : events a second on each piece, shape (k,).
    """

    edges: np.ndarray
    rate: np.ndarray

    @property
    def cumulative(self) -> np.ndarray:
        """Expected events from midnight to each edge, shape (k + 1,)."""
        return np.concatenate([[0.0], np.cumsum(self.rate * np.diff(self.edges))])

    @property
    def total(self) -> float:
        """Expected events of the day."""
        return float(self.cumulative[-1])

    def times(self, fraction: np.ndarray) -> np.ndarray:
        """Seconds since midnight at which each `fraction` of the day's expected events has passed."""
        cumulative = self.cumulative
        return np.interp(fraction * cumulative[-1], cumulative, self.edges)

    def scaled(self, factor: float) -> "PiecewiseRate":
        """The same shape, `factor` times as high."""
        return PiecewiseRate(self.edges, self.rate * factor)

    def multiplied(self, breaks: Sequence[float] | np.ndarray, factors: np.ndarray) -> "PiecewiseRate":
        """Times a step function that is `factors[j]`, shape (m + 1,), between its m sorted `breaks`."""
        edges = np.union1d(self.edges, np.clip(breaks, 0.0, SECONDS_PER_DAY))
        middle = (edges[:-1] + edges[1:]) / 2
        own = self.rate[np.searchsorted(self.edges, middle, side="right") - 1]
        return PiecewiseRate(edges, own * factors[np.searchsorted(breaks, middle, side="right")])

    def hourly(self) -> np.ndarray:
        """Expected events of each hour, shape (24,)."""
        return np.diff(np.interp(np.arange(25) * SECONDS_PER_HOUR, self.edges, self.cumulative))


def hourly_weights(arrivals: Arrivals) -> np.ndarray:
    """Relative intensity of each hour of an ordinary day, shape (24,), mean one."""
    weights = np.array(arrivals.hourly_profile)
    weights[list(set(arrivals.peak_hours))] *= arrivals.peak_multiplier
    return weights / weights.mean()


def day_rate(arrivals: Arrivals, weights: np.ndarray, mean: float, day: date) -> PiecewiseRate:
    """The intensity of `day`, flash sales included; without them its total is `mean`.

    `weights` is the relative intensity of each hour of an ordinary day, shape (24,), mean one.
    """
    rate = PiecewiseRate(np.arange(25) * SECONDS_PER_HOUR, weights * mean / SECONDS_PER_DAY)
    for opens, closes, multiplier in _sales_on(arrivals, day):
        rate = rate.multiplied([opens, closes], np.array([1.0, multiplier, 1.0]))
    return rate


def flash_sale_factor(arrivals: Arrivals, weights: np.ndarray, day: date) -> float:
    """What the flash sales of `day` do to its volume; exactly 1 on a day without; `weights` as `day_rate`."""
    return day_rate(arrivals, weights, 1.0, day).total if any(_sales_on(arrivals, day)) else 1.0


def _sales_on(arrivals: Arrivals, day: date) -> Iterator[tuple[float, float, float]]:
    """Opening and closing in seconds since midnight, and multiplier, of each sale that touches the day."""
    midnight = datetime.combine(day, time())
    for sale in arrivals.flash_sales:
        opens = (sale.start - midnight) / timedelta(seconds=1)
        closes = opens + sale.duration_minutes * 60
        if closes > 0 and opens < SECONDS_PER_DAY:
            yield opens, closes, sale.multiplier
