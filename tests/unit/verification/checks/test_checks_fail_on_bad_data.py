"""Every check is seen to pass on what was simulated and to fail on data that is wrong in its way.

Twenty days land once; each test spoils a copy of the file with plain SQL.
"""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from simtom_pipeline import load_scenario, simulate_day
from simtom_pipeline.contracts import Column, TableContract
from simtom_pipeline.scenarios.models import Scenario
from simtom_pipeline.simulation import world
from simtom_pipeline.validation.decisions import Finding, Verdict
from simtom_pipeline.verification import queries
from simtom_pipeline.verification.history import LandedHistory
from simtom_pipeline.verification.verify import checks_of
from tests.support.landed import found as found_by
from tests.support.landed import history_of, land_and_measure, opened

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


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Scenario, Path]]:
    """The scenarios, and their files that are spoiled in copies."""
    folder = tmp_path_factory.mktemp("originals")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIMTOM_HOME", str(folder))
        scenarios = {
            name: load_scenario("baseline", overrides)
            for name, overrides in (("small", SMALL), ("evenly_spaced", EVENLY_SPACED))
        }
        return {
            name: (scenario, land_and_measure(scenario, folder / name))
            for name, scenario in scenarios.items()
        }


@contextmanager
def copied(scenario: Scenario, original: Path, folder: Path) -> Iterator[LandedHistory]:
    copy = Path(shutil.copy(original, folder / "copy.duckdb"))
    with opened(copy) as connection:
        connection.execute("SET search_path = 'baseline,baseline_truth'; SET threads = 1")
        connection.execute("PRAGMA disable_checkpoint_on_shutdown")  # nobody reads the copy again
        yield history_of(scenario, connection)


@pytest.fixture
def landed(originals: dict[str, tuple[Scenario, Path]], tmp_path: Path) -> Iterator[LandedHistory]:
    with copied(*originals["small"], tmp_path) as landed:
        yield landed


@pytest.fixture
def evenly_spaced(originals: dict[str, tuple[Scenario, Path]], tmp_path: Path) -> Iterator[LandedHistory]:
    with copied(*originals["evenly_spaced"], tmp_path) as landed:
        yield landed


def all_checks(landed: LandedHistory) -> set[tuple[str, str]]:
    """Name and table of every check."""
    return {(check.name, check.table) for check in checks_of(landed.simulation)}


def findings(landed: LandedHistory, check: str) -> dict[str, Finding]:
    """What a check says of every table that it looks at."""
    wanted = [(table, name) for name, table in all_checks(landed) if name == check]
    return {table: found for (table, _), found in found_by(landed, wanted).items()}


def finding(landed: LandedHistory, check: str, table: str) -> Finding:
    """What a check of a table says."""
    return found_by(landed, [(table, check)])[table, check]


@dataclass(frozen=True)
class Spoiled:
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


def pointing_nowhere(child: str, parent: str) -> Spoiled:
    key, reference = KEYS[child], KEYS[parent]
    return Spoiled(
        "temporal_integrity",
        child,
        f"UPDATE {child} SET {reference} = -1 WHERE {key} = (SELECT max({key}) FROM {child})",
    )


def younger_by_a_microsecond(child: str, parent: str) -> Spoiled:
    """A parent came to exist a microsecond after its last child."""
    key, reference, born = KEYS[child], KEYS[parent], DATED_BY[parent]
    last = f"(SELECT max_by({reference}, {key}) FROM {child})"
    used = f"(SELECT max({DATED_BY[child]}) FROM {child} WHERE {reference} = {last})"
    sql = f"UPDATE {parent} SET {born} = {used} + INTERVAL 1 MICROSECOND WHERE {reference} = {last}"
    return Spoiled("temporal_integrity", child, sql, alone=False)


def recoded(table: str, column: str, value: str, share: str, where: str = "customer_id % 3 = 0") -> Spoiled:
    """Some of the rows have another value than they were drawn with."""
    return Spoiled(
        "declared_shares", table, f"UPDATE {table} SET {column} = {value} WHERE {where}", "", share
    )


