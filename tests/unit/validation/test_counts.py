"""Counts of days and hours against expected ones: false alarms are rare, what is wrong is found."""

from collections.abc import Callable
from math import exp, factorial

import numpy as np
import pytest
from scipy import stats

from simtom_pipeline.validation.counts import (
    VolumeTest,
    compare_hours,
    compare_volume,
    count_p_value,
    garwood_interval,
    ljung_box,
)
from simtom_pipeline.validation.decisions import (
    alpha_per_day,
    exactness,
    magnitude,
)
from tests.support.chance import (
    FAILED,
    FAMILY_WISE_ERROR,
    PASSED,
    hits_are_at_most,
    hits_are_binomial,
    rng,
)


def clustered_counts(draw: np.random.Generator, mean: np.ndarray, dispersion: float) -> np.ndarray:
    """Counts of that mean and dispersion: Poisson with a gamma-distributed mean."""
    if dispersion == 1:
        return draw.poisson(mean).astype(float)
    scale = dispersion - 1
    return draw.poisson(draw.gamma(mean / scale, scale)).astype(float)


@pytest.mark.parametrize("confidence", [0.5, 0.90, 0.999])
@pytest.mark.parametrize("count", [1, 2, 10, 137, 365_000])
def test_garwoods_bounds_are_the_means_that_leave_half_the_error_in_each_tail(
    count: int, confidence: float
) -> None:
    low, high = garwood_interval(count, confidence)
    tail = (1 - confidence) / 2
    assert stats.poisson.sf(count - 1, low) == pytest.approx(tail, rel=1e-6)
    assert stats.poisson.cdf(count, high) == pytest.approx(tail, rel=1e-6)


def test_garwoods_interval_for_nothing_starts_at_nothing() -> None:
    low, high = garwood_interval(0, 0.90)
    assert low == 0.0
    assert exp(-high) == pytest.approx(0.05)


@pytest.mark.parametrize("confidence", [0.90, 0.999])
def test_garwoods_interval_covers_every_mean_at_least_as_often_as_stated(confidence: float) -> None:
    counts = np.arange(120)
    bounds = np.array([garwood_interval(int(count), confidence) for count in counts])
    for mean in np.linspace(0.1, 40, 60):
        covers = (bounds[:, 0] <= mean) & (mean <= bounds[:, 1])
        assert stats.poisson.pmf(counts, mean)[covers].sum() >= confidence - 1e-9


def poisson_two_sided(count: int, mean: float) -> float:
    """Twice the smaller tail, added up term by term."""
    lower = sum(exp(-mean) * mean**k / factorial(k) for k in range(count + 1))
    upper = 1 - sum(exp(-mean) * mean**k / factorial(k) for k in range(count))
    return min(2 * min(lower, upper), 1.0)


