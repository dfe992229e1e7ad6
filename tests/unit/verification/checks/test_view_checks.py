"""The check of what views show of corrupted data: silent on what is right, loud on what was wrong before."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import duckdb
import pytest

from simtom_pipeline import load_scenario
from simtom_pipeline.contracts import ViewContract
from simtom_pipeline.corruption.ledgers import FAULT_LEDGER
from simtom_pipeline.generators.bnpl import BnplGenerator, views
from simtom_pipeline.generators.bnpl.customer_history import CUSTOMER_HISTORY
from simtom_pipeline.scenarios.models import Scenario
from simtom_pipeline.simulation import Simulation
from simtom_pipeline.validation.decisions import Finding, Verdict
from simtom_pipeline.verification.checks import views as view_checks
from simtom_pipeline.verification.verify import checks_of
from tests.support.landed import found as found_by
from tests.support.landed import history_of, put_rows

SMALL: Mapping[str, Any] = {
    "clock": {"start": "2024-01-01", "end": "2024-01-10"},
    "volume.base_daily_volume": 40,
    "bnpl.population.initial_customers": 100,
    "bnpl.credit.charge_off_days": 14,
    "bnpl.credit.base_default_rate": 0.2,
}
CHECK = (FAULT_LEDGER.name, "views_know_no_more")

HISTORY_BEFORE = (
    "FROM ("
    "SELECT transaction_id, moment, true AS is_known, sum(purchase) OVER before AS purchased,"
    " sum(owes) OVER before AS owed, sum(is_late) OVER before AS late, 0 AS unknown,"
    " max(purchased_at) OVER before AS previous FROM ("
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
    ") WHERE transaction_id IS NOT NULL"
)
"""How the history was read up to version 0.4.0."""


def known_before(view: ViewContract) -> ViewContract:
    """A view whose moment ignores what is not known, as `greatest` does, and that reads every copy."""
    plain = {
        "known_at": "greatest(o.matured_at, t.ingested_at)",
        "known_delivered_at": "greatest(o.matured_at, t.ingested_at)",
    }
    columns = tuple(replace(c, expression=plain.get(c.name, c.expression)) for c in view.columns)
    from_sql = view.from_sql
    for table in ("transactions", "outcomes", "customers", "devices", "payment_methods"):
        from_sql = from_sql.replace(f"{{rows[{table}]}}", f"{{schema}}.{table}")
    return replace(view, columns=columns, from_sql=from_sql.replace(views.WITH_A_LABEL, ""))


def fault(kind: str, table: str, *columns: str, rate: float = 0.3, **more: Any) -> dict[str, Any]:
    named = {"columns": list(columns)} if columns else {}
    return {"id": f"a_{kind}", "kind": kind, "table": table, "rate": rate, **named, **more}


Landed = duckdb.DuckDBPyConnection


@pytest.fixture
def land() -> Iterator[Callable[[Scenario], Landed]]:
    """Makes a database in memory with every day of a scenario."""
    with ExitStack() as stack:

        def landed(scenario: Scenario) -> Landed:
            connection = stack.enter_context(duckdb.connect())
            connection.execute("SET threads = 1")
            put_rows(connection, scenario)
            return connection

        yield landed


def found(scenario: Scenario, landed: Landed) -> Finding:
    """What the check says of what has landed."""
    return found_by(history_of(scenario, landed), [CHECK])[CHECK]


def corrupted(*faults: dict[str, Any], name: str = "baseline", **more: Any) -> Scenario:
    return load_scenario(name, {**SMALL, **more, **({"faults": list(faults)} if faults else {})})


BEFORE = {
    "maturity lost": (fault("missing", "outcomes", "matured_at"), views.TRAINING_ROWS),
    "labels contradicted": (fault("duplicate", "outcomes", "matured_at"), views.TRAINING_ROWS),
    "purchases twice": (fault("duplicate", "transactions"), views.MONITORING_TARGET_ROWS),
    "moments lost": (fault("missing", "transactions", "event_time"), CUSTOMER_HISTORY),
    "customers lost": (fault("missing", "transactions", "customer_id"), CUSTOMER_HISTORY),
    "customers stuck": (fault("stuck", "transactions", "customer_id"), CUSTOMER_HISTORY),
    "customers mistyped": (fault("typo", "transactions", "customer_id", rate=0.8), CUSTOMER_HISTORY),
    "moments contradicted": (
        fault("duplicate", "transactions", "event_time", "customer_id"),
        CUSTOMER_HISTORY,
    ),
}


@pytest.mark.parametrize("case", BEFORE)
def test_the_check_finds_what_views_knew_before_their_time(
    case: str, land: Callable[[Scenario], Landed], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Silent on the views as they are; with the earlier SQL in place of one of them it names that view."""
    said, view = BEFORE[case]
    scenario = corrupted(said)
    landed = land(scenario)
    assert found(scenario, landed).verdict is Verdict.PASSED
    before = replace(view, from_sql=HISTORY_BEFORE) if view is CUSTOMER_HISTORY else known_before(view)
    monkeypatch.setattr(
        BnplGenerator, "views", tuple(before if v is view else v for v in BnplGenerator.views)
    )
    finding = found(scenario, landed)
    assert finding.verdict is Verdict.FAILED
    assert view.name in {row["view"] for row in finding.rows}
    assert all(row["keys"] and int(row["rows"]) > 0 for row in finding.rows)


