"""How checks decide, against scipy, closed forms and brute force.

Every statistic is seen to hold its false-alarm rate on data drawn from the declared law, and to find
data that was not. Seeds are fixed; `RISK` is how likely an unlucky seed would have failed a right program.
"""

from collections.abc import Callable, Sequence
from itertools import product
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
    Verdict,
    alpha_per_day,
    exactness,
    holm,
    logical,
    magnitude,
    worst,
)
from simtom_pipeline.validation.shares import compare_shares

RISK = 1e-6
FAMILY_WISE_ERROR = 1e-3
PASSED, INCONCLUSIVE, FAILED = Verdict.PASSED, Verdict.INCONCLUSIVE, Verdict.FAILED


def rng(seed: int = 7) -> np.random.Generator:
    return np.random.default_rng(seed)


def hits_are_binomial(hits: int, trials: int, rate: float) -> bool:
    low, high = stats.binom.ppf([RISK, 1 - RISK], trials, rate)
    return bool(low <= hits <= high)


def hits_are_at_most(hits: int, trials: int, rate: float) -> bool:
    return bool(hits <= stats.binom.ppf(1 - RISK, trials, rate))


def clustered_counts(draw: np.random.Generator, mean: np.ndarray, dispersion: float) -> np.ndarray:
    """Counts of that mean and dispersion: Poisson with a gamma-distributed mean."""
    if dispersion == 1:
        return draw.poisson(mean).astype(float)
    scale = dispersion - 1
    return draw.poisson(draw.gamma(mean / scale, scale)).astype(float)


# decisions: many tests, one error rate


def textbook_holm(p_values: Sequence[float]) -> list[float]:
    """Step down: the k-th smallest of m times m - k + 1, never below its predecessor, never above one."""
    m, adjusted = len(p_values), [0.0] * len(p_values)
    floor = 0.0
    for rank, (p, place) in enumerate(sorted((p, place) for place, p in enumerate(p_values))):
        floor = max(floor, (m - rank) * p)
        adjusted[place] = min(floor, 1.0)
    return adjusted


@pytest.mark.parametrize("size", [1, 2, 3, 14, 200])
def test_holm_is_the_textbooks_step_down_procedure(size: int) -> None:
    draw = rng(size)
    for _ in range(20):
        p = np.round(draw.uniform(size=size) ** 4, 2)  # rounded, so that some are equal
        np.testing.assert_allclose(holm(p), textbook_holm(list(p)), rtol=1e-12)


def test_holm_of_nothing_is_nothing() -> None:
    assert holm([]).shape == (0,)


def test_holm_lies_between_the_naive_p_value_and_bonferronis() -> None:
    p = rng().uniform(size=50) ** 6
    assert (holm(p) >= p).all()
    assert (holm(p) <= np.minimum(50 * p, 1)).all()


def test_holm_keeps_the_families_error_where_naive_tests_do_not() -> None:
    families = rng().uniform(size=(4_000, 14))
    false_alarms = sum(bool((holm(p) < 0.05).any()) for p in families)
    assert hits_are_at_most(false_alarms, 4_000, 0.05)
    assert (families < 0.05).any(axis=1).mean() > 0.4


def test_holm_finds_the_one_bad_member_of_a_family() -> None:
    for seed in range(50):
        p = rng(seed).uniform(0.01, 1, size=14)
        p[5] = 1e-6
        assert np.flatnonzero(holm(p) < FAMILY_WISE_ERROR).tolist() == [5]


def test_a_year_of_days_needs_4_69_standard_deviations() -> None:
    alpha = alpha_per_day(0.001, 365)
    assert stats.norm.isf(alpha / 2) == pytest.approx(4.69, abs=0.005)


@pytest.mark.parametrize("days", [1, 20, 365, 100_000])
@pytest.mark.parametrize("family_wise", [1e-9, 1e-3, 0.05])
def test_the_days_together_err_as_often_as_the_family_may(days: int, family_wise: float) -> None:
    alpha = alpha_per_day(family_wise, days)
    assert -np.expm1(days * np.log1p(-alpha)) == pytest.approx(family_wise, rel=1e-9)
    assert family_wise / days <= alpha * (1 + 1e-12)


def test_a_year_of_good_days_rarely_has_a_broken_one() -> None:
    alpha = alpha_per_day(0.05, 365)
    years = rng().uniform(size=(4_000, 365))
    assert hits_are_binomial(int((years < alpha).any(axis=1).sum()), 4_000, 0.05)


# decisions: verdicts


