"""A stream is each record once, in order, and goes on exactly after any of them."""

import json
from collections import Counter
from datetime import date
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simtom_pipeline.streaming.positions import AnotherStreamError, Position
from simtom_pipeline.streaming.selection import Selection, SelectionError
from tests.support.streams import Sent, sent, small, stream_of

KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "the flat record": ("baseline", {"tables": ("bnpl_records",)}),
    "several tables": ("baseline", {"tables": ("transactions", "customers", "installments")}),
    "labels": ("baseline", {"tables": ("transactions",), "labels": "as_known"}),
    "as a feed delivers it": (
        "dirty_feed",
        {"tables": ("transactions", "outcomes"), "labels": "as_known", "order": "ingested_at"},
    ),
    "the flat record of a dirty feed": ("dirty_feed", {"tables": ("bnpl_records",)}),
}


@cache
def selection(kind: str) -> Selection:
    scenario, chosen = KINDS[kind]
    return Selection(small(scenario), **chosen)


@cache
def uncut(kind: str, limit: int | None = None) -> list[Sent]:
    return sent(stream_of(selection(kind), days_after=60, limit=limit))


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=4, deadline=None, derandomize=True)
@given(data=st.data())
def test_a_stream_cut_anywhere_goes_on_as_if_it_had_not_been(kind: str, data: st.DataObject) -> None:
    """Each time by a source that was made anew, as after a restart or on another machine."""
    whole = uncut(kind)
    limit = data.draw(st.none() | st.integers(1, len(whole)))
    expected = whole if limit is None else whole[:limit]
    cuts = sorted(data.draw(st.sets(st.integers(1, len(expected)), min_size=1, max_size=3)))
    received: list[Sent] = []
    for cut in [*cuts, len(expected)]:
        after = received[-1][0] if received else None
        again = sent(stream_of(selection(kind), days_after=60, limit=limit), after)
        assert received + again == expected
        received += again[: cut - len(received)]


@pytest.mark.parametrize("kind", KINDS)
def test_ids_count_the_records_and_tell_the_day_of_delivery(kind: str) -> None:
    positions = [Position.read(at) for at, _, _ in uncut(kind)]
    assert [position.count for position in positions] == list(range(len(positions)))
    assert positions == sorted(positions)
    by_day = Counter(position.day for position in positions)
    assert [p.sequence for p in positions] == [n for day in sorted(by_day) for n in range(by_day[day])]


def test_every_row_comes_once_and_in_order_of_its_time() -> None:
    simulation = small()
    records = [json.loads(record) for _, _, record in sent(stream_of(Selection(simulation)))]
    assert [r["event_time"] for r in records] == sorted(r["event_time"] for r in records)
    drawn = [
        key
        for day in simulation.scenario.clock.days()
        for key in simulation.simulate_day(day)["transactions"]["transaction_id"].to_pylist()
    ]
    assert sorted(r["transaction_id"] for r in records) == sorted(drawn)


def test_a_feed_delivers_late_rows_late_and_doubled_rows_twice() -> None:
    simulation = small("dirty_feed", **{"volume.base_daily_volume": 300})
    chosen = Selection(simulation, ("transactions",), "ingested_at")
    delivered = [
        (Position.read(at), json.loads(record)) for at, _, record in sent(stream_of(chosen, days_after=60))
    ]
    arrivals = [record["ingested_at"] or record["event_time"] for _, record in delivered]
    assert arrivals == sorted(arrivals)
    assert all(str(at.day) == arrived[:10] for (at, _), arrived in zip(delivered, arrivals, strict=True))
    assert any(str(at.day) > record["day"] for at, record in delivered)
    drawn = Counter(
        key
        for day in simulation.scenario.clock.days()
        for key in simulation.simulate_day(day)["transactions"]["transaction_id"].to_pylist()
    )
    assert Counter(record["transaction_id"] for _, record in delivered) == drawn
    assert max(drawn.values()) == 2


