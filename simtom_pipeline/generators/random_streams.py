"""Random numbers keyed by what they decide and the day they decide it for.

A stream is named for one variable. Its numbers depend on (seed, name, day) alone, so a day can be
drawn without any other, and a new variable changes no old one. Draws are made by inversion of
uniforms: two scenarios that differ in a parameter still share every uniform.
"""

from datetime import date
from zlib import crc32

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import log1p, ndtri, pdtr, pdtrik

MIN_UNIFORM = 2.0**-54
MAX_TABULATED_MEAN = 50.0
NO_DAY = 0
"""Day ordinal of what belongs to the scenario rather than to a day; 0001-01-01 has ordinal 1."""


class RandomStreams:
    """The random streams of one scenario seed (0 <= seed < 2**64)."""

    def __init__(self, seed: int, prefix: str = "") -> None:
        self._seed = seed
        self._prefix = prefix

    def within(self, name: str) -> "RandomStreams":
        """Streams of the same names that share nothing with these: another attempt at the same draws."""
        return RandomStreams(self._seed, f"{self._prefix}{name}/")

    def generator(self, name: str, day: date | None) -> np.random.Generator:
        """A fresh generator at the start of the stream `name` of `day` (None: of the scenario)."""
        ordinal = NO_DAY if day is None else day.toordinal()
        key = np.random.SeedSequence(self._seed, spawn_key=(crc32((self._prefix + name).encode()), ordinal))
        return np.random.Generator(np.random.Philox(key))

    def uniform(self, name: str, day: date | None, size: int | tuple[int, ...]) -> np.ndarray:
        """Uniforms in the open interval (0, 1), shape `size`."""
        return np.maximum(self.generator(name, day).random(size), MIN_UNIFORM)

    def normal(self, name: str, day: date | None, size: int | tuple[int, ...]) -> np.ndarray:
        """Standard normals by inversion, shape `size`."""
        return ndtri(self.uniform(name, day, size))


def exponential(uniform: np.ndarray, mean: float) -> np.ndarray:
    """Exponential variates with the given mean, by inversion; same shape and unit as the mean's."""
    return -mean * log1p(-uniform)


def categorical(uniform: np.ndarray, shares: ArrayLike) -> np.ndarray:
    """Codes 0..k-1 drawn with the given shares, by inversion; int8, the shape of `uniform`.

    Shares have shape (k,), or `uniform.shape + (k,)` if each draw has its own.
    """
    if np.ndim(shares) > 1:
        return (uniform[..., None] >= cumulative(shares)[..., :-1]).sum(axis=-1).astype(np.int8)
    return np.searchsorted(cumulative(shares)[:-1], uniform, side="right").astype(np.int8)


def cumulative(shares: ArrayLike) -> np.ndarray:
    """Cumulative shares along the last axis, ending in exactly one; the shape of `shares`."""
    upper = np.cumsum(np.asarray(shares, float), axis=-1)
    return upper / upper[..., -1:]


def poisson(uniform: np.ndarray, mean: float) -> np.ndarray:
    """Poisson counts by inversion: the smallest k whose distribution function reaches `uniform`.

    Same shape as `uniform`, int64; mean 0 gives 0.
    """
    if mean <= MAX_TABULATED_MEAN:
        reached = pdtr(np.arange(mean + 12 * mean**0.5 + 20), mean) if mean > 0 else np.ones(1)
        return np.searchsorted(reached, uniform)
    count = np.maximum(np.ceil(pdtrik(uniform, mean)), 1.0)
    # pdtrik is inexact in its last digits; a step down where the distribution function allows it
    return np.where(pdtr(count - 1, mean) >= uniform, count - 1, count).astype(np.int64)
