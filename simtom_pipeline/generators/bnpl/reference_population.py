"""The reference population: what a model of default is solved on, and what drift is measured against.

Purchases at one moment, each by a buyer of its own: a new customer, or one whose tenure has the stationary
law of repeat buyers. It depends neither on dates nor on partitions nor on volume.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from scipy.special import expit

from ..base import MICROSECONDS_PER_DAY, Day
from ..drift.domain import OutcomeEvents, ReferencePopulation, WeightedPopulation
from ..drift.parameters import Parameters
from ..exact import exact_mean
from ..random_streams import RandomStreams, exponential
from . import config
from .buyers import Buyers, one_so_far
from .catalog import REFERENCE_CUSTOMERS, REFERENCE_SEED, Catalog, draw_catalog
from .credit import DefaultModel, Signals, bayes_auc, intercept_for, signals, solve_scale, weighted
from .drift_targets import OUTCOME, stated_parameters
from .entities import age_bracket_at_signup, draw_profiles
from .parameters import CUSTOMER_ATTRIBUTES, LOG_ODDS, coefficients, customer_shares
from .transactions import BehaviorTable, draw_transactions

REFERENCE_DAY = Day(date(1970, 1, 1), 0, np.zeros(REFERENCE_CUSTOMERS, np.int64))
DAYS_PER_YEAR = 365.0
"""Mean tenure of the first customers where nobody ever leaves."""
RATE_DECIMALS = 10


@dataclass(frozen=True)
class ReferencePurchases(ReferencePopulation):
    """N purchases without drift.

    Attributes
    ----------
    catalog : what was for sale.
    buyers : who bought, shape (N,).
    purchases : columns of the table transactions, shape (N,).
    categories : ENUM code of each categorical variable that can drift, shape (N,).
    """

    settings: config.BnplSettings
    seed: int
    catalog: Catalog
    buyers: Buyers
    purchases: Mapping[str, np.ndarray]
    categories: Mapping[str, np.ndarray]

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

    def codes(self, name: str) -> np.ndarray:
        """ENUM code of each purchase in a categorical variable, shape (N,)."""
        return self.categories[name]

    @cached_property
    def model(self) -> DefaultModel:
        """The model of default that is solved on this population."""
        return default_model(self.settings, self.seed)

    def base_rate(self, outcome: str) -> float:
        """Mean probability of default without drift."""
        return self.model.expected_rate

    def under(self, parameters: Parameters) -> WeightedPopulation:
        """Weight and default probability of each purchase where parameters are numbers.

        Shares that have drifted weigh the purchases; all else is worked out again.
        """
        weight = np.ones(len(self.frailty))
        for name, shares in self._moved_shares(parameters).items():
            stated = np.asarray(parameters.stated[name])
            weight *= (shares / np.where(stated > 0, stated, 1.0))[self.categories[name]]
        by_name = self.signals(float(parameters["economic_stress_factor"]), float(parameters["amount"]))
        known = self.model.known_log_odds(weighted(coefficients(parameters), by_name))
        log_odds = known + parameters[LOG_ODDS] + self.frailty
        prior = parameters[OUTCOME]
        weight *= 1 + np.expm1(prior) * expit(log_odds)
        weight = weight / exact_mean(weight)
        return WeightedPopulation(weight, {OUTCOME: OutcomeEvents(weight, expit(log_odds + prior))})

    def _moved_shares(self, parameters: Parameters) -> dict[str, np.ndarray]:
        """Shares of each categorical variable that are not the stated ones, shape (k,)."""
        of_purchases = {name: np.asarray(parameters[name]) for name in ("product_category", "risk_scenario")}
        shares = {**of_purchases, **customer_shares(parameters)}
        return {name: now for name, now in shares.items() if not np.array_equal(now, parameters.stated[name])}

    def follows(self, name: str, parameters: Parameters) -> bool:
        """Whether a variable moves with others: with the outcome, or with attributes correlated with it."""
        if parameters[OUTCOME] != 0:
            return True
        correlation = self.settings.population.correlation
        return any(
            correlation.between(name, other) != 0 for other in customer_shares(parameters) if other != name
        )

    def exact(self, name: str) -> np.ndarray:
        """A number before drift's factor and rounding, in whole cents or seconds, shape (N,)."""
        if name == "amount":
            return self.purchases[name].astype(float)
        behaviors, streams = BehaviorTable(self.settings.risk_scenarios), RandomStreams(REFERENCE_SEED)
        return behaviors.seconds(name, self.categories["risk_scenario"], streams, REFERENCE_DAY.date)


