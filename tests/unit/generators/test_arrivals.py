"""The arrival laws, each against a closed form or scipy.

Seeds are fixed, so nothing here is random; the stated rate says how likely an unlucky seed would have
failed a right program.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from scipy import integrate, stats

from simtom_pipeline import load_scenario
from simtom_pipeline.generators.arrivals import HawkesArrivals, arrival_process
from simtom_pipeline.generators.intensity import hourly_weights

FIRST = date(2024, 1, 1)
ALPHA = 1e-4
STEADY = {
    "volume.day_of_week": None,
    "volume.week_of_month": None,
    "volume.month": None,
    "volume.events": None,
    "volume.daily_noise": None,
    "clock.end": "2060-12-31",
}


def process(pattern: str, **overrides: Any) -> Any:
    settings = {"arrivals.arrival_pattern": pattern, "arrivals.hourly_profile": None, **STEADY}
    settings |= {key.replace("__", "."): value for key, value in overrides.items()}
    return arrival_process(load_scenario("baseline", settings))


def days(count: int) -> Iterator[date]:
    return (FIRST + timedelta(n) for n in range(count))


def on_one_line(arrivals: Any, count: int) -> np.ndarray:
    """Times of `count` consecutive days in seconds since the first midnight."""
    return np.concatenate([arrivals.times(day) + 86_400 * n for n, day in enumerate(days(count))])


def window_counts(times: np.ndarray, length: float, window: float) -> np.ndarray:
    return np.histogram(times, np.arange(0, length + window / 2, window))[0]


def test_uniform_arrivals_are_evenly_spaced_and_exactly_as_many_as_expected() -> None:
    arrivals = process("uniform", volume__base_daily_volume=1234.4)
    times = arrivals.times(FIRST)
    assert len(times) == 1234
    np.testing.assert_allclose(np.diff(times), 86_400 / 1234, rtol=1e-9)
    assert times[0] == pytest.approx(86_400 / 1234 / 2)


def test_poisson_gaps_are_exponential_and_do_not_know_midnight() -> None:
    gaps = np.diff(on_one_line(process("poisson"), 60))
    assert stats.kstest(gaps, stats.expon(scale=86.4).cdf).pvalue > ALPHA
    assert abs(np.corrcoef(gaps[1:], gaps[:-1])[0, 1]) < 4 / np.sqrt(len(gaps))


def test_poisson_counts_have_the_poisson_law() -> None:
    arrivals = process("poisson", volume__base_daily_volume=20)
    counts = np.array([len(arrivals.times(day)) for day in days(4_000)])
    cells = np.arange(8, 34)
    observed = np.array(
        [(counts <= 8).sum(), *((counts == k).sum() for k in cells[1:-1]), (counts >= 33).sum()]
    )
    law = stats.poisson(20)
    expected = 4_000 * np.array([law.cdf(8), *law.pmf(cells[1:-1]), law.sf(32)])
    assert stats.chisquare(observed, expected).pvalue > ALPHA


def test_nhpp_becomes_a_unit_rate_process_in_operational_time() -> None:
    """Time rescaling: the integral of the intensity at each event is uniform (integrated by quadrature)."""
    profile = list(np.linspace(1, 3, 24))
    arrivals = process("nhpp", arrivals__hourly_profile=profile, arrivals__peak_hours=[12, 19])
    weights = np.array(profile)
    weights[[12, 19]] *= 1.5
    total = weights.sum()

    def passed(hour: float) -> float:
        edges = [h for h in range(1, 24) if h < hour]
        value, _ = integrate.quad(lambda h: weights[min(int(h), 23)], 0, hour, points=edges, limit=200)
        return value / total

    hours = np.concatenate([arrivals.times(day) for day in days(5)]) / 3600
    rescaled = np.array([passed(hour) for hour in hours[::4]])
    assert stats.kstest(rescaled, "uniform").pvalue > ALPHA
    times = np.concatenate([arrivals.times(day) for day in days(200)])
    observed = np.histogram(times, np.arange(25) * 3600)[0]
    assert stats.chisquare(observed, len(times) * weights / total).pvalue > ALPHA


def test_peak_hours_multiply_the_profile() -> None:
    scenario = load_scenario("baseline", {"arrivals.peak_hours": [3, 3, 20], "arrivals.peak_multiplier": 2})
    profile = np.array(scenario.arrivals.hourly_profile)
    profile[[3, 20]] *= 2
    np.testing.assert_allclose(hourly_weights(scenario.arrivals), profile / profile.mean())


def test_burst_windows_vary_as_the_closed_form_says() -> None:
    """Var of a window of length T: m + 2 v m'^2 (aT - 1 + e^-aT) / a^2 (Fischer & Meier-Hellstern 1993)."""
    p, ratio, minutes, rate = 0.2, 8.0, 30.0, 1000 / 86_400
    arrivals = process(
        "burst",
        arrivals__burst_probability=p,
        arrivals__burst_intensity=ratio,
        arrivals__burst_minutes=minutes,
    )
    n = 1_500
    times = on_one_line(arrivals, n)
    low = 1 / (1 - p + p * ratio)
    variance = p * (1 - p) * (ratio * low - low) ** 2
    a = 1 / (minutes * 60 * (1 - p))
    for window in (300.0, 1_800.0, 7_200.0, 86_400.0):
        counts = window_counts(times, n * 86_400, window)
        expected = rate * window + 2 * variance * rate**2 * (a * window - 1 + np.exp(-a * window)) / a**2
        assert counts.var() == pytest.approx(expected, rel=0.1 if window < 86_400 else 0.15), window
    assert len(times) / (n * 1000) == pytest.approx(1, abs=4 * np.sqrt(expected / n) / 1000)


