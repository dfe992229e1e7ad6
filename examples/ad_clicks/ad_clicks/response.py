"""How likely an impression is clicked, and a click converts: the log-odds are linear.

    log-odds = intercept + placement's own + price coefficient * ln(price / median price) + intent

The visitor's intent is in no table, and works on both: who clicks is keener than who does not.
"""

from collections.abc import Mapping
from typing import get_args

import numpy as np

from simtom_pipeline.generators.drift.parameters import Value

from .settings import AdSettings, Placement

MIN_CENTS = 1


def exact_cents(settings: AdSettings, normal: np.ndarray) -> np.ndarray:
    """Lognormal prices in cents before any factor and rounding, shape (n,)."""
    return 100 * settings.median_price * np.exp(settings.price_sigma * normal)


def log_odds(
    settings: AdSettings,
    response: str,
    parameters: Mapping[str, Value],
    placement: np.ndarray,
    cents: np.ndarray,
    intent: np.ndarray,
) -> np.ndarray:
    """Log-odds of a "click" or a "conversion"; placement as a code, all of shape (n,)."""
    stated = getattr(settings, response).placement
    by_placement = np.array([stated.get(name, 0.0) for name in get_args(Placement)])
    relative_price = np.log(cents / (100 * settings.median_price))
    covariates = by_placement[placement] + parameters[f"{response}.price"] * relative_price
    return parameters[f"{response}.log_odds"] + covariates + intent