def changed_on_the_last_day(table: str, change: str) -> Spoiled:
    key = KEYS[table]
    return Spoiled(
        "replay",
        table,
        f"UPDATE {table} SET {change} WHERE {key} = (SELECT max({key}) FROM {table})",
        "" if table == "products" else LAST_DAY,
    )


DUPLICATED = [
    Spoiled("primary_key", table, f"INSERT INTO {table} FROM {table} ORDER BY {key} DESC LIMIT 1")
    for table, key in KEYS.items()
]
ON_ANOTHER_DAY = [
    Spoiled(
        "day_boundaries",
        table,
        f"UPDATE {table} SET {dated} = {dated} + INTERVAL 1 DAY"
        f" WHERE day = '{A_DAY}' AND {dated} = (SELECT max({dated}) FROM {table} WHERE day = '{A_DAY}')",
        A_DAY,
    )
    for table, dated in DATED_BY.items()
]
WRONG_VOLUME = [
    Spoiled(
        "daily_volume",
        "transactions",
        f"DELETE FROM transactions WHERE day = '{A_DAY}' AND transaction_id % 2 = 0",
        A_DAY,
    ),
    Spoiled("daily_volume", "transactions", f"DELETE FROM transactions WHERE day = '{A_DAY}'", A_DAY),
    Spoiled(
        "daily_volume",
        "transactions",
        f"INSERT INTO transactions FROM transactions WHERE day = '{LAST_DAY}'",
        LAST_DAY,
    ),
    Spoiled("daily_volume", "transactions", "DELETE FROM transactions WHERE transaction_id % 8 = 0"),
    Spoiled("daily_volume", "transactions", "DELETE FROM transactions"),
]
NOON = "date_trunc('day', event_time) + INTERVAL 12 HOUR"
WRONG_HOURS = [
    Spoiled("hour_of_day", "transactions", f"UPDATE transactions SET event_time = {NOON}"),
    Spoiled("hour_of_day", "transactions", "DELETE FROM transactions WHERE hour(event_time) = 19"),
    Spoiled(
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
    Spoiled(claim, "outcomes" if claim in OF_OUTCOMES else "installments", f"UPDATE {table} {change}")
    for claim, table, change in CONTRADICTIONS
]
LOST = [
    Spoiled(claim, table, f"DELETE FROM {lost} WHERE transaction_id = 1")
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
    Spoiled("outcome_rate", "outcomes", MORE_DEFAULTS),
    Spoiled("declared_probability", "default_risk", MORE_DEFAULTS),
    Spoiled(
        "declared_probability",
        "default_risk",
        # The total is about right, the risky are too risky and the safe too safe.
        "UPDATE default_risk SET default_probability"
        " = default_probability * if(transaction_id % 2 = 0, 1.95, 0.05)",
    ),
    *(
        Spoiled(check, "default_risk", f"{change} WHERE transaction_id % 50 = 3")
        for check in ("declared_probability", "bayes_auc", "leakage")
        for change in (
            "UPDATE default_risk SET default_probability = 'nan'",
            "DELETE FROM default_risk",
            "DELETE FROM outcomes",
            "INSERT INTO outcomes FROM outcomes",
        )
    ),
    Spoiled("leakage", "default_risk", "INSERT INTO customers FROM customers LIMIT 5"),
    Spoiled(
        "bayes_auc",
        "default_risk",
        "UPDATE default_risk SET default_probability = (SELECT avg(default_probability) FROM default_risk)",
    ),
    Spoiled(
        "leakage",
        "default_risk",
        GIVEN_AWAY.format("cart_abandonment_count = CAST(will_default AS INTEGER)"),
    ),
    Spoiled(
        "leakage",
        "default_risk",
        GIVEN_AWAY.format("time_on_site_seconds = time_on_site_seconds * if(will_default, 4, 1)"),
    ),
    Spoiled(
        "leakage",
        "default_risk",
        "UPDATE customers SET state = 'WY' FROM outcomes JOIN transactions USING (transaction_id)"
        " WHERE will_default AND transactions.customer_id = customers.customer_id",
    ),
]
SPOILED = [
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


@pytest.mark.parametrize("spoiled", SPOILED, ids=str)
def test_a_check_fails_on_data_that_is_wrong_in_its_way(landed: LandedHistory, spoiled: Spoiled) -> None:
    """And names the day or the share, and blames no other table."""
    landed.connection.execute(spoiled.sql)
    found = findings(landed, spoiled.check)
    rows = found[spoiled.table].rows
    assert found[spoiled.table].verdict is FAILED
    if spoiled.day:
        assert [row["day"] for row in rows] == [spoiled.day]
    if spoiled.share:
        assert {row["shares"]: row["verdict"] for row in rows}[spoiled.share] == "failed"
    if spoiled.alone:
        assert {other.verdict for table, other in found.items() if table != spoiled.table} <= {PASSED}


def test_no_declared_share_is_left_that_was_never_seen_to_fail(landed: LandedHistory) -> None:
    declared = {(d.table, d.label or d.expression) for d in landed.expectations.declared_shares()}
    assert {(spoiled.table, spoiled.share) for spoiled in RECODED} == declared


def test_no_reference_is_left_that_was_never_seen_to_fail(landed: LandedHistory) -> None:
    declared = {(c.name, key.parent) for c in landed.relations.tables for key in c.foreign_keys}
    assert set(REFERENCES) == declared


def test_what_was_simulated_passes_every_check(landed: LandedHistory) -> None:
    too_few = {"daily_volume", "outcome_rate", "bayes_auc"}
    for check in {check for check, _ in all_checks(landed)} - too_few:
        verdicts = {table: found.verdict for table, found in findings(landed, check).items()}
        assert verdicts == dict.fromkeys(verdicts, PASSED), check


# volume


def with_tolerance(landed: LandedHistory, tolerance: float) -> LandedHistory:
    overrides = {**SMALL, "checks.volume_tolerance": tolerance}
    return history_of(load_scenario("baseline", overrides), landed.connection)


def test_four_thousand_events_cannot_show_three_percent_but_can_show_ten(landed: LandedHistory) -> None:
    three = finding(landed, "daily_volume", "transactions")
    assert (three.verdict, three.rows) == (INCONCLUSIVE, ())
    ten = finding(with_tolerance(landed, 0.10), "daily_volume", "transactions")
    assert (ten.verdict, ten.rows) == (PASSED, ())


def test_the_volume_that_is_shown_is_what_sql_counts(landed: LandedHistory) -> None:
    figures = finding(landed, "daily_volume", "transactions").figures
    count, days, expected = landed.connection.execute(
        "SELECT (SELECT count(*) FROM transactions), count(*), sum(expected_count) FROM daily_intensity"
    ).fetchall()[0]
    assert (figures["count"], figures["days"]) == (count, days)
    assert figures["expected"] == pytest.approx(expected)
    assert figures["ratio_low_90"] < figures["ratio"] < figures["ratio_high_90"]


def test_days_that_vary_too_much_fail_though_no_day_is_broken_and_the_total_is_right(
    landed: LandedHistory,
) -> None:
    """Every other day loses an eighth of its events, the days between have them twice."""
    some = "transaction_id % 8 = 0 AND day(day) % 2"
    landed.connection.execute(
        f"DELETE FROM transactions WHERE {some} = 0;"
        f"INSERT INTO transactions FROM transactions WHERE {some} = 1"
    )
    found = finding(with_tolerance(landed, 0.10), "daily_volume", "transactions")
    assert (found.verdict, found.rows) == (FAILED, ())
    assert found.figures["fano"] > 2


# hours


def test_hours_without_any_event_are_not_called_right(landed: LandedHistory) -> None:
    landed.connection.execute("DELETE FROM transactions")
    found = finding(landed, "hour_of_day", "transactions")
    assert found.verdict is not PASSED, found.summary


# shares


def test_a_single_impossible_value_fails(landed: LandedHistory) -> None:
    landed.connection.execute(
        "UPDATE devices SET device_os = 'Windows'"
        " WHERE device_id = (SELECT max(device_id) FROM devices WHERE device_type = 'mobile')"
    )
    found = findings(landed, "declared_shares")
    assert [row["shares"] for row in found["devices"].rows if row["verdict"] == "failed"] == ["os_mobile"]


# what cannot be judged yet


def forget_a_day(landed: LandedHistory, *tables: str) -> None:
    for table in tables:
        landed.connection.execute(f"DELETE FROM {table} WHERE day = '2024-01-03'")


@pytest.mark.parametrize("child", ["devices", "payment_methods", "transactions"])
def test_references_into_a_day_that_has_not_landed_are_inconclusive(
    landed: LandedHistory, child: str
) -> None:
    forget_a_day(landed, "customers", "daily_intensity")
    found = finding(landed, "temporal_integrity", child)
    assert found.verdict is INCONCLUSIVE
    assert found.figures["not_yet_verifiable"] > 0
    assert "2024-01-01" in found.summary


def test_a_whole_day_that_has_not_landed_is_inconclusive(landed: LandedHistory) -> None:
    forget_a_day(landed, *(table for table in KEYS if table != "products"))
    assert finding(landed, "temporal_integrity", "transactions").verdict is INCONCLUSIVE
    for check in ("primary_key", "day_boundaries", "hour_of_day", "replay"):
        assert finding(landed, check, "transactions").verdict is PASSED


@pytest.mark.parametrize("child", ["devices", "payment_methods", "transactions"])
def test_references_into_a_day_that_has_landed_must_be_there(landed: LandedHistory, child: str) -> None:
    forget_a_day(landed, "customers")
    assert finding(landed, "temporal_integrity", child).verdict is FAILED


def test_an_unlanded_day_excuses_no_reference_before_it(landed: LandedHistory) -> None:
    forget_a_day(landed, "customers", "daily_intensity")
    landed.connection.execute("UPDATE transactions SET customer_id = -1 WHERE transaction_id = 1")
    assert finding(landed, "temporal_integrity", "transactions").verdict is FAILED


def test_an_unlanded_day_excuses_no_missing_product_and_no_younger_parent(landed: LandedHistory) -> None:
    forget_a_day(landed, "customers", "daily_intensity")
    landed.connection.execute("BEGIN")
    for spoiled in (
        pointing_nowhere("transactions", "products"),
        younger_by_a_microsecond("transactions", "devices"),
    ):
        landed.connection.execute(spoiled.sql)
        assert finding(landed, "temporal_integrity", "transactions").verdict is FAILED
        landed.connection.execute("ROLLBACK; BEGIN")


# boundaries


@pytest.mark.parametrize("table", DATED_BY)
def test_a_row_of_a_day_outside_the_clock_fails(landed: LandedHistory, table: str) -> None:
    dated, key = DATED_BY[table], KEYS[table]
    landed.connection.execute(
        f"UPDATE {table} SET day = day + 1, {dated} = {dated} + INTERVAL 1 DAY"
        f" WHERE {key} = (SELECT max({key}) FROM {table} WHERE day = '{LAST_DAY}')"
    )
    assert finding(landed, "day_boundaries", table).rows == ({"day": "2024-01-21", "rows": 1},)


@pytest.mark.parametrize(
    ("table", "day", "verdict"),
    [
        ("customers", "2024-01-01", PASSED),
        ("customers", A_DAY, FAILED),
        ("transactions", "2024-01-01", FAILED),
    ],
)
def test_only_the_first_days_customers_may_have_been_there_before(
    landed: LandedHistory, table: str, day: str, verdict: Verdict
) -> None:
    landed.connection.execute(f"UPDATE {table} SET {DATED_BY[table]} = '2023-06-01' WHERE day = '{day}'")
    assert finding(landed, "day_boundaries", table).verdict is verdict


# replay


ANY_VALUE = {
    "paid_at": "TIMESTAMP '2024-02-01'",
    "partial_paid_at": "TIMESTAMP '2024-02-01'",
    "repayment_method": "'debit_card'",
    "days_to_first_missed_payment": "14",
}


def different(column: Column) -> str | None:
    """SQL for the nearest other value of a column, None if its type has no other."""
    name, kind = column.name, column.type
    if kind.values:
        names = ", ".join(f"'{value}'" for value in kind.values)
        following = f"([{names}])[list_position([{names}], CAST({name} AS VARCHAR)) % {len(kind.values)} + 1]"
        return following if len(kind.values) > 1 else None
    return {
        "BOOLEAN": f"NOT {name}",
        "VARCHAR": f"{name} || ' '",
        "TIMESTAMP": f"{name} + INTERVAL 1 MICROSECOND",
        "DECIMAL(10,2)": f"{name} + 0.01",
        "DOUBLE": f"{name} + 2e-12 * greatest(1, {name})",
    }.get(kind.sql, f"{name} + 1")


def differing(landed: LandedHistory, contract: TableContract, simulated: Mapping[str, pa.Table]) -> int:
    day = date.fromisoformat(LAST_DAY) if contract.daily else None
    rows = simulated[contract.name]
    return queries.differing_rows(landed.connection, landed.scenario.name, contract, day, rows).rows


@pytest.mark.parametrize("table", KEYS)
def test_replay_sees_the_smallest_change_of_any_column(landed: LandedHistory, table: str) -> None:
    contract, connection = landed.relations.table(table), landed.connection
    simulated = simulate_day(landed.scenario, date.fromisoformat(LAST_DAY))
    assert differing(landed, contract, simulated) == 0
    key, unseen = KEYS[table], []
    for column in contract.columns:
        value = different(column)
        if value is None:
            continue
        if column.nullable:
            value = f"coalesce({value}, {ANY_VALUE[column.name]})"
        connection.execute("BEGIN")
        connection.execute(
            f"UPDATE {table} SET {column.name} = {value} WHERE {key} = (SELECT max({key}) FROM {table})"
        )
        is_moved = column.name in contract.primary_key and column.name != "day"
        if differing(landed, contract, simulated) != (2 if is_moved else 1):
            unseen.append(column.name)
        connection.execute("ROLLBACK")
    assert unseen == []


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM transactions WHERE transaction_id = (SELECT max(transaction_id) FROM transactions)",
        "INSERT INTO transactions FROM transactions ORDER BY transaction_id DESC LIMIT 1",
    ],
    ids=["lost", "doubled"],
)
def test_replay_sees_a_row_that_is_lost_or_there_twice(landed: LandedHistory, sql: str) -> None:
    landed.connection.execute(sql)
    assert finding(landed, "replay", "transactions").rows == ({"day": LAST_DAY, "rows": 1},)


