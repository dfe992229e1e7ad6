"""What the lender knew of a customer just before each purchase: a view over purchases and payments."""

from ...contracts import BIGINT, DOUBLE, INTEGER, WIDE_MONEY, ViewColumn, ViewContract
from ...sql import later_of
from .tables import INSTALLMENTS, TRANSACTIONS

FROM_KNOWN_PURCHASES = (
    "FROM (SELECT transaction_id, customer_id, event_time, amount,"
    f" {later_of('event_time', 'ingested_at')} AS known_at FROM {{rows[transactions]}})"
    " WHERE customer_id IS NOT NULL AND known_at IS NOT NULL"
)
"""Purchases that are somebody's, with the moment from which on they were seen."""

CUSTOMER_HISTORY = ViewContract(
    name="customer_history",
    row="a purchase: what the lender knew of its customer just before, from what had arrived; NULL where"
    " customer or moment are not known",
    key=("transaction_id",),
    over=(TRANSACTIONS, INSTALLMENTS),
    # Each purchase, payment and missed due date is an event once its purchase has arrived, and none if its
    # moment or its customer is not known; a purchase comes before the events of its moment, and sees the sum
    # of those before it. A payment whose moment was lost counts as one that was not made: to set it apart
    # would tell which ones will never be made.
    from_sql="FROM ("
    "SELECT transaction_id, moment, customer_id IS NOT NULL AND moment IS NOT NULL AS is_known,"
    " sum(purchase) OVER before AS purchased, sum(owes) OVER before AS owed,"
    " sum(is_late) OVER before AS late, sum(is_unknown) OVER before AS unknown,"
    " max(purchased_at) OVER before AS previous FROM ("
    "SELECT customer_id, transaction_id,"
    " CASE WHEN event_time <= ingested_at THEN event_time WHEN event_time > ingested_at THEN ingested_at END"
    " AS moment, 0 AS purchase, 0 AS owes, 0 AS is_late, 0 AS is_unknown, NULL::TIMESTAMP AS purchased_at"
    " FROM {rows[transactions]}"
    " UNION ALL "
    "SELECT customer_id, NULL, known_at, 1, amount, 0, CAST(amount IS NULL AS INTEGER), event_time"
    f" {FROM_KNOWN_PURCHASES}"
    " UNION ALL "
    f"SELECT customer_id, NULL, {later_of('moment', 'known_at')}, 0, -paid, is_late,"
    " CAST(paid IS NULL AS INTEGER), NULL FROM ("
    "SELECT transaction_id, paid_at AS moment, 0 AS is_late,"
    " CASE WHEN partial_paid_at IS NULL THEN amount_due ELSE amount_due - partial_amount END AS paid"
    " FROM {rows[installments]} WHERE paid_at IS NOT NULL"
    " UNION ALL SELECT transaction_id, partial_paid_at, 0, partial_amount"
    " FROM {rows[installments]} WHERE partial_paid_at IS NOT NULL"
    " UNION ALL SELECT transaction_id, due_at, 1, 0"
    " FROM {rows[installments]} WHERE due_at IS NOT NULL AND (paid_at IS NULL OR paid_at > due_at)"
    f") JOIN (SELECT transaction_id, customer_id, known_at {FROM_KNOWN_PURCHASES}) USING (transaction_id))"
    " WINDOW before AS (PARTITION BY customer_id ORDER BY moment, transaction_id IS NULL"
    " ROWS UNBOUNDED PRECEDING)"
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
            expression="CASE WHEN is_known THEN CAST(coalesce(purchased, 0) AS INTEGER) END",
            source=("transactions", "event_time"),
            against_truth="at_most",
        ),
        ViewColumn(
            "outstanding_balance",
            WIDE_MONEY,
            "amounts of earlier purchases less what was paid by then; what was charged off is still owed;"
            " NULL after an amount that was lost",
            "USD",
            expression="CASE WHEN is_known AND coalesce(unknown, 0) = 0"
            " THEN TRY_CAST(coalesce(owed, 0) AS DECIMAL(18,2)) END",
            source=("installments", "amount_paid"),
        ),
        ViewColumn(
            "late_payments_so_far",
            INTEGER,
            "payments that had fallen due by then and were not paid in time",
            expression="CASE WHEN is_known THEN CAST(coalesce(late, 0) AS INTEGER) END",
            source=("installments", "paid_at"),
        ),
        ViewColumn(
            "days_since_last_purchase",
            DOUBLE,
            "time since the customer's last purchase; NULL for the first",
            "days",
            expression="CASE WHEN is_known THEN (epoch_us(moment) - epoch_us(previous)) / 86400000000 END",
            source=("transactions", "event_time"),
        ),
    ),
)
