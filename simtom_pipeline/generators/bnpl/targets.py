"""What can drift in this domain: where it is measured, which sizes it can have, what follows from it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import get_args

from ...contracts import WHOLE_ROW, Measured, TableContract
from ...scenarios.drifts import DriftKind
from . import config
from .entities import LATENT_ATTRIBUTES
from .repayment import DAYS_BETWEEN_PAYMENTS
from .tables import CUSTOMERS, DEFAULT_RISK, DEVICES, INSTALLMENTS, OUTCOMES, PAYMENT_METHODS, TRANSACTIONS
from .world import BETA, CUSTOMER_ATTRIBUTES, FACTORS

SHARE_SIZES = ("shares", "psi", "ks", "hellinger")
FACTOR_SIZES = ("mean_ratio", "psi", "ks", "hellinger")
LOWER, HIGHER = "lower", "higher"


@dataclass(frozen=True)
class Target:
    """Something that can drift.

    Attributes
    ----------
    name : as a scenario writes it.
    kind : kind of drift.
    parameter : what moves, see `world.Move`; empty for the volume.
    measured : where its distribution shows, None if it is a count.
    sizes : the sizes an effect may state.
    descendants : "table.column" of everything that differs from the twin once it has drifted.
    """

    name: str
    kind: DriftKind
    parameter: str
    measured: Measured | None
    sizes: tuple[str, ...]
    descendants: tuple[str, ...]


def _columns(table: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{table}.{name}" for name in names)


def _values(*tables: TableContract) -> tuple[str, ...]:
    """Every column but the keys and the day, which say which row it is."""
    return tuple(
        f"{table.name}.{column}"
        for table in tables
        for column in table.column_names
        if column != "day" and column not in table.primary_key
    )


def _rows(*tables: TableContract) -> tuple[str, ...]:
    return tuple(f"{table.name}.{WHOLE_ROW}" for table in tables)


FATE = (
    *_columns("outcomes", "will_default", "days_to_first_missed_payment", "label_available_at"),
    *_columns("installments", "paid_at", "amount_paid", "partial_amount", "partial_paid_at"),
    *_columns("installments", "days_past_due", "late_fee", "repayment_method"),
)
RISK = (
    *_columns("default_risk", "default_probability", "default_probability_given_signals"),
    "default_risk.arrears_probability",
    *FATE,
)
LABEL = _columns("outcomes", "label_available_at", "matured_at")
SCREENING = _columns("transactions", "risk_score", "risk_level")
PRICE = (
    *_columns("transactions", "amount", "installment_count", "first_payment_amount", "credit_utilization"),
    "outcomes.matured_at",
    "installments.amount_due",
    *_rows(INSTALLMENTS),
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
EVERYTHING = (*_values(*TABLES), *_rows(*TABLES))
NOT_OF_PRIOR = {*_columns("transactions", *MOMENTS_OF_ARRIVALS), "installments.due_at"}
OF_PRIOR = (
    *(n for n in _values(TRANSACTIONS, INSTALLMENTS, OUTCOMES, DEFAULT_RISK) if n not in NOT_OF_PRIOR),
    *_rows(CUSTOMERS, DEVICES, PAYMENT_METHODS, INSTALLMENTS),
)
BESIDE_A_PRIOR = (*OF_PRIOR, *_values(CUSTOMERS, DEVICES, PAYMENT_METHODS))
"""Whom another prior drift brings, and with what, depends on who defaults."""
CORRELATED_ATTRIBUTES = (
    *_columns("customers", "birth_date", *LATENT_ATTRIBUTES),
    "payment_methods.payment_credit_limit",
)
OF_VOLUME = (
    *EVERYTHING,
    *_columns("daily_intensity", "drift", "spillover", "expected_count"),
    # A later customer with the same key gets a later device on another day.
    "devices.day",
    "payment_methods.day",
)

PURCHASES = "{schema}.transactions t"
CUSTOMERS_OF = f"{PURCHASES} JOIN {{schema}}.customers c USING (customer_id)"
OUTCOMES_OF = f"{PURCHASES} JOIN {{schema}}.outcomes o USING (transaction_id)"
AGE_BRACKET_AT_SIGNUP = (
    "CASE WHEN age(signup_at, birth_date) < INTERVAL 25 YEAR THEN '18-24'"
    " WHEN age(signup_at, birth_date) < INTERVAL 35 YEAR THEN '25-34'"
    " WHEN age(signup_at, birth_date) < INTERVAL 45 YEAR THEN '35-44'"
    " WHEN age(signup_at, birth_date) < INTERVAL 55 YEAR THEN '45-54' ELSE '55+' END"
)

OF_PURCHASES: Mapping[str, Measured] = {
    "product_category": Measured(
        f"{PURCHASES} JOIN {{schema}}.products p USING (product_id)",
        "p.product_category",
        get_args(config.ProductCategory),
    ),
    "risk_scenario": Measured(PURCHASES, "t.risk_scenario", get_args(config.RiskScenario)),
    "device_type": Measured(
        f"{PURCHASES} JOIN {{schema}}.devices d USING (device_id)",
        "d.device_type",
        get_args(config.DeviceType),
    ),
    "payment_provider": Measured(
        f"{PURCHASES} JOIN {{schema}}.payment_methods m USING (payment_method_id)",
        "m.payment_provider",
        get_args(config.PaymentProvider),
    ),
    "age_bracket": Measured(CUSTOMERS_OF, AGE_BRACKET_AT_SIGNUP, get_args(config.AgeBracket)),
} | {
    name: Measured(CUSTOMERS_OF, f"c.{name}", get_args(CUSTOMER_ATTRIBUTES[name]))
    for name in (
        *("income_bracket", "credit_score_range", "verification_level", "address_stability", "state"),
    )
}
"""Where the categories of a purchase are seen."""

DEFAULTS = Measured(OUTCOMES_OF, "o.will_default", ("false", "true"))
REPORTING_DELAY = Measured(
    OUTCOMES_OF,
    "(epoch_us(o.matured_at) - epoch_us(t.event_time)) / 86400000000"
    f" - (t.installment_count - 1) * {DAYS_BETWEEN_PAYMENTS} - {{charge_off_days}}",
    of_logarithm=False,
)


def _covariates() -> Iterable[Target]:
    for name in FACTORS:
        follows = PRICE if name == "amount" else _columns("transactions", name)
        yield Target(name, "covariate", name, Measured(PURCHASES, f"t.{name}"), FACTOR_SIZES, follows)
    yield Target(
        "economic_stress_factor",
        "covariate",
        "stress",
        Measured(PURCHASES, "t.economic_stress_factor", of_logarithm=False),
        ("to",),
        ("transactions.economic_stress_factor", *SCREENING, *RISK),
    )
    descendants = {
        "product_category": PRODUCT,
        "risk_scenario": (*BEHAVIOR, *PRODUCT),
        "state": ("customers.state", *BUYER),
        "device_type": (*_columns("devices", "device_type", "device_os"), *BUYER),
        "payment_provider": ("payment_methods.payment_provider", *BUYER),
    }
    for name, measured in OF_PURCHASES.items():
        follows = descendants.get(name, (*CORRELATED_ATTRIBUTES, *BUYER))
        yield Target(name, "covariate", name, measured, SHARE_SIZES, follows)


def _concepts() -> Iterable[Target]:
    names = config.Coefficients.model_fields
    parameters = {"credit.log_odds": "log_odds"} | {
        f"credit.coefficients.{name}": BETA + name for name in names
    }
    for name, parameter in parameters.items():
        yield Target(name, "concept", parameter, DEFAULTS, ("to", "default_rate"), RISK)


TARGETS: Mapping[str, Target] = {
    target.name: target
    for target in (
        *_covariates(),
        *_concepts(),
        Target("will_default", "prior", "prior_log_odds", DEFAULTS, ("default_rate",), OF_PRIOR),
        Target(
            "reporting_delay_days",
            "label_delay",
            "reporting_delay_days",
            REPORTING_DELAY,
            ("to", "mean_ratio"),
            LABEL,
        ),
        Target("volume", "volume", "", None, ("mean_ratio",), OF_VOLUME),
    )
}
DEFAULT_TARGET: Mapping[str, str] = {
    "covariate": "amount",
    "prior": "will_default",
    "concept": "credit.log_odds",
    "label_delay": "reporting_delay_days",
    "volume": "volume",
    "economic_stress": "economic_stress_factor",
}
INTERACTION = "credit.interactions."


def causal_descendants(target: Target, beside_a_prior: bool) -> tuple[str, ...]:
    """What differs from the twin once a target has drifted, where another drift is of the prior or is not."""
    follows = target.descendants
    if beside_a_prior and "default_risk.default_probability" in follows:
        follows = tuple(dict.fromkeys((*follows, *BESIDE_A_PRIOR)))
    return follows


def target_named(name: str) -> Target | None:
    """The target that a scenario calls `name`, interactions of any two signals included, or None."""
    pair = name.removeprefix(INTERACTION)
    parts = pair.split("*")
    if pair != name and len(parts) == 2 and set(parts) <= set(config.Coefficients.model_fields):
        return Target(name, "concept", BETA + pair, DEFAULTS, ("to", "default_rate"), RISK)
    return TARGETS.get(name)
