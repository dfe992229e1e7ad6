"""The id of a record: read as it was written, and nothing else is one."""

from contextlib import suppress
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simtom_pipeline.streaming.positions import Position

POSITIONS = st.builds(
    Position,
    st.text("0123456789abcdef", min_size=16, max_size=16),
    st.dates(),
    st.integers(0, 10**9),
    st.integers(0, 10**12),
)


@given(POSITIONS)
def test_a_position_is_read_as_it_was_written(position: Position) -> None:
    assert Position.read(str(position)) == position


@given(st.text() | st.text("0123456789.-abcdef"))
def test_any_other_text_is_refused_and_by_no_other_error(text: str) -> None:
    with suppress(ValueError):
        assert str(Position.read(text)).split(".")[1] == text.split(".")[1]


@pytest.mark.parametrize(
    "text", ["", "a.2024-01-01.1", "a.2024-01-01.-1.0", "a.2024-02-30.1.0", "a.2024-01-01.x.0"]
)
def test_what_is_nearly_a_position_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="as the stream sent it"):
        Position.read(text)


def test_positions_of_a_stream_are_in_its_order() -> None:
    day, next_day = date(2024, 1, 1), date(2024, 1, 2)
    assert Position("a", day, 9, 9) < Position("a", day, 10, 10) < Position("a", next_day, 0, 11)
