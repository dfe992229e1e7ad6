"""The purchases of one day: who, with which device and account, what, how, at what price."""

from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import get_args

import numpy as np

from ..base import MICROSECONDS_PER_DAY, Day
from ..drift.parameters import Parameters
from ..drift.reachable import whole
from ..random_streams import RandomStreams, categorical, cumulative, poisson
from . import config
from .buyers import Buyers
from .catalog import Catalog
from .entities import ordered, year_month_day
from .risk_score import risk_level, risk_score

MIN_CENTS = 4
"""A cent for each of four payments."""
WHOLE_MINIMUM = {"amount": MIN_CENTS, "time_on_site_seconds": 1, "price_comparison_time": 1}
"""What a numeric covariate is at least, in cents or seconds."""
DURATIONS = {
    "time_on_site_seconds": ("transaction.time_on_site", "time_on_site_median_seconds"),
    "price_comparison_time": ("transaction.price_comparison", "price_comparison_median_seconds"),
}
"""Stream and median of each duration."""
TRUSTED_AFTER = 30 * MICROSECONDS_PER_DAY
_AGE_FROM = np.array([25, 35, 45, 55])


@dataclass(frozen=True)
class BehaviorTable:
    """The risk scenarios as arrays, one row each (k of them)."""

    settings: config.RiskScenarios

    @cached_property
    def price_tilt(self) -> np.ndarray:
        return self._each("price_tilt")

    @cached_property
    def context(self) -> np.ndarray:
        contexts = get_args(config.PurchaseContext)
        return np.array([contexts.index(b.purchase_context) for b in self.settings.all().values()], np.int8)

    @cached_property
    def speed_below(self) -> np.ndarray:
        """Cumulative shares of the checkout speeds but the last, shape (k, 3)."""
        shares = [ordered(b.checkout_speed, config.CheckoutSpeed) for b in self.settings.all().values()]
        return cumulative(shares)[:, :-1]

    def _each(self, name: str) -> np.ndarray:
        return np.array([getattr(behavior, name) for behavior in self.settings.all().values()], float)

    def seconds(self, name: str, scenario: np.ndarray, streams: RandomStreams, when: date) -> np.ndarray:
        """Lognormal durations of `DURATIONS` around the scenario's median, not rounded; shape (n,)."""
        stream, median = DURATIONS[name]
        normal, sigma = streams.normal(stream, when, len(scenario)), self._each("sigma")[scenario]
        exact: np.ndarray = self._each(median)[scenario] * np.exp(sigma * normal)
        return exact

    def abandonments(self, scenario: np.ndarray, uniform: np.ndarray) -> np.ndarray:
        """Poisson counts with the scenario's mean, shape (n,)."""
        by_scenario = [poisson(uniform, mean) for mean in self._each("cart_abandonment_mean")]
        return np.choose(scenario, by_scenario)


