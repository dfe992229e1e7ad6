"""Nothing is known before its time, and each thing comes when it is."""

import sys
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simtom_pipeline import load_scenario
from simtom_pipeline.contracts import BIGINT, TIMESTAMP, Column, TableContract
from simtom_pipeline.generators import registry
from simtom_pipeline.simulation import Simulation
from simtom_pipeline.streaming.known_rows import versions
from simtom_pipeline.streaming.selection import Selection
from tests.support import visits
from tests.support.landed import land, opened
from tests.support.streams import LATE, MUCH_LATER, micros, sent_with_moments, stream, world

DIRTY = world("dirty_feed", faults=LATE)
EXAMPLE = Path(__file__).parents[3] / "examples" / "ad_clicks"


def true_rows(simulation: Simulation, table: str) -> dict[tuple[Any, ...], dict[str, Any]]:
    key = simulation.relations.table(table).primary_key
    return {
        tuple(row[name] for name in key): row
        for day in simulation.scenario.clock.days()
        for row in simulation.simulate_day(day)[table].to_pylist()
    }


def known_when(contract: TableContract, row: dict[str, Any], column: str, since: int) -> int | None:
    """The first moment at which a value may be shown; None: never."""
    known_from = contract.column(column).known_from
    moment = micros(row[known_from]) if known_from else since
    return None if moment is None else max(moment, since)


MOMENTS = st.none() | st.integers(-2, 3)
ANSWERS = TableContract(
    name="answers",
    row="two answers to a question",
    primary_key=("key",),
    columns=(
        Column("key", BIGINT, "key"),
        Column("one", BIGINT, "an answer", known_from="one_at"),
        Column("one_at", TIMESTAMP, "when", nullable=True, known_from="one_at"),
        Column("other_at", TIMESTAMP, "when the other came", nullable=True, known_from="other_at"),
    ),
)


@given(st.lists(st.tuples(st.integers(-1, 1), MOMENTS, MOMENTS)))
def test_a_row_comes_once_at_each_moment_at_which_more_of_it_is_known(
    rows: list[tuple[int, int | None, int | None]],
) -> None:
    n, moment = len(rows), np.array([row[0] for row in rows], np.int64)
    one_at, other_at = (
        pa.array([row[k] for row in rows], pa.int64()).cast(pa.timestamp("us")) for k in (1, 2)
    )
    table = ANSWERS.table({"key": np.arange(n), "one": np.arange(n), "one_at": one_at, "other_at": other_at})
    found = [
        (row["key"], int(when), row["one"] is not None, row["other_at"] is not None)
        for moments, changed in versions(ANSWERS, table, moment)
        for when, row in zip(moments, changed.to_pylist(), strict=True)
    ]
    expected = [
        (key, when, one is not None and one <= when, other is not None and other <= when)
        for key, (own, one, other) in enumerate(rows)
        for when in {own} | {later for later in (one, other) if later is not None and later > own}
    ]
    assert sorted(found) == sorted(expected)


@pytest.mark.parametrize("order", ["event_time", "ingested_at"])
@pytest.mark.parametrize("table", ["installments", "outcomes"])
def test_a_value_is_shown_from_the_moment_on_at_which_it_is_known(table: str, order: Any) -> None:
    contract, rows = DIRTY.relations.table(table), true_rows(DIRTY, table)
    first: dict[tuple[Any, ...], int] = {}
    shown: dict[tuple[Any, ...], list[int]] = {}
    for moment, _, one in sent_with_moments(stream(Selection(DIRTY, (table,), order))):
        key = tuple(one[name] for name in contract.primary_key)
        since = first.setdefault(key, moment)
        shown.setdefault(key, []).append(moment)
        for name in contract.column_names:
            known = known_when(contract, rows[key], name, since)
            is_known = known is not None and known <= moment
            assert (one[name] is not None) == (is_known and rows[key][name] is not None), name
    assert shown.keys() == rows.keys()
    for key, moments in shown.items():
        known = {known_when(contract, rows[key], name, first[key]) for name in contract.column_names}
        assert moments == sorted(known - {None})


