"""The reference population: what a law of default is solved on, and what drift is measured against.

Purchases at one moment, each by a buyer of its own: a new customer, or one whose tenure has the stationary
law of repeat buyers. It depends neither on dates nor on partitions nor on volume.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from typing import Any

import numpy as np
from scipy.special import expit

from ..base import MICROSECONDS_PER_DAY, Day
from ..exact import exact_mean
from ..random_streams import RandomStreams, exponential
from ..reachable import WholeNumbers
from . import config
from .buyers import Buyers, one_so_far
from .catalog import REFERENCE_CUSTOMERS, REFERENCE_SEED, Catalog, draw_catalog
from .credit import DefaultLaw, Signals, bayes_auc, intercept_for, signals, solve_scale, weighted
from .entities import age_bracket_at_signup, draw_customers
from .transactions import SMALLEST, BehaviorTable, draw_transactions
from .world import CUSTOMER_ATTRIBUTES, World, stated_shares

REFERENCE_DAY = Day(date(1970, 1, 1), 0, np.zeros(REFERENCE_CUSTOMERS, np.int64))
DAYS_PER_YEAR = 365.0
"""Mean tenure of the first customers where nobody ever leaves."""
RATE_DECIMALS = 10


@dataclass(frozen=True)
class Reference:
    """N purchases without drift.

    Attributes
    ----------
    catalog : what was for sale.
    buyers : who bought, shape (N,).
    purchases : columns of the table transactions, shape (N,).
    codes : ENUM code of each categorical variable that can drift, shape (N,).
    """

    settings: config.BnplSettings
    seed: int
    catalog: Catalog
    buyers: Buyers
    purchases: Mapping[str, np.ndarray]
    codes: Mapping[str, np.ndarray]

    @property
    def frailty(self) -> np.ndarray:
        """Unobserved log-odds of each buyer, shape (N,)."""
        return self.buyers.profile["frailty"]

    def signals(self, stress: float, amount_factor: float = 1.0) -> Signals:
        """Signals of default had the stress and the amounts been others, each of shape (N,)."""
        changed: dict[str, Any] = {"economic_stress_factor": np.full(len(self.frailty), stress)}
        if amount_factor != 1:
            limit = self.buyers.profile["credit_limit"][np.arange(len(self.frailty)), self.buyers.account]
            amount = self.purchases["amount"] * amount_factor
            changed["credit_utilization"] = np.minimum(amount / (limit * 100.0), 1.0)
        return signals(self.settings.credit, self.catalog, self.buyers.profile, {**self.purchases, **changed})

    def under(self, world: World, law: DefaultLaw) -> tuple[np.ndarray, np.ndarray]:
        """Weight and default probability of each purchase where parameters are numbers, shapes (N,).

        Shares that have drifted weigh the purchases; all else is worked out again.
        """
        weight = np.ones(len(self.frailty))
        for name, shares in self.moved_shares(world).items():
            weight *= (shares / np.where(self.stated(name) > 0, self.stated(name), 1.0))[self.codes[name]]
        by_name = self.signals(float(world.stress), float(world.amount))
        log_odds = law.known_log_odds(weighted(world.beta, by_name)) + world.log_odds + self.frailty
        probability = expit(log_odds)
        weight *= 1 + np.expm1(world.prior_log_odds) * probability
        return weight / exact_mean(weight), expit(log_odds + world.prior_log_odds)

    def numbers(self, name: str) -> np.ndarray:
        """Values of a numeric column of transactions in its own unit, shape (N,)."""
        return self.purchases[name] / (100.0 if name == "amount" else 1.0)

    def exact(self, name: str) -> np.ndarray:
        """The same before drift's factor and rounding, in whole cents or seconds, shape (N,)."""
        if name == "amount":
            return self.purchases[name].astype(float)
        behaviors, streams = BehaviorTable(self.settings.risk_scenarios), RandomStreams(REFERENCE_SEED)
        return behaviors.seconds(name, self.codes["risk_scenario"], streams, REFERENCE_DAY.date)

    def landing(self, name: str) -> tuple[WholeNumbers, np.ndarray]:
        """What lands of a numeric column under a factor, and where each purchase stands in it, shape (N,)."""
        return WholeNumbers.of(self.exact(name), SMALLEST[name])

    def moved_shares(self, world: World) -> dict[str, np.ndarray]:
        """Shares of each categorical variable that are not the stated ones, shape (k,)."""
        now = {
            "product_category": world.product_category,
            "risk_scenario": world.risk_scenario,
            **world.customers,
        }
        return {name: shares for name, shares in now.items() if not np.array_equal(shares, self.stated(name))}

    def stated(self, name: str) -> np.ndarray:
        """Shares of a categorical variable without drift, shape (k,)."""
        if name == "is_first_purchase":
            repeat = self.settings.population.repeat_customer_rate
            return np.array([repeat, 1 - repeat])
        if name in CUSTOMER_ATTRIBUTES:
            return stated_shares(self.settings, name)
        shares: np.ndarray = getattr(World.of(self.settings), name)
        return shares