@pytest.mark.parametrize("mean", [0.5, 3.0, 20.0])
def test_a_count_of_dispersion_one_is_judged_by_the_poisson_law(mean: float) -> None:
    counts = np.arange(40)
    by_hand = [poisson_two_sided(int(k), mean) for k in counts]
    found = count_p_value(counts.astype(float), np.full(40, mean), np.ones(40))
    np.testing.assert_allclose(found, by_hand, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize(("mean", "dispersion"), [(50.0, 1.5), (50.0, 4.0), (1000.0, 16.0)])
def test_a_clustered_count_is_judged_by_the_negative_binomial_of_its_moments(
    mean: float, dispersion: float
) -> None:
    law = stats.nbinom(mean / (dispersion - 1), 1 / dispersion)
    assert law.stats() == pytest.approx((mean, dispersion * mean))
    counts = mean + np.sqrt(mean * dispersion) * np.linspace(-4, 4, 9)
    counts = np.maximum(np.round(counts), 0)
    by_hand = np.minimum(2 * np.minimum(law.cdf(counts), law.sf(counts - 1)), 1)
    found = count_p_value(counts, np.full(9, mean), np.full(9, dispersion))
    np.testing.assert_allclose(found, by_hand, rtol=1e-9)


def test_a_little_more_than_dispersion_one_changes_little() -> None:
    counts, mean = np.array([0.0, 150, 200, 260, 300]), np.full(5, 200.0)
    poisson = count_p_value(counts, mean, np.ones(5))
    for excess in (1e-10, 1e-8, 1e-6):
        np.testing.assert_allclose(count_p_value(counts, mean, np.full(5, 1 + excess)), poisson, rtol=1e-3)


@pytest.mark.parametrize("dispersion", [1.0, 1.5, 16.0])
@pytest.mark.parametrize("mean", [0.5, 20.0, 1000.0])
def test_right_counts_are_called_broken_no_more_often_than_stated(mean: float, dispersion: float) -> None:
    days = np.full(40_000, mean)
    counts = clustered_counts(rng(), days, dispersion)
    p = count_p_value(counts, days, np.full(len(days), dispersion))
    for alpha in (0.05, 0.01, 0.001):
        assert hits_are_at_most(int((p <= alpha).sum()), len(days), alpha)
    if mean == 1000.0:
        assert (p <= 0.05).mean() > 0.04


def test_half_a_day_is_found_and_a_doubled_one_too() -> None:
    p = count_p_value(np.array([500.0, 2000.0]), np.full(2, 1000.0), np.ones(2))
    assert (p < alpha_per_day(FAMILY_WISE_ERROR, 365)).all()


def test_clusters_excuse_a_day_that_a_poisson_process_would_not_have() -> None:
    count, mean = np.array([1200.0]), np.array([1000.0])
    assert count_p_value(count, mean, np.array([1.0]))[0] < 1e-8
    assert count_p_value(count, mean, np.array([16.0]))[0] > 0.05


DAYS = 365


EXPECTED = 1000 * (1 + 0.1 * np.sin(np.arange(DAYS)))


def volume(counts: np.ndarray, expected: np.ndarray = EXPECTED, dispersion: float = 1.0) -> VolumeTest:
    return compare_volume(counts.astype(float), expected, np.full(len(expected), dispersion))


def test_evenly_spaced_days_must_be_the_rounded_expectation() -> None:
    expected = np.array([199.4, 199.6, 200.5, 0.0, 0.4])
    right = compare_volume(np.array([199.0, 200, 200, 0, 0]), expected, np.zeros(5))
    assert right.p_value.tolist() == [1.0] * 5
    wrong = compare_volume(np.array([200.0, 199, 202, 1, 1]), expected, np.zeros(5))
    assert wrong.p_value.tolist() == [0.0] * 5


def test_where_nothing_is_left_to_chance_the_ratio_is_exact_and_spread_says_nothing() -> None:
    test = compare_volume(np.full(40, 210.0), np.full(40, 200.0), np.zeros(40))
    assert test.ratio == pytest.approx(1.05)
    assert (test.p_value == 0).all()
    assert test.inner == test.outer == (1.0, 1.0), "each day has been judged by itself"
    assert (test.fano_p, test.autocorrelation_p) == (1.0, 1.0)


def test_days_with_and_without_chance_are_judged_each_by_its_own_law() -> None:
    test = compare_volume(np.array([101.0, 101.0]), np.full(2, 100.0), np.array([0.0, 1.0]))
    assert test.p_value[0] == 0.0
    assert test.p_value[1] > 0.9


def test_days_on_which_nothing_is_expected_must_be_empty() -> None:
    test = compare_volume(np.array([0.0, 3.0]), np.zeros(2), np.ones(2))
    assert test.p_value.tolist() == [1.0, 0.0]
    assert test.ratio == 1.0


@pytest.mark.parametrize("dispersion", [1.0, 4.0])
def test_the_intervals_of_the_total_cover_the_truth_as_often_as_stated(dispersion: float) -> None:
    draw, mean, trials = rng(), np.full(30, 100.0), 800
    outside = {"inner": 0, "outer": 0}
    for _ in range(trials):
        test = volume(clustered_counts(draw, mean, dispersion), mean, dispersion)
        outside["inner"] += not test.inner[0] <= 1 <= test.inner[1]
        outside["outer"] += not test.outer[0] <= 1 <= test.outer[1]
    assert hits_are_at_most(outside["inner"], trials, 0.10)
    assert hits_are_at_most(outside["outer"], trials, 0.001)


def test_the_ratio_of_poisson_days_has_garwoods_interval() -> None:
    test = volume(rng().poisson(EXPECTED))
    for interval, confidence in ((test.inner, 0.90), (test.outer, 0.999)):
        total = test.ratio * EXPECTED.sum()
        assert interval == pytest.approx(np.array(garwood_interval(total, confidence)) / EXPECTED.sum())


@pytest.mark.parametrize("bias", [0.955, 0.96, 1.04, 1.045])
def test_a_bias_beyond_three_percent_is_found_in_a_year_though_no_day_is_broken(bias: float) -> None:
    test = volume(rng().poisson(bias * EXPECTED))
    assert magnitude(test.inner, test.outer, 1.0, 0.03) is FAILED
    assert (test.p_value < alpha_per_day(FAMILY_WISE_ERROR, DAYS)).sum() == 0


def test_a_bias_of_one_percent_is_tolerated() -> None:
    test = volume(rng().poisson(1.01 * EXPECTED))
    assert magnitude(test.inner, test.outer, 1.0, 0.03) is PASSED


def spread_is_wrong(counts: np.ndarray) -> bool:
    test = volume(counts)
    return exactness(test.fano_p, abs(test.fano - 1), 0.05, FAMILY_WISE_ERROR) is FAILED


def test_days_that_vary_too_much_are_found_though_their_total_is_right() -> None:
    counts = rng().poisson(EXPECTED * np.where(np.arange(DAYS) % 2, 1.04, 0.96))
    assert spread_is_wrong(counts)
    assert volume(counts).ratio == pytest.approx(1.0, abs=0.01)


def test_days_that_vary_too_little_are_found() -> None:
    assert spread_is_wrong(np.round(EXPECTED))


def test_the_spread_of_right_days_is_one() -> None:
    test = volume(rng().poisson(EXPECTED))
    assert test.fano == pytest.approx(1.0, abs=5 * np.sqrt(2 / DAYS))


def fano_false_alarms(mean: float, dispersion: float, trials: int) -> int:
    draw, days = rng(int(mean)), np.full(100, mean)
    p = [volume(clustered_counts(draw, days, dispersion), days, dispersion).fano_p for _ in range(trials)]
    return int((np.array(p) < FAMILY_WISE_ERROR).sum())


@pytest.mark.parametrize(("mean", "dispersion"), [(100.0, 1.0), (2000.0, 4.0)])
def test_the_spread_of_busy_days_raises_no_false_alarms(mean: float, dispersion: float) -> None:
    """At most twice as often as stated."""
    assert hits_are_at_most(fano_false_alarms(mean, dispersion, 800), 800, 2 * FAMILY_WISE_ERROR)


@pytest.mark.parametrize(("mean", "dispersion"), [(0.2, 1.0), (5.0, 4.0)])
def test_the_spread_of_quiet_or_clustered_days_raises_no_false_alarms(mean: float, dispersion: float) -> None:
    """At most twice as often as stated."""
    assert hits_are_at_most(fano_false_alarms(mean, dispersion, 800), 800, 2 * FAMILY_WISE_ERROR)


def wandering(draw: np.random.Generator, correlation: float, days: int) -> np.ndarray:
    """An AR(1) path of unit variance, shape (days,)."""
    path = draw.standard_normal(days)
    for n in range(1, days):
        path[n] = correlation * path[n - 1] + np.sqrt(1 - correlation**2) * path[n]
    return path


@pytest.mark.parametrize("correlation", [-0.5, 0.5])
def test_days_that_depend_on_each_other_are_found(correlation: float) -> None:
    counts = np.round(EXPECTED + np.sqrt(EXPECTED) * wandering(rng(), correlation, DAYS))
    test = volume(counts)
    assert test.autocorrelation_p < FAMILY_WISE_ERROR
    assert test.autocorrelation == pytest.approx(correlation, abs=0.15)


def test_days_do_not_depend_on_each_other_because_the_calendar_does() -> None:
    test = volume(rng().poisson(EXPECTED))
    assert test.autocorrelation_p > 0.01
    assert abs(test.autocorrelation) < 4 / np.sqrt(DAYS)


def test_days_that_are_known_to_depend_get_wider_intervals_and_no_verdict_on_their_spread() -> None:
    draw, mean, trials, missed = rng(), np.full(200, 10_000.0), 800, 0
    for _ in range(trials):
        counts = np.round(mean + np.sqrt(mean) * wandering(draw, 0.5, 200))
        test = compare_volume(counts, mean, np.ones(200), correlation=0.5)
        missed += not test.inner[0] <= 1 <= test.inner[1]
        assert (test.fano_p, test.autocorrelation_p) == (1.0, 1.0)
    assert hits_are_binomial(missed, trials, 0.10)


def test_ljung_box_is_the_published_statistic() -> None:
    z, n = rng().standard_normal(180), 180
    power = sum(value**2 for value in z)
    r = [sum(z[t] * z[t - k] for t in range(k, n)) / power for k in range(1, 8)]
    statistic = n * (n + 2) * sum(r_k**2 / (n - k) for k, r_k in enumerate(r, start=1))
    assert ljung_box(z, 7) == pytest.approx((r[0], stats.chi2(7).sf(statistic)))


def ljung_box_p_values(days: int, trials: int) -> np.ndarray:
    draw = rng(days)
    return np.array([ljung_box(draw.standard_normal(days), 7)[1] for _ in range(trials)])


@pytest.mark.parametrize("days", [140, 365])
def test_independent_days_are_called_dependent_about_as_often_as_stated(days: int) -> None:
    """The chi-squared law is an approximation: at most half as often again at five percent."""
    p = ljung_box_p_values(days, 5_000)
    assert hits_are_at_most(int((p < 0.05).sum()), len(p), 0.075)
    assert (p < 0.05).mean() > 0.03


@pytest.mark.parametrize("days", [29, 140, 365])
def test_independent_days_hold_the_rate_that_decides(days: int) -> None:
    """At most twice as often as stated."""
    p = ljung_box_p_values(days, 10_000)
    assert hits_are_at_most(int((p < FAMILY_WISE_ERROR).sum()), len(p), 2 * FAMILY_WISE_ERROR)


def test_few_days_or_constant_ones_cannot_show_dependence() -> None:
    assert ljung_box(np.tile([3.0, -3.0], 14), 7) == (0.0, 1.0)
    assert ljung_box(np.zeros(100), 7) == (0.0, 1.0)
    assert ljung_box(np.tile([3.0, -3.0], 70), 7)[1] < 1e-9


HOURS = 1.0 + np.sin(np.arange(24) / 24 * np.pi) * 3


def hour_p_values(n: int, trials: int, cluster: int = 1) -> np.ndarray:
    """Of hours that are right; events come in clusters of that many within an hour."""
    shares = HOURS / HOURS.sum()
    draws = cluster * rng(n).multinomial(n // cluster, shares, trials).astype(float)
    return np.array([compare_hours(counts, n * shares, float(cluster))[1] for counts in draws])


@pytest.mark.parametrize(("n", "cluster"), [(20_000, 1), (80_000, 4)])
def test_right_hours_raise_alarms_as_often_as_stated(n: int, cluster: int) -> None:
    p = hour_p_values(n, 3_000, cluster)
    for alpha in (0.05, 0.01, 0.001):
        assert hits_are_binomial(int((p < alpha).sum()), len(p), alpha)


def test_few_events_raise_no_false_alarms_about_their_hours() -> None:
    """At most twice as often as stated, with an event in a hundred in each hour of the night."""
    shares = np.r_[np.full(8, 0.01), np.full(16, 0.92 / 16)]
    draws = rng().multinomial(10, shares, 5_000).astype(float)
    p = np.array([compare_hours(counts, 10 * shares, 1.0)[1] for counts in draws])
    assert hits_are_at_most(int((p < FAMILY_WISE_ERROR).sum()), len(p), 2 * FAMILY_WISE_ERROR)


def test_hours_are_compared_as_pearson_does() -> None:
    counts = rng().multinomial(5_000, np.full(24, 1 / 24)).astype(float)
    by_hand = stats.chisquare(counts, 5_000 * HOURS / HOURS.sum())
    effect, p_value = compare_hours(counts, HOURS, 1.0)
    assert p_value == pytest.approx(by_hand.pvalue, rel=1e-9)
    assert effect == pytest.approx(np.maximum(counts / 5_000 - HOURS / HOURS.sum(), 0).sum())


def test_only_the_proportions_of_the_expected_hours_matter() -> None:
    counts = np.arange(24.0) + 50
    assert compare_hours(counts, HOURS, 1.0) == pytest.approx(compare_hours(counts, 1000 * HOURS, 1.0))


def one_hour_empty(counts: np.ndarray) -> np.ndarray:
    return np.where(np.arange(24) == 12, 0.0, counts)


def one_hour_late(counts: np.ndarray) -> np.ndarray:
    return np.roll(counts, 1)


def all_in_one_hour(counts: np.ndarray) -> np.ndarray:
    return np.where(np.arange(24) == 12, counts.sum(), 0.0)


@pytest.mark.parametrize("corrupt", [one_hour_empty, one_hour_late, all_in_one_hour])
def test_wrong_hours_are_found(corrupt: Callable[[np.ndarray], np.ndarray]) -> None:
    counts = rng().multinomial(5_000, HOURS / HOURS.sum()).astype(float)
    effect, p_value = compare_hours(corrupt(counts), HOURS, 1.0)
    assert exactness(p_value, effect, 0.01, FAMILY_WISE_ERROR) is FAILED


def test_an_event_in_a_closed_hour_is_proof() -> None:
    expected = np.r_[0.0, np.full(23, 10.0)]
    counts = np.r_[1.0, np.full(23, 10_000.0)]
    assert compare_hours(counts, expected, 1.0)[1] == 0.0
    assert compare_hours(np.r_[0.0, counts[1:]], expected, 1.0)[1] == pytest.approx(1.0)


def test_a_single_open_hour_cannot_be_wrong() -> None:
    assert compare_hours(np.r_[9.0, np.zeros(23)], np.r_[5.0, np.zeros(23)], 1.0) == (0.0, 1.0)


def test_clusters_excuse_hours_that_a_poisson_process_would_not_have() -> None:
    counts = 20 * rng().multinomial(500, HOURS / HOURS.sum()).astype(float)
    assert compare_hours(counts, HOURS, 1.0)[1] < 1e-9
    assert compare_hours(counts, HOURS, 20.0)[1] > 1e-3
