"""How checks decide: many tests with one error rate, and verdicts; against textbooks and brute force."""

from collections.abc import Sequence
from itertools import product

import numpy as np
import pytest
from scipy import stats

from simtom_pipeline.validation.counts import (
    garwood_interval,
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
from tests.support.chance import (
    FAILED,
    FAMILY_WISE_ERROR,
    INCONCLUSIVE,
    PASSED,
    hits_are_at_most,
    hits_are_binomial,
    rng,
)


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
