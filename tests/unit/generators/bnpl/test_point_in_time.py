"""What was knowable when: the table macros against a recomputation in plain Python, purchase by purchase."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

from simtom_pipeline import load_scenario, training_set
from simtom_pipeline.generators.bnpl import BnplGenerator, views
from simtom_pipeline.landing import LandingError
from tests.support.landed import opened, put

OVERRIDES = {
    "volume.base_daily_volume": 60,
    "bnpl.population.customer_lifetime_days": 60,
    "bnpl.credit.base_default_rate": 0.15,
    "bnpl.credit.charge_off_days": 30,
    "bnpl.credit.arrears.rate": 0.3,
    "clock.end": "2024-06-30",
}
MOMENTS = [
    datetime(2024, 3, 20),
    datetime(2024, 4, 20, 12, 34, 56, 789),
    datetime(2024, 6, 15),
    datetime(2024, 9, 1),
]
END_OF_TIME = datetime(2100, 1, 1)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half a year of a small lender with many defaults, landed."""
    path = tmp_path_factory.mktemp("half_year") / "simtom.duckdb"
    with opened(path) as connection:
        put(connection, load_scenario("baseline", OVERRIDES))
    return path


@pytest.fixture(scope="module")
def lender(file: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with opened(file, read_only=True) as connection:
        yield connection


def rows(connection: duckdb.DuckDBPyConnection, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
    return connection.execute(sql, list(parameters)).fetchall()


def test_the_history_of_a_purchase_is_what_one_would_count_by_hand(lender: duckdb.DuckDBPyConnection) -> None:
    """Purchase by purchase over everything of the customer, in Python."""
    purchases: dict[int, list[tuple[datetime, int, Decimal]]] = {}
    for customer, when, key, amount in rows(
        lender,
        "SELECT customer_id, event_time, transaction_id, amount FROM baseline.transactions ORDER BY ALL",
    ):
        purchases.setdefault(customer, []).append((when, key, amount))
    payments: dict[int, list[tuple[Any, ...]]] = {}
    for key, *payment in rows(
        lender,
        "SELECT transaction_id, due_at, amount_due, paid_at, partial_amount, partial_paid_at"
        " FROM baseline.installments",
    ):
        payments.setdefault(key, []).append(tuple(payment))
    expected = {}
    for of_customer in purchases.values():
        for now, key, _ in of_customer:
            before = [purchase for purchase in of_customer if purchase[0] < now]
            owed, late = Decimal(0), 0
            for _, earlier, amount in before:
                owed += amount
                for due_at, due, paid_at, part, part_at in payments[earlier]:
                    paid = paid_at is not None and paid_at < now
                    owed -= due if paid else part if part_at is not None and part_at < now else 0
                    late += due_at < now and (paid_at is None or paid_at > due_at)
            since = (now - before[-1][0]) / timedelta(days=1) if before else None
            expected[key] = (len(before), owed, late, since)
    found = {key: tuple(rest) for key, *rest in rows(lender, "FROM baseline.customer_history")}
    assert found.keys() == expected.keys()
    for key, (count, owed, late, since) in expected.items():
        assert found[key][:3] == (count, owed, late)
        assert found[key][3] == (since if since is None else pytest.approx(since, abs=1e-9))
    assert sum(late > 0 for _, _, late, _ in expected.values()) > 100
    assert sum(owed > 0 for _, owed, _, _ in expected.values()) > 1000


@pytest.mark.parametrize("moment", MOMENTS, ids=str)
def test_the_training_set_holds_exactly_the_purchases_whose_plan_has_run_out(
    lender: duckdb.DuckDBPyConnection, moment: datetime
) -> None:
    """By their plan alone: whether they defaulted has no say."""
    plans = rows(lender, "SELECT transaction_id, event_time, installment_count FROM baseline.transactions")
    matured = {
        key for key, when, count in plans if when + timedelta(days=14 * (int(count) - 1) + 30) <= moment
    }
    found = dict(rows(lender, "SELECT transaction_id, will_default FROM baseline.training_set(?)", moment))
    assert found.keys() == matured
    assert found == dict(rows(lender, "FROM baseline.monitoring_target(?)", moment))
    truth = dict(rows(lender, "SELECT transaction_id, will_default FROM baseline.outcomes"))
    assert all(truth[key] == label for key, label in found.items())


@pytest.mark.parametrize("moment", MOMENTS, ids=str)
def test_a_label_is_known_when_its_payment_is_charged_off_or_the_last_could_be(
    lender: duckdb.DuckDBPyConnection, moment: datetime
) -> None:
    charged_off, last_due = {}, {}
    for key, due_at, paid_at in rows(
        lender, "SELECT transaction_id, due_at, paid_at FROM baseline.installments ORDER BY ALL"
    ):
        last_due[key] = due_at
        if paid_at is None:
            charged_off.setdefault(key, due_at)
    expected = {
        (key, key in charged_off)
        for key in last_due
        if charged_off.get(key, last_due[key]) + timedelta(days=30) <= moment
    }
    found = rows(
        lender, "SELECT transaction_id, will_default, is_matured FROM baseline.labels_asof(?)", moment
    )
    assert {(key, label) for key, label, _ in found} == expected
    assert all(last_due[key] + timedelta(days=30) <= moment for key, _, matured in found if matured)


MACROS = [view for view in BnplGenerator.views if view.parameters]


@pytest.mark.parametrize("macro", MACROS, ids=lambda macro: macro.name)
def test_what_is_known_grows_and_is_never_taken_back(lender: duckdb.DuckDBPyConnection, macro: Any) -> None:
    columns = ", ".join(c.name for c in macro.columns if c.name != "is_matured")
    known = [set(rows(lender, f"SELECT {columns} FROM baseline.{macro.name}(?)", m)) for m in MOMENTS]
    everything = set(rows(lender, f"SELECT {columns} FROM baseline.{macro.name}(?)", END_OF_TIME))
    for earlier, later in zip(known, [*known[1:], everything], strict=True):
        assert earlier < later or (earlier == later == everything)
    assert rows(lender, "SELECT count(*) FROM baseline.transactions") == [(len(everything),)]


def test_before_the_first_label_there_is_none(lender: duckdb.DuckDBPyConnection) -> None:
    for macro in ("labels_asof", "training_set", "monitoring_target"):
        assert rows(lender, f"SELECT count(*) FROM baseline.{macro}(?)", datetime(2024, 1, 31)) == [(0,)]
    assert rows(lender, "SELECT count(*) FROM baseline.monitoring(?)", datetime(2024, 1, 1)) == [(0,)]


def test_matured_cohorts_are_not_biased_and_early_labels_are(lender: duckdb.DuckDBPyConnection) -> None:
    """Defaults become known first: at the same moment the labels at hand have far more of them."""
    moment = MOMENTS[1]
    ((honest, expected, n),) = rows(
        lender,
        "SELECT avg(CAST(will_default AS INTEGER)), avg(default_probability), count(*)"
        " FROM baseline.training_set(?) JOIN baseline_truth.default_risk USING (transaction_id)",
        moment,
    )
    ((early,),) = rows(
        lender,
        "SELECT avg(CAST(will_default AS INTEGER)) FROM baseline.labels_asof(?) WHERE NOT is_matured",
        moment,
    )
    assert abs(honest - expected) < 4 * (expected * (1 - expected) / n) ** 0.5
    assert early == 1.0


def test_neither_labels_nor_truth_are_among_the_features() -> None:
    outcome = {"will_default", "days_to_first_missed_payment", "label_available_at", "matured_at"}
    for view in (views.MONITORING, views.MONITORING_ROWS):
        assert not outcome & {column.name for column in view.columns}
    for view in (views.TRAINING_SET, views.TRAINING_ROWS):
        assert {column.name for column in view.columns} & outcome == {"will_default"}
        assert view.columns[-1].name == "will_default"
    sources = {c.source[0] for c in views.MONITORING_ROWS.columns}
    assert sources <= {
        "transactions",
        "customers",
        "products",
        "devices",
        "payment_methods",
        "customer_history",
    }


def test_the_moment_may_be_a_date_a_timestamp_or_text(lender: duckdb.DuckDBPyConnection) -> None:
    counts = {
        rows(lender, f"SELECT count(*) FROM baseline.training_set({moment})")[0]
        for moment in ("'2024-05-01'", "DATE '2024-05-01'", "TIMESTAMP '2024-05-01'", "as_of := '2024-05-01'")
    }
    assert len(counts) == 1


# from Python


@pytest.mark.parametrize("as_of", ["2024-05-15", date(2024, 5, 15), datetime(2024, 5, 15)], ids=repr)
def test_python_gets_the_training_set_in_order_as_pandas_or_arrow(
    lender: duckdb.DuckDBPyConnection, file: Path, as_of: Any
) -> None:
    frame = training_set("baseline", as_of=as_of, database=file)
    table = training_set(
        load_scenario("baseline", OVERRIDES), as_of=as_of, database=str(file), format="arrow"
    )
    expected = rows(
        lender,
        "SELECT transaction_id, will_default FROM baseline.training_set('2024-05-15') ORDER BY event_time",
    )
    assert isinstance(frame, pd.DataFrame)
    assert list(zip(frame["transaction_id"], frame["will_default"], strict=True)) == expected
    assert list(frame.columns) == table.column_names == [c.name for c in views.TRAINING_SET.columns]
    assert table["transaction_id"].to_pylist() == [key for key, _ in expected]
    assert isinstance(frame["risk_scenario"].dtype, pd.CategoricalDtype)


def test_python_says_what_to_do_when_there_is_nothing_to_read(file: Path, tmp_path: Path) -> None:
    with pytest.raises(
        LandingError, match=r"There is no file .*\. Land the scenario first: simtom run baseline"
    ):
        training_set("baseline", as_of="2024-05-15", database=tmp_path / "none.duckdb")
    with pytest.raises(LandingError, match="has no training set of"):
        training_set("bursty", as_of="2024-05-15", database=file)
    for name in ('baseline"; DROP SCHEMA baseline CASCADE; --', "", 5):
        with pytest.raises(ValueError, match="allowed: a scenario, or the name of one"):
            training_set(name, as_of="2024-05-15", database=file)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("as_of", "message"),
    [
        ("yesterday", "a moment such as 2024-12-31"),
        (None, "a moment such as"),
        (5, "a moment such as"),
        ("2024-05-15T00:00:00+00:00", "without a time zone"),
    ],
)
def test_python_refuses_a_moment_that_is_none(file: Path, as_of: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        training_set("baseline", as_of=as_of, database=file)


def test_python_refuses_another_format(file: Path) -> None:
    with pytest.raises(ValueError, match="'pandas', 'arrow'"):
        training_set("baseline", as_of="2024-05-15", database=file, format="csv")  # type: ignore[call-overload]