@pytest.mark.parametrize(("days", "verdict"), [(1, PASSED), (3, FAILED)])
def test_replay_looks_at_as_many_days_as_the_scenario_says(
    landed: LandedHistory, days: int, verdict: Verdict
) -> None:
    landed.connection.execute("UPDATE transactions SET amount = amount + 0.01 WHERE day = '2024-01-13'")
    scenario = load_scenario("baseline", {**SMALL, "checks.replay_days": days})
    judged = history_of(scenario, landed.connection)
    assert finding(judged, "replay", "transactions").verdict is verdict


# the right data of another world

OTHERS = {"klarna": 0.1, "afterpay": 0.2, "affirm": 0.3, "sezzle": 0.4}


@pytest.mark.parametrize(
    ("check", "table", "claim"),
    [
        ("daily_volume", "transactions", {"volume.base_daily_volume": 230}),
        ("daily_volume", "transactions", {"volume.day_of_week": {"monday": 2.0}}),
        ("hour_of_day", "transactions", {"arrivals.hourly_profile": None}),
        ("hour_of_day", "transactions", {"arrivals.peak_hours": [12, 19]}),
        ("hour_of_day", "transactions", {"arrivals.hourly_profile": [1.0] * 3 + [0.0] + [1.0] * 20}),
        ("declared_shares", "payment_methods", {"bnpl.payment_methods.payment_provider": OTHERS}),
        ("declared_shares", "transactions", {"bnpl.population.repeat_customer_rate": 0.95}),
        ("replay", "transactions", {"seed": 43}),
        ("day_boundaries", "transactions", {"clock.end": "2024-01-19"}),
        ("day_boundaries", "customers", {"clock.start": "2024-01-02"}),
    ],
    ids=str,
)
def test_a_check_fails_where_the_scenario_says_something_else(
    landed: LandedHistory, check: str, table: str, claim: Mapping[str, Any]
) -> None:
    other = load_scenario("baseline", {**SMALL, **claim})
    for record in ("runs", "landed_days"):  # as if what landed were of that world
        landed.connection.execute(f"UPDATE {record} SET world = ?", [world(other).digest])
    assert finding(history_of(other, landed.connection), check, table).verdict is FAILED


