"""A stream of other records has another digest, and its ids are refused with both."""

import pytest

from simtom_pipeline.streaming.positions import AnotherStreamError, Position
from simtom_pipeline.streaming.selection import Selection, SelectionError
from tests.support.streams import START, sent, stream, world

PLAIN = Selection(world())
OTHERS = {
    "another seed": Selection(world(seed=7)),
    "another scenario": Selection(world("late_labels_and_events")),
    "other tables": Selection(world(), ("transactions", "customers")),
    "the flat record": Selection(world(), ("bnpl_records",)),
    "another order": Selection(world(), order="ingested_at"),
    "other labels": Selection(world(), labels="as_known"),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_a_position_of_another_stream_is_refused_with_both_digests(other: Selection) -> None:
    with pytest.raises(AnotherStreamError) as refused:
        sent(stream(PLAIN), str(Position(other.digest, START, 0, 0)))
    assert other.digest in str(refused.value)
    assert PLAIN.digest in str(refused.value)


def test_another_version_of_the_code_is_another_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    simulation = world()
    monkeypatch.setattr(type(simulation.generator), "model_version", 10_000)
    assert Selection(simulation).digest != PLAIN.digest


def test_neither_the_order_nor_the_repetition_of_names_makes_another_stream() -> None:
    names = ("customers", "transactions", "customers")
    assert Selection(world(), names).digest == OTHERS["other tables"].digest


@pytest.mark.parametrize(
    ("tables", "order", "key"),
    [
        (("nothing",), "event_time", "tables"),
        (("products",), "event_time", "tables"),
        (("bnpl_records",), "ingested_at", "order"),
    ],
)
def test_what_cannot_be_streamed_is_refused_by_name(tables: tuple[str, ...], order: str, key: str) -> None:
    with pytest.raises(SelectionError) as refused:
        Selection(world(), tables, order)  # type: ignore[arg-type]
    assert refused.value.key == key
