"""What analysts, training jobs and monitors read: views and table macros over the tables.

What was known when stands in the column `known_at` of the views `*_rows`; a macro selects from one of them
what was known at a moment. What is labelled, and when, is decided by `outcomes.label_available_at` and
`outcomes.matured_at`.
"""

from dataclasses import replace

from ...contracts import (
    AS_OF,
    BIGINT,
    BOOLEAN,
    MONEY,
    TEXT,
    TIMESTAMP,
    ViewColumn,
    ViewContract,
    as_of,
    shown,
)
from ...sql import later_of
from .customer_history import CUSTOMER_HISTORY
from .tables import CUSTOMERS, DEVICES, OUTCOMES, PAYMENT_METHODS, PRODUCTS, TRANSACTIONS

_ALIASES = {
    "o": OUTCOMES,
    "t": TRANSACTIONS,
    "c": CUSTOMERS,
    "p": PRODUCTS,
    "d": DEVICES,
    "m": PAYMENT_METHODS,
}


def _as_is(alias: str, *names: str, prefix: str = "") -> tuple[ViewColumn, ...]:
    """Columns of a table, unchanged, under their own names or prefixed ones."""
    return shown(_ALIASES[alias], alias, *names, prefix=prefix)


def _text(name: str, source: str, expression: str, meaning: str) -> ViewColumn:
    return ViewColumn(name, TEXT, meaning, expression=expression, source=("transactions", source))


def _numbered(name: str, key: str, kind: str) -> ViewColumn:
    """An identifier such as cust_000001_device_1."""
    pattern = f"printf('cust_%06d_{kind}_%d', t.{key} // 10, t.{key} % 10)"
    return _text(name, key, pattern, f"the customer's identifier, _{kind}_ and its number")


WHAT_IT_POINTS_TO = (
    " LEFT JOIN {rows[customers]} c USING (customer_id)"
    " LEFT JOIN {rows[products]} p USING (product_id)"
    " LEFT JOIN {rows[devices]} d USING (device_id)"
    " LEFT JOIN {rows[payment_methods]} m USING (payment_method_id)"
)
POINTED_TO = (CUSTOMERS, PRODUCTS, DEVICES, PAYMENT_METHODS)
FROM_PURCHASES = "FROM {rows[transactions]} t" + WHAT_IT_POINTS_TO
HISTORY_OF_PURCHASE = " LEFT JOIN {rows[customer_history]} h USING (transaction_id)"

BNPL_RECORDS = ViewContract(
    name="bnpl_records",
    row="one purchase, as it landed, as a flat record with text identifiers",
    over=(TRANSACTIONS, *POINTED_TO, OUTCOMES),
    from_sql="FROM {schema}.transactions t"
    + WHAT_IT_POINTS_TO
    + " LEFT JOIN {rows[outcomes]} o USING (transaction_id)",
    columns=(
        _text("transaction_id", "transaction_id", "printf('txn_%08d', t.transaction_id)", "txn_ and the key"),
        _text("customer_id", "customer_id", "printf('cust_%06d', t.customer_id)", "cust_ and the key"),
        _text("product_id", "product_id", "printf('prod_%06d', t.product_id)", "prod_ and the key"),
        _numbered("device_id", "device_id", "device"),
        _numbered("payment_method_id", "payment_method_id", "pm"),
        *_as_is("t", "amount", "currency", "status", "risk_scenario", "risk_score", "risk_level"),
        *_as_is("t", "installment_count", "first_payment_amount", "payment_frequency"),
        *_as_is("t", "purchase_context", "checkout_speed", "cart_abandonment_count"),
        *_as_is("t", "price_comparison_time", "time_on_site_seconds", "credit_utilization"),
        *_as_is("t", "economic_stress_factor"),
        *_as_is("o", "will_default", "days_to_first_missed_payment"),
        *_as_is("t", "customer_age_bracket", "customer_tenure_days"),
        *_as_is("c", "income_bracket", "credit_score_range", "verification_level", prefix="customer_"),
        *_as_is("c", "address_stability", "state", prefix="customer_"),
        *_as_is("p", "product_category", "product_subcategory", "product_brand"),
        ViewColumn(
            "product_price",
            MONEY,
            "equals the amount",
            "USD",
            expression="t.amount",
            source=("transactions", "amount"),
        ),
        *_as_is("p", "product_bnpl_eligible", "product_risk_category"),
        *_as_is("d", "device_type", "device_os"),
        *_as_is("t", "device_is_trusted"),
        *_as_is("m", "payment_provider", "payment_type", "payment_credit_limit"),
        _text(
            "_timestamp",
            "event_time",
            "strftime(t.event_time, '%Y-%m-%dT%H:%M:%S.%f')",
            "event_time in ISO 8601",
        ),
        ViewColumn(
            "_record_id",
            BIGINT,
            "running number, ascending in time (it has gaps between days)",
            expression="t.transaction_id",
            source=("transactions", "transaction_id"),
        ),
        _text("_generator", "transaction_id", "'bnpl'", "name of the generator"),
    ),
)

FEATURES = (
    *_as_is("t", "amount", "risk_scenario", "risk_score", "risk_level", "installment_count"),
    *_as_is("t", "first_payment_amount", "purchase_context", "checkout_speed"),
    *_as_is("t", "cart_abandonment_count", "price_comparison_time", "time_on_site_seconds"),
    *_as_is("t", "credit_utilization", "economic_stress_factor", "is_first_purchase"),
    *_as_is("t", "customer_age_bracket", "customer_tenure_days"),
    *_as_is("c", "income_bracket", "credit_score_range", "verification_level", prefix="customer_"),
    *_as_is("c", "address_stability", "state", prefix="customer_"),
    *_as_is("p", "product_category", "product_subcategory", "product_brand"),
    *_as_is("p", "product_bnpl_eligible", "product_risk_category"),
    *_as_is("d", "device_type", "device_os"),
    *_as_is("t", "device_is_trusted"),
    *_as_is("m", "payment_provider", "payment_credit_limit"),
)
"""What was known at the moment of the purchase, from its own record."""