def draw_transactions(
    settings: config.BnplSettings,
    streams: RandomStreams,
    behaviors: BehaviorTable,
    catalog: Catalog,
    day: Day,
    buyers: Buyers,
    is_first: np.ndarray,
    parameters: Parameters,
) -> dict[str, np.ndarray]:
    """Columns of the day's purchases, n of them; `is_first` has shape (n,)."""
    n = len(is_first)
    time, buyer = day.event_time, buyers.profile

    def uniform(variable: str) -> np.ndarray:
        return streams.uniform(f"transaction.{variable}", day.date, n)

    device, account, rows = buyers.device, buyers.account, np.arange(n)
    trusted = time - buyer["device_first_seen_at"][rows, device] > TRUSTED_AFTER
    limit = buyer["credit_limit"][rows, account]

    scenario = categorical(uniform("risk_scenario"), parameters["risk_scenario"])
    category = categorical(uniform("category"), parameters["product_category"])
    product = catalog.choose(uniform("product"), category, limit, behaviors.price_tilt[scenario])
    price = _discounted(settings.catalog, catalog.price_cents[product], uniform("discount"))
    amount = whole(price, parameters["amount"], WHOLE_MINIMUM["amount"]).astype(np.int64)
    stress = np.broadcast_to(np.asarray(parameters["economic_stress_factor"], float), n)
    score = risk_score(
        buyer["credit_score_range"],
        buyer["verification_level"],
        buyer["income_bracket"],
        trusted,
        catalog.columns["product_risk_category"][product],
        scenario,
        stress,
    )
    age = (year_month_day(np.array([day.number]))[0] - buyer["birth_ymd"]) // 10_000
    return {
        **_known_of_all(day, n),
        "customer_id": buyer["customer_id"],
        "product_id": catalog.columns["product_id"][product],
        "device_id": buyer["customer_id"] * 10 + device + 1,
        "payment_method_id": buyer["customer_id"] * 10 + account + 1,
        "is_first_purchase": is_first,
        "amount": amount,
        "risk_scenario": scenario,
        "risk_score": score,
        "risk_level": risk_level(score),
        "installment_count": _installment_count(
            amount, uniform("installment_count") < settings.catalog.longer_plan_share
        ),
        "first_payment_amount": (amount + 2) // 4,
        "credit_utilization": np.round(np.minimum(amount / (limit * 100.0), 1.0), 4),
        "economic_stress_factor": stress,
        "customer_age_bracket": np.searchsorted(_AGE_FROM, age, side="right"),
        "customer_tenure_days": (time - buyer["signup_at"]) // MICROSECONDS_PER_DAY,
        "device_is_trusted": trusted,
        **_at_the_checkout(streams, behaviors, day, scenario, parameters),
    }


def _known_of_all(day: Day, n: int) -> dict[str, np.ndarray]:
    """What nothing has to be drawn for: keys, moments, and what is the same for every purchase."""
    only_value = np.zeros(n, np.int8)
    return {
        "transaction_id": day.keys(n),
        "day": day.filled(n),
        "event_time": day.event_time,
        "ingested_at": day.event_time,
        "currency": only_value,
        "status": only_value,
        "payment_frequency": only_value,
    }


def _at_the_checkout(
    streams: RandomStreams, behaviors: BehaviorTable, day: Day, scenario: np.ndarray, parameters: Parameters
) -> dict[str, np.ndarray]:
    """What the buyer did on the way to the purchase, as its risk scenario has it; columns of shape (n,)."""
    n = len(scenario)
    speed = streams.uniform("transaction.checkout_speed", day.date, n)
    abandonment = streams.uniform("transaction.cart_abandonment", day.date, n)
    return {
        "purchase_context": behaviors.context[scenario],
        "checkout_speed": (speed[:, None] >= behaviors.speed_below[scenario]).sum(axis=1),
        "cart_abandonment_count": behaviors.abandonments(scenario, abandonment),
        **{
            name: whole(
                behaviors.seconds(name, scenario, streams, day.date), parameters[name], WHOLE_MINIMUM[name]
            ).astype(np.int32)
            for name in DURATIONS
        },
    }


def _discounted(catalog: config.Catalog, list_cents: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """Amount in cents: with some probability a discount, uniform up to the largest; shape (n,)."""
    probability = catalog.discount_probability
    if probability == 0:
        return list_cents
    discount = np.where(uniform < probability, uniform / probability, 0.0) * catalog.largest_discount
    return np.maximum(np.rint(list_cents * (1 - discount)), MIN_CENTS).astype(np.int64)


def _installment_count(amount_cents: np.ndarray, longer: np.ndarray) -> np.ndarray:
    """4 below 100 USD; 4 or 6 below 500; 6 or 12 below 1000; 12 or 24 above."""
    band = np.searchsorted([10_000, 50_000, 100_000], amount_cents, side="right")
    return np.array([[4, 4], [4, 6], [6, 12], [12, 24]])[band, longer.astype(int)]