def reference_purchases(settings: config.BnplSettings, seed: int) -> ReferencePurchases:
    """The reference population of a scenario; the same in every process."""
    # Of the section credit only the frailty decides who buys what; worlds that differ in the rest share it.
    credit = config.Credit(frailty=settings.credit.frailty)
    drawn = _drawn(_without_stress(settings, credit).model_dump_json(), seed)
    return replace(drawn, settings=settings)


def default_model(settings: config.BnplSettings, seed: int) -> DefaultModel:
    """The model of a scenario: solved once in a process, the same in every process.

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
def _drawn(settings_json: str, seed: int) -> ReferencePurchases:
    settings = config.BnplSettings.model_validate_json(settings_json)
    population, streams = settings.population, RandomStreams(REFERENCE_SEED)
    when, moment = REFERENCE_DAY.date, REFERENCE_DAY.event_time
    n = len(moment)
    is_first = streams.uniform("transaction.is_repeat", when, n) >= population.repeat_customer_rate
    mean_tenure = population.customer_lifetime_days or DAYS_PER_YEAR
    tenure = exponential(streams.uniform("customer.earlier_signup", when, n), mean_tenure)
    signup_at = np.where(is_first, moment, moment - (tenure * MICROSECONDS_PER_DAY).astype(np.int64))
    profile = draw_profiles(settings, streams, when, np.arange(1, n + 1), signup_at, {})
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
        settings, streams, behaviors, catalog, REFERENCE_DAY, buyers, is_first, stated_parameters(settings)
    )
    rows = np.arange(n)
    categories = {
        name: profile[name] for name in CUSTOMER_ATTRIBUTES if name in (profile.dtype.names or ())
    } | {
        "age_bracket": age_bracket_at_signup(profile),
        "device_type": profile["device_type"][rows, device],
        "payment_provider": profile["payment_provider"][rows, account],
        "is_first_purchase": is_first.astype(np.int8),
        "risk_scenario": purchases["risk_scenario"],
        "product_category": catalog.columns["product_category"][purchases["product_id"] - 1],
    }
    return ReferencePurchases(settings, seed, catalog, buyers, purchases, categories)


@lru_cache(maxsize=32)
def _solved(settings_json: str, seed: int) -> DefaultModel:
    settings = config.BnplSettings.model_validate_json(settings_json)
    population = reference_purchases(settings, seed)
    credit, frailty = settings.credit, population.frailty
    beta = coefficients(stated_parameters(settings))
    calm = population.signals(stress=0.0)
    xbeta = weighted(beta, calm)
    intercept, scale = solve_scale(xbeta, frailty, credit.base_default_rate, credit.bayes_auc)
    log_odds = intercept + scale * xbeta + frailty
    spread = credit.arrears.risk_slope * log_odds + credit.arrears.income_slope * calm["income_bracket"] ** 2
    now = population.signals(settings.economic_stress_factor)
    stressed = expit(intercept + scale * weighted(beta, now) + frailty)
    return DefaultModel(
        intercept=intercept,
        scale=scale,
        frailty=credit.frailty,
        arrears_intercept=intercept_for(spread, credit.arrears.rate),
        expected_rate=round(exact_mean(stressed), RATE_DECIMALS),
        expected_auc=round(bayes_auc(stressed), RATE_DECIMALS),
    )
