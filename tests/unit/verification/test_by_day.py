"""Landed rows one day after the other: the same whatever fits into memory at once."""

from collections.abc import Iterator
from datetime import date
from itertools import pairwise
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simtom_pipeline.verification import by_day as module
from simtom_pipeline.verification.by_day import by_day
from tests.support.tosses import day, table

PORTIONS = [1, 7, 10**9]


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


Rows = list[tuple[int | None, float | None, int]]
"""Number of the day, a value, and another one."""
SOME_ROWS = st.lists(
    st.tuples(
        st.none() | st.sampled_from([0, 1, 2, 5, 6, 300]),
        st.none() | st.floats(-5, 5) | st.just(float("nan")),
        st.integers(-3, 3),
    ),
    max_size=40,
)


def landed(connection: duckdb.DuckDBPyConnection, rows: Rows) -> str:
    columns = {
        "day": [None if n is None else day(n) for n, _, _ in rows],
        "value": [value for _, value, _ in rows],
        "order": [number for _, _, number in rows],
    }
    table(connection, "landed", columns)
    types = 'CAST(day AS DATE) AS day, CAST(value AS DOUBLE) AS value, CAST("order" AS BIGINT) AS "order"'
    return f"(SELECT {types} FROM landed)"


@pytest.mark.parametrize("at_once", PORTIONS)
@settings(max_examples=40, deadline=None, derandomize=True)
@given(rows=SOME_ROWS)
def test_days_are_those_of_pandas_however_many_rows_are_in_memory(
    connection: duckdb.DuckDBPyConnection, at_once: int, rows: Rows
) -> None:
    """Also days that are larger than a portion; what is NULL is left out, what is no number is not."""
    frame = pd.DataFrame(
        [row for row in rows if row[0] is not None and row[1] is not None], columns=["day", "value", "order"]
    )
    true = {day(n): some.sort_values(["order", "value"]) for n, some in frame.groupby("day") if len(some)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "ROWS_AT_ONCE", at_once)
        found = list(by_day(connection, landed(connection, rows), ("value", "order"), ("order", "value")))
    assert [when for when, _ in found] == sorted(true)
    for when, of in found:
        assert list(of) == ["value", "order"]
        np.testing.assert_array_equal(of["order"], true[when]["order"].to_numpy())
        np.testing.assert_array_equal(of["value"], true[when]["value"].to_numpy(float))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(counts=st.lists(st.integers(1, 12), max_size=12), at_once=st.integers(1, 30))
def test_a_portion_is_as_many_days_in_a_row_as_fit_or_one_that_does_not(
    counts: list[int], at_once: int
) -> None:
    rows = {day(n): count for n, count in enumerate(counts)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "ROWS_AT_ONCE", at_once)
        portions = list(module._portions(rows))
    assert [one for days in portions for one in days] == list(rows)
    held = [sum(rows[one] for one in days) for days in portions]
    assert all(
        days and (count <= at_once or len(days) == 1) for days, count in zip(portions, held, strict=True)
    )
    for (count, _), (_, after) in pairwise(zip(held, portions, strict=True)):
        assert count + rows[after[0]] > at_once


class Spied:
    """A connection that notes how many rows each of its answers has."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection, self.rows = connection, list[int]()

    def execute(self, sql: str, parameters: Any = None) -> "Spied":
        self.found = self.connection.execute(sql, parameters)
        return self

    def fetchall(self) -> list[Any]:
        return self.found.fetchall()

    def fetchnumpy(self) -> dict[str, np.ndarray]:
        found = self.found.fetchnumpy()
        self.rows.append(len(next(iter(found.values()))))
        return found


def test_no_more_than_a_portion_is_read_and_no_sooner_than_it_is_asked_for(
    connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ROWS_AT_ONCE", 5)
    table(connection, "landed", {"day": [day(n // 2) for n in range(11)] + [day(6)] * 8, "value": range(19)})
    spied = Spied(connection)
    days = by_day(spied, "landed", ("value",))  # type: ignore[arg-type]
    next(days)
    assert spied.rows == [4]
    assert [len(of["value"]) for _, of in days] == [2, 2, 2, 2, 1, 8]
    assert spied.rows == [4, 4, 3, 8]


def test_a_relation_without_rows_has_no_days(connection: duckdb.DuckDBPyConnection) -> None:
    assert list(by_day(connection, landed(connection, []), ("value",))) == []


def test_names_of_columns_need_no_care(connection: duckdb.DuckDBPyConnection) -> None:
    table(connection, "landed", {"day": [date.min, date.max], 'a "b': [3, 4], "number": [2, 1]})
    found = dict(by_day(connection, "landed", ('a "b', "number"), ("number",)))
    assert {when: (int(of['a "b'][0]), int(of["number"][0])) for when, of in found.items()} == {
        date.min: (3, 2),
        date.max: (4, 1),
    }
