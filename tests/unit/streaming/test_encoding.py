"""What is sent is plain JSON, and Arrow has the same values."""

import json
import re
from decimal import Decimal

import orjson
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simtom_pipeline.streaming.encoding import plain_columns
from simtom_pipeline.streaming.selection import Selection
from tests.support.streams import multiset, sent, stream, world

DIRTY = world("dirty_feed", volume__base_daily_volume=60)


def refused(word: str) -> float:
    raise AssertionError(word)


@given(st.lists(st.integers(-(10**15), 10**15), min_size=1))
def test_an_amount_is_its_shortest_decimal(cents: list[int]) -> None:
    amounts = [Decimal(number).scaleb(-2) for number in cents]
    rows = plain_columns(pa.table({"amount": pa.array(amounts, pa.decimal128(18, 2))})).to_pylist()
    for amount, row in zip(amounts, rows, strict=True):
        text = orjson.dumps(row).decode().removeprefix('{"amount":').removesuffix("}")
        assert Decimal(text) == amount
        assert "e" in text or len(text.partition(".")[2]) <= 2


@given(st.lists(st.datetimes() | st.none(), min_size=1))
def test_a_moment_is_iso_8601_with_microseconds(moments: list) -> None:  # type: ignore[type-arg]
    column = plain_columns(pa.table({"at": pa.array(moments, pa.timestamp("us"))}))["at"].to_pylist()
    assert column == [m and m.isoformat(timespec="microseconds") for m in moments]


def test_json_has_every_value_no_nan_and_null_for_null() -> None:
    found = [json.loads(one, parse_constant=refused) for *_, one in sent(stream(Selection(DIRTY)))]
    rows = [r for d in DIRTY.scenario.clock.days() for r in DIRTY.simulate_day(d)["transactions"].to_pylist()]
    assert multiset(found) == multiset(rows)
    assert any(None in row.values() for row in found)
    text = b"\n".join(one for *_, one in sent(stream(Selection(DIRTY))))
    assert not re.search(rb'"amount":\d+\.\d{3,}', text)


@pytest.mark.parametrize("table", ["transactions", "installments", "bnpl_records", "fault_ledger"])
def test_arrow_has_the_values_and_ids_of_the_json(table: str) -> None:
    for portion in stream(Selection(DIRTY, (table,))).portions():
        rows = portion.table().to_pylist()
        assert [row.pop("_id") for row in rows] == [str(position) for position in portion.positions]
        objects = [json.loads(one) for one in portion.records()]
        for row, one in zip(rows, objects, strict=True):
            assert multiset([row]) == multiset([one])
