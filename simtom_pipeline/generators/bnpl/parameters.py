"""The parameters that the lender's purchases are drawn with, and what the settings say of them."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..drift.parameters import Parameters, Value
from . import config
from .entities import ordered

COEFFICIENTS, INTERACTIONS = "credit.coefficients.", "credit.interactions."
"""Before the name of a signal, and of the product of two signals: its coefficient."""
LOG_ODDS = "credit.log_odds"
"""Added to the log-odds of default of every purchase."""

CUSTOMER_ATTRIBUTES: Mapping[str, Any] = {
    "age_bracket": config.AgeBracket,
    "income_bracket": config.IncomeBracket,
    "credit_score_range": config.CreditScoreRange,
    "verification_level": config.VerificationLevel,
    "address_stability": config.AddressStability,
    "state": config.State,
    "device_type": config.DeviceType,
    "payment_provider": config.PaymentProvider,
}
"""Vocabulary of what a customer, a device or an account is for good."""


def stated_shares(settings: config.BnplSettings, attribute: str) -> np.ndarray:
    """Shares that the settings state for an attribute of `CUSTOMER_ATTRIBUTES`, shape (k,)."""
    section: Any = {"device_type": settings.devices, "payment_provider": settings.payment_methods}.get(
        attribute, settings.population
    )
    return ordered(getattr(section, attribute), CUSTOMER_ATTRIBUTES[attribute])


def customer_shares(parameters: Parameters) -> dict[str, np.ndarray]:
    """Shares of the attributes of customers, devices and accounts that drift has moved, shape (k,)."""
    moved = parameters.moved.items()
    return {name: np.asarray(shares) for name, shares in moved if name in CUSTOMER_ATTRIBUTES}


def coefficients(parameters: Parameters) -> dict[str, Value]:
    """Coefficient of each signal, and of products of two signals by "a*b"."""
    return {
        name.removeprefix(prefix): value
        for prefix in (COEFFICIENTS, INTERACTIONS)
        for name, value in parameters.items()
        if name.startswith(prefix)
    }
