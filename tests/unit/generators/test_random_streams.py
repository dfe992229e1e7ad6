"""Streams are unrelated, and draws by inversion are those of scipy."""

from datetime import date, timedelta
from zlib import crc32

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from simtom_pipeline import load_scenario
from simtom_pipeline.generators import random_streams
from simtom_pipeline.generators.random_streams import RandomStreams, categorical, exponential, poisson
from simtom_pipeline.simulation import Simulation

DAY = date(2024, 5, 17)


def test_a_stream_is_the_declared_philox_stream() -> None:
    key = np.random.SeedSequence(42, spawn_key=(crc32(b"volume"), DAY.toordinal()))
    expected = np.random.Generator(np.random.Philox(key)).random(100)
    assert np.array_equal(RandomStreams(42).uniform("volume", DAY, 100), expected)


@given(seed=st.integers(0, 2**64 - 2), shift=st.integers(-400, 400))
def test_no_seed_and_day_share_numbers_with_another(seed: int, shift: int) -> None:
    """I5: in particular seed s on day d and seed s + 1 on day d - 1; seed 0 is like any other."""
    one = RandomStreams(seed).uniform("x", DAY, 64)
    other = RandomStreams(seed + 1).uniform("x", DAY + timedelta(shift), 64)
    assert not np.intersect1d(one, other).size


@pytest.mark.parametrize("seed", [0, 1, 2**63, 2**64 - 1])
def test_streams_of_one_seed_are_uncorrelated(seed: int) -> None:
    """Twelve neighbouring streams, 66 correlations: |r| < 5 standard errors, false alarm under 1e-4."""
    streams = RandomStreams(seed)
    draws = [streams.uniform(name, DAY + timedelta(n), 10_000) for name in "abc" for n in range(4)]
    correlation = np.corrcoef(draws) - np.eye(12)
    assert np.abs(correlation).max() < 5 / np.sqrt(10_000)


def test_a_stream_does_not_depend_on_how_much_is_drawn() -> None:
    assert np.array_equal(
        RandomStreams(1).uniform("x", DAY, 10), RandomStreams(1).uniform("x", DAY, 1000)[:10]
    )


def test_no_two_stream_names_have_one_key(monkeypatch: pytest.MonkeyPatch) -> None:
    names: set[str] = set()
    original = RandomStreams.generator

    def recorded(self: RandomStreams, name: str, day: date | None) -> np.random.Generator:
        names.add(name)
        return original(self, name, day)

    monkeypatch.setattr(RandomStreams, "generator", recorded)
    for scenario in ("baseline", "bursty", "self_exciting"):
        simulation = Simulation(load_scenario(scenario))
        simulation.simulate_day(simulation.scenario.clock.start)
    assert len(names) > 40
    assert len({crc32(name.encode()) for name in names}) == len(names)


@pytest.mark.parametrize("mean", [1e-6, 0.3, 5.0, 49.9, 50.1, 1_000.0, 1e5, 8.6e7])
def test_poisson_by_inversion_is_scipys_quantile(mean: float) -> None:
    uniform = np.concatenate([np.random.default_rng(0).random(5_000), [2.0**-54, 1 - 2.0**-53]])
    assert np.array_equal(poisson(uniform, mean), stats.poisson.ppf(uniform, mean))


def test_poisson_of_mean_zero_is_zero() -> None:
    assert not poisson(np.array([0.1, 1 - 2.0**-53]), 0.0).any()


def test_poisson_counts_grow_with_the_mean_so_that_twins_share_draws() -> None:
    uniform = np.random.default_rng(1).random(1_000)
    assert (poisson(uniform, 55.0) >= poisson(uniform, 45.0)).all()


def test_exponential_and_normal_by_inversion_are_scipys_quantiles() -> None:
    uniform = RandomStreams(3).uniform("x", DAY, 1_000)
    np.testing.assert_allclose(exponential(uniform, 7.0), stats.expon.ppf(uniform, scale=7.0), rtol=1e-12)
    normal = RandomStreams(3).normal("x", DAY, 1_000)
    np.testing.assert_allclose(normal, stats.norm.ppf(uniform), rtol=1e-9)


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=8).filter(lambda w: sum(w) > 1e-3))
def test_categories_follow_their_shares(weights: list[float]) -> None:
    shares = np.array(weights) / sum(weights)
    grid = (np.arange(100_000) + 0.5) / 100_000
    found = np.bincount(categorical(grid, shares), minlength=len(shares)) / 100_000
    np.testing.assert_allclose(found, shares, atol=2e-5)


def test_uniforms_are_never_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    class Zeros:
        def random(self, size: int) -> np.ndarray:
            return np.zeros(size)

    monkeypatch.setattr(RandomStreams, "generator", lambda *_: Zeros())
    assert (RandomStreams(0).uniform("x", DAY, 3) == random_streams.MIN_UNIFORM).all()
    assert np.isfinite(RandomStreams(0).normal("x", DAY, 3)).all()