@pytest.mark.parametrize(
    ("inner", "outer", "verdict"),
    [
        ((0.99, 1.01), (0.98, 1.02), PASSED),
        ((0.97, 1.03), (0.90, 1.10), PASSED),
        ((0.969, 1.00), (0.95, 1.02), INCONCLUSIVE),
        ((1.00, 1.031), (0.98, 1.05), INCONCLUSIVE),
        ((0.50, 1.50), (0.10, 1.90), INCONCLUSIVE),
        ((1.04, 1.05), (1.02, 1.07), INCONCLUSIVE),
        ((1.04, 1.05), (1.031, 1.06), FAILED),
        ((0.90, 0.95), (0.88, 0.969), FAILED),
    ],
)
def test_a_size_passes_inside_fails_outside_and_otherwise_cannot_tell(
    inner: tuple[float, float], outer: tuple[float, float], verdict: Verdict
) -> None:
    assert magnitude(inner, outer, 1.0, 0.03) is verdict


def magnitudes(true_ratio: float, mean: float, trials: int) -> list[Verdict]:
    """Verdicts on Poisson totals with `mean` expected and 3 % tolerated."""
    verdicts = []
    for total in rng().poisson(mean * true_ratio, trials):
        inner, outer = (np.array(garwood_interval(total, c)) / mean for c in (0.90, 0.999))
        verdicts.append(magnitude(tuple(inner), tuple(outer), 1.0, 0.03))
    return verdicts


@pytest.mark.parametrize("true_ratio", [0.97, 1.03])
def test_a_size_at_the_edge_of_its_tolerance_rarely_passes_and_hardly_ever_fails(true_ratio: float) -> None:
    found = magnitudes(true_ratio, 20_000, 2_000)
    assert hits_are_at_most(found.count(PASSED), 2_000, 0.05)
    assert hits_are_at_most(found.count(FAILED), 2_000, 0.0005)


def test_with_enough_data_a_right_size_passes_and_a_wrong_one_fails() -> None:
    assert magnitudes(1.00, 100_000, 300) == [PASSED] * 300
    assert magnitudes(1.06, 100_000, 300) == [FAILED] * 300
    assert magnitudes(0.94, 100_000, 300) == [FAILED] * 300


def test_with_little_data_a_size_is_neither_passed_nor_failed() -> None:
    assert set(magnitudes(1.0, 100, 300)) == {INCONCLUSIVE}


@pytest.mark.parametrize(
    ("evidence", "effect", "verdict"),
    [(1e-9, 0.5, FAILED), (1e-9, 0.005, PASSED), (0.5, 0.5, PASSED), (0.5, 0.005, PASSED)],
)
def test_exactness_fails_on_evidence_and_effect_together(
    evidence: float, effect: float, verdict: Verdict
) -> None:
    assert exactness(evidence, effect, tolerance=0.01, alpha=1e-3) is verdict


def test_a_difference_at_its_bounds_is_no_failure() -> None:
    assert exactness(1e-3, 0.5, tolerance=0.01, alpha=1e-3) is PASSED
    assert exactness(0.0, 0.01, tolerance=0.01, alpha=1e-3) is PASSED


def test_a_logical_claim_allows_no_violation() -> None:
    assert logical(0, "keys are unique").verdict is PASSED
    one = logical(1, "keys are unique", [{"day": "2024-01-01", "rows": 1}])
    assert one.verdict is FAILED
    assert one.summary == "keys are unique: 1 violations"
    assert one.figures == {"violations": 1}
    assert one.rows == ({"day": "2024-01-01", "rows": 1},)


def test_the_worst_verdict_is_the_gravest_in_any_order() -> None:
    gravity = {PASSED: 0, INCONCLUSIVE: 1, FAILED: 2}
    for verdicts in product(Verdict, repeat=3):
        assert gravity[worst(verdicts)] == max(gravity[v] for v in verdicts)
    assert worst([]) is PASSED


# shares

SHARES = {"a": 0.5, "b": 0.3, "c": 0.15, "d": 0.05}


def drawn_counts(draw: np.random.Generator, shares: dict[str, float], n: int) -> dict[str, int]:
    return dict(zip(shares, draw.multinomial(n, list(shares.values())).tolist(), strict=True))


def share_p_values(shares: dict[str, float], n: int, trials: int) -> np.ndarray:
    draw = rng(n)
    return np.array([compare_shares(drawn_counts(draw, shares, n), shares).p_value for _ in range(trials)])


def test_draws_from_the_declared_shares_have_uniform_p_values() -> None:
    p = share_p_values(SHARES, 20_000, 3_000)
    assert stats.kstest(p, "uniform").pvalue > 1e-4
    for alpha in (0.05, 0.01, 0.001):
        assert hits_are_binomial(int((p < alpha).sum()), len(p), alpha)


