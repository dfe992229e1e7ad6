"""What analysts, training jobs and monitors read: views and table macros over the tables.

`customer_history` says of each purchase what the lender knew of its customer just before. What is
labelled, and when, is decided by `outcomes.label_available_at` and `outcomes.matured_at`.
"""

from dataclasses import replace

from ...contracts import (
    BIGINT,
    BOOLEAN,
    DOUBLE,
    INTEGER,
    MONEY,
    TEXT,
    WIDE_MONEY,
    ViewColumn,
    ViewContract,
)
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
    table = _ALIASES[alias]
    columns = {column.name: column for column in table.columns}
    return tuple(
        ViewColumn.like(columns[name], prefix + name, f"{alias}.{name}", (table.name, name)) for name in names
    )


def _text(name: str, source: str, expression: str, meaning: str) -> ViewColumn:
    return ViewColumn(name, TEXT, meaning, expression=expression, source=("transactions", source))


def _numbered(name: str, key: str, kind: str) -> ViewColumn:
    """An identifier such as cust_000001_device_1."""
    pattern = f"printf('cust_%06d_{kind}_%d', t.{key} // 10, t.{key} % 10)"
    return _text(name, key, pattern, f"the customer's identifier, _{kind}_ and its number")


FROM_PURCHASES = (
    "FROM {schema}.transactions t"
    " LEFT JOIN {schema}.customers c USING (customer_id)"
    " LEFT JOIN {schema}.products p USING (product_id)"
    " LEFT JOIN {schema}.devices d USING (device_id)"
    " LEFT JOIN {schema}.payment_methods m USING (payment_method_id)"
)
OUTCOME_OF_PURCHASE = " LEFT JOIN {schema}.outcomes o USING (transaction_id)"
HISTORY_OF_PURCHASE = " LEFT JOIN {schema}.customer_history h USING (transaction_id)"

