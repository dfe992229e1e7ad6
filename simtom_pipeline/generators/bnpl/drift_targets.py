"""What can drift for the lender, a row each: where it shows, which parameter moves, what follows from it."""

from collections.abc import Callable, Mapping
from typing import Any, get_args

import numpy as np

from ...claims import Measured
from ..drift.parameters import ParameterKind, Parameters, Value
from ..drift.targets import (
    RECORD_OF_VOLUME,
    Composite,
    NumberRange,
    OpenTargets,
    Target,
    TargetTable,
    WholeUnits,
    no_change,
    nothing_added,
    rows_of,
    values_of,
    volume_target,
)
from . import config
from .entities import LATENT_ATTRIBUTES
from .parameters import COEFFICIENTS, CUSTOMER_ATTRIBUTES, INTERACTIONS, LOG_ODDS, stated_shares
from .repayment import DAYS_BETWEEN_PAYMENTS
from .tables import CUSTOMERS, DEFAULT_RISK, DEVICES, INSTALLMENTS, OUTCOMES, PAYMENT_METHODS, TRANSACTIONS
from .transactions import WHOLE_MINIMUM

OUTCOME = "will_default"
MAX_DELAY_DAYS = 3650
MIN_REMNANT = 0.05
"""A value of what customers are for good keeps at least this part of its share: they do not vanish."""

# what follows from what ---------------------------------------------------------------------------------