# arrivals that leave nothing to chance


def test_evenly_spaced_events_pass(evenly_spaced: LandedHistory) -> None:
    for check in ("daily_volume", "hour_of_day"):
        assert finding(evenly_spaced, check, "transactions").verdict is PASSED


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM transactions WHERE transaction_id = (SELECT min(transaction_id) FROM today)",
        "INSERT INTO transactions FROM today LIMIT 1",
    ],
    ids=["lost", "doubled"],
)
def test_a_single_event_too_few_or_too_many_breaks_an_evenly_spaced_day(
    evenly_spaced: LandedHistory, sql: str
) -> None:
    evenly_spaced.connection.execute(
        f"CREATE TEMP VIEW today AS FROM transactions WHERE day = '2024-01-03'; {sql}"
    )
    found = finding(evenly_spaced, "daily_volume", "transactions")
    assert found.verdict is FAILED
    assert [row["day"] for row in found.rows] == ["2024-01-03"]


@pytest.mark.parametrize("sql", [f"UPDATE transactions SET event_time = {NOON}", "DELETE FROM transactions"])
def test_evenly_spaced_events_must_fill_each_hour(evenly_spaced: LandedHistory, sql: str) -> None:
    evenly_spaced.connection.execute(sql)
    assert finding(evenly_spaced, "hour_of_day", "transactions").verdict is FAILED


