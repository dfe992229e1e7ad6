"""Arrival processes: when the events of a day happen, drawn exactly and without a loop over events.

What spans midnight is keyed by the day it starts on: the on/off path of bursts by the refresh times of
each day, a self-exciting cluster by the day of its immigrant. So any day can be drawn alone, and the
process is stationary at `clock.start`: what happened before it has its after-effects.

Sources: Cox & Lewis (1966) for inversion of the cumulative intensity; Fischer & Meier-Hellstern (1993)
for the Markov-modulated Poisson process; Hawkes & Oakes (1974) for the cluster form of the
self-exciting process.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import date, timedelta
from functools import lru_cache
from math import ceil, log
from typing import ClassVar

import numpy as np

from ..scenarios.models import Arrivals, Scenario
from .intensity import (
    SECONDS_PER_DAY,
    SECONDS_PER_HOUR,
    DayFactors,
    PiecewiseRate,
    day_factors,
    day_rate,
    flash_sale_factor,
    hourly_weights,
)
from .random_streams import RandomStreams, exponential, poisson

VolumeFactor = Callable[[date], float]

NEGLIGIBLE_OFFSPRING = 1e-9
"""Clusters are followed until fewer than this many descendants an immigrant can still be expected."""


class ArrivalProcess(ABC):
    """The arrivals of one scenario; `times` is a pure function of the day.

    A subclass says its `pattern`, as scenarios call it, and whether it follows the hours of the day.
    """

    processes: ClassVar[dict[str, type["ArrivalProcess"]]] = {}
    follows_hours: ClassVar[bool]

    def __init_subclass__(cls, pattern: str, follows_hours: bool) -> None:
        cls.follows_hours = follows_hours
        cls.processes[pattern] = cls

    def __init__(self, scenario: Scenario, volume_factor: VolumeFactor) -> None:
        self.arrivals: Arrivals = scenario.arrivals
        self.streams = RandomStreams(scenario.seed)
        self._volume = scenario.volume
        self._volume_factor = volume_factor
        self._hours = hourly_weights(self.arrivals) if self.follows_hours else np.ones(24)

    def factors(self, day: date) -> DayFactors:
        """Where the expected volume of `day` comes from."""
        return day_factors(self._volume, self.streams, day, self._volume_factor(day))

    def rate(self, day: date) -> PiecewiseRate:
        """Intensity of `day` with its calendar, noise, hours and flash sales."""
        return day_rate(self.arrivals, self._hours, self.factors(day).mean, day)

    def flash_sale(self, day: date) -> float:
        """What the flash sales of `day` do to its volume."""
        return flash_sale_factor(self.arrivals, self._hours, day)

    def spillover(self, day: date) -> float:
        """Expected events of `day` over the integral of its intensity."""
        return 1.0

    def expected_count(self, day: date) -> float:
        """Expected events of `day`, its lognormal day factor known."""
        return self.factors(day).mean * self.flash_sale(day) * self.spillover(day)

    def expected_by_hour(self, day: date) -> np.ndarray:
        """Expected events of each hour of `day`, shape (24,)."""
        return self.rate(day).hourly()

    def dispersion(self, day: date) -> float:
        """Variance over mean of the count of `day`, its lognormal day factor known."""
        return 1.0

    def correlation_of_days(self) -> float:
        """Correlation of the counts of two consecutive ordinary days, their day factors known."""
        return 0.0

    @abstractmethod
    def times(self, day: date) -> np.ndarray:
        """Sorted event times of `day` in seconds since midnight, shape (n_events,)."""

    def _conditional_poisson(self, rate: PiecewiseRate, day: date) -> np.ndarray:
        """Arrivals of a Poisson process with the given intensity: the count, then sorted uniforms."""
        count = int(poisson(self.streams.uniform("arrivals.count", day, 1), rate.total)[0])
        fraction = np.sort(self.streams.uniform("arrivals.time", day, count))
        return rate.times(fraction)


class UniformArrivals(ArrivalProcess, pattern="uniform", follows_hours=False):
    """round(mu) events, evenly spaced in expected events."""

    def times(self, day: date) -> np.ndarray:
        count = round(self.expected_count(day))
        return self.rate(day).times((np.arange(count) + 0.5) / count)

    def dispersion(self, day: date) -> float:
        """Nothing is left to chance."""
        return 0.0


class PoissonArrivals(ArrivalProcess, pattern="poisson", follows_hours=False):
    """Poisson process whose intensity is that of the day."""

    def times(self, day: date) -> np.ndarray:
        return self._conditional_poisson(self.rate(day), day)


class HourlyPoissonArrivals(PoissonArrivals, pattern="nhpp", follows_hours=True):
    """Non-homogeneous Poisson process: the intensity varies over the hours of the day."""


class BurstArrivals(ArrivalProcess, pattern="burst", follows_hours=True):
    """Two-state Markov-modulated Poisson process whose long-run mean stays mu.

    The state is redrawn, burst with probability p, at the points of a Poisson process of rate
    1 / (burst_minutes * (1 - p)): this is the two-state chain with stationary probability p and mean
    burst length `burst_minutes`. The state at midnight is that of the last refresh before it.
    """

    def times(self, day: date) -> np.ndarray:
        seconds, bursting = self._refreshes(day)
        state = np.concatenate([[self._state_before(day)], bursting])
        rate = self.rate(day).multiplied(seconds, self._relative_rate()[state.astype(int)])
        return self._conditional_poisson(rate, day)

    def dispersion(self, day: date) -> float:
        """Var N = mu + sum over pairs of hours of their rates times the covariance of the state.

        The relative rate has autocovariance v exp(-a |t|), with v its stationary variance and a the
        rate of refreshes; integrated over two hours h apart it is what stands below.
        """
        p, (low, high) = self.arrivals.burst_probability, self._relative_rate()
        variance = p * (1 - p) * (high - low) ** 2
        a = 1 / (self.arrivals.burst_minutes * 60 * (1 - p)) * SECONDS_PER_HOUR  # refreshes an hour
        apart = np.abs(np.subtract.outer(np.arange(24), np.arange(24)))
        distinct = (1 - np.exp(-a)) ** 2 * np.exp(-a * np.maximum(apart - 1, 0)) / a**2
        covariance = variance * np.where(apart == 0, 2 * (a - 1 + np.exp(-a)) / a**2, distinct)
        by_hour = self.expected_by_hour(day)
        spread = float((by_hour[:, None] * covariance * by_hour).sum())
        return 1 + spread / max(float(by_hour.sum()), 1e-300)

    def correlation_of_days(self) -> float:
        """Covariance of two consecutive days over their variance, for a constant rate."""
        p, (low, high) = self.arrivals.burst_probability, self._relative_rate()
        mean = self._volume.events_per_day
        variance = p * (1 - p) * (high - low) ** 2 * mean**2
        a = 1440 / (self.arrivals.burst_minutes * (1 - p))  # refreshes a day
        covariance = variance * np.expm1(-a) ** 2 / a**2
        return float(covariance / (mean + 2 * variance * (a + np.expm1(-a)) / a**2))

    def _relative_rate(self) -> np.ndarray:
        """Rate outside and inside a burst relative to the mean, shape (2,)."""
        p, ratio = self.arrivals.burst_probability, self.arrivals.burst_intensity
        return np.array([1.0, ratio]) / (1 - p + p * ratio)

    def _refreshes(self, day: date) -> tuple[np.ndarray, np.ndarray]:
        """Seconds since midnight at which the state is redrawn, and whether it becomes burst."""
        p = self.arrivals.burst_probability
        expected = 1440 / (self.arrivals.burst_minutes * (1 - p))
        count = int(poisson(self.streams.uniform("arrivals.refresh_count", day, 1), expected)[0])
        seconds = np.sort(self.streams.uniform("arrivals.refresh_time", day, count)) * SECONDS_PER_DAY
        return seconds, self.streams.uniform("arrivals.refresh_state", day, count) < p

    def _state_before(self, day: date) -> bool:
        while True:
            day -= timedelta(1)
            _, bursting = self._refreshes(day)
            if bursting.size:
                return bool(bursting[-1])


class HawkesArrivals(ArrivalProcess, pattern="hawkes", follows_hours=True):
    """Self-exciting process: immigrants at (1 - n) mu(t), each event with Poisson(n) children.

    A child follows its parent after an exponential lag of mean `decay_minutes`.
    """

    def __init__(self, scenario: Scenario, volume_factor: VolumeFactor) -> None:
        super().__init__(scenario, volume_factor)
        n = self.arrivals.branching_ratio
        self._ratio = n
        self._lag_seconds = self.arrivals.decay_minutes * 60
        self._fading = (1 - n) / self._lag_seconds  # rate at which the expected offspring fades
        reach = log(max(n / (1 - n) / NEGLIGIBLE_OFFSPRING, 1.0)) / self._fading
        self.lookback_days = ceil(reach / SECONDS_PER_DAY)
        self._clusters_from = lru_cache(self.lookback_days + 2)(self._draw_clusters)

    def times(self, day: date) -> np.ndarray:
        parts = []
        for back in range(self.lookback_days + 1):
            seconds = self._clusters_from(day - timedelta(back)) - back * SECONDS_PER_DAY
            parts.append(seconds[(seconds >= 0) & (seconds < SECONDS_PER_DAY)])
        return np.sort(np.concatenate(parts))

    def spillover(self, day: date) -> float:
        """Clusters cross midnight, so a quiet day after a busy one gets more than its intensity.

        One where the intensity is zero: what comes then is all of other days.
        """
        total = self.rate(day).total
        return self.expected_count(day) / total if total > 0 else 1.0

    def expected_count(self, day: date) -> float:
        """Expected events of `day`, those of earlier days' clusters included."""
        return float(self.expected_by_hour(day).sum())

    def expected_by_hour(self, day: date) -> np.ndarray:
        """Up to the moment x, M(x) - n * G(x) events are expected.

        M is the integral of mu; G that of mu(s) exp(-g (x - s)) over the past, with g = (1 - n) / lag:
        what is still to come of the events so far.
        """
        pending = self._pending(day, np.arange(25) * SECONDS_PER_HOUR)
        return self.rate(day).hourly() - self._ratio * np.diff(pending)

    def dispersion(self, day: date) -> float:
        """k^2 + (1 - k^2) (1 - exp(-g T)) / (g T), with k = 1 / (1 - n) and T one day."""
        return self._dispersion_over(SECONDS_PER_DAY)

    def correlation_of_days(self) -> float:
        """Var(N of two days) / (2 Var(N of one)) - 1."""
        return self._dispersion_over(2 * SECONDS_PER_DAY) / self._dispersion_over(SECONDS_PER_DAY) - 1

    def _dispersion_over(self, seconds: float) -> float:
        k_squared, fading = (1 - self._ratio) ** -2, self._fading * seconds
        return float(k_squared + (1 - k_squared) * -np.expm1(-fading) / fading)

    def _pending(self, day: date, moments: np.ndarray) -> np.ndarray:
        """G at moments in seconds since midnight of `day`, same shape."""
        pending = np.zeros(len(moments))
        for back in range(self.lookback_days + 1):
            rate = self.rate(day - timedelta(back))
            past = np.minimum(rate.edges - back * SECONDS_PER_DAY, moments[:, None])
            remaining = np.exp(-self._fading * (moments[:, None] - past))
            pending += (np.diff(remaining, axis=1) * rate.rate).sum(axis=1) / self._fading
        return pending

    def _draw_clusters(self, day: date) -> np.ndarray:
        """Times of all events whose immigrant came on `day`, seconds since its midnight, unsorted."""
        generation = self._conditional_poisson(self.rate(day).scaled(1 - self._ratio), day)
        offspring = self.streams.generator("arrivals.offspring", day)
        lags = self.streams.generator("arrivals.lag", day)
        generations = [generation]
        while generation.size:
            children = poisson(offspring.random(generation.size), self._ratio)
            parent = np.repeat(generation, children)
            generation = parent + exponential(lags.random(parent.size), self._lag_seconds)
            generations.append(generation)
        return np.concatenate(generations)


def no_drift(day: date) -> float:
    """The factor of a volume that does not drift."""
    return 1.0


def arrival_process(scenario: Scenario, volume_factor: VolumeFactor = no_drift) -> ArrivalProcess:
    """The arrival process that the scenario names; `volume_factor` is what drift does to a day's volume."""
    return ArrivalProcess.processes[scenario.arrivals.arrival_pattern](scenario, volume_factor)
