"""What views show of corrupted data: NULL or what was known, once, never the future and never a stranger's.

Every column that a fault can hit is hit by every kind that can hit it; what views then show is compared in
plain Python with the world without faults.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import cache
from itertools import chain
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from pydantic import TypeAdapter

from simtom_pipeline import load_scenario
from simtom_pipeline.corruption.faults import corrupt_day
from simtom_pipeline.corruption.refusals import refused
from simtom_pipeline.generators.bnpl import BnplGenerator
from simtom_pipeline.scenarios.faults import Fault
from simtom_pipeline.scenarios.models import Scenario
from simtom_pipeline.simulation import Simulation
from simtom_pipeline.sql import quoted
from simtom_pipeline.verification.checks.views import stored

SMALL = {
    "clock": {"start": "2024-01-01", "end": "2024-01-24"},
    "volume.base_daily_volume": 12 * 24 / 7,
    "volume.day_of_week": dict.fromkeys(("tuesday", "wednesday", "friday", "saturday", "sunday"), 0.0),
    "bnpl.population.initial_customers": 40,
    "bnpl.population.repeat_customer_rate": 0.9,
    "bnpl.credit.base_default_rate": 0.3,
    "bnpl.credit.charge_off_days": 20,
    "bnpl.credit.reporting_delay_days": 5,
    "bnpl.credit.pays_ahead_share": 0.5,
    "bnpl.credit.partial_payment_share": 0.5,
    "bnpl.credit.arrears.rate": 0.4,
}
A_MOMENT = datetime(2024, 3, 15)
KINDS: dict[str, dict[str, Any]] = {
    "missing": {},
    "typo": {},
    "out_of_range": {"low": 1, "high": 13},
    "unit_change": {"factor": 10},
    "stuck": {"stretch_minutes": 600},
    "new_category": {"category": "unheard-of"},
    "truncated": {"length": 1},
    "duplicate": {},
}
OF_ROWS: dict[str, dict[str, Any]] = {
    "duplicate": {},
    "late": {"delay": {"kind": "exponential", "mean_hours": 40}},
    "out_of_order": {"places": 3},
    "dropped_day": {},
}
WHO = ("customer_id", "device_id", "payment_method_id")
VIEWS = ("customer_history", "label_rows", "training_rows", "monitoring_rows", "monitoring_target_rows")
AS_OF = (
    ("training_rows", "training_set", "will_default"),
    ("label_rows", "labels_asof", "will_default"),
    ("monitoring_target_rows", "monitoring_target", "will_default"),
    ("monitoring_rows", "monitoring", "NULL"),
)
"""Views, the macros that are their rows known at a moment, and the label of both."""
Rows = dict[Any, tuple[Any, ...]]
Tables = dict[str, pa.Table]


@cache
def scenario() -> Scenario:
    return load_scenario("baseline", SMALL)


def a_fault(kind: str, table: str, columns: Sequence[str] = (), rate: float = 0.4) -> Fault:
    named = {"columns": tuple(columns)} if columns else {}
    said = (KINDS if columns else OF_ROWS)[kind]
    return TypeAdapter(Fault).validate_python(
        {"id": f"a_{kind}", "kind": kind, "table": table, "rate": rate, **said, **named}
    )


def with_faults(*faults: Fault) -> Scenario:
    return scenario().model_copy(update={"faults": faults})


def possible(fault: Fault) -> bool:
    return not refused(BnplGenerator.tables, with_faults(fault))


VIEWS_SQL = " ".join(
    [view.from_sql for view in BnplGenerator.views]
    + [c.expression for view in BnplGenerator.views for c in view.columns if c.name == "known_at"]
    + [agrees for key in BnplGenerator.tables[4].foreign_keys for _, agrees in key.told_by]
)


def faults_of(table: str, kind: str) -> Iterator[tuple[Fault, ...]]:
    """A kind on whole rows, on each column that views compute with, and on all that they only repeat."""
    (contract,) = (one for one in BnplGenerator.tables if one.name == table)
    if kind in OF_ROWS and possible(a_fault(kind, table)):
        yield (a_fault(kind, table),)
    columns = [c for c in contract.column_names if kind in KINDS and possible(a_fault(kind, table, [c]))]
    computed = [column for column in columns if re.search(rf"\b{column}\b", VIEWS_SQL)]
    yield from ((a_fault(kind, table, [column]),) for column in computed)
    if repeated := [column for column in columns if column not in computed]:
        yield (a_fault(kind, table, repeated),)


def faults_of_buyers(kind: str) -> Iterator[tuple[Fault, ...]]:
    """A kind on several columns that tell who bought, of purchases that arrive late."""
    for columns in (WHO, WHO[:2], WHO[1:], WHO[::2]):
        yield a_fault(kind, "transactions", columns), a_fault("late", "transactions")


CASES = [
    *((contract.name, kind) for contract in BnplGenerator.tables for kind in KINDS | OF_ROWS),
    *(("buyers", kind) for kind in ("missing", "typo", "out_of_range", "unit_change", "stuck", "duplicate")),
]


@cache
def faults_in(table: str, kind: str) -> list[tuple[Fault, ...]]:
    return list(faults_of_buyers(kind) if table == "buyers" else faults_of(table, kind))


@dataclass
class Lender:
    """A database whose schema `clean` is the world, and `corrupted` what landed of it.

    Attributes
    ----------
    days : the tables of each day that has purchases.
    """

    connection: duckdb.DuckDBPyConnection
    days: dict[date, Tables]
    clean: dict[str, Rows] = field(default_factory=dict)

    def ask(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql, list(parameters)).fetchall()

    def by_key(self, relation: str, columns: str, *parameters: Any) -> Rows:
        """Columns by transaction; a transaction has one row."""
        rows = self.ask(f"SELECT transaction_id, {columns} FROM {relation}", *parameters)
        assert len({key for key, *_ in rows}) == len(rows), relation
        return {key: tuple(rest) for key, *rest in rows}

    def land(self, schema: str, corrupted: Scenario) -> None:
        """Tables and views of a scenario; tables without faults are those of `clean`.

        A view over another one reads the rows that were made of it.
        """
        simulation = Simulation(corrupted)
        relations, streams = simulation.relations, simulation.generator.streams
        self.connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}")
        hit = {fault.table for fault in corrupted.faults}
        measured = [contract for contract in relations.simulated if contract.name in hit]
        drawn = [
            corrupt_day(corrupted, measured, tables, streams, day) if hit else tables
            for day, tables in self.days.items()
        ]
        for contract in simulation.generator.tables:
            place = quoted(schema, contract.name)
            if hit and contract.name not in hit:
                self.connection.execute(f"CREATE VIEW {place} AS FROM clean.{contract.name}")
                continue
            parts = [day[contract.name] for day in drawn] if contract.daily else [drawn[0][contract.name]]
            self.connection.register("arrow_rows", pa.concat_tables(parts))
            self.connection.execute(f"CREATE TABLE {place} AS FROM arrow_rows")
        for view in (one for one in relations.views if not one.truth):
            over = tuple(stored(one) if one.name in VIEWS else one for one in view.over)
            place, sql = quoted(schema, view.name), replace(view, over=over).sql(schema, "no_truth")
            if view.parameters:
                self.connection.execute(f"CREATE MACRO {place}(as_of) AS TABLE {sql}")
            else:
                kind = "TABLE" if view.name in VIEWS else "VIEW"
                self.connection.execute(f"CREATE {kind} {place} AS {sql}")


@pytest.fixture(scope="module")
def lender() -> Iterator[Lender]:
    with duckdb.connect() as connection:
        connection.execute("SET threads = 1")
        simulation = Simulation(scenario())
        days = {day: simulation.true_day(day) for day in scenario().clock.days()}
        lender = Lender(connection, {day: tables for day, tables in days.items() if tables["transactions"]})
        lender.land("clean", scenario())
        lender.clean = {
            view: lender.by_key(f"clean.{view}", f"{label}, known_at") for view, _, label in AS_OF
        }
        yield lender


HISTORY = "purchases_so_far, outstanding_balance, late_payments_so_far, days_since_last_purchase"


@dataclass
class Truth:
    """What nobody doubts: of each purchase, by plain counting in the world without faults."""

    customer: dict[int, int]
    moment: dict[int, datetime]
    amount: dict[int, Any]
    dues: dict[int, list[datetime]]
    earlier: dict[int, list[int]]


@pytest.fixture(scope="module")
def truth(lender: Lender) -> Truth:
    bought = lender.by_key("clean.transactions", "customer_id, event_time, amount")
    dues: dict[int, list[datetime]] = {}
    for key, due_at in lender.ask("SELECT transaction_id, due_at FROM clean.installments"):
        dues.setdefault(key, []).append(due_at)
    own: dict[int, list[int]] = {}
    for key, (customer, _, _) in bought.items():
        own.setdefault(customer, []).append(key)
    moment = {key: when for key, (_, when, _) in bought.items()}
    return Truth(
        customer={key: customer for key, (customer, _, _) in bought.items()},
        moment=moment,
        amount={key: amount for key, (_, _, amount) in bought.items()},
        dues=dues,
        earlier={
            key: [one for one in own[customer] if moment[one] < moment[key]]
            for key, (customer, _, _) in bought.items()
        },
    )


def changes_amounts(faults: Sequence[Fault]) -> bool:
    return any(fault.kind in ("typo", "out_of_range", "unit_change", "stuck") for fault in faults)


@pytest.mark.parametrize(("table", "kind"), CASES, ids=str)
def test_no_fault_makes_a_view_know_the_future_or_a_stranger(
    table: str, kind: str, lender: Lender, truth: Truth
) -> None:
    for faults in faults_in(table, kind):
        lender.land("corrupted", with_faults(*faults))
        _nothing_is_known_before_its_time(lender)
        _a_history_is_of_its_customer_and_before(lender, truth, faults)


def _a_history_is_of_its_customer_and_before(lender: Lender, truth: Truth, faults: Sequence[Fault]) -> None:
    landed = lender.ask("SELECT transaction_id, event_time FROM corrupted.transactions")
    assert len(lender.ask("FROM corrupted.bnpl_records")) == len(landed)
    history = lender.by_key("corrupted.customer_history", HISTORY)
    assert history.keys() == {key for key, _ in landed}
    moments: dict[int, set[datetime]] = {}
    for key, when in landed:
        moments.setdefault(key, set()).add(when)
    for key, (purchases, balance, late, since) in history.items():
        if purchases is None:
            assert (balance, late, since) == (None, None, None)
            continue
        (now,) = moments[key]
        earlier = truth.earlier[key]
        assert purchases <= len(earlier), faults
        assert late <= sum(due < truth.moment[key] for one in earlier for due in truth.dues[one])
        assert (since is None) == (purchases == 0)
        if since is not None:
            known = [when for one in earlier for when in moments.get(one, ()) if when is not None]
            assert since > 0
            assert min(abs(since - (now - when) / timedelta(days=1)) for when in known) < 1e-9
        if balance is not None and not changes_amounts(faults):
            assert 0 <= balance <= sum(truth.amount[one] for one in earlier), faults


def _nothing_is_known_before_its_time(lender: Lender) -> None:
    """What the as-of sets hold, the clean ones hold too, with the same labels; macros are their rows."""
    for view, macro, label in AS_OF:
        world = lender.clean[view]
        for key, (value, known_at) in lender.by_key(f"corrupted.{view}", f"{label}, known_at").items():
            assert value == world[key][0]
            assert known_at is None or known_at >= world[key][1]
        assert lender.by_key(f"corrupted.{macro}(?)", label, A_MOMENT) == lender.by_key(
            f"corrupted.{view} WHERE known_at <= ?", label, A_MOMENT
        )


def test_the_faults_are_on_every_column_that_can_be_hit(lender: Lender, truth: Truth) -> None:
    """The property above speaks of something: there are histories, and each column has its faults."""
    hit = {
        (fault.table, column)
        for table, kind in CASES
        for fault in chain.from_iterable(faults_in(table, kind))
        for column in getattr(fault, "columns", ())
    }
    assert hit == {
        (contract.name, column)
        for contract in BnplGenerator.tables
        if contract.daily and not contract.truth
        for column in contract.column_names
        if column not in (*contract.primary_key, "day", contract.arrives_at)
    }
    history = lender.by_key("clean.customer_history", HISTORY)
    assert sum(len(truth.earlier[key]) > 0 for key in history) > 100
    assert sum(balance > 0 for _, balance, _, _ in history.values()) > 100
    assert sum(late > 0 for _, _, late, _ in history.values()) >= 20


def test_a_view_over_another_one_has_the_same_rows_as_over_what_was_made_of_it(lender: Lender) -> None:
    """The other tests make each view of the rows of those it reads, which is sooner done."""
    faults = with_faults(
        a_fault("duplicate", "transactions", ["amount"]),
        a_fault("late", "transactions"),
        a_fault("missing", "outcomes", ["will_default"]),
        a_fault("typo", "customers", ["state"]),
        a_fault("unit_change", "installments", ["amount_due"]),
    )
    lender.land("nested", faults)
    views = [view for view in Simulation(faults).relations.views if view.name in VIEWS]
    over_others = [view for view in views if any(one.name in VIEWS for one in view.over)]
    assert over_others
    for view in over_others:
        columns = ", ".join(f"CAST({quoted(c.name)} AS VARCHAR)" for c in view.columns)
        made, nested = (
            sorted(lender.ask(f"SELECT {columns} FROM {rows}"), key=str)
            for rows in (quoted("nested", view.name), f"({view.sql('nested', 'no_truth')})")
        )
        assert made == nested, view.name
        assert len(made) > 100
