"""Draws from laws, and how often they may hit: for tests of statistics. `RISK` is how likely an unlucky seed
would have failed a right program.
"""

import numpy as np
from scipy import stats

from simtom_pipeline.validation.decisions import (
    Verdict,
)

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