BNPL_RECORDS = ViewContract(
    name="bnpl_records",
    row="one purchase as a flat record, with text identifiers",
    from_sql=FROM_PURCHASES + OUTCOME_OF_PURCHASE,
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


CUSTOMER_HISTORY = ViewContract(
    name="customer_history",
    row="a purchase: what the lender knew of its customer just before, from what had arrived",
    # Each purchase, payment and missed due date is an event once its purchase has arrived; a purchase, one
    # row also where it was doubled, sees the sum of those before it.
    from_sql="FROM ("
    "SELECT transaction_id, moment, sum(purchase) OVER before AS purchased, sum(owes) OVER before AS owed,"
    " sum(is_late) OVER before AS late, max(purchased_at) OVER before AS previous FROM ("
    "SELECT any_value(customer_id) AS customer_id, transaction_id, any_value(event_time) AS moment,"
    " 0 AS purchase, 0 AS owes, 0 AS is_late, NULL::TIMESTAMP AS purchased_at"
    " FROM {schema}.transactions GROUP BY transaction_id"
    " UNION ALL "
    "SELECT customer_id, NULL, ingested_at, 1, amount, 0, event_time FROM {schema}.transactions"
    " UNION ALL "
    "SELECT customer_id, NULL, greatest(moment, ingested_at), 0, -paid, is_late, NULL FROM ("
    "SELECT transaction_id, paid_at AS moment, amount_due - partial_amount AS paid, 0 AS is_late"
    " FROM {schema}.installments WHERE paid_at IS NOT NULL"
    " UNION ALL SELECT transaction_id, partial_paid_at, partial_amount, 0"
    " FROM {schema}.installments WHERE partial_paid_at IS NOT NULL"
    " UNION ALL SELECT transaction_id, due_at, 0, 1"
    " FROM {schema}.installments WHERE paid_at IS NULL OR paid_at > due_at"
    ") JOIN {schema}.transactions USING (transaction_id))"
    " WINDOW before AS (PARTITION BY customer_id ORDER BY moment"
    " RANGE BETWEEN UNBOUNDED PRECEDING AND INTERVAL 1 MICROSECOND PRECEDING)"
    ") WHERE transaction_id IS NOT NULL",
    columns=(
        ViewColumn(
            "transaction_id",
            BIGINT,
            "the purchase",
            expression="transaction_id",
            source=("transactions", "transaction_id"),
        ),
        ViewColumn(
            "purchases_so_far",
            INTEGER,
            "the customer's earlier purchases (those before clock.start are not known)",
            expression="CAST(coalesce(purchased, 0) AS INTEGER)",
            source=("transactions", "event_time"),
        ),
        ViewColumn(
            "outstanding_balance",
            WIDE_MONEY,
            "amounts of earlier purchases less what was paid by then; what was charged off is still owed",
            "USD",
            expression="CAST(coalesce(owed, 0) AS DECIMAL(18,2))",
            source=("installments", "amount_paid"),
        ),
        ViewColumn(
            "late_payments_so_far",
            INTEGER,
            "payments that had fallen due by then and were not paid in time",
            expression="CAST(coalesce(late, 0) AS INTEGER)",
            source=("installments", "paid_at"),
        ),
        ViewColumn(
            "days_since_last_purchase",
            DOUBLE,
            "time since the customer's last purchase; NULL for the first",
            "days",
            expression="(epoch_us(moment) - epoch_us(previous)) / 86400000000",
            source=("transactions", "event_time"),
        ),
    ),
)


def _of_view(view: ViewContract, alias: str, *names: str) -> tuple[ViewColumn, ...]:
    """Columns of another view, unchanged."""
    columns = {column.name: column for column in view.columns}
    return tuple(
        replace(columns[name], expression=f"{alias}.{name}", source=(view.name, name)) for name in names
    )


HISTORY = _of_view(
    CUSTOMER_HISTORY,
    "h",
    "purchases_so_far",
    "outstanding_balance",
    "late_payments_so_far",
    "days_since_last_purchase",
)
AS_OF = "CAST(as_of AS TIMESTAMP)"

TRAINING_SET = ViewContract(
    name="training_set",
    row="a purchase with its features and its label, of those whose label must be known at as_of",
    parameters=("as_of",),
    from_sql=FROM_PURCHASES
    + HISTORY_OF_PURCHASE
    + " JOIN {schema}.outcomes o USING (transaction_id)"
    + f" WHERE greatest(o.matured_at, t.ingested_at) <= {AS_OF}",
    columns=(
        *_as_is("t", "transaction_id", "customer_id", "event_time"),
        *FEATURES,
        *HISTORY,
        *_as_is("o", "will_default"),
    ),
)

ARRIVED = (
    f"o.transaction_id IN (SELECT transaction_id FROM {{schema}}.transactions WHERE ingested_at <= {AS_OF})"
)

LABELS_ASOF = ViewContract(
    name="labels_asof",
    row="a label that is known at as_of; those of defaults are known before their cohort matures",
    parameters=("as_of",),
    from_sql=f"FROM {{schema}}.outcomes o WHERE o.label_available_at <= {AS_OF} AND {ARRIVED}",
    columns=(
        *_as_is("o", "transaction_id", "will_default", "days_to_first_missed_payment", "label_available_at"),
        ViewColumn(
            "is_matured",
            BOOLEAN,
            "whether every label of its cohort (moment and plan) is known; train on these only",
            expression=f"o.matured_at <= {AS_OF}",
            source=("outcomes", "matured_at"),
        ),
    ),
)

MONITORING = ViewContract(
    name="monitoring",
    row="a purchase that had arrived by as_of: features; its target stands in monitoring_target",
    parameters=("as_of",),
    from_sql=FROM_PURCHASES + HISTORY_OF_PURCHASE + f" WHERE t.ingested_at <= {AS_OF}",
    columns=(*_as_is("t", "transaction_id", "event_time"), *FEATURES, *HISTORY),
)

MONITORING_TARGET = ViewContract(
    name="monitoring_target",
    row="the target of a purchase of monitoring, of those whose label must be known at as_of",
    parameters=("as_of",),
    from_sql=f"FROM {{schema}}.outcomes o WHERE o.matured_at <= {AS_OF} AND {ARRIVED}",
    columns=_as_is("o", "transaction_id", "will_default"),
)