# right data that is unlike the reference

UNLIKE: Mapping[str, Mapping[str, Any]] = {
    "nobody is riskier than anybody": {"bnpl.credit.bayes_auc": 0.5, "bnpl.credit.frailty": 0},
    "the neutral credit": {"bnpl.credit": None},
    "nobody comes back": {"bnpl.population.repeat_customer_rate": 0.0},
    "nobody is new": {"bnpl.population.repeat_customer_rate": 1.0},
    "hardly anybody comes": {"volume.base_daily_volume": 0.3},
    "a short charge-off in a recession": {
        "bnpl.credit.charge_off_days": 8,
        "bnpl.economic_stress_factor": 1.0,
    },
    "no fee, one method": {
        "bnpl.credit.late_fee": 0,
        "bnpl.credit.repayment_method": {"debit_card": 1.0, "credit_card": 0.0, "bank_account": 0.0},
    },
}


@pytest.mark.parametrize("world", UNLIKE)
def test_no_check_fails_on_right_data_of_an_unlikely_world(world: str, tmp_path: Path) -> None:
    scenario = load_scenario("baseline", {**SMALL, "volume.base_daily_volume": 400, **UNLIKE[world]})
    with copied(scenario, land_and_measure(scenario, tmp_path / "original"), tmp_path) as landed:
        failed = [check for check, found in found_by(landed).items() if found.verdict is FAILED]
    assert failed == []
