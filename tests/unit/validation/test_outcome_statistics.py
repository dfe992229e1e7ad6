"""The statistics of outcomes against SciPy and scikit-learn, and their false alarms under the null."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import roc_auc_score

from simtom_pipeline.validation.outcomes import (
    auc,
    auc_of_groups,
    auc_of_scores,
    clopper_pearson,
    compare_groups,
    normal_interval,
    rate_interval,
    total_p,
)
from tests.support.oracles import quantile_groups, rate_of_clusters, sums_of, totals_of

RUNS = 2000


def coins(random: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Outcomes of n rare and skewed probabilities, as defaults are."""
    p = random.beta(0.6, 25, n)
    return (random.random(n) < p).astype(float), p


def test_p_values_of_true_probabilities_are_uniform_also_in_the_tail() -> None:
    """Rare outcomes: a p-value below 1 in 1,000 is allowed about 2 times in 2,000, not 20."""
    random = np.random.default_rng(1)
    totals, grouped = [], []
    for _ in range(RUNS):
        outcome, p = coins(random, 3000)
        totals.append(total_p(totals_of(outcome, p)))
        grouped.append(compare_groups(sums_of(outcome, p, quantile_groups(p))).p_value)
    for found in (totals, grouped):
        for level in (0.05, 0.01):
            rejected = sum(value < level for value in found)
            assert stats.binomtest(rejected, RUNS, level).pvalue > 1e-4, level
        assert sum(value < 0.001 for value in found) <= 9


def test_the_total_has_the_poisson_binomial_tail() -> None:
    """Against the exact law by convolution, for forty probabilities."""
    p = np.random.default_rng(2).beta(2, 8, 40)
    law = np.ones(1)
    for one in p:
        law = np.convolve(law, [1 - one, one])
    for count in range(1, 20):
        outcome = np.r_[np.ones(count), np.zeros(40 - count)]
        exact = min(2 * min(law[: count + 1].sum(), law[count:].sum()), 1.0)
        mid = exact - law[count]  # the normal law has no atoms: it lies between
        assert 0.3 * mid - 1e-5 <= total_p(totals_of(outcome, p)) <= exact * 2 + 1e-6, count


@pytest.mark.parametrize("wrong", [1.15, 0.85])
def test_probabilities_that_are_off_by_a_seventh_are_found(wrong: float) -> None:
    outcome, p = coins(np.random.default_rng(3), 60_000)
    assert total_p(totals_of(outcome, p * wrong)) < 1e-4


def test_a_right_total_with_wrong_groups_is_found() -> None:
    outcome, p = coins(np.random.default_rng(4), 60_000)
    flat = np.full(len(p), p.mean())
    assert total_p(totals_of(outcome, flat)) > 0.001
    assert compare_groups(sums_of(outcome, flat, quantile_groups(p))).p_value < 1e-9


def test_groups_say_what_is_in_them() -> None:
    outcome, p = coins(np.random.default_rng(5), 20_000)
    found = compare_groups(sums_of(outcome, p, quantile_groups(p)))
    assert found.rows.sum() == 20_000
    assert found.observed.sum() == outcome.sum()
    assert found.expected.sum() == pytest.approx(p.sum())
    assert 5 < len(found.rows) <= 50


def test_what_is_certain_and_happens_otherwise_is_impossible() -> None:
    sure = np.r_[np.zeros(50), np.ones(50)]
    assert compare_groups(sums_of(sure, sure, np.zeros(100, int))).p_value == 1.0
    assert compare_groups(sums_of(1 - sure, sure, (sure > 0).astype(int))).p_value == 0.0
    assert total_p(totals_of(sure, sure)) == 1.0
    assert total_p(totals_of(np.ones(100), sure)) == 0.0


@settings(max_examples=60, deadline=None)
@given(
    scores=st.lists(st.integers(0, 9), min_size=6, max_size=60),
    seed=st.integers(0, 1000),
)
def test_the_auc_is_scikit_learns(scores: list[int], seed: int) -> None:
    outcome = (np.random.default_rng(seed).random(len(scores)) < 0.4).astype(float)
    outcome[:4] = [0, 1, 0, 1]
    found, error = auc_of_scores(outcome, np.array(scores))
    assert found == pytest.approx(roc_auc_score(outcome, scores), abs=1e-12)
    assert error >= 0


def test_the_standard_error_of_the_auc_is_its_spread() -> None:
    random = np.random.default_rng(6)
    found = np.array([auc_of_scores(*coins(random, 2000)) for _ in range(800)])
    assert found[:, 1].mean() == pytest.approx(found[:, 0].std(), rel=0.1)


def test_an_auc_needs_both_outcomes() -> None:
    with pytest.raises(ValueError, match="two outcomes of each kind"):
        auc(np.zeros(10), np.ones(10))


def ranked_by_half(outcome: np.ndarray, group: np.ndarray) -> tuple[float, float]:
    """Every other row ranks the groups, the rows between judge; shapes (n,)."""
    every = np.full(len(outcome), 0.5)
    halves = [np.zeros(len(outcome), bool), np.ones(len(outcome), bool)]
    halves[0][::2], halves[1][::2] = True, False
    return auc_of_groups(*(sums_of(outcome[half], every[half], group[half]) for half in halves))


def test_ranking_by_groups_ranks_the_rest_by_the_rate_of_half() -> None:
    group = np.repeat([0, 1, 2], 100)
    outcome = np.r_[np.repeat([1.0, 0], 50), np.repeat([0.0, 0, 0, 1], 25), np.ones(100)]
    rate = np.array([0.5, 0.25, 1.0])[group]
    assert ranked_by_half(outcome, group)[0] == pytest.approx(roc_auc_score(outcome[1::2], rate[1::2]))


def test_groups_that_know_nothing_rank_no_better_than_chance() -> None:
    """Also if there are many of them: those that judge are not those that ranked."""
    random = np.random.default_rng(8)
    outcome, group = (random.random(4000) < 0.02).astype(float), random.integers(0, 50, 4000)
    found = [ranked_by_half(random.permutation(outcome), group) for _ in range(200)]
    z = [(area - 0.5) / error for area, error in found]
    assert abs(np.mean(z)) < 0.3
    assert np.max(z) < 5


def test_rows_that_share_something_tell_less() -> None:
    """A hundred customers of fifty equal rows each: the interval is that of a hundred rows."""
    random = np.random.default_rng(9)
    one = (random.random(100) < 0.3).astype(float)
    outcome, cluster = np.repeat(one, 50), np.repeat(np.arange(100), 50)
    low, high = rate_interval(*rate_of_clusters(outcome, cluster), 5000, 0.9)
    exact = stats.binomtest(int(one.sum()), 100).proportion_ci(0.9, "exact")
    assert (low, high) == pytest.approx((exact.low, exact.high), abs=1e-6)
    alone = rate_interval(*rate_of_clusters(outcome, np.arange(5000)), 5000, 0.9)
    assert alone[1] - alone[0] < (high - low) / 5


@pytest.mark.parametrize(("count", "n"), [(0, 40), (3, 40), (40, 40), (183, 10_000)])
def test_the_interval_of_a_share_is_scipys(count: int, n: int) -> None:
    exact = stats.binomtest(count, n).proportion_ci(0.9, "exact")
    assert clopper_pearson(count, n, 0.9) == pytest.approx((exact.low, exact.high))


def test_a_normal_interval_has_its_confidence() -> None:
    low, high = normal_interval(2.0, 0.5, 0.999)
    assert stats.norm(2, 0.5).cdf(high) - stats.norm(2, 0.5).cdf(low) == pytest.approx(0.999)