def test_what_is_not_known_yet_is_noticed_where_only_the_past_is_spoken_of(
    land: Callable[[Scenario], Landed], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A view that reads a payment before it is made is found by taking the payment away."""
    scenario = corrupted(fault("late", "transactions", delay={"kind": "exponential", "mean_hours": 20}))
    landed = land(scenario)
    early = CUSTOMER_HISTORY.from_sql.replace(
        "paid_at AS moment", "CAST('2000-01-01' AS TIMESTAMP) AS moment"
    )
    assert early != CUSTOMER_HISTORY.from_sql
    ahead = replace(CUSTOMER_HISTORY, from_sql=early)
    monkeypatch.setattr(
        BnplGenerator,
        "views",
        tuple(ahead if v is CUSTOMER_HISTORY else v for v in BnplGenerator.views),
    )
    finding = found(scenario, landed)
    assert finding.verdict is Verdict.FAILED
    assert "outstanding_balance" in {row["column"] for row in finding.rows}


def test_some_of_many_customers_are_enough(
    land: Callable[[Scenario], Landed], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view_checks, "MAX_EVENTS", 150)
    scenario = corrupted(fault("missing", "transactions", "event_time"))
    landed = land(scenario)
    assert found(scenario, landed).verdict is Verdict.PASSED
    before = replace(CUSTOMER_HISTORY, from_sql=HISTORY_BEFORE)
    monkeypatch.setattr(
        BnplGenerator, "views", tuple(before if v is CUSTOMER_HISTORY else v for v in BnplGenerator.views)
    )
    assert found(scenario, landed).verdict is Verdict.FAILED


def test_where_nothing_has_arrived_there_is_nothing_to_say(land: Callable[[Scenario], Landed]) -> None:
    """A feed of which nothing arrives; then one of which no day has landed."""
    scenario = corrupted({"id": "gone", "kind": "dropped_day", "rate": 1.0}, **{"clock.end": "2024-01-02"})
    landed = land(scenario)
    assert found(scenario, landed).verdict is Verdict.PASSED
    landed.execute("DELETE FROM baseline_truth.daily_intensity")
    assert found(scenario, landed).verdict is Verdict.INCONCLUSIVE


def test_only_scenarios_with_faults_and_views_that_say_what_is_known_have_the_check(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def has_it(scenario: Scenario) -> bool:
        return CHECK in {(check.table, check.name) for check in checks_of(Simulation(scenario))}

    with_faults = corrupted(fault("missing", "outcomes", "matured_at"))
    assert has_it(with_faults)
    assert not has_it(corrupted())
    monkeypatch.setattr(BnplGenerator, "views", (views.BNPL_RECORDS,))
    assert not has_it(with_faults)