def test_no_value_is_shown_before_it_is_known_and_each_is_when_it_is() -> None:
    simulation = small()
    contract = simulation.relations.table("installments")
    shown: dict[tuple[int, int], list[tuple[str, dict[str, Any]]]] = {}
    for at, name, record in sent(stream_of(Selection(simulation, ("installments",)), days_after=400)):
        row = json.loads(record)
        assert name == "installments"
        for column in contract.columns:
            if column.known_from and row[column.known_from] is None and column.name != column.known_from:
                assert row[column.name] is None, column.name
            if column.known_from and row[column.known_from] is not None:
                assert row[column.known_from][:10] <= str(Position.read(at).day)
        shown.setdefault((row["transaction_id"], row["installment_number"]), []).append((at, row))
    final = {key: rows[-1][1] for key, rows in shown.items()}
    for day in simulation.scenario.clock.days():
        for drawn in simulation.simulate_day(day)["installments"].to_pylist():
            row = final[drawn["transaction_id"], drawn["installment_number"]]
            assert (row["paid_at"] is None) == (drawn["paid_at"] is None)
            if drawn["paid_at"] is not None:
                assert row["paid_at"] == drawn["paid_at"].isoformat(timespec="microseconds")
                assert row["amount_paid"] == float(drawn["amount_paid"])


def test_each_label_comes_once_when_it_is_known() -> None:
    simulation = small()
    chosen = Selection(simulation, ("transactions",), labels="as_known")
    labels = {
        record["transaction_id"]: (record["will_default"], record["label_available_at"], at.split(".")[1])
        for at, name, text in sent(stream_of(chosen, days_after=400))
        if name == "label" and (record := json.loads(text))
    }
    drawn = {
        row["transaction_id"]: row
        for day in simulation.scenario.clock.days()
        for row in simulation.simulate_day(day)["outcomes"].to_pylist()
    }
    assert set(labels) == set(drawn)
    for key, (label, known_at, delivered_on) in labels.items():
        assert label == drawn[key]["will_default"]
        assert known_at == drawn[key]["label_available_at"].isoformat(timespec="microseconds")
        assert delivered_on == known_at[:10]


@pytest.mark.parametrize(
    "other",
    [
        Selection(small(seed=1)),
        Selection(small(**{"volume.base_daily_volume": 26})),
        Selection(small(), ("customers",)),
        Selection(small(), labels="as_known"),
        Selection(small(), order="ingested_at"),
    ],
)
def test_a_record_of_another_stream_is_no_place_to_go_on_from(other: Selection) -> None:
    here = Selection(small())
    position = Position(other.digest, date(2024, 1, 1), 0, 0)
    with pytest.raises(AnotherStreamError, match=f"{other.digest}.*{here.digest}"):
        next(stream_of(here).portions(position))


def test_a_later_end_is_no_other_stream() -> None:
    assert Selection(small()).digest == Selection(small(**{"clock.end": "2024-03-01"})).digest


def test_amounts_are_as_short_as_they_were_written_and_moments_have_microseconds() -> None:
    simulation = small(**{"volume.base_daily_volume": 200})
    texts = [text for _, _, text in sent(stream_of(Selection(simulation, ("installments",))))]
    assert not any(b"000000" in text.split(b'"amount_due":')[1].split(b",")[0] for text in texts)
    assert all(len(json.loads(text)["due_at"]) == len("2024-01-01T00:00:00.000000") for text in texts)


def test_what_is_not_there_cannot_be_selected() -> None:
    with pytest.raises(SelectionError, match="tables: found 'orders'; allowed: customers"):
        Selection(small(), ("orders",))
    with pytest.raises(SelectionError, match="order: found 'ingested_at'"):
        Selection(small(), ("bnpl_records",), "ingested_at")


def test_a_clock_long_ago_is_streamed_too() -> None:
    old = small(**{"clock.start": "1950-01-01", "clock.end": "1950-01-03"})
    records = sent(stream_of(Selection(old, ("transactions", "outcomes"), labels="as_known"), days_after=3))
    assert records[0][0].split(".")[1] == "1950-01-01"
    assert [json.loads(text)["event_time"] for _, name, text in records if name == "transactions"]
