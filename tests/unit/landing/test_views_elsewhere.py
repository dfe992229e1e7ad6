"""Views where others read them: attached files, exported databases, learners; and a replay's clock."""

import shutil
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

from simtom_pipeline import load_scenario, training_set
from simtom_pipeline.contracts import BIGINT, ViewColumn, ViewContract
from simtom_pipeline.generators.bnpl import BnplGenerator
from simtom_pipeline.landing import create_view
from simtom_pipeline.sql import quoted
from tests.support.landed import land

SMALL = {
    "clock": {"start": "2024-08-01", "end": "2024-08-12", "time_compression": 1440.0, "epoch": "2030-01-01"},
    "volume.base_daily_volume": 60,
    "bnpl.population.initial_customers": 200,
    "bnpl.credit.base_default_rate": 0.2,
}
FAULTS = [
    {"id": "typed", "kind": "typo", "table": "customers", "columns": ["income_bracket"], "rate": 0.05},
    {
        "id": "typed_too",
        "kind": "typo",
        "table": "transactions",
        "columns": ["risk_level", "amount"],
        "rate": 0.05,
    },
    {
        "id": "lost",
        "kind": "missing",
        "table": "transactions",
        "columns": ["device_is_trusted", "cart_abandonment_count"],
        "rate": 0.2,
    },
    {"id": "labels", "kind": "missing", "table": "outcomes", "columns": ["will_default"], "rate": 0.2},
    {
        "id": "late",
        "kind": "late",
        "table": "transactions",
        "rate": 0.3,
        "delay": {"kind": "exponential", "mean_hours": 9},
    },
    {
        "id": "twice",
        "kind": "duplicate",
        "table": "transactions",
        "columns": ["customer_id", "event_time"],
        "rate": 0.2,
    },
]
ROWS = ["training_rows", "label_rows", "monitoring_rows", "monitoring_target_rows", "customer_history"]
MOMENT = "2025-03-01"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A feed with faults."""
    folder = tmp_path_factory.mktemp("feed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIMTOM_HOME", str(folder))
        return land(load_scenario("baseline", {**SMALL, "faults": FAULTS}), folder / "feed.duckdb")


def rows(connection: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[Any, ...]]:
    return sorted(connection.execute(sql).fetchall(), key=repr)


def all_views(schema: str = "baseline") -> Sequence[str]:
    views = [f"{schema}.{name}" for name in ("bnpl_records", *ROWS)]
    return [*views, *(f"{schema}_truth.clean_{t}" for t in ("transactions", "customers", "outcomes"))]


@pytest.mark.parametrize("used", ["memory", "one", "other"])
def test_of_two_attached_files_each_answers_for_itself(file: Path, tmp_path: Path, used: str) -> None:
    half = Path(shutil.copy(file, tmp_path / "half.duckdb"))
    with duckdb.connect(str(half)) as connection:
        connection.execute("DELETE FROM baseline.transactions WHERE day > DATE '2024-08-05'")
    alone = {}
    for name, path in (("one", file), ("other", half)):
        with duckdb.connect(str(path), read_only=True) as connection:
            alone[name] = {view: rows(connection, f"FROM {view}") for view in all_views()}
    assert alone["one"]["baseline.training_rows"] != alone["other"]["baseline.training_rows"]
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{file}' AS one (READ_ONLY); ATTACH '{half}' AS other (READ_ONLY)")
        connection.execute(f"USE {used}")
        for name, expected in alone.items():
            for view in all_views():
                assert rows(connection, f"FROM {name}.{view}") == expected[view], (name, view)


@pytest.mark.parametrize("options", ["", "(FORMAT parquet)"])
def test_an_exported_database_can_be_imported(file: Path, tmp_path: Path, options: str) -> None:
    """Views and macros read tables only, so that they can be made in any order."""
    asked = [*(f"FROM {view}" for view in all_views()), *(
        f"FROM baseline.{macro}('{MOMENT}')"
        for macro in ("training_set", "labels_asof", "monitoring", "monitoring_target")
    )]  # fmt: skip
    with duckdb.connect(str(file), read_only=True) as connection:
        connection.execute(f"EXPORT DATABASE '{tmp_path / 'export'}' {options}")
        expected = [rows(connection, sql) for sql in asked]
    with duckdb.connect(str(tmp_path / "imported.duckdb")) as connection:
        connection.execute(f"IMPORT DATABASE '{tmp_path / 'export'}'")
        assert [rows(connection, sql) for sql in asked] == expected


def test_no_view_is_stored_with_what_older_databases_cannot_read(file: Path) -> None:
    """DuckDB before 1.4 has no ENUM in a cast; 1.4 does not find common table expressions of 1.5."""
    with duckdb.connect(str(file), read_only=True) as connection:
        stored = connection.execute(
            "SELECT view_name, sql FROM duckdb_views() WHERE NOT internal AND schema_name LIKE 'baseline%'"
            " UNION ALL SELECT function_name, macro_definition FROM duckdb_functions()"
            " WHERE NOT internal AND schema_name LIKE 'baseline%'"
        ).fetchall()
    assert len(stored) > 10
    for name, sql in stored:
        assert "ENUM" not in sql, name
        assert "WITH " not in sql, name


def test_a_view_of_before_reads_its_tables_by_their_schema() -> None:
    key = ViewColumn("n", BIGINT, "number", expression="t.n", source=("numbers", "n"))
    view = ViewContract("evens", "an even number", (key,), "FROM {schema}.numbers t WHERE t.n % 2 = 0")
    with duckdb.connect() as connection:
        connection.execute("CREATE SCHEMA s; CREATE TABLE s.numbers AS SELECT range AS n FROM range(5)")
        for statement in create_view("s", view):
            connection.execute(statement)
        assert rows(connection, "FROM s.evens") == [(0,), (2,), (4,)]
    assert view.reads == ("numbers",)


def test_views_are_declared_after_what_they_read() -> None:
    known = {contract.name for contract in BnplGenerator.tables}
    for view in BnplGenerator.views:
        assert set(view.reads) <= known, view.name
        known.add(view.name)


# learners


def test_learners_take_the_frame_of_a_feed_with_faults(file: Path) -> None:
    """Text is a category whatever type it landed in; what is left is numbers, moments, yes or no."""
    frame = training_set("baseline", as_of=MOMENT, database=file)
    arrow = training_set("baseline", as_of=MOMENT, database=file, format="arrow")
    assert len(frame) == arrow.num_rows > 300
    assert frame["will_default"].dtype == bool
    for name in frame:
        kind = frame[name].dtype
        plain = kind in (bool, "float64") or kind.kind in "iuM" if not hasattr(kind, "categories") else True
        assert plain, (name, kind)
        assert arrow[name].null_count == frame[name].isna().sum()
    for name in ("risk_level", "customer_income_bracket", "product_brand", "customer_state"):
        assert isinstance(frame[name].dtype, pd.CategoricalDtype)
    assert frame["amount"].dtype == frame["device_is_trusted"].dtype == "float64"
    known = frame.drop(columns=["transaction_id", "customer_id", "event_time", "will_default"])
    model = HistGradientBoostingClassifier(max_iter=3, categorical_features="from_dtype")
    assert model.fit(known, frame["will_default"]).predict_proba(known).shape == (len(frame), 2)


def test_purchases_whose_label_was_lost_are_left_out(file: Path) -> None:
    with duckdb.connect(str(file), read_only=True) as connection:
        ((lost,),) = rows(connection, "SELECT count(*) FROM baseline.outcomes WHERE will_default IS NULL")
        ((all_of_them,),) = rows(connection, "SELECT count(*) FROM baseline.outcomes")
        assert lost > 50
        for macro in ("training_set", "labels_asof", "monitoring_target"):
            ((shown, labelled),) = rows(
                connection, f"SELECT count(*), count(will_default) FROM baseline.{macro}('2100-01-01')"
            )
            assert shown == labelled == all_of_them - lost


# the clock of a replay


def test_a_replay_has_a_row_when_it_was_known_on_the_delivered_clock(file: Path) -> None:
    """The affine map of the moment at which it was known, whatever its event's own delivered time."""
    start, epoch = datetime(2024, 8, 1), datetime(2030, 1, 1)
    with duckdb.connect(str(file), read_only=True) as connection:
        for view in ("training_rows", "label_rows", "monitoring_rows", "monitoring_target_rows"):
            told = rows(connection, f"SELECT known_at, known_delivered_at FROM baseline.{view}")
            assert len(told) > 300
            for known_at, delivered in told:
                expected = epoch + (known_at - start) / 1440
                assert abs(delivered - expected) <= timedelta(microseconds=1)
        differs = "m.known_delivered_at IS DISTINCT FROM t.delivered_at"
        ((late, on_time),) = rows(
            connection,
            f"SELECT count(*) FILTER ({differs} AND t.ingested_at > t.event_time),"
            f" count(*) FILTER ({differs} AND t.ingested_at = t.event_time)"
            " FROM baseline.transactions t JOIN baseline.monitoring_rows m USING (transaction_id)",
        )
    assert late > 100
    assert on_time == 0


@pytest.mark.parametrize("name", ["one's", 'a"b'])
def test_schemas_are_quoted_where_views_are_inlined(name: str) -> None:
    view = next(view for view in BnplGenerator.views if view.name == "training_rows")
    assert f"FROM {quoted(name)}." in view.sql(quoted(name), quoted(f"{name}_truth"))
