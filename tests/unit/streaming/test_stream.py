"""A stream that is cut anywhere, any number of times, goes on as if it had not been."""

import weakref
from datetime import date
from functools import cache
from itertools import islice
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simtom_pipeline.streaming.selection import Selection
from simtom_pipeline.streaming.sources import SimulatedDays
from tests.support.streams import END, LATE, MUCH_LATER, START, Sent, sent, stream, world

DIRTY = world("dirty_feed", faults=LATE)
SELECTIONS: dict[str, Selection] = {
    "events": Selection(world()),
    "flat record and labels": Selection(DIRTY, ("bnpl_records",), labels="as_known"),
    "tables": Selection(DIRTY, ("installments", "transactions", "devices", "outcomes")),
    "by arrival": Selection(DIRTY, ("transactions", "installments", "customers"), "ingested_at", "as_known"),
}
LIMITS = {"no limit": None, "a limit": 61}


@cache
def whole(name: str, limit: int | None) -> list[Sent]:
    return sent(stream(SELECTIONS[name], last=MUCH_LATER, limit=limit))


@pytest.mark.parametrize("limit", LIMITS.values(), ids=LIMITS)
@pytest.mark.parametrize("name", SELECTIONS)
@settings(max_examples=2, deadline=None, derandomize=True)
@given(data=st.data())
def test_a_stream_cut_anywhere_goes_on_byte_for_byte(name: str, limit: int | None, data: Any) -> None:
    selection, uncut = SELECTIONS[name], whole(name, limit)
    cuts = data.draw(st.lists(st.integers(1, len(uncut)), max_size=3, unique=True).map(sorted), "cuts")
    is_new = data.draw(st.booleans(), "a source made anew each time")
    source, found = SimulatedDays(selection), []
    for low, high in zip([0, *cuts], [*cuts, None], strict=True):
        source = SimulatedDays(selection) if is_new else source
        piece = sent(
            stream(selection, source, limit=limit),
            found[-1][0] if found else None,
            None if high is None else high - low,
        )
        found += piece
    assert found == uncut
    assert len(uncut) == limit or limit is None


def test_a_source_that_begins_again_gives_each_flat_record_once() -> None:
    selection = SELECTIONS["flat record and labels"]
    source = SimulatedDays(selection)
    assert (
        sent(stream(selection, source))
        == sent(stream(selection, source))
        == whole("flat record and labels", None)
    )


@pytest.mark.parametrize("limit", LIMITS.values(), ids=LIMITS)
@pytest.mark.parametrize("read", [1, None], ids=["cut", "read to its end"])
def test_a_stream_that_ends_lets_go_of_what_it_remembers(limit: int | None, read: int | None) -> None:
    held: list[weakref.ref[Any]] = []

    class Watched(SimulatedDays):
        def day(self, day: date) -> Any:
            tables = super().day(day)
            assert self._flat is not None
            assert self._flat._database is not None
            held.append(weakref.ref(self._flat._database))
            held.append(weakref.ref(self._simulation.generator._population))  # type: ignore[attr-defined]
            return tables

    selection = Selection(world(), ("bnpl_records",))
    source = Watched(selection)
    portions = stream(selection, source, limit=limit).portions()
    for _ in islice(portions, read):
        assert all(ref() is not None for ref in held)
    portions.close()
    assert held
    assert not [ref() for ref in held if ref() is not None]


def test_counts_run_on_and_sequences_begin_each_day() -> None:
    uncut = whole("by arrival", None)
    places = [record[0].split(".") for record in uncut]
    assert [int(count) for *_, count in places] == list(range(len(uncut)))
    days = [day for _, day, *_ in places]
    assert days == sorted(days)
    for day in set(days):
        numbers = [int(sequence) for _, that, sequence, _ in places if that == day]
        assert numbers == list(range(len(numbers)))


@pytest.mark.parametrize("name", SELECTIONS)
def test_a_stream_that_begins_later_sends_what_the_whole_one_sends_then(name: str) -> None:
    later = [
        (id_.split(".")[1:3], *rest) for id_, *rest in whole(name, None) if id_.split(".")[1] >= str(END)
    ]
    found = sent(stream(SELECTIONS[name], first=END))
    assert [(id_.split(".")[1:3], *rest) for id_, *rest in found] == later


def test_a_stream_that_has_come_to_its_limit_draws_no_day() -> None:
    class Nothing:
        def day(self, day: object) -> Any:
            raise AssertionError(day)

    last = whole("events", 61)[-1][0]
    assert sent(stream(SELECTIONS["events"], Nothing(), limit=61), last) == []


def test_neither_a_position_nor_a_beginning_gives_what_comes_before_the_other() -> None:
    selection, uncut = SELECTIONS["events"], list(stream(SELECTIONS["events"], last=START).portions())
    moments = [int(moment) for portion in uncut for moment in portion.moment]
    ids = [record[0] for record in whole("events", None)]
    for position, begins in ((2, 5), (5, 2)):
        found = sent(stream(selection, last=START, begins=moments[begins]), ids[position])
        first = max(position + 1, begins)
        assert [one[2] for one in found] == [one[2] for one in whole("events", None)[first : len(moments)]]