@pytest.mark.parametrize("order", ["event_time", "ingested_at"])
def test_each_label_that_is_not_lost_comes_once_when_it_is_known(order: Any, tmp_path: Path) -> None:
    found = [
        (one["transaction_id"], one["will_default"], moment)
        for moment, name, one in sent_with_moments(stream(Selection(DIRTY, (), order, "as_known")))
        if name == "label"
    ]
    column = "known_at" if order == "ingested_at" else "label_available_at"
    with opened(land(DIRTY.scenario, tmp_path / "simtom.duckdb"), read_only=True) as connection:
        expected = connection.execute(
            f"SELECT transaction_id, will_default, epoch_us({column}) FROM dirty_feed.label_rows"
        ).fetchall()
    assert sorted(found) == sorted(expected)
    assert 0 < len(found) < len(true_rows(DIRTY, "outcomes"))


def test_a_label_that_a_feed_brings_twice_and_contradicts_is_lost_as_it_is_to_sql(tmp_path: Path) -> None:
    twice = {
        "id": "twice",
        "kind": "duplicate",
        "table": "outcomes",
        "rate": 0.5,
        "columns": ["will_default"],
    }
    simulation = world(faults=[twice])
    found = sent_with_moments(stream(Selection(simulation, labels="as_known")))
    labels = {one["transaction_id"]: one["will_default"] for _, name, one in found if name == "label"}
    with opened(land(simulation.scenario, tmp_path / "simtom.duckdb"), read_only=True) as connection:
        told = connection.execute("SELECT transaction_id, will_default FROM baseline.label_rows").fetchall()
    assert labels == {key: label for key, label in told if label is not None}
    assert len(labels) < len(true_rows(simulation, "outcomes"))


def test_a_label_that_a_feed_brings_twice_comes_once() -> None:
    def labels(faults: list[dict[str, Any]]) -> list[tuple[int, int]]:
        selection = Selection(world(faults=faults), labels="as_known")
        sent = sent_with_moments(stream(selection))
        return [(moment, one["transaction_id"]) for moment, name, one in sent if name == "label"]

    twice = {"id": "twice", "kind": "duplicate", "table": "outcomes", "rate": 0.5}
    assert labels([twice]) == labels([])


@pytest.fixture
def ad_clicks(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The example's package as a generator of this home; gone again afterwards."""
    monkeypatch.syspath_prepend(str(EXAMPLE))
    (home / "generators").mkdir()
    (home / "generators" / "ads.py").write_text("import ad_clicks\n")
    yield
    registry._registered[:] = [one for one in registry._registered if one.name != "ad_clicks"]
    for name in [name for name in sys.modules if name.split(".")[0] == "ad_clicks"]:
        del sys.modules[name]


@pytest.mark.usefixtures("ad_clicks")
@pytest.mark.parametrize("order", ["event_time", "ingested_at"])
def test_what_belongs_to_an_event_by_way_of_another_table_does_not_come_before_it(order: Any) -> None:
    overrides = {
        "clock.start": "2024-01-01", "clock.end": "2024-01-02", "volume.base_daily_volume": 150,
        "drifts": [], "ad_clicks.click.rate": 0.3,
        "faults": [{"id": "late", "kind": "late", "table": "impressions", "rate": 0.5,
                    "delay": {"kind": "exponential", "mean_hours": 2000}}],
    }  # fmt: skip
    simulation = Simulation(load_scenario(EXAMPLE / "ad_campaign.yaml", overrides))
    tables = ("impressions", "clicks", "conversions")
    seen = Counter[str]()
    arrived: dict[int, str] = {}
    last = date(2034, 6, 1) if order == "ingested_at" else MUCH_LATER
    for moment, name, one in sent_with_moments(
        stream(Selection(simulation, tables, order, "as_known"), last=last)
    ):
        seen[name] += 1
        column = "ingested_at" if order == "ingested_at" else "event_time"
        if name == "impressions":
            arrived[one["impression_id"]] = one[column]
        assert moment >= micros(arrived[one["impression_id"]])  # type: ignore[operator]
    assert seen["label"] == seen["impressions"] + seen["clicks"]
    assert seen["clicks"] > 20


def test_a_scenario_without_a_flat_record_is_streamed(home: Path) -> None:
    visits.furnish(home, "2024-01-01", "2024-01-02", 20)
    simulation = Simulation(load_scenario("visits"))
    found = sent_with_moments(stream(Selection(simulation, labels="as_known")))
    rows = [
        r
        for d in simulation.scenario.clock.days()
        for r in simulation.simulate_day(d)["page_views"].to_pylist()
    ]
    assert [moment for moment, *_ in found] == sorted(micros(row["event_time"]) for row in rows)  # type: ignore[type-var]