def test_pearsons_p_value_is_the_share_of_worse_draws() -> None:
    counts = {"a": 88, "b": 75, "c": 26, "d": 11}
    expected = 200 * np.array(list(SHARES.values()))
    worse = ((rng().multinomial(200, list(SHARES.values()), 50_000) - expected) ** 2 / expected).sum(axis=1)
    observed = ((np.array(list(counts.values())) - expected) ** 2 / expected).sum()
    assert compare_shares(counts, SHARES).p_value == pytest.approx((worse >= observed).mean(), abs=0.01)


def test_one_recoded_row_in_twenty_is_found() -> None:
    draw = rng()
    for _ in range(100):
        counts = drawn_counts(draw, SHARES, 10_000)
        moved = counts["a"] // 20
        test = compare_shares(counts | {"a": counts["a"] - moved, "d": counts["d"] + moved}, SHARES)
        assert test.p_value < 1e-6
        assert test.total_variation > 0.01


def test_total_variation_is_the_share_of_rows_in_the_wrong_place() -> None:
    test = compare_shares({"a": 400, "b": 300, "c": 250, "d": 50}, SHARES)
    assert test.n == 1_000
    assert test.total_variation == pytest.approx(0.1)


def test_the_order_of_the_categories_means_nothing() -> None:
    counts = {"a": 470, "b": 330, "c": 160, "d": 40}
    backwards = {name: counts[name] for name in reversed(counts)}
    assert compare_shares(counts, SHARES) == compare_shares(backwards, SHARES)


@pytest.mark.parametrize("shares", [SHARES, SHARES | {"e": 0.0}])
def test_a_single_impossible_value_is_proof(shares: dict[str, float]) -> None:
    counts = {"a": 50_000, "b": 30_000, "c": 15_000, "d": 5_000, "e": 1}
    assert compare_shares(counts, shares).p_value == 0.0


def test_an_impossible_value_that_never_occurred_means_nothing() -> None:
    counts = {"a": 53, "b": 27, "c": 15, "d": 5}
    assert compare_shares(counts, SHARES | {"e": 0.0}) == compare_shares(counts, SHARES)


def test_rare_categories_count_as_one() -> None:
    shares = {"a": 0.6, "b": 0.36, "c": 0.02, "d": 0.015, "e": 0.005}
    counts = {"a": 110, "b": 78, "c": 9, "d": 2, "e": 1}
    by_hand = stats.chisquare([110, 78, 12], [120, 72, 8])
    assert compare_shares(counts, shares).p_value == pytest.approx(by_hand.pvalue, rel=1e-9)


def test_categories_that_are_common_enough_are_compared_one_by_one() -> None:
    counts = {"a": 40, "b": 40, "c": 15, "d": 5}
    by_hand = stats.chisquare([40, 40, 15, 5], [50, 30, 15, 5])
    assert compare_shares(counts, SHARES).p_value == pytest.approx(by_hand.pvalue, rel=1e-9)


def test_no_rows_say_nothing_against_any_shares() -> None:
    for counts in ({}, {"a": 0, "z": 0}):
        test = compare_shares(counts, SHARES)
        assert (test.n, test.total_variation, test.p_value) == (0, 0.0, 1.0)


def test_a_single_possible_value_cannot_be_wrong() -> None:
    assert compare_shares({"USD": 10}, {"USD": 1.0}).p_value == 1.0
    assert compare_shares({"a": 1, "b": 0, "c": 0, "d": 0}, SHARES).p_value == 1.0


@pytest.mark.parametrize(
    ("shares", "n"),
    [
        ({"a": 0.97, "b": 0.03}, 30),
        ({"a": 0.5, "b": 0.497, "c": 0.003}, 300),
    ],
)
def test_a_rare_category_raises_no_false_alarms(shares: dict[str, float], n: int) -> None:
    """Also when all rare ones together are rare: at most twice as often as stated."""
    p = share_p_values(shares, n, 4_000)
    assert hits_are_at_most(int((p < FAMILY_WISE_ERROR).sum()), len(p), 2 * FAMILY_WISE_ERROR)


# counts: one day


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


# counts: all days

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


# hours

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


@pytest.mark.parametrize("spoil", [one_hour_empty, one_hour_late, all_in_one_hour])
def test_wrong_hours_are_found(spoil: Callable[[np.ndarray], np.ndarray]) -> None:
    counts = rng().multinomial(5_000, HOURS / HOURS.sum()).astype(float)
    effect, p_value = compare_hours(spoil(counts), HOURS, 1.0)
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
