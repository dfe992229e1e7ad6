"""Who customers are: each is drawn whole, with future devices and accounts, on the day of signup.

Nothing about a customer depends on any other day. Purchase rates are gamma distributed and lifetimes
exponential, as in Schmittlein, Morrison & Colombo (1987). Who of them is there when: `population.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, get_args

import numpy as np
from scipy.special import gammaincinv, ndtr

from ..base import MICROSECONDS_PER_DAY, Columns
from ..exact import correlated
from ..random_streams import RandomStreams, categorical, cumulative, exponential
from . import config

SLOTS = 3
"""Most devices, and most accounts, that a customer ever has."""
NEVER = np.iinfo(np.int64).max
FOREVER = np.iinfo(np.int32).max

PROFILE = np.dtype([
    ("customer_id", np.int64),
    ("signup_at", np.int64),  # microseconds since 1970-01-01, like every moment here
    ("birth_ymd", np.int32),  # 19991231 for 1999-12-31
    ("income_bracket", np.int8),
    ("credit_score_range", np.int8),
    ("verification_level", np.int8),
    ("address_stability", np.int8),
    ("state", np.int8),
    ("device_first_seen_at", np.int64, SLOTS),
    ("device_type", np.int8, SLOTS),
    ("device_os", np.int8, SLOTS),
    ("account_created_at", np.int64, SLOTS),
    ("payment_provider", np.int8, SLOTS),
    ("credit_limit", np.int32, SLOTS),
    ("frailty", np.float64),  # log-odds of default that nobody observes
])  # fmt: skip
"""What a purchase needs to know of its customer; one record a customer."""


@dataclass(frozen=True)
class Customers:
    """A set of customers in order of customer_id, n of them.

    Attributes
    ----------
    profile : shape (n,), dtype PROFILE.
    purchase_rate : relative rate of repeat purchases, gamma with mean one, shape (n,).
    last_day : last day as a customer, days since 1970-01-01, shape (n,).
    milestones : days on which the later devices and accounts appear, shape (n, 2 * (SLOTS - 1)).
    """

    profile: np.ndarray
    purchase_rate: np.ndarray
    last_day: np.ndarray
    milestones: np.ndarray

    def __len__(self) -> int:
        return len(self.profile)

    def take(self, rows: np.ndarray | slice) -> "Customers":
        """The chosen rows; a slice gives views."""
        return Customers(
            self.profile[rows], self.purchase_rate[rows], self.last_day[rows], self.milestones[rows]
        )


def draw_customers(
    settings: config.BnplSettings,
    streams: RandomStreams,
    day: date,
    since: int,
    customer_id: np.ndarray,
    signup_at: np.ndarray,
    mix: Mapping[str, np.ndarray],
) -> Customers:
    """Draw customers whose streams are those of `day`; `customer_id` and `signup_at` of shape (n,).

    `mix` holds shares of attributes that have drifted from those of the settings.

    They are customers from `since` (days since 1970-01-01) for an exponential lifetime. It has no memory:
    those who were there before the first day live on from it.
    """
    n, population = len(customer_id), settings.population
    profile = draw_profiles(settings, streams, day, customer_id, signup_at, mix)
    shape = population.purchase_rate_shape
    rate = gammaincinv(shape, streams.uniform("customer.purchase_rate", day, n)) / shape
    starts = profile["device_first_seen_at"], profile["account_created_at"]
    later = np.concatenate([slots[:, 1:] for slots in starts], axis=1) // MICROSECONDS_PER_DAY
    return Customers(
        profile,
        rate,
        _last_day(population, streams, day, since, n),
        np.minimum(later, FOREVER).astype(np.int32),
    )


def draw_profiles(
    settings: config.BnplSettings,
    streams: RandomStreams,
    day: date,
    customer_id: np.ndarray,
    signup_at: np.ndarray,
    mix: Mapping[str, np.ndarray],
) -> np.ndarray:
    """What a purchase needs to know of the customers of `draw_customers`, shape (n,), dtype PROFILE."""
    n, population = len(customer_id), settings.population
    profile = np.empty(n, PROFILE)
    profile["customer_id"] = customer_id
    profile["signup_at"] = signup_at
    latents = _accepted_latents(population, streams, day, n, mix)
    age_uniform = latents[0]
    for name, uniform in zip(LATENT_ATTRIBUTES, latents[1:], strict=True):
        profile[name] = categorical(uniform, ordered(getattr(population, name), _VOCABULARY[name]))
    profile["state"] = categorical(
        streams.uniform("customer.state", day, n),
        mix.get("state", ordered(population.state, config.State)),
    )
    bracket = categorical(age_uniform, ordered(population.age_bracket, config.AgeBracket))
    profile["birth_ymd"] = _birth(streams, day, bracket, signup_at)
    _draw_devices(settings.devices, streams, day, profile, mix)
    _draw_accounts(settings.payment_methods, streams, day, profile, mix)
    profile["frailty"] = settings.credit.frailty * streams.normal("customer.frailty", day, n)
    return profile


CORRELATED = config.CORRELATED
"""Attributes whose shares move when one of them drifts."""
LATENT_ATTRIBUTES = CORRELATED[1:]
_VOCABULARY: Mapping[str, object] = {
    "age_bracket": config.AgeBracket,
    "income_bracket": config.IncomeBracket,
    "credit_score_range": config.CreditScoreRange,
    "verification_level": config.VerificationLevel,
    "address_stability": config.AddressStability,
}
_YOUNGEST = np.array([18, 25, 35, 45, 55])
_OLDEST = np.array([24, 34, 44, 54, 79])


def ordered(shares: Mapping[Any, float], vocabulary: object) -> np.ndarray:
    """Shares in the order of the ENUM, zero where nothing was said."""
    return np.array([shares.get(value, 0.0) for value in get_args(vocabulary)])


def attribute_latents(
    correlation: config.AttributeCorrelation, streams: RandomStreams, day: date | None, n: int
) -> np.ndarray:
    """Uniforms behind age, income, credit, verification and stability, shape (5, n).

    A Gaussian copula: independent normals, one stream an attribute, correlated by the Cholesky factor.
    """
    names = ("age", "income", "credit", "verification", "stability")
    independent = [streams.normal(f"customer.{name}", day, n) for name in names]
    return ndtr(correlated(correlation.matrix(), independent))


def _accepted_latents(
    population: config.Population,
    streams: RandomStreams,
    day: date,
    n: int,
    mix: Mapping[str, np.ndarray],
) -> np.ndarray:
    """As `attribute_latents`, with each share of `mix` in place of the stated one.

    By rejection: customers of one value are as those of that value always were, only more or fewer.
    """
    latents = attribute_latents(population.correlation, streams, day, n)
    wanted = [name for name in CORRELATED if name in mix]
    missing, attempt = np.arange(n) if wanted else np.arange(0), 0
    while missing.size:
        tries = streams.within(f"attempt{attempt}") if attempt else streams
        drawn = attribute_latents(population.correlation, tries, day, missing.size) if attempt else latents
        chance = np.ones(missing.size)
        for name in wanted:
            stated = ordered(getattr(population, name), _VOCABULARY[name])
            weight = mix[name] / np.where(stated > 0, stated, 1.0)
            uniform = drawn[CORRELATED.index(name)]
            chance *= (weight / weight.max())[categorical(uniform, stated)]
        accepted = tries.uniform("customer.accepted", day, missing.size) < chance
        latents[:, missing[accepted]] = drawn[:, accepted]
        missing, attempt = missing[~accepted], attempt + 1
    return latents


def _birth(streams: RandomStreams, day: date, bracket: np.ndarray, signup_at: np.ndarray) -> np.ndarray:
    """Date of birth as yyyymmdd such that the age at signup lies in the bracket, shape (n,)."""
    n = len(bracket)
    span = (_OLDEST - _YOUNGEST + 1)[bracket]
    age = _YOUNGEST[bracket] + np.floor(streams.uniform("customer.age_years", day, n) * span).astype(np.int64)
    since_birthday = np.floor(streams.uniform("customer.birthday", day, n) * 365).astype(np.int64)
    birth = year_month_day(signup_at // MICROSECONDS_PER_DAY - since_birthday) - age * 10_000
    leap = (birth // 10_000 % 4 == 0) & ((birth // 10_000 % 100 != 0) | (birth // 10_000 % 400 == 0))
    return birth - ((birth % 10_000 == 229) & ~leap)


def year_month_day(day: np.ndarray) -> np.ndarray:
    """Days since 1970-01-01 as yyyymmdd, same shape."""
    days = day.astype("datetime64[D]")
    months = days.astype("datetime64[M]")
    month = months.astype(np.int64)
    return (month // 12 + 1970) * 10_000 + (month % 12 + 1) * 100 + (days - months).astype(np.int64) + 1


def age_bracket_at_signup(profile: np.ndarray) -> np.ndarray:
    """ENUM code of the age at signup, shape (n,), from records of dtype PROFILE."""
    signup = year_month_day(profile["signup_at"] // MICROSECONDS_PER_DAY)
    return np.searchsorted(_YOUNGEST[1:], (signup - profile["birth_ymd"]) // 10_000, side="right")


def _last_day(
    population: config.Population, streams: RandomStreams, day: date, since: int, n: int
) -> np.ndarray:
    if population.customer_lifetime_days is None:
        return np.full(n, FOREVER, np.int32)
    lifetime = exponential(streams.uniform("customer.lifetime", day, n), population.customer_lifetime_days)
    return (since + np.floor(lifetime)).astype(np.int32)


def _starts(
    first: np.ndarray, mean_days: float | None, streams: RandomStreams, name: str, day: date
) -> np.ndarray:
    """Moments at which the slots come into use, shape (n, SLOTS): the first, then exponential waits."""
    starts = np.full((len(first), SLOTS), NEVER)
    starts[:, 0] = first
    if mean_days is not None:
        uniform = streams.uniform(name, day, (len(first), SLOTS - 1))
        waits = exponential(uniform, mean_days * MICROSECONDS_PER_DAY).astype(np.int64)
        starts[:, 1:] = first[:, None] + np.cumsum(waits, axis=1)
    return starts


def _draw_devices(
    devices: config.Devices,
    streams: RandomStreams,
    day: date,
    profile: np.ndarray,
    mix: Mapping[str, np.ndarray],
) -> None:
    n = len(profile)
    wait = devices.days_between_devices
    profile["device_first_seen_at"] = _starts(profile["signup_at"], wait, streams, "device.wait", day)
    kind = categorical(
        streams.uniform("device.type", day, (n, SLOTS)),
        mix.get("device_type", ordered(devices.device_type, config.DeviceType)),
    )
    os_shares = devices.device_os
    upper = cumulative([ordered(getattr(os_shares, k), config.DeviceOs) for k in get_args(config.DeviceType)])
    uniform = streams.uniform("device.os", day, (n, SLOTS))
    profile["device_type"] = kind
    profile["device_os"] = (uniform[..., None] >= upper[kind][..., :-1]).sum(axis=-1)


def _draw_accounts(
    accounts: config.PaymentMethods,
    streams: RandomStreams,
    day: date,
    profile: np.ndarray,
    mix: Mapping[str, np.ndarray],
) -> None:
    n = len(profile)
    wait = accounts.days_between_accounts
    profile["account_created_at"] = _starts(profile["signup_at"], wait, streams, "account.wait", day)
    profile["payment_provider"] = categorical(
        streams.uniform("account.provider", day, (n, SLOTS)),
        mix.get("payment_provider", ordered(accounts.payment_provider, config.PaymentProvider)),
    )
    profile["credit_limit"] = credit_limits(
        accounts.credit_limit,
        profile["income_bracket"][:, None],
        profile["credit_score_range"][:, None],
        streams.uniform("account.credit_limit", day, (n, SLOTS)),
    )


def credit_limits(
    limit: config.CreditLimit, income: np.ndarray, credit: np.ndarray, chance: np.ndarray
) -> np.ndarray:
    """Credit limits in USD; income and credit are codes of their ENUM, chance uniform; shapes broadcast."""
    highest_income = len(get_args(config.IncomeBracket)) - 1
    highest_credit = len(get_args(config.CreditScoreRange)) - 1
    score = (
        limit.income_weight * income / highest_income
        + limit.credit_weight * credit / highest_credit
        + (1 - limit.income_weight - limit.credit_weight) * chance
    )
    exact = limit.minimum * (limit.maximum / limit.minimum) ** score
    return np.clip(np.rint(exact / limit.step) * limit.step, limit.minimum, limit.maximum).astype(np.int32)


def customer_columns(profile: np.ndarray, day: np.ndarray) -> Columns:
    """Columns of the table `customers`, from records of dtype PROFILE."""
    birth = profile["birth_ymd"].astype(np.int64)
    months = (birth // 10_000 - 1970) * 12 + birth // 100 % 100 - 1
    first_of_month = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    return {
        name: profile[name].copy() for name in ("customer_id", "signup_at", *LATENT_ATTRIBUTES, "state")
    } | {
        "day": day,
        "birth_date": first_of_month + birth % 100 - 1,
    }


def slots_starting(starts: np.ndarray, first: int, end: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows and slots whose start lies in [first, end), in order of row, then slot."""
    rows, slots = np.nonzero((starts >= first) & (starts < end))
    return rows, slots