HISTORY = shown(
    CUSTOMER_HISTORY,
    "h",
    "purchases_so_far",
    "outstanding_balance",
    "late_payments_so_far",
    "days_since_last_purchase",
)


def _known_at(expression: str, meaning: str, column: tuple[str, str]) -> tuple[ViewColumn, ViewColumn]:
    """From when on a row was known, on both clocks."""
    known = ViewColumn(
        "known_at", TIMESTAMP, meaning, expression=expression, source=column, against_truth="at_least"
    )
    meaning = "delivered time of known_at: when a replay of the feed has it"
    return known, replace(
        known, name="known_delivered_at", meaning=meaning, against_truth="", is_delivered=True
    )


LABEL = tuple(replace(column, against_truth="equal") for column in _as_is("o", "will_default"))
LABEL_OF_PURCHASE = " JOIN {rows[outcomes]} o USING (transaction_id)"
WITH_A_LABEL = " WHERE o.will_default IS NOT NULL"
MUST_BE_KNOWN = _known_at(
    later_of("o.matured_at", "t.ingested_at"),
    "when the label had to be known, whatever it is, and the purchase had arrived; NULL if that is not known",
    ("outcomes", "matured_at"),
)

TRAINING_ROWS = ViewContract(
    name="training_rows",
    row="a purchase with its features and its label, and from when on one may train on it; without those"
    " whose label was lost",
    key=("transaction_id",),
    known_at="known_at",
    over=(TRANSACTIONS, *POINTED_TO, CUSTOMER_HISTORY, OUTCOMES),
    from_sql=FROM_PURCHASES + HISTORY_OF_PURCHASE + LABEL_OF_PURCHASE + WITH_A_LABEL,
    columns=(
        *_as_is("t", "transaction_id", "customer_id", "event_time"),
        *FEATURES,
        *HISTORY,
        *MUST_BE_KNOWN,
        *LABEL,
    ),
)
TRAINING_SET = as_of(
    TRAINING_ROWS,
    "training_set",
    "a purchase with its features and its label, of those whose label must be known at as_of; without those"
    " whose label was lost",
)

LABEL_ROWS = ViewContract(
    name="label_rows",
    row="a label and from when on it was known, without those that were lost; defaults are known before their"
    " cohort matures",
    key=("transaction_id",),
    known_at="known_at",
    over=(OUTCOMES, TRANSACTIONS),
    from_sql="FROM {rows[transactions]} t" + LABEL_OF_PURCHASE + WITH_A_LABEL,
    columns=(
        *_as_is("o", "transaction_id"),
        *LABEL,
        *_as_is("o", "days_to_first_missed_payment", "label_available_at", "matured_at"),
        *_known_at(
            later_of("o.label_available_at", "t.ingested_at"),
            "when the label was known and the purchase had arrived; NULL if that is not known",
            ("outcomes", "label_available_at"),
        ),
    ),
)
LABELS_ASOF = as_of(
    LABEL_ROWS,
    "labels_asof",
    "a label that is known at as_of, without those that were lost; those of defaults are known before their"
    " cohort matures",
    *shown(
        LABEL_ROWS,
        "r",
        "transaction_id",
        "will_default",
        "days_to_first_missed_payment",
        "label_available_at",
    ),
    ViewColumn(
        "is_matured",
        BOOLEAN,
        "whether every label of its cohort (moment and plan) is known; train on these only",
        expression=f"r.matured_at <= {AS_OF}",
        source=("label_rows", "matured_at"),
    ),
)

MONITORING_ROWS = ViewContract(
    name="monitoring_rows",
    row="a purchase with its features, and when it had arrived; its target stands in monitoring_target_rows",
    key=("transaction_id",),
    known_at="known_at",
    over=(TRANSACTIONS, *POINTED_TO, CUSTOMER_HISTORY),
    from_sql=FROM_PURCHASES + HISTORY_OF_PURCHASE,
    columns=(
        *_as_is("t", "transaction_id", "event_time"),
        *FEATURES,
        *HISTORY,
        *_known_at("t.ingested_at", "when the purchase had arrived", ("transactions", "ingested_at")),
    ),
)
MONITORING = as_of(
    MONITORING_ROWS,
    "monitoring",
    "a purchase that had arrived by as_of: features; its target stands in monitoring_target",
)

MONITORING_TARGET_ROWS = ViewContract(
    name="monitoring_target_rows",
    row="the target of a purchase of monitoring_rows, and from when on it must be known; without those that"
    " were lost",
    key=("transaction_id",),
    known_at="known_at",
    over=(OUTCOMES, TRANSACTIONS),
    from_sql="FROM {rows[transactions]} t" + LABEL_OF_PURCHASE + WITH_A_LABEL,
    columns=(*_as_is("o", "transaction_id"), *LABEL, *MUST_BE_KNOWN),
)
MONITORING_TARGET = as_of(
    MONITORING_TARGET_ROWS,
    "monitoring_target",
    "the target of a purchase of monitoring, of those whose label must be known at as_of; without those that"
    " were lost",
)

VIEWS = (
    BNPL_RECORDS,
    CUSTOMER_HISTORY,
    LABEL_ROWS,
    TRAINING_ROWS,
    MONITORING_ROWS,
    MONITORING_TARGET_ROWS,
    LABELS_ASOF,
    TRAINING_SET,
    MONITORING,
    MONITORING_TARGET,
)
"""In the order in which they are made: the rows with their moments, then the macros made from them."""
