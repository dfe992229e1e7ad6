"""What checks can tell, and what they cannot: sizes, days that have not landed, unlikely worlds."""

from collections.abc import Iterator, Mapping
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
from tests.support.bad_data import (
    A_DAY,
    DATED_BY,
    FAILED,
    INCONCLUSIVE,
    KEYS,
    LAST_DAY,
    NOON,
    PASSED,
    SMALL,
    copied,
    findings,
    pointing_nowhere,
    younger_by_a_microsecond,
)
from tests.support.landed import found as found_by
from tests.support.landed import history_of, land_and_measure


@pytest.fixture
def evenly_spaced(originals: dict[str, tuple[Scenario, Path]], tmp_path: Path) -> Iterator[LandedHistory]:
    with copied(*originals["evenly_spaced"], tmp_path) as landed:
        yield landed


def finding(landed: LandedHistory, check: str, table: str) -> Finding:
    """What a check of a table says."""
    return found_by(landed, [(table, check)])[table, check]


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


def test_hours_without_any_event_are_not_called_right(landed: LandedHistory) -> None:
    landed.connection.execute("DELETE FROM transactions")
    found = finding(landed, "hour_of_day", "transactions")
    assert found.verdict is not PASSED, found.summary


def test_a_single_impossible_value_fails(landed: LandedHistory) -> None:
    landed.connection.execute(
        "UPDATE devices SET device_os = 'Windows'"
        " WHERE device_id = (SELECT max(device_id) FROM devices WHERE device_type = 'mobile')"
    )
    found = findings(landed, "declared_shares")
    assert [row["shares"] for row in found["devices"].rows if row["verdict"] == "failed"] == ["os_mobile"]


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
    for corruption in (
        pointing_nowhere("transactions", "products"),
        younger_by_a_microsecond("transactions", "devices"),
    ):
        landed.connection.execute(corruption.sql)
        assert finding(landed, "temporal_integrity", "transactions").verdict is FAILED
        landed.connection.execute("ROLLBACK; BEGIN")


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


UNLIKE: Mapping[str, Mapping[str, Any]] = {
    "nobody is riskier than anybody": {"bnpl.credit.bayes_auc": 0.5, "bnpl.credit.frailty": 0},
    "the neutral credit": {"bnpl.credit": None},
    "hardly anybody comes": {"volume.base_daily_volume": 0.3, "clock.end": "2024-01-20"},
    "nobody is new, a short charge-off in a recession": {
        "bnpl.population.repeat_customer_rate": 1.0,
        "bnpl.credit.charge_off_days": 8,
        "bnpl.economic_stress_factor": 1.0,
    },
    "nobody comes back, no fee, one method": {
        "bnpl.population.repeat_customer_rate": 0.0,
        "bnpl.credit.late_fee": 0,
        "bnpl.credit.repayment_method": {"debit_card": 1.0, "credit_card": 0.0, "bank_account": 0.0},
    },
}


EIGHT_THOUSAND = {"volume.base_daily_volume": 800, "clock.end": "2024-01-10", "checks.replay_days": 1}


@pytest.mark.parametrize("world", UNLIKE)
def test_no_check_fails_on_right_data_of_an_unlikely_world(world: str, tmp_path: Path) -> None:
    scenario = load_scenario("baseline", {**SMALL, **EIGHT_THOUSAND, **UNLIKE[world]})
    with copied(scenario, land_and_measure(scenario, tmp_path / "original"), tmp_path) as landed:
        failed = [check for check, found in found_by(landed).items() if found.verdict is FAILED]
    assert failed == []
