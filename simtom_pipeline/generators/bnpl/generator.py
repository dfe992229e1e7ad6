"""The BNPL generator: puts entities, catalog and purchases together into the tables of one day."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from functools import cache, cached_property, lru_cache
from typing import Any

import numpy as np

from ...contracts import Claim, DeclaredOutcome, DeclaredShares
from ...scenarios.models import Scenario
from ...scenarios.problems import Refusal
from ..base import MICROSECONDS_PER_DAY, BaseGenerator, Columns, Day
from ..random_streams import exponential
from ..registry import register_generator
from . import config, declarations
from .catalog import draw_catalog
from .credit import DAYS_PER_YEAR, DefaultLaw, UnreachableAucError, assess, default_law
from .entities import Customers, customer_columns, draw_customers, slots_starting
from .population import Population
from .repayment import draw_repayment
from .tables import (
    CUSTOMERS,
    DEFAULT_RISK,
    DEVICES,
    INSTALLMENTS,
    OUTCOMES,
    PAYMENT_METHODS,
    PRODUCTS,
    TRANSACTIONS,
)
from .transactions import BehaviorTable, draw_transactions
from .views import (
    BNPL_RECORDS,
    CUSTOMER_HISTORY,
    LABELS_ASOF,
    MONITORING,
    MONITORING_TARGET,
    TRAINING_SET,
)

LARGEST_GROWTH = 3.0
"""A volume that grows faster over the scenario brings more new customers than the equilibrium has."""


@register_generator("bnpl")
class BnplGenerator(BaseGenerator):
    """A lender's year.

    Each arrival is a repeat purchase with probability `repeat_customer_rate`, by a living customer
    chosen in proportion to a gamma-distributed rate; otherwise a new customer signs up with it.
    """

    settings_model = config.BnplSettings
    tables = (
        CUSTOMERS,
        PRODUCTS,
        DEVICES,
        PAYMENT_METHODS,
        TRANSACTIONS,
        INSTALLMENTS,
        OUTCOMES,
        DEFAULT_RISK,
    )
    views = (
        BNPL_RECORDS,
        CUSTOMER_HISTORY,
        LABELS_ASOF,
        TRAINING_SET,
        MONITORING,
        MONITORING_TARGET,
    )
    event_table = TRANSACTIONS.name

    def __init__(self, scenario: Scenario) -> None:
        super().__init__(scenario)
        self._catalog = draw_catalog(self.settings, self.streams)
        self._behaviors = BehaviorTable(self.settings.risk_scenarios)
        self._earlier = cache(self._draw_earlier)
        self._newcomers = lru_cache(maxsize=2)(self._draw_newcomers)
        self._population = Population(scenario.clock.start, self._earlier, self._newcomers)

    @classmethod
    def refused(cls, scenario: Scenario) -> Sequence[Refusal]:
        """A Bayes AUC that the coefficients and the frailty cannot give."""
        settings: Any = scenario.settings
        try:
            default_law(settings, scenario.seed)
        except UnreachableAucError as error:
            return [Refusal(("credit", "bayes_auc"), settings.credit.bayes_auc, str(error))]
        return []

    @cached_property
    def _law(self) -> DefaultLaw:
        return default_law(self.settings, self.scenario.seed)

    def draw_constants(self) -> Mapping[str, Columns]:
        """The catalog."""
        return {"products": self._catalog.columns}

    def draw_day(self, day: Day) -> Mapping[str, Columns]:
        """Customers who sign up, devices and accounts that appear, purchases."""
        living = self._population.before(day.date)
        newcomers = self._newcomers(day.date, living.anyone)
        is_first = self._is_first(day, living.anyone)
        buyer = np.empty(len(is_first), newcomers.profile.dtype)
        buyer[is_first] = newcomers.profile
        who = self.streams.uniform("transaction.customer", day.date, len(is_first))
        if living.anyone:
            buyer[~is_first] = living.pick(who[~is_first])
        purchases = draw_transactions(
            self.settings, self.streams, self._behaviors, self._catalog, day, buyer, is_first
        )
        written = (
            np.concatenate([self._earlier().profile, newcomers.profile])
            if day.index == 0
            else newcomers.profile
        )
        risk = assess(self.settings.credit, self._law, self._catalog, buyer, purchases)
        installments, outcomes = draw_repayment(
            self.settings.credit,
            self.streams,
            day,
            purchases,
            risk["default_probability"],
            risk["arrears_probability"],
        )
        older = living.with_milestone(day.number).profile if day.index > 0 else written[:0]
        changed = np.concatenate([older, written])
        return {
            "customers": customer_columns(written, day.filled(len(written))),
            "devices": self._devices(day, changed),
            "payment_methods": self._payment_methods(day, changed),
            "transactions": purchases | {"delivered_at": self.delivered_at(day.event_time)},
            "installments": installments,
            "outcomes": outcomes,
            "default_risk": risk | {name: purchases[name] for name in ("transaction_id", "day")},
        }

    def declared_shares(self) -> Sequence[DeclaredShares]:
        """Shares that the landed tables must show, each on the table whose rows are its draws."""
        return declarations.shares(self.settings, self.scenario.clock.start)

    def claims(self) -> Sequence[Claim]:
        """What installments, outcomes and purchases say of each other."""
        return declarations.claims(self.settings.credit)

    def declared_outcomes(self) -> Sequence[DeclaredOutcome]:
        """Default, with its true probability."""
        return [declarations.default(self._law, self._is_stationary())]

    def _is_stationary(self) -> bool:
        """Whether customers come and go as in the reference population, whose tenure is in equilibrium."""
        population: config.Population = self.settings.population
        if population.initial_customers is not None or population.customer_lifetime_days is None:
            return False
        volume = [self.arrivals.factors(day).mean for day in self.scenario.clock.days()]
        month = np.ones(min(30, len(volume))) / min(30, len(volume))
        by_month = np.convolve(volume, month, "valid")
        return population.repeat_customer_rate < 1 and by_month.max() < LARGEST_GROWTH * by_month.min()

    def _is_first(self, day: Day, anyone: bool) -> np.ndarray:
        """Which arrivals are first purchases, shape (n_events,)."""
        n = len(day.event_time)
        if not anyone:
            return np.ones(n, bool)
        repeat_rate = self.settings.population.repeat_customer_rate
        return self.streams.uniform("transaction.is_repeat", day.date, n) >= repeat_rate

    def _draw_newcomers(self, when: date, anyone: bool) -> Customers:
        """Customers who sign up on a day, each with a first purchase."""
        day = self.day(when)
        signup_at = day.event_time[self._is_first(day, anyone)]
        keys = day.keys(len(signup_at), after=self._earlier_count() if day.index == 0 else 0)
        return draw_customers(self.settings, self.streams, when, day.number, keys, signup_at)

    def _earlier_count(self) -> int:
        """How many customers were there before the first day."""
        population: config.Population = self.settings.population
        if population.initial_customers is not None:
            return population.initial_customers
        new_per_day = (1 - population.repeat_customer_rate) * self.scenario.volume.events_per_day
        return round(new_per_day * (population.customer_lifetime_days or 0))

    def _draw_earlier(self) -> Customers:
        """Customers who were there before the first day; their streams are those of the day before it."""
        start = self.scenario.clock.start
        first, count = Day(start, 0, np.empty(0, np.int64)), self._earlier_count()
        eve = start - timedelta(1)
        mean_tenure = self.settings.population.customer_lifetime_days or DAYS_PER_YEAR
        uniform = self.streams.uniform("customer.earlier_signup", eve, count)
        tenure = np.ceil(exponential(uniform, mean_tenure) * MICROSECONDS_PER_DAY).astype(np.int64)
        signup_at = np.sort(first.midnight - tenure)
        return draw_customers(self.settings, self.streams, eve, first.number, first.keys(count), signup_at)

    def _appearing(self, day: Day, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        opens = np.iinfo(np.int64).min if day.index == 0 else day.midnight
        return slots_starting(starts, opens, day.midnight + MICROSECONDS_PER_DAY)

    def _devices(self, day: Day, changed: np.ndarray) -> Columns:
        rows, slots = self._appearing(day, changed["device_first_seen_at"])
        return {
            "device_id": changed["customer_id"][rows] * 10 + slots + 1,
            "day": day.filled(len(rows)),
            "customer_id": changed["customer_id"][rows],
            "first_seen_at": changed["device_first_seen_at"][rows, slots],
            "device_type": changed["device_type"][rows, slots],
            "device_os": changed["device_os"][rows, slots],
        }

    def _payment_methods(self, day: Day, changed: np.ndarray) -> Columns:
        rows, slots = self._appearing(day, changed["account_created_at"])
        return {
            "payment_method_id": changed["customer_id"][rows] * 10 + slots + 1,
            "day": day.filled(len(rows)),
            "customer_id": changed["customer_id"][rows],
            "created_at": changed["account_created_at"][rows, slots],
            "payment_provider": changed["payment_provider"][rows, slots],
            "payment_type": np.zeros(len(rows), np.int8),
            "payment_credit_limit": changed["credit_limit"][rows, slots],
        }
