"""The parameters that drift can move, as they are for the purchases of one day.

Each is one number, or an array with one for each record where a gradual drift is under way. Without drift
they are what the settings say.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..exact import steady
from . import config
from .entities import ordered

Parameter = float | np.ndarray
"""A number, or one for each record, shape (n,)."""


@dataclass(frozen=True)
class World:
    """What is in force; shares have shape (k,), or (n, k) if they differ between records.

    Attributes
    ----------
    stress : economic stress factor, 0 to 1.
    amount, time_on_site_seconds, price_comparison_time : factor on what is drawn.
    product_category, risk_scenario : shares in the order of their ENUM.
    beta : coefficient of each signal, and of products of two signals by "a*b".
    log_odds : added to the log-odds of default.
    prior_log_odds : change of the log-odds of the default rate with purchases of either kind as before.
    reporting_delay_days : mean days from a charge-off to the day its label is reported.
    customers : shares of each value of an attribute that customers, devices or accounts have for good.
    """

    stress: Parameter
    product_category: np.ndarray
    risk_scenario: np.ndarray
    beta: Mapping[str, Parameter]
    reporting_delay_days: Parameter
    amount: Parameter = 1.0
    time_on_site_seconds: Parameter = 1.0
    price_comparison_time: Parameter = 1.0
    log_odds: Parameter = 0.0
    prior_log_odds: Parameter = 0.0
    customers: Mapping[str, np.ndarray] = field(default_factory=dict)

    @staticmethod
    def of(settings: config.BnplSettings) -> "World":
        """The world without drift."""
        credit = settings.credit
        categories = settings.catalog.categories.all().values()
        return World(
            stress=settings.economic_stress_factor,
            product_category=np.array([category.share for category in categories]),
            risk_scenario=np.array([b.share for b in settings.risk_scenarios.all().values()]),
            beta=credit.coefficients.model_dump() | dict(credit.interactions),
            reporting_delay_days=credit.reporting_delay_days,
        )


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


@dataclass(frozen=True)
class Move:
    """How far one parameter goes with the whole weight of one drift.

    `parameter` is a field of `World`, an attribute of customers, or a signal after `BETA`. `size` is added
    on the parameter's scale, where a factor counts by its logarithm; for shares it is the shares
    themselves, shape (k,).
    """

    parameter: str
    size: float | np.ndarray

    def apply(self, world: World, settings: config.BnplSettings, weight: Parameter) -> World:
        """The world once this move is made with `weight`, a number or shape (n,).

        Numbers add up over moves on their scale; shares become those of a mixture, later moves on top.
        """
        name = self.parameter
        if name in CUSTOMER_ATTRIBUTES:
            now = world.customers.get(name, stated_shares(settings, name))
            return replace(world, customers={**world.customers, name: _mixed(now, self.size, weight)})
        if name in ("product_category", "risk_scenario"):
            return _with(world, name, _mixed(getattr(world, name), self.size, weight))
        if name in FACTORS:
            return _with(world, name, getattr(world, name) * steady(np.exp(weight * self.size)))
        if name in NUMBERS:
            return _with(world, name, getattr(world, name) + weight * self.size)
        signal = name.removeprefix(BETA)
        return replace(world, beta={**world.beta, signal: world.beta.get(signal, 0.0) + weight * self.size})


BETA = "beta."
"""Before the name of a signal: its coefficient."""
FACTORS = ("amount", "time_on_site_seconds", "price_comparison_time")
NUMBERS = ("stress", "log_odds", "prior_log_odds", "reporting_delay_days")


def _with(world: World, name: str, value: Parameter) -> World:
    changed: dict[str, Any] = {name: value}
    return replace(world, **changed)


def _mixed(now: np.ndarray, then: float | np.ndarray, weight: Parameter) -> np.ndarray:
    share = np.asarray(weight)[..., None]
    return (1 - share) * now + share * then


def moved(
    settings: config.BnplSettings, moves: Sequence[tuple[str, Move]], weights: Mapping[str, Parameter]
) -> World:
    """The world under (drift id, move) pairs, in the order of declaration, with each drift's weight."""
    world = World.of(settings)
    for drift_id, move in moves:
        weight = weights[drift_id]
        if np.any(weight):
            world = move.apply(world, settings, weight)
    # What several drifts add up to stays what it can be.
    stress, delay = np.clip(world.stress, 0.0, 1.0), np.maximum(world.reporting_delay_days, 0.0)
    return replace(world, stress=stress, reporting_delay_days=delay)
