"""Shares against declared ones: false alarms are as rare as stated, and what is wrong is found."""

import numpy as np
import pytest
from scipy import stats

from simtom_pipeline.validation.shares import compare_shares
from tests.support.chance import FAMILY_WISE_ERROR, hits_are_at_most, hits_are_binomial, rng

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
