"""The BNPL generator: puts entities, catalog and purchases together into the tables of one day."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from functools import cache, lru_cache
from typing import get_args

import numpy as np

from ...contracts import DeclaredShares
from ...scenarios.models import Scenario
from ..base import MICROSECONDS_PER_DAY, BaseGenerator, Columns, Day
from ..random_streams import exponential
from ..registry import register_generator
from . import config
from .catalog import draw_catalog
from .entities import Customers, customer_columns, draw_customers, slots_starting
from .population import Population
from .tables import BNPL_RECORDS, CUSTOMERS, DEVICES, PAYMENT_METHODS, PRODUCTS, TRANSACTIONS
from .transactions import BehaviorTable, draw_transactions

DAYS_PER_YEAR = 365.0
"""Mean tenure of the first customers where nobody ever leaves."""


@register_generator("bnpl")
class BnplGenerator(BaseGenerator):
    """A lender's year.

    Each arrival is a repeat purchase with probability `repeat_customer_rate`, by a living customer
    chosen in proportion to a gamma-distributed rate; otherwise a new customer signs up with it.
    """

    settings_model = config.BnplSettings
    tables = (CUSTOMERS, PRODUCTS, DEVICES, PAYMENT_METHODS, TRANSACTIONS)
    views = (BNPL_RECORDS,)
    event_table = TRANSACTIONS.name

    def __init__(self, scenario: Scenario) -> None:
        super().__init__(scenario)
        self._catalog = draw_catalog(self.settings, self.streams)
        self._behaviors = BehaviorTable(self.settings.risk_scenarios)
        self._earlier = cache(self._draw_earlier)
        self._newcomers = lru_cache(maxsize=2)(self._draw_newcomers)
        self._population = Population(scenario.clock.start, self._earlier, self._newcomers)

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
        older = living.with_milestone(day.number).profile if day.index > 0 else written[:0]
        changed = np.concatenate([older, written])
        return {
            "customers": customer_columns(written, day.filled(len(written))),
            "devices": self._devices(day, changed),
            "payment_methods": self._payment_methods(day, changed),
            "transactions": purchases | {"delivered_at": self.delivered_at(day.event_time)},
        }

    def declared_shares(self) -> Sequence[DeclaredShares]:
        """Shares that the landed tables must show, each on the table whose rows are its draws."""
        settings: config.BnplSettings = self.settings
        population, systems = settings.population, settings.devices.device_os
        declared = [
            DeclaredShares("customers", name, getattr(population, name))
            for name in (
                "income_bracket",
                "credit_score_range",
                "verification_level",
                "address_stability",
                "state",
            )
        ]
        declared += [
            DeclaredShares("customers", _AGE_BRACKET_AT_SIGNUP, population.age_bracket, label="age_bracket"),
            DeclaredShares("devices", "device_type", settings.devices.device_type),
            DeclaredShares("payment_methods", "payment_provider", settings.payment_methods.payment_provider),
        ]
        declared += [
            DeclaredShares(
                "devices", "device_os", getattr(systems, kind), f"device_type = '{kind}'", f"os_{kind}"
            )
            for kind in get_args(config.DeviceType)
        ]
        categories = settings.catalog.categories.all().items()
        behaviors = settings.risk_scenarios.all().items()
        repeat = population.repeat_customer_rate
        return [
            *declared,
            DeclaredShares("transactions", "risk_scenario", {k: v.share for k, v in behaviors}),
            DeclaredShares(
                "transactions",
                "(SELECT p.product_category FROM {schema}.products p WHERE p.product_id = t.product_id)",
                {k: v.share for k, v in categories},
                label="product_category",
            ),
            DeclaredShares(
                "transactions",
                "CASE WHEN is_first_purchase THEN 'first' ELSE 'repeat' END",
                {"first": 1 - repeat, "repeat": repeat},
                # The first day may start without anybody who could come back.
                where=f"day > DATE '{self.scenario.clock.start}'",
                label="repeat_customer_rate",
            ),
        ]

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


_AGE_BRACKET_AT_SIGNUP = (
    "CASE WHEN age(signup_at, birth_date) < INTERVAL 25 YEAR THEN '18-24'"
    " WHEN age(signup_at, birth_date) < INTERVAL 35 YEAR THEN '25-34'"
    " WHEN age(signup_at, birth_date) < INTERVAL 45 YEAR THEN '35-44'"
    " WHEN age(signup_at, birth_date) < INTERVAL 55 YEAR THEN '45-54' ELSE '55+' END"
)
