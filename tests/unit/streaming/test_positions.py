"""An id names one record, and nothing else is one."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simtom_pipeline.streaming.positions import Position

NUMBERS = st.integers(0, 10**17)
ALMOST = st.from_regex(r"[0-9a-g]{15,17}\.[0-9]{3,5}-?[0-9]{2}-?[0-9]{2}\.[0-9+_ -]{0,30}\.\d{0,30}\n?")


@given(st.text("0123456789abcdef", min_size=16, max_size=16), st.dates(), NUMBERS, NUMBERS)
def test_every_position_is_read_as_it_was_written(digest: str, day: date, sequence: int, count: int) -> None:
    position = Position(digest, day, sequence, count)
    assert Position.read(str(position)) == position


@given(st.text() | ALMOST)
def test_a_text_is_a_position_written_its_only_way_or_a_value_error(text: str) -> None:
    try:
        position = Position.read(text)
    except ValueError:
        return
    assert str(position) == text


@pytest.mark.parametrize(
    "text",
    [
        "00ff00ff00ff00ff.20240131.17.1042",
        "00ff00ff00ff00ff.2024-W05-3.17.1042",
        "00ff00ff00ff00ff.2024-02-30.17.1042",
        "00ff00ff00ff00ff.2024-01-31.017.1042",
        "00ff00ff00ff00ff.2024-01-31.١.1042",
        "00ff00ff00ff00ff.2024-01-31.17.1042\n",
        "<script>.2024-01-31.17.1042",
        "00ff00ff00ff00ff.2024-01-31.17." + "9" * 5000,
    ],
)
def test_what_only_looks_like_an_id_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="the id of a record"):
        Position.read(text)
