"""The BNPL generator: puts entities, catalog and purchases together into the tables of one day."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from functools import cache, cached_property, lru_cache
from typing import Any, ClassVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ...claims import Claim, DeclaredOutcome, DeclaredShares
from ...scenarios.models import Scenario
from ...scenarios.problems import Refusal
from ..base import MICROSECONDS_PER_DAY, Columns, Day, day_number
from ..drift.generator import DriftingGenerator
from ..drift.parameters import ParameterKind, Parameters
from ..random_streams import RandomStreams, exponential
from ..registry import register_generator
from . import claims, config
from .buyers import Mixes, draw_buyers
from .catalog import Catalog, draw_catalog
from .claims import ShareDrift
from .credit import DefaultModel, UnreachableAucError, assess
from .drift_domain import LenderDrift
from .drift_targets import OUTCOME
from .entities import CORRELATED, Customers, customer_columns, draw_customers, slots_starting
from .keys import keys_by_moment
from .parameters import customer_shares, stated_shares
from .population import ActiveCustomers, Population
from .prior_drift import Purchases, draw_candidates, winners
from .reference_population import DAYS_PER_YEAR, default_model
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
from .views import BNPL_RECORDS, VIEWS

MAX_GROWTH = 3.0
"""A volume that grows faster over the scenario brings more new customers than the equilibrium has."""


@register_generator("bnpl")
class BnplGenerator(DriftingGenerator):
    """A lender's year.

    Each arrival is a repeat purchase with probability `repeat_customer_rate`, by an active customer
    chosen in proportion to a gamma-distributed rate; otherwise a new customer signs up with it.
    """

    settings_model = config.BnplSettings
    drift_domain = LenderDrift
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
    views = VIEWS
    event_table = TRANSACTIONS.name
    record_view = BNPL_RECORDS.name
    live_overrides: ClassVar[Mapping[str, Any]] = {"bnpl.population.initial_customers": 1000}
    model_version = 2

    def __init__(self, scenario: Scenario) -> None:
        super().__init__(scenario)
        self._behaviors = BehaviorTable(self.settings.risk_scenarios)
        self._earlier = cache(self._draw_earlier)
        self._newcomers = lru_cache(maxsize=2)(self._draw_newcomers)
        self._population = self._nobody_yet()

    def forget(self) -> None:
        """Let go of the customers, who may be many."""
        super().forget()
        self._earlier.cache_clear()
        self._newcomers.cache_clear()
        self._population = self._nobody_yet()

    def _nobody_yet(self) -> Population:
        return Population(self.scenario.clock.start, self._earlier, self._newcomers)

    @classmethod
    def refused(cls, scenario: Scenario) -> Sequence[Refusal]:
        """A Bayes AUC that the coefficients and the frailty cannot give; drifts that cannot be."""
        settings: Any = scenario.settings
        try:
            default_model(settings, scenario.seed)
        except UnreachableAucError as error:
            return [
                Refusal((scenario.generator, "credit", "bayes_auc"), settings.credit.bayes_auc, str(error))
            ]
        return super().refused(scenario)

    @cached_property
    def _catalog(self) -> Catalog:
        return draw_catalog(self.settings, self.streams)

    @cached_property
    def _default_model(self) -> DefaultModel:
        return default_model(self.settings, self.scenario.seed)

    @cached_property
    def _mixes(self) -> Mixes:
        """The shares of what customers are for good, over the clock's days."""
        days = self.scenario.clock.days()
        moved = [customer_shares(self.resolution.expected_parameters(day)) for day in days]
        drifted = sorted({name for shares in moved for name in shares})
        stated = {name: stated_shares(self.settings, name) for name in drifted}
        by_day = {name: np.array([shares.get(name, stated[name]) for shares in moved]) for name in drifted}
        return Mixes(day_number(self.scenario.clock.start), stated, by_day)

    def draw_constants(self) -> Mapping[str, Columns]:
        """The catalog."""
        return {"products": self._catalog.columns}

    def draw_day(self, day: Day) -> Mapping[str, Columns]:
        """Customers who sign up, devices and accounts that appear, purchases."""
        active = self._population.before(day.date)
        newcomers = self._newcomers(day.date, active.anyone).profile
        parameters = self.resolution.parameters_of_records(self.streams, day.date, len(day.event_time))
        drawn = self._draw_purchases(self.streams, day, active, newcomers, parameters)
        drawn, passing = self._with_prior(day, active, newcomers, drawn, parameters)
        purchases = drawn.columns
        signed_up = np.concatenate([newcomers, passing])
        signed_up = signed_up[np.argsort(signed_up["customer_id"])]
        written = np.concatenate([self._earlier().profile, signed_up]) if day.index == 0 else signed_up
        installments, outcomes = draw_repayment(
            self.settings.credit,
            self.streams,
            day,
            purchases,
            drawn.risk["default_probability"],
            drawn.risk["arrears_probability"],
            parameters["reporting_delay_days"],
        )
        older = active.with_milestone(day.number).profile if day.index > 0 else written[:0]
        changed = np.concatenate([older, written])
        return {
            "customers": customer_columns(written, day.filled(len(written))),
            "devices": self._devices(day, changed),
            "payment_methods": self._payment_methods(day, changed),
            "transactions": purchases | {"delivered_at": self.delivered_at(day.event_time)},
            "installments": installments,
            "outcomes": outcomes,
            "default_risk": drawn.risk | {name: purchases[name] for name in ("transaction_id", "day")},
        }

    def _draw_purchases(
        self,
        streams: RandomStreams,
        day: Day,
        active: ActiveCustomers,
        newcomers: np.ndarray,
        parameters: Parameters,
    ) -> Purchases:
        is_first = self._is_first(streams, day, active.anyone)
        buyers = draw_buyers(streams, day, is_first, newcomers, active, self._mixes)
        columns = draw_transactions(
            self.settings, streams, self._behaviors, self._catalog, day, buyers, is_first, parameters
        )
        risk = assess(
            self.settings.credit, self._default_model, self._catalog, buyers.profile, columns, parameters
        )
        return Purchases(buyers.profile, columns, risk)

    def _with_prior(
        self,
        day: Day,
        active: ActiveCustomers,
        newcomers: np.ndarray,
        drawn: Purchases,
        parameters: Parameters,
    ) -> tuple[Purchases, np.ndarray]:
        """The day's purchases under its prior, and customers who come for a single one of them."""
        log_odds = parameters[OUTCOME]
        if not np.any(log_odds):
            return drawn, drawn.profile[:0]
        streams = self.streams.within("prior")
        arrival = draw_candidates(streams, day.date, len(day.event_time), log_odds)
        again = Day(day.date, day.index, day.event_time[arrival])
        is_first = self._is_first(streams, again, active.anyone)
        nobody_yet = np.zeros(int(is_first.sum()), np.int64)
        strangers = self._customers(streams, again, nobody_yet, again.event_time[is_first]).profile
        candidates = self._draw_purchases(
            streams,
            again,
            active,
            strangers,
            self.resolution.parameters_of_records(streams, day.date, len(arrival)),
        )
        shift = np.broadcast_to(np.asarray(log_odds, float), len(day.event_time))
        replaced, by = winners(streams, day.date, arrival, candidates.risk["default_probability"], shift)
        mixed = drawn.replaced(replaced, candidates, by)
        mixed.columns["transaction_id"] = drawn.columns["transaction_id"]
        came = replaced[is_first[by]]
        mixed = mixed.by_customers(came, keys_by_moment(day, day.event_time[came], newcomers["customer_id"]))
        return mixed.under_prior(log_odds), mixed.profile[came]

    def declared_shares(self) -> Sequence[DeclaredShares]:
        """Shares that the landed tables must show, each on the table whose rows are its draws."""
        return claims.shares(self.settings, self.scenario.clock.start, self._share_drift)

    @cached_property
    def _share_drift(self) -> ShareDrift:
        names = {
            part.target.name
            for drift in self.drifts
            for part in drift.parts
            if part.target.parameter is ParameterKind.SHARES
        }
        if names & set(CORRELATED):
            names |= set(CORRELATED)
        return ShareDrift(frozenset(names), self.expected.shares, self._prior_from)

    @cached_property
    def _prior_from(self) -> date | None:
        """The first day of any prior drift."""
        return min((d.curve.onset for d in self.drifts if d.drift.kind == "prior"), default=None)

    def claims(self) -> Sequence[Claim]:
        """What installments, outcomes and purchases say of each other."""
        kinds = {drift.drift.kind for drift in self.drifts}
        late = self.settings.credit.reporting_delay_days > 0 or "label_delay" in kinds
        return claims.claims(self.settings.credit, late)

    def declared_outcomes(self) -> Sequence[DeclaredOutcome]:
        """Default, with its true probability."""
        default = claims.default(
            self._default_model, self._is_stationary, self.expected.rate, self.drifts_from
        )
        return [default]

    def _is_stationary(self) -> bool:
        """Whether customers come and go as in the reference population, whose tenure is in equilibrium."""
        population: config.Population = self.settings.population
        if population.initial_customers is not None or population.customer_lifetime_days is None:
            return False
        volume = [self.arrivals.factors(day).mean for day in self.scenario.clock.days()]
        by_month = sliding_window_view(volume, min(30, len(volume))).mean(axis=1)
        return population.repeat_customer_rate < 1 and by_month.max() < MAX_GROWTH * by_month.min()

    def earlier_rows(self) -> int:
        """Customers who were there before the first day."""
        return self._earlier_count()

    def _is_first(self, streams: RandomStreams, day: Day, anyone: bool) -> np.ndarray:
        """Which arrivals are first purchases, shape (n_events,)."""
        n = len(day.event_time)
        if not anyone:
            return np.ones(n, bool)
        repeat_rate = self.settings.population.repeat_customer_rate
        return streams.uniform("transaction.is_repeat", day.date, n) >= repeat_rate

    def _draw_newcomers(self, when: date, anyone: bool) -> Customers:
        """Customers who sign up on a day, each with a first purchase."""
        day = self.day(when)
        signup_at = day.event_time[self._is_first(self.streams, day, anyone)]
        keys = day.keys(len(signup_at), after=self._earlier_count() if day.index == 0 else 0)
        if self._prior_from is not None and when >= self._prior_from:
            keys = keys_by_moment(day, signup_at, keys[:0])
        return self._customers(self.streams, day, keys, signup_at)

    def _customers(
        self, streams: RandomStreams, day: Day, keys: np.ndarray, signup_at: np.ndarray
    ) -> Customers:
        mix = customer_shares(self.resolution.expected_parameters(day.date))
        return draw_customers(self.settings, streams, day.date, day.number, keys, signup_at, mix)

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
        return draw_customers(
            self.settings, self.streams, eve, first.number, first.keys(count), signup_at, {}
        )

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
