"""Landed data to be made wrong, and what checks find."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from simtom_pipeline.scenarios.models import Scenario
from simtom_pipeline.validation.decisions import Finding, Verdict
from simtom_pipeline.verification.history import LandedHistory
from simtom_pipeline.verification.verify import checks_of
from tests.support.landed import found as found_by
from tests.support.landed import history_of, opened, put_rows

SMALL: Mapping[str, Any] = {
    "volume.base_daily_volume": 200,
    "clock.end": "2024-01-20",
    "bnpl.population.customer_lifetime_days": 30,
}

EVENLY_SPACED: Mapping[str, Any] = {
    **SMALL,
    "clock.end": "2024-01-05",
    "arrivals.arrival_pattern": "uniform",
}

A_DAY, LAST_DAY = "2024-01-10", "2024-01-20"
PASSED, INCONCLUSIVE, FAILED = Verdict.PASSED, Verdict.INCONCLUSIVE, Verdict.FAILED

KEYS = {
    "customers": "customer_id",
    "products": "product_id",
    "devices": "device_id",
    "payment_methods": "payment_method_id",
    "transactions": "transaction_id",
    "daily_intensity": "day",
    "installments": "rowid",
    "outcomes": "transaction_id",
    "default_risk": "transaction_id",
}

DATED_BY = {
    "customers": "signup_at",
    "devices": "first_seen_at",
    "payment_methods": "created_at",
    "transactions": "event_time",
}

REFERENCES = [
    ("devices", "customers"),
    ("payment_methods", "customers"),
    ("transactions", "customers"),
    ("transactions", "products"),
    ("transactions", "devices"),
    ("transactions", "payment_methods"),
    ("installments", "transactions"),
    ("outcomes", "transactions"),
    ("default_risk", "transactions"),
]


@contextmanager
def copied(scenario: Scenario, original: Path, folder: Path) -> Iterator[LandedHistory]:
    copy = Path(shutil.copy(original, folder / "copy.duckdb"))
    with opened(copy) as connection:
        connection.execute("SET search_path = 'baseline,baseline_truth'; SET threads = 1")
        connection.execute("PRAGMA disable_checkpoint_on_shutdown")  # nobody reads the copy again
        yield history_of(scenario, connection)


@contextmanager
def in_memory(scenario: Scenario) -> Iterator[LandedHistory]:
    """Every day of a scenario, in a database in memory that has no record of its landing."""
    with duckdb.connect() as connection:
        connection.execute("SET threads = 1")
        put_rows(connection, scenario)
        connection.execute("SET search_path = 'baseline,baseline_truth'")
        yield history_of(scenario, connection)


@contextmanager
def rolled_back(landed: LandedHistory) -> Iterator[LandedHistory]:
    """The same history with nothing worked out yet; what is done to it meanwhile is undone."""
    landed.connection.execute("BEGIN")
    try:
        yield LandedHistory(landed.simulation, landed.connection, landed.families)
    finally:
        landed.connection.execute("ROLLBACK")


def all_checks(landed: LandedHistory) -> set[tuple[str, str]]:
    """Name and table of every check."""
    return {(check.name, check.table) for check in checks_of(landed.simulation)}


def findings(landed: LandedHistory, check: str) -> dict[str, Finding]:
    """What a check says of every table that it looks at."""
    wanted = [(table, name) for name, table in all_checks(landed) if name == check]
    return {table: found for (table, _), found in found_by(landed, wanted).items()}


@dataclass(frozen=True)
class Corruption:
    """What is done to the data, and the check of the table that must fail on it."""

    check: str
    table: str
    sql: str
    day: str = ""
    """A day that the finding must name."""
    share: str = ""
    """The declared share that must be named."""
    alone: bool = True
    """Whether no other table is wrong."""

    def __str__(self) -> str:
        return f"{self.check}-{self.table}-{self.share or self.day}"


def pointing_nowhere(child: str, parent: str) -> Corruption:
    key, reference = KEYS[child], KEYS[parent]
    return Corruption(
        "temporal_integrity",
        child,
        f"UPDATE {child} SET {reference} = -1 WHERE {key} = (SELECT max({key}) FROM {child})",
    )


def younger_by_a_microsecond(child: str, parent: str) -> Corruption:
    """A parent came to exist a microsecond after its last child."""
    key, reference, born = KEYS[child], KEYS[parent], DATED_BY[parent]
    last = f"(SELECT max_by({reference}, {key}) FROM {child})"
    used = f"(SELECT max({DATED_BY[child]}) FROM {child} WHERE {reference} = {last})"
    sql = f"UPDATE {parent} SET {born} = {used} + INTERVAL 1 MICROSECOND WHERE {reference} = {last}"
    return Corruption("temporal_integrity", child, sql, alone=False)


def recoded(
    table: str, column: str, value: str, share: str, where: str = "customer_id % 3 = 0"
) -> Corruption:
    """Some of the rows have another value than they were drawn with."""
    return Corruption(
        "declared_shares", table, f"UPDATE {table} SET {column} = {value} WHERE {where}", "", share
    )


def changed_on_the_last_day(table: str, change: str) -> Corruption:
    key = KEYS[table]
    return Corruption(
        "replay",
        table,
        f"UPDATE {table} SET {change} WHERE {key} = (SELECT max({key}) FROM {table})",
        "" if table == "products" else LAST_DAY,
    )


DUPLICATED = [
    Corruption("primary_key", table, f"INSERT INTO {table} FROM {table} ORDER BY {key} DESC LIMIT 1")
    for table, key in KEYS.items()
]

ON_ANOTHER_DAY = [
    Corruption(
        "day_boundaries",
        table,
        f"UPDATE {table} SET {dated} = {dated} + INTERVAL 1 DAY"
        f" WHERE day = '{A_DAY}' AND {dated} = (SELECT max({dated}) FROM {table} WHERE day = '{A_DAY}')",
        A_DAY,
    )
    for table, dated in DATED_BY.items()
]

WRONG_VOLUME = [
    Corruption(
        "daily_volume",
        "transactions",
        f"DELETE FROM transactions WHERE day = '{A_DAY}' AND transaction_id % 2 = 0",
        A_DAY,
    ),
    Corruption("daily_volume", "transactions", f"DELETE FROM transactions WHERE day = '{A_DAY}'", A_DAY),
    Corruption(
        "daily_volume",
        "transactions",
        f"INSERT INTO transactions FROM transactions WHERE day = '{LAST_DAY}'",
        LAST_DAY,
    ),
    Corruption("daily_volume", "transactions", "DELETE FROM transactions WHERE transaction_id % 8 = 0"),
    Corruption("daily_volume", "transactions", "DELETE FROM transactions"),
]

NOON = "date_trunc('day', event_time) + INTERVAL 12 HOUR"

WRONG_HOURS = [
    Corruption("hour_of_day", "transactions", f"UPDATE transactions SET event_time = {NOON}"),
    Corruption("hour_of_day", "transactions", "DELETE FROM transactions WHERE hour(event_time) = 19"),
    Corruption(
        "hour_of_day",
        "transactions",
        "UPDATE transactions SET event_time = event_time + INTERVAL 3 HOUR WHERE hour(event_time) < 21",
    ),
]

RECODED = [
    recoded("customers", "income_bracket", "'100k+'", "income_bracket"),
    recoded("customers", "credit_score_range", "'excellent'", "credit_score_range"),
    recoded("customers", "verification_level", "'unverified'", "verification_level"),
    recoded("customers", "address_stability", "'new'", "address_stability"),
    recoded("customers", "state", "'CA'", "state"),
    recoded("customers", "birth_date", "signup_at - INTERVAL 60 YEAR", "age_bracket"),
    recoded("devices", "device_type", "'tablet'", "device_type"),
    recoded("devices", "device_os", "'iOS'", "os_mobile", "device_type = 'mobile' AND customer_id % 3 = 0"),
    recoded(
        "devices", "device_os", "'Linux'", "os_desktop", "device_type = 'desktop' AND customer_id % 3 = 0"
    ),
    recoded("devices", "device_os", "'Windows'", "os_tablet", "device_type = 'tablet'"),
    recoded("payment_methods", "payment_provider", "'klarna'", "payment_provider"),
    recoded(
        "installments", "repayment_method", "'bank_account'", "repayment_method", "installment_number = 1"
    ),
    recoded("transactions", "risk_scenario", "'impulse_purchase'", "risk_scenario"),
    recoded("transactions", "product_id", "1", "product_category"),
    recoded("transactions", "is_first_purchase", "true", "repeat_customer_rate"),
]

NOT_AS_SIMULATED = [
    changed_on_the_last_day("customers", "birth_date = birth_date - INTERVAL 1 DAY"),
    changed_on_the_last_day("products", "list_price = list_price - 0.01"),
    changed_on_the_last_day("devices", "first_seen_at = first_seen_at + INTERVAL 1 MICROSECOND"),
    changed_on_the_last_day("payment_methods", "payment_credit_limit = payment_credit_limit + 50"),
    changed_on_the_last_day("transactions", "amount = amount + 0.01"),
    changed_on_the_last_day("daily_intensity", "expected_count = expected_count * (1 + 1e-11)"),
    changed_on_the_last_day("installments", "late_fee = late_fee + 0.01"),
    changed_on_the_last_day("outcomes", "matured_at = matured_at + INTERVAL 1 MICROSECOND"),
    changed_on_the_last_day("default_risk", "frailty = frailty + 1e-11"),
]

ONE_PAID = "rowid = (SELECT max(rowid) FROM installments WHERE paid_at > due_at)"
ONE_UNPAID = "rowid = (SELECT max(rowid) FROM installments WHERE paid_at IS NULL)"
ONE_PARTIAL = "rowid = (SELECT max(rowid) FROM installments WHERE partial_paid_at IS NOT NULL)"
ONE_DEFAULT = "transaction_id = (SELECT max(transaction_id) FROM outcomes WHERE will_default)"
NO_DEFAULT = "transaction_id = (SELECT max(transaction_id) FROM outcomes WHERE NOT will_default)"

CONTRADICTIONS = [
    ("amounts_add_up", "installments", f"SET amount_due = amount_due + 0.01 WHERE {ONE_PAID}"),
    ("amounts_add_up", "transactions", "SET amount = amount + 0.01 WHERE transaction_id = 1"),
    ("payment_plan", "installments", f"SET due_at = due_at + INTERVAL 1 MICROSECOND WHERE {ONE_PAID}"),
    ("payment_plan", "installments", f"SET installment_number = 25 WHERE {ONE_PAID}"),
    ("payment_plan", "transactions", "SET installment_count = 5 WHERE transaction_id = 1"),
    ("payment_plan", "transactions", "SET first_payment_amount = 0.01 WHERE transaction_id = 1"),
    (
        "payment_plan",
        "installments",
        "SET amount_due = amount_due + if(installment_number = 2, 0.5, if(installment_number = 3, -0.5, 0))",
    ),
    (
        "payments_in_order",
        "installments",
        "SET paid_at = paid_at + INTERVAL 3 DAY WHERE installment_number = 1",
    ),
    ("payments_in_order", "installments", f"SET paid_at = due_at - INTERVAL 14 DAY WHERE {ONE_PAID}"),
    (
        "payments_in_order",
        "installments",
        "SET paid_at = due_at + INTERVAL 15 DAY WHERE installment_number = 2",
    ),
    ("payments_in_order", "installments", "SET paid_at = NULL WHERE installment_number = 2"),
    ("no_payment_before_purchase", "installments", f"SET paid_at = '2023-12-31' WHERE {ONE_PAID}"),
    ("no_payment_before_purchase", "installments", f"SET partial_paid_at = '2023-12-31' WHERE {ONE_PARTIAL}"),
    ("amount_paid", "installments", f"SET amount_paid = amount_paid - 0.01 WHERE {ONE_PAID}"),
    ("amount_paid", "installments", f"SET amount_paid = amount_due WHERE {ONE_UNPAID}"),
    ("amount_paid", "installments", f"SET partial_paid_at = NULL WHERE {ONE_PARTIAL}"),
    ("amount_paid", "installments", f"SET repayment_method = NULL WHERE {ONE_PAID}"),
    (
        "amount_paid",
        "installments",
        f"SET partial_paid_at = due_at - INTERVAL 1 MICROSECOND WHERE {ONE_PARTIAL}",
    ),
    (
        "amount_paid",
        "installments",
        "SET partial_paid_at = due_at + INTERVAL 400 DAY"
        " WHERE partial_paid_at IS NOT NULL AND paid_at IS NULL",
    ),
    ("late_fee_only_when_late", "installments", "SET late_fee = 0"),
    ("late_fee_only_when_late", "installments", "SET late_fee = 999.99 WHERE late_fee > 0"),
    ("late_fee_only_when_late", "installments", "SET late_fee = -1 WHERE installment_number = 1"),
    ("days_past_due", "installments", f"SET days_past_due = days_past_due + 1 WHERE {ONE_PAID}"),
    ("days_past_due", "installments", f"SET days_past_due = 89 WHERE {ONE_UNPAID}"),
    ("days_past_due", "installments", f"SET paid_at = due_at + INTERVAL 1 MICROSECOND WHERE {ONE_UNPAID}"),
    (
        "late_fee_only_when_late",
        "installments",
        "SET late_fee = 9.99 WHERE rowid = (SELECT max(rowid) FROM installments WHERE days_past_due = 0)",
    ),
    (
        "late_fee_only_when_late",
        "installments",
        "SET late_fee = 9.99 WHERE transaction_id = "
        "(SELECT transaction_id FROM installments WHERE days_past_due > 6"
        " GROUP BY transaction_id HAVING count(*) > 1 ORDER BY 1 LIMIT 1)",
    ),
    ("default_is_an_unpaid_installment", "outcomes", f"SET will_default = false WHERE {ONE_DEFAULT}"),
    ("default_is_an_unpaid_installment", "outcomes", f"SET will_default = true WHERE {NO_DEFAULT}"),
    (
        "default_is_an_unpaid_installment",
        "installments",
        "SET paid_at = due_at + INTERVAL 90 DAY + INTERVAL 1 MICROSECOND WHERE rowid = (SELECT max(i.rowid)"
        " FROM installments i JOIN outcomes USING (transaction_id) WHERE NOT will_default)",
    ),
    ("first_missed_payment", "outcomes", f"SET days_to_first_missed_payment = 1 WHERE {ONE_DEFAULT}"),
    ("first_missed_payment", "outcomes", f"SET days_to_first_missed_payment = 14 WHERE {NO_DEFAULT}"),
    (
        "label_maturity",
        "outcomes",
        "SET label_available_at = matured_at WHERE label_available_at < matured_at",
    ),
    (
        "label_maturity",
        "outcomes",
        f"SET label_available_at = matured_at - INTERVAL 1 MICROSECOND WHERE {NO_DEFAULT}",
    ),
    ("label_maturity", "outcomes", f"SET matured_at = '2024-01-01' WHERE {NO_DEFAULT}"),
]

OF_OUTCOMES = (
    "default_is_an_unpaid_installment",
    "first_missed_payment",
    "label_maturity",
)

CONTRADICTED = [
    Corruption(claim, "outcomes" if claim in OF_OUTCOMES else "installments", f"UPDATE {table} {change}")
    for claim, table, change in CONTRADICTIONS
]

LOST = [
    Corruption(claim, table, f"DELETE FROM {lost} WHERE transaction_id = 1")
    for claim, table, lost in (
        ("amounts_add_up", "installments", "installments"),
        ("payment_plan", "installments", "installments"),
        ("default_is_an_unpaid_installment", "outcomes", "outcomes"),
        ("label_maturity", "outcomes", "outcomes"),
    )
]

MORE_DEFAULTS = "UPDATE outcomes SET will_default = true WHERE transaction_id % 20 = 0"
GIVEN_AWAY = "UPDATE transactions SET {} FROM outcomes o WHERE o.transaction_id = transactions.transaction_id"

NOT_AS_DRAWN = [
    Corruption("outcome_rate", "outcomes", MORE_DEFAULTS),
    Corruption("declared_probability", "default_risk", MORE_DEFAULTS),
    Corruption(
        "declared_probability",
        "default_risk",
        # The total is about right, the risky are too risky and the safe too safe.
        "UPDATE default_risk SET default_probability"
        " = default_probability * if(transaction_id % 2 = 0, 1.95, 0.05)",
    ),
    *(
        Corruption(check, "default_risk", f"{change} WHERE transaction_id % 50 = 3")
        for check in ("declared_probability", "bayes_auc", "leakage")
        for change in (
            "UPDATE default_risk SET default_probability = 'nan'",
            "DELETE FROM default_risk",
            "DELETE FROM outcomes",
            "INSERT INTO outcomes FROM outcomes",
        )
    ),
    Corruption("leakage", "default_risk", "INSERT INTO customers FROM customers LIMIT 5"),
    Corruption(
        "bayes_auc",
        "default_risk",
        "UPDATE default_risk SET default_probability = (SELECT avg(default_probability) FROM default_risk)",
    ),
    Corruption(
        "leakage",
        "default_risk",
        GIVEN_AWAY.format("cart_abandonment_count = CAST(will_default AS INTEGER)"),
    ),
    Corruption(
        "leakage",
        "default_risk",
        GIVEN_AWAY.format("time_on_site_seconds = time_on_site_seconds * if(will_default, 4, 1)"),
    ),
    Corruption(
        "leakage",
        "default_risk",
        "UPDATE customers SET state = 'WY' FROM outcomes JOIN transactions USING (transaction_id)"
        " WHERE will_default AND transactions.customer_id = customers.customer_id",
    ),
]

CORRUPTED = [
    *DUPLICATED,
    *ON_ANOTHER_DAY,
    *(pointing_nowhere(child, parent) for child, parent in REFERENCES),
    *(
        younger_by_a_microsecond(child, parent)
        for child, parent in REFERENCES
        if {child, parent} <= set(DATED_BY)
    ),
    *WRONG_VOLUME,
    *WRONG_HOURS,
    *RECODED,
    *NOT_AS_SIMULATED,
    *CONTRADICTED,
    *LOST,
    *NOT_AS_DRAWN,
]