def _columns(table: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{table}.{name}" for name in names)


REPAYMENT = (
    *_columns("outcomes", "will_default", "days_to_first_missed_payment", "label_available_at"),
    *_columns("installments", "paid_at", "amount_paid", "partial_amount", "partial_paid_at"),
    *_columns("installments", "days_past_due", "late_fee", "repayment_method"),
)
RISK = (
    *_columns("default_risk", "default_probability", "default_probability_given_signals"),
    "default_risk.arrears_probability",
    *REPAYMENT,
)
LABEL = _columns("outcomes", "label_available_at", "matured_at")
SCREENING = _columns("transactions", "risk_score", "risk_level")
PRICE = (
    *_columns("transactions", "amount", "installment_count", "first_payment_amount", "credit_utilization"),
    "outcomes.matured_at",
    "installments.amount_due",
    *rows_of(INSTALLMENTS),
    *RISK,
)
PRODUCT = ("transactions.product_id", *SCREENING, *PRICE)
BEHAVIOR = _columns(
    "transactions",
    *("risk_scenario", "purchase_context", "checkout_speed", "cart_abandonment_count"),
    *("price_comparison_time", "time_on_site_seconds"),
)
BUYER = (
    *_columns("transactions", "customer_id", "device_id", "payment_method_id", "device_is_trusted"),
    *_columns("transactions", "customer_age_bracket", "customer_tenure_days"),
    "default_risk.frailty",
    *PRODUCT,
)
MOMENTS_OF_ARRIVALS = ("event_time", "ingested_at", "delivered_at")
TABLES = (CUSTOMERS, DEVICES, PAYMENT_METHODS, TRANSACTIONS, INSTALLMENTS, OUTCOMES, DEFAULT_RISK)
EVERYTHING = (*values_of(*TABLES), *rows_of(*TABLES))
FIXED_UNDER_PRIOR = {*_columns("transactions", *MOMENTS_OF_ARRIVALS), "installments.due_at"}
PRIOR_COLUMNS = (
    *(n for n in values_of(TRANSACTIONS, INSTALLMENTS, OUTCOMES, DEFAULT_RISK) if n not in FIXED_UNDER_PRIOR),
    *rows_of(CUSTOMERS, DEVICES, PAYMENT_METHODS, INSTALLMENTS),
)
BESIDE_A_PRIOR = (*PRIOR_COLUMNS, *values_of(CUSTOMERS, DEVICES, PAYMENT_METHODS))
"""Whom another prior drift brings, and with what, depends on who defaults."""
CORRELATED_ATTRIBUTES = (
    *_columns("customers", "birth_date", *LATENT_ATTRIBUTES),
    "payment_methods.payment_credit_limit",
)
VOLUME_COLUMNS = (
    *EVERYTHING,
    *RECORD_OF_VOLUME,
    # A later customer with the same key gets a later device on another day.
    "devices.day",
    "payment_methods.day",
)

# where it shows -----------------------------------------------------------------------------------------

PURCHASES = "{schema}.transactions t"
PURCHASES_AND_CUSTOMERS = f"{PURCHASES} JOIN {{schema}}.customers c USING (customer_id)"
PURCHASES_AND_OUTCOMES = f"{PURCHASES} JOIN {{schema}}.outcomes o USING (transaction_id)"
AGE_BRACKET_AT_SIGNUP = (
    "CASE WHEN age(signup_at, birth_date) < INTERVAL 25 YEAR THEN '18-24'"
    " WHEN age(signup_at, birth_date) < INTERVAL 35 YEAR THEN '25-34'"
    " WHEN age(signup_at, birth_date) < INTERVAL 45 YEAR THEN '35-44'"
    " WHEN age(signup_at, birth_date) < INTERVAL 55 YEAR THEN '45-54' ELSE '55+' END"
)

DEFAULTS = Measured(PURCHASES_AND_OUTCOMES, f"o.{OUTCOME}", ("false", "true"))


def _reporting_delay(charge_off_days: int) -> Measured:
    """Days from the moment a label could be known to its report."""
    return Measured(
        PURCHASES_AND_OUTCOMES,
        "(epoch_us(o.matured_at) - epoch_us(t.event_time)) / 86400000000"
        f" - (t.installment_count - 1) * {DAYS_BETWEEN_PAYMENTS} - {charge_off_days}",
        of_logarithm=False,
    )


# kinds of rows ------------------------------------------------------------------------------------------


def _factor(name: str, per_unit: float, descendants: tuple[str, ...]) -> Target:
    """A number of purchases that lands in cents or seconds."""
    measured, lands = Measured(PURCHASES, f"t.{name}"), WholeUnits(per_unit, WHOLE_MINIMUM[name])
    return Target(name, "covariate", ParameterKind.FACTOR, no_change, measured, descendants, lands=lands)


def _purchase_shares(
    name: str,
    vocabulary: object,
    stated: Callable[[Any], Value],
    from_sql: str,
    expression: str,
    descendants: tuple[str, ...],
) -> Target:
    """A category of purchases."""
    measured = Measured(from_sql, expression, get_args(vocabulary))
    return Target(name, "covariate", ParameterKind.SHARES, stated, measured, descendants)


def _customer_shares(
    name: str,
    from_sql: str = PURCHASES_AND_CUSTOMERS,
    expression: str = "",
    descendants: tuple[str, ...] = (*CORRELATED_ATTRIBUTES, *BUYER),
) -> Target:
    """A category of what buyers are for good."""
    return Target(
        name,
        "covariate",
        ParameterKind.SHARES,
        lambda settings: stated_shares(settings, name),
        Measured(from_sql, expression or f"c.{name}", get_args(CUSTOMER_ATTRIBUTES[name])),
        descendants,
        min_remnant=MIN_REMNANT,
    )


def _coefficient(
    name: str, stated: Callable[[Any], Value] = nothing_added, is_intercept: bool = False
) -> Target:
    """A coefficient of the log-odds of default."""
    kind = ParameterKind.COEFFICIENT
    return Target(name, "concept", kind, stated, DEFAULTS, RISK, OUTCOME, is_intercept=is_intercept)


def _signal(name: str) -> Target:
    """The coefficient of one signal."""
    return _coefficient(COEFFICIENTS + name, lambda settings: getattr(settings.credit.coefficients, name))


# the table ----------------------------------------------------------------------------------------------


def _customer_targets() -> tuple[Target, ...]:
    """What customers are for good: shares of purchases by the attributes of who buys."""
    return (
        _customer_shares(
            "device_type",
            f"{PURCHASES} JOIN {{schema}}.devices d USING (device_id)",
            "d.device_type",
            (*_columns("devices", "device_type", "device_os"), *BUYER),
        ),
        _customer_shares(
            "payment_provider",
            f"{PURCHASES} JOIN {{schema}}.payment_methods m USING (payment_method_id)",
            "m.payment_provider",
            ("payment_methods.payment_provider", *BUYER),
        ),
        _customer_shares("age_bracket", expression=AGE_BRACKET_AT_SIGNUP),
        _customer_shares("income_bracket"),
        _customer_shares("credit_score_range"),
        _customer_shares("verification_level"),
        _customer_shares("address_stability"),
        _customer_shares("state", descendants=("customers.state", *BUYER)),
    )


def lender_targets(settings: config.BnplSettings) -> TargetTable:
    """All that can drift for the lender."""
    return TargetTable(
        rows=(
            _factor("amount", 100.0, PRICE),
            _factor("time_on_site_seconds", 1.0, ("transactions.time_on_site_seconds",)),
            _factor("price_comparison_time", 1.0, ("transactions.price_comparison_time",)),
            Target(
                "economic_stress_factor",
                "covariate",
                ParameterKind.NUMBER,
                lambda settings: settings.economic_stress_factor,
                Measured(PURCHASES, "t.economic_stress_factor", of_logarithm=False),
                ("transactions.economic_stress_factor", *SCREENING, *RISK),
                range=NumberRange(0.0, 1.0, "a stress"),
            ),
            _purchase_shares(
                "product_category",
                config.ProductCategory,
                lambda settings: np.array([c.share for c in settings.catalog.categories.all().values()]),
                f"{PURCHASES} JOIN {{schema}}.products p USING (product_id)",
                "p.product_category",
                PRODUCT,
            ),
            _purchase_shares(
                "risk_scenario",
                config.RiskScenario,
                lambda settings: np.array([b.share for b in settings.risk_scenarios.all().values()]),
                PURCHASES,
                "t.risk_scenario",
                (*BEHAVIOR, *PRODUCT),
            ),
            *_customer_targets(),
            _coefficient(LOG_ODDS, is_intercept=True),
            *(_signal(name) for name in config.Coefficients.model_fields),
            Target(OUTCOME, "prior", ParameterKind.RATE, nothing_added, DEFAULTS, PRIOR_COLUMNS, OUTCOME),
            Target(
                "reporting_delay_days",
                "label_delay",
                ParameterKind.NUMBER,
                lambda settings: settings.credit.reporting_delay_days,
                _reporting_delay(settings.credit.charge_off_days),
                LABEL,
                range=NumberRange(0.0, np.inf, "mean days", MAX_DELAY_DAYS, "delay", "exponential"),
            ),
            volume_target(VOLUME_COLUMNS),
        ),
        open_targets=OpenTargets("concept", f"{INTERACTIONS}a*b with two signals a and b", _interaction),
        composites={"economic_stress": Composite("economic_stress_factor", _brought_by_stress)},
    )


def _interaction(name: str) -> Target | None:
    """The coefficient of the product of any two signals."""
    pair = name.removeprefix(INTERACTIONS)
    parts = pair.split("*")
    if pair == name or len(parts) != 2 or not set(parts) <= set(config.Coefficients.model_fields):
        return None
    return _coefficient(name, lambda settings: settings.credit.interactions.get(pair, 0.0))


def _brought_by_stress(settings: config.BnplSettings) -> Mapping[str, Value]:
    """What full economic stress brings besides: `under_stress` of the settings."""
    company = settings.under_stress
    factors: dict[str, Value] = {"volume": company.volume, "amount": company.amount}
    brought = {name: factor for name, factor in factors.items() if factor != 1}
    for name, vocabulary in (
        ("risk_scenario", config.RiskScenario),
        ("product_category", config.ProductCategory),
    ):
        shares = getattr(company, name)
        if shares is not None:
            brought[name] = np.array([shares.get(value, 0.0) for value in get_args(vocabulary)])
    return brought


def stated_parameters(settings: config.BnplSettings) -> Parameters:
    """Every parameter as the settings have it: the rows' own, products of signals, and who comes back."""
    interactions = {INTERACTIONS + pair: value for pair, value in settings.credit.interactions.items()}
    repeat = settings.population.repeat_customer_rate
    unmoved = {"is_first_purchase": np.array([repeat, 1 - repeat])}
    return Parameters({**lender_targets(settings).stated(settings).stated, **interactions, **unmoved})