def test_burst_spells_last_as_long_as_declared() -> None:
    """The state is a chain: bursts are exponential with the declared mean, whatever midnight does."""
    arrivals = process("burst", arrivals__burst_probability=0.3, arrivals__burst_minutes=45.0)
    seconds, state = [], []
    for n, day in enumerate(days(400)):
        moments, bursting = arrivals._refreshes(day)
        seconds.append(moments + n * 86_400)
        state.append(bursting)
    moments, bursting = np.concatenate(seconds), np.concatenate(state)
    changes = np.flatnonzero(np.diff(bursting.astype(int)))
    spells = np.diff(moments[changes + 1])
    starts_burst = bursting[changes + 1][:-1]
    assert stats.kstest(spells[starts_burst], stats.expon(scale=45 * 60).cdf).pvalue > ALPHA
    assert stats.kstest(spells[~starts_burst], stats.expon(scale=45 * 60 * 0.7 / 0.3).cdf).pvalue > ALPHA


def test_bursts_cross_midnight() -> None:
    arrivals = process(
        "burst",
        arrivals__burst_probability=0.2,
        arrivals__burst_intensity=20.0,
        arrivals__burst_minutes=120.0,
    )
    late, early = [], []
    previous = arrivals.times(FIRST)
    for day in list(days(1_500))[1:]:
        now = arrivals.times(day)
        late.append((previous >= 86_400 - 600).sum())
        early.append((now < 600).sum())
        previous = now
    assert np.corrcoef(late, early)[0, 1] > 0.5


@pytest.mark.parametrize(("ratio", "lag_minutes"), [(0.3, 5.0), (0.6, 10.0), (0.8, 2.0)])
def test_hawkes_windows_vary_as_the_closed_form_says(ratio: float, lag_minutes: float) -> None:
    """Var / mean over a window T is k^2 + (1 - k^2)(1 - e^-gT) / (gT), k = 1/(1-n), g = (1-n)/lag."""
    arrivals = process("hawkes", arrivals__branching_ratio=ratio, arrivals__decay_minutes=lag_minutes)
    n = 600
    times = on_one_line(arrivals, n)
    k2, g = (1 - ratio) ** -2, (1 - ratio) / (lag_minutes * 60)
    for window in (120.0, 1_200.0, 7_200.0):
        counts = window_counts(times, n * 86_400, window)
        expected = k2 + (1 - k2) * (1 - np.exp(-g * window)) / (g * window)
        assert counts.var() / counts.mean() == pytest.approx(expected, rel=0.08), window
    assert len(times) / (n * 1000) == pytest.approx(1, abs=4 * np.sqrt(k2 / (n * 1000)))


def test_hawkes_clusters_cross_midnight_as_if_it_were_not_there() -> None:
    """Correlation of the windows around midnight equals that around noon."""
    arrivals = process("hawkes", arrivals__branching_ratio=0.7, arrivals__decay_minutes=20.0)
    n = 1_000
    counts = window_counts(on_one_line(arrivals, n), n * 86_400, 1_800.0)
    before, after = counts[:-1], counts[1:]
    midnight, noon = slice(47, None, 48), slice(23, None, 48)
    at_midnight = np.corrcoef(before[midnight], after[midnight])[0, 1]
    at_noon = np.corrcoef(before[noon], after[noon])[0, 1]
    assert at_midnight == pytest.approx(at_noon, abs=4 * np.sqrt(2 / n))
    assert at_midnight > 0.2


