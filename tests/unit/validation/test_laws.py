"""Laws by which values are judged, against those of scipy.stats, far into their tails too."""

import numpy as np
import pytest
from scipy import stats

from simtom_pipeline.validation.laws import (
    Exponential,
    Lognormal,
    Normal,
    Uniform,
    binomial_tails,
    chi_squared_tail,
    gamma_tails,
    kolmogorov_smirnov_p,
    negative_binomial_tails,
    normal_quantile_above,
    normal_tail,
    poisson_tails,
)
from tests.support.chance import rng

COUNTS = np.array([0, 1, 2, 7, 40, 300, 5_000], float)
AT = np.concatenate([[-np.inf, -3.0, 0.0], np.geomspace(1e-6, 1e4, 40), [np.inf]])


def same(found: object, expected: object) -> bool:
    return bool(np.allclose(np.asarray(found), np.asarray(expected), rtol=1e-9, atol=1e-300))


@pytest.mark.parametrize(
    ("law", "reference"),
    [
        (Uniform(-2.0, 5.0), stats.uniform(-2.0, 7.0)),
        (Normal(0.3), stats.norm(0, 0.3)),
        (Exponential(7.5), stats.expon(scale=7.5)),
        (Lognormal(2.5, 0.8), stats.lognorm(0.8, scale=2.5)),
    ],
    ids=lambda law: type(law).__name__,
)
def test_a_law_has_the_distribution_median_and_spread_of_its_name(
    law: Uniform | Normal | Exponential | Lognormal, reference: stats.rv_continuous
) -> None:
    assert same(law.cdf(AT), reference.cdf(AT))
    if isinstance(law, Uniform | Normal):
        assert law.standard_deviation == pytest.approx(reference.std())
    if not isinstance(law, Normal):
        assert law.median == pytest.approx(reference.median())


@pytest.mark.parametrize("mean", [1e-3, 0.7, 12.0, 4_000.0])
def test_tails_of_counts_include_the_count_itself(mean: float) -> None:
    expected = stats.poisson.cdf(COUNTS, mean), stats.poisson.sf(COUNTS - 1, mean)
    assert same(poisson_tails(COUNTS, np.asarray(mean)), expected)
    for dispersion in (1.001, 1.5, 20.0):
        law = stats.nbinom(mean / (dispersion - 1), 1 / dispersion)
        found = negative_binomial_tails(COUNTS, np.asarray(mean), np.asarray(dispersion))
        assert same(found, (law.cdf(COUNTS), law.sf(COUNTS - 1)))


@pytest.mark.parametrize("p", [0.0, 1e-5, 0.02, 0.5, 0.999, 1.0])
@pytest.mark.parametrize("n", [0, 1, 40, 300, 20_000])
def test_tails_of_a_binomial_include_the_hits_themselves(n: int, p: float) -> None:
    hits = np.array([count for count in COUNTS if count <= n])
    assert same(binomial_tails(hits, n, p), (stats.binom.cdf(hits, n, p), stats.binom.sf(hits - 1, n, p)))


def test_tails_of_sums_are_those_of_gamma_chi_squared_and_normal_laws() -> None:
    for value in (0.01, 1.0, 30.0, 900.0):
        law = stats.gamma(30**2 / 70, scale=70 / 30)
        assert same(gamma_tails(value, 30, 70), (law.cdf(value), law.sf(value)))
        assert same(chi_squared_tail(value, 7), stats.chi2.sf(value, 7))
    for z in (-30.0, -1.0, 0.0, 2.5, 30.0):
        assert same(normal_tail(z), stats.norm.sf(z))
    for tail in (1e-300, 1e-9, 0.05, 0.5, 0.9):
        assert same(normal_quantile_above(tail), stats.norm.isf(tail))


@pytest.mark.parametrize("n", [1, 2, 9, 150, 20_000])
def test_the_p_value_of_the_largest_gap_is_exact_where_it_is_small_and_never_too_small(n: int) -> None:
    draw = rng(n)
    for power in (1.0, 1.02, 1.1, 1.5, 4.0):
        chances = draw.random(n) ** power
        expected = stats.kstest(chances, "uniform").pvalue
        found = kolmogorov_smirnov_p(chances)
        assert found >= expected * (1 - 1e-4)  # SciPy's own error
        assert found <= expected * (1.001 if expected < 0.05 else 1.5)