def reference(settings: config.BnplSettings, seed: int) -> Reference:
    """The reference population of a scenario; the same in every process."""
    # Of the section credit only the frailty decides who buys what; worlds that differ in the rest share it.
    credit = config.Credit(frailty=settings.credit.frailty)
    drawn = _drawn(_without_stress(settings, credit).model_dump_json(), seed)
    return replace(drawn, settings=settings)


def default_law(settings: config.BnplSettings, seed: int) -> DefaultLaw:
    """The law of a scenario: solved once in a process, the same in every process.

    Raises
    ------
    UnreachableAucError : the coefficients and the frailty cannot give the stated Bayes AUC.
    """
    credit = settings.credit.model_copy(update={"reporting_delay_days": 0.0})
    return _solved(_without_stress(settings, credit).model_dump_json(), seed)


def _without_stress(settings: config.BnplSettings, credit: config.Credit) -> config.BnplSettings:
    """The settings with another section credit, and nothing said of what stress would bring."""
    return settings.model_copy(update={"credit": credit, "under_stress": config.UnderStress()})


@lru_cache(maxsize=4)
def _drawn(settings_json: str, seed: int) -> Reference:
    settings = config.BnplSettings.model_validate_json(settings_json)
    population, streams = settings.population, RandomStreams(REFERENCE_SEED)
    when, moment = REFERENCE_DAY.date, REFERENCE_DAY.event_time
    n = len(moment)
    is_first = streams.uniform("transaction.is_repeat", when, n) >= population.repeat_customer_rate
    mean_tenure = population.customer_lifetime_days or DAYS_PER_YEAR
    tenure = exponential(streams.uniform("customer.earlier_signup", when, n), mean_tenure)
    signup_at = np.where(is_first, moment, moment - (tenure * MICROSECONDS_PER_DAY).astype(np.int64))
    profile = draw_customers(settings, streams, when, 0, np.arange(1, n + 1), signup_at, {}).profile
    device = one_so_far(
        profile["device_first_seen_at"], moment, streams.uniform("transaction.device", when, n)
    )
    account = one_so_far(
        profile["account_created_at"], moment, streams.uniform("transaction.account", when, n)
    )
    buyers = Buyers(profile, device, account)
    catalog = draw_catalog(settings, RandomStreams(seed))
    behaviors = BehaviorTable(settings.risk_scenarios)
    purchases = draw_transactions(
        settings, streams, behaviors, catalog, REFERENCE_DAY, buyers, is_first, World.of(settings)
    )
    rows = np.arange(n)
    codes = {name: profile[name] for name in CUSTOMER_ATTRIBUTES if name in (profile.dtype.names or ())} | {
        "age_bracket": age_bracket_at_signup(profile),
        "device_type": profile["device_type"][rows, device],
        "payment_provider": profile["payment_provider"][rows, account],
        "is_first_purchase": is_first.astype(np.int8),
        "risk_scenario": purchases["risk_scenario"],
        "product_category": catalog.columns["product_category"][purchases["product_id"] - 1],
    }
    return Reference(settings, seed, catalog, buyers, purchases, codes)


@lru_cache(maxsize=32)
def _solved(settings_json: str, seed: int) -> DefaultLaw:
    settings = config.BnplSettings.model_validate_json(settings_json)
    population = reference(settings, seed)
    credit, frailty = settings.credit, population.frailty
    beta = World.of(settings).beta
    calm = population.signals(stress=0.0)
    xbeta = weighted(beta, calm)
    intercept, scale = solve_scale(xbeta, frailty, credit.base_default_rate, credit.bayes_auc)
    log_odds = intercept + scale * xbeta + frailty
    spread = credit.arrears.risk_slope * log_odds + credit.arrears.income_slope * calm["income_bracket"] ** 2
    now = population.signals(settings.economic_stress_factor)
    stressed = expit(intercept + scale * weighted(beta, now) + frailty)
    return DefaultLaw(
        intercept=intercept,
        scale=scale,
        frailty=credit.frailty,
        arrears_intercept=intercept_for(spread, credit.arrears.rate),
        expected_rate=round(exact_mean(stressed), RATE_DECIMALS),
        expected_auc=round(bayes_auc(stressed), RATE_DECIMALS),
    )