def test_hawkes_is_stationary_from_the_first_day() -> None:
    hawkes = {"arrivals.branching_ratio": 0.9, "arrivals.decay_minutes": 60, "volume.base_daily_volume": 300}
    overrides = {**STEADY, **hawkes, "arrivals.arrival_pattern": "hawkes", "arrivals.hourly_profile": None}
    scenario = load_scenario("baseline", overrides)
    seeds = (scenario.model_copy(update={"seed": seed}) for seed in range(400))
    first = [len(arrival_process(one).times(FIRST)) for one in seeds]
    assert np.mean(first) == pytest.approx(300, abs=4 * np.sqrt(300 * 100 / 400))


def test_expectations_of_clustered_patterns_hold_hour_by_hour_with_a_calendar() -> None:
    """Spillover: after a busy day and a busy hour the offspring come later."""
    overrides: dict[str, Any] = {
        "arrivals.arrival_pattern": "hawkes",
        "arrivals.branching_ratio": 0.7,
        "arrivals.decay_minutes": 30.0,
        "volume.daily_noise": 0.0,
        "clock.end": "2060-12-31",
    }
    arrivals = arrival_process(load_scenario("baseline", overrides))
    counts, expected = np.zeros(24), np.zeros(24)
    z = []
    for day in days(1_000):
        times = arrivals.times(day)
        counts += np.histogram(times, np.arange(25) * 3600)[0]
        expected += arrivals.expected_by_hour(day)
        mean = arrivals.expected_count(day)
        z.append((len(times) - mean) / np.sqrt(arrivals.dispersion(day) * mean))
    np.testing.assert_allclose(counts, expected, rtol=0.05)
    assert abs(np.mean(z)) < 4 / np.sqrt(1_000)
    assert np.var(z) == pytest.approx(1, abs=4 * np.sqrt(2 / 1_000) + 0.05)


def test_flash_sales_multiply_the_intensity_of_their_window_for_any_pattern() -> None:
    sale = {"start": "2024-01-03 23:00:00", "duration_minutes": 120, "multiplier": 10}
    for pattern in ("uniform", "poisson", "nhpp", "burst", "hawkes"):
        arrivals = process(
            pattern,
            arrivals__flash_sales=[sale],
            arrivals__burst_intensity=1.05,
            arrivals__branching_ratio=0.2,
            arrivals__decay_minutes=1.0,
            volume__base_daily_volume=100_000,
        )
        hour = 100_000 / 24
        evening = np.histogram(arrivals.times(date(2024, 1, 3)), np.arange(25) * 3600)[0]
        morning = np.histogram(arrivals.times(date(2024, 1, 4)), np.arange(25) * 3600)[0]
        assert evening[23] / hour == pytest.approx(10, rel=0.05), pattern
        assert morning[0] / hour == pytest.approx(10, rel=0.05), pattern
        assert evening[12] / hour == pytest.approx(1, rel=0.12), pattern
        assert arrivals.expected_count(date(2024, 1, 3)) == pytest.approx(100_000 + 9 * hour, rel=0.005)


def test_volume_follows_the_poisson_lognormal_mixture() -> None:
    """Var(N) = m + m^2 (e^(s^2) - 1), mean m; 3,000 days, within 4 standard errors or so."""
    arrivals = process("poisson", volume__base_daily_volume=500, volume__daily_noise=0.2)
    counts = np.array([len(arrivals.times(day)) for day in days(3_000)])
    variance = 500 + 500**2 * (np.exp(0.2**2) - 1)
    assert counts.mean() == pytest.approx(500, abs=4 * np.sqrt(variance / 3_000))
    assert counts.var() == pytest.approx(variance, rel=0.15)
    noise = np.log([arrivals.factors(day).noise for day in days(3_000)])
    assert stats.kstest(noise, stats.norm(-0.02, 0.2).cdf).pvalue > ALPHA


def test_a_closed_hour_gets_no_event() -> None:
    profile = [1.0] * 24
    profile[4] = 0.0
    for pattern in ("nhpp", "burst", "hawkes"):
        arrivals = process(pattern, arrivals__hourly_profile=profile, arrivals__branching_ratio=0.0)
        times = np.concatenate([arrivals.times(day) for day in days(20)])
        assert not ((times >= 4 * 3600) & (times < 5 * 3600)).any(), pattern


def test_clusters_are_followed_until_nothing_more_is_to_be_expected() -> None:
    arrivals = process("hawkes", arrivals__branching_ratio=0.9, arrivals__decay_minutes=60.0)
    assert isinstance(arrivals, HawkesArrivals)
    lag_days = 60 / 1440 / (1 - 0.9)
    assert 0.9 / 0.1 * np.exp(-arrivals.lookback_days / lag_days) <= 1e-9
