"""Groups of like values that the database forms, against ranks and quantiles of arrays."""

from bisect import bisect_right
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import product
from math import inf, nan
from typing import Any

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simtom_pipeline.sql import text
from simtom_pipeline.validation.outcomes import GroupSums
from simtom_pipeline.verification import groups
from simtom_pipeline.verification.draws import Draws
from simtom_pipeline.verification.groups import Grouping, Halves, sums_by_column, sums_by_probability
from tests.support.oracles import quantile_groups, sums_of
from tests.support.tosses import drawn, table, tosses

ROWS = 700
WORDS = ["", " ", "'", '"', "$edge0", "?", "A", "Z", "a", "it's", "z", "Ä", "ß", "é", "日本", "🙂"]
LISTS = sorted([[], *([a, *more] for a in range(-20, 20) for more in ([], [-5], [3], [3, 3]))])


def in_binary_order(words: list[str]) -> list[str]:
    return sorted(set(words), key=lambda word: word.encode())


def shuffled(words: list[str]) -> list[str]:
    """In an order that is not that of the alphabet."""
    return [str(word) for word in np.random.default_rng(3).permutation(words)]


MANY_WORDS = in_binary_order([*WORDS, *(f"{word}{n}" for word in WORDS for n in range(9))])
OF_AN_ENUM = shuffled([word for word in MANY_WORDS if word])

VALUES: dict[str, list[Any]] = {
    "BIGINT": [-(2**63), *range(-60, 60), 2**53, 2**53 + 1, 2**63 - 2, 2**63 - 1],
    "SMALLINT": list(range(-70, 70)),
    "DECIMAL(10,2)": [Decimal(n) / 100 for n in (-(10**10) + 1, *range(-60, 60), 10**10 - 1)],
    "DECIMAL(18,2)": [Decimal(10**18 - 200 + n) / 100 for n in range(200)],
    "DATE": [date.min, *(date(2024, 1, 1) + timedelta(n) for n in range(120)), date.max],
    "TIMESTAMP": [
        datetime(1, 1, 1),
        *(datetime(2024, 1, 1, 0, 0, 0, n) for n in range(120)),
        datetime(9999, 12, 31),
    ],
    f"ENUM({', '.join(map(text, OF_AN_ENUM))})": list(OF_AN_ENUM),
    "VARCHAR": list(MANY_WORDS),
    "DOUBLE": [
        -inf,
        *(n / 10 for n in range(-60, 0)),
        0.0,
        5e-324,
        *(n / 10 for n in range(1, 60)),
        inf,
        nan,
    ],
    "BIGINT[]": [*LISTS, [None], [None, 1]],
    "VARCHAR[]": [[], *([word] for word in MANY_WORDS), [None]],
    "BOOLEAN": [False, True],
}
"""By SQL type, distinct values in the order of SQL, ascending."""


def name_of(kind: str) -> str:
    return kind.split("(")[0] if kind.startswith("ENUM") else kind


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        for kind, values in VALUES.items():
            connection.execute(f'CREATE TABLE "{name_of(kind)}" (place INTEGER, value {kind})')
            connection.executemany(f'INSERT INTO "{name_of(kind)}" VALUES (?, ?)', list(enumerate(values)))
        yield connection


def patterns(known: int) -> dict[str, np.ndarray]:
    """Which of so many values each row has, shape (ROWS,); -1 stands for NULL."""
    random = np.random.default_rng(7)

    def of(*distinct: int) -> np.ndarray:
        """All of them, as often as chance has it."""
        return random.permutation(np.r_[distinct, random.choice(distinct, ROWS - len(distinct))])

    every = range(known)
    few, as_many, too_many = (random.permutation(known)[:count] for count in (5, 50, 51))
    return {
        "many": of(*every),
        "few": of(*few),
        "as many as may have a group each": of(*as_many),
        "one more": of(*too_many),
        "with NULL as many as may have a group each": of(-1, *as_many[:49]),
        "with NULL one more": of(-1, *as_many),
        "a single one": of(0),
        "a single one, and NULL": of(-1, known - 1),
        "NULL only": of(-1),
        "many, and some NULL": np.where(random.random(ROWS) < 0.1, -1, of(*every)),
        "many, and mostly NULL": np.where(random.random(ROWS) < 0.9, -1, of(*every)),
        "mostly one": np.where(random.random(ROWS) < 0.9, known // 2, of(*every)),
        "mostly the least": np.where(random.random(ROWS) < 0.9, 0, of(*every)),
    }


def groups_of(place: np.ndarray) -> np.ndarray:
    """By dense rank, NULL first, as arrays have it: one a value, or quantiles where they are too many."""
    rank = np.unique(place, return_inverse=True)[1]
    return quantile_groups(rank) if rank.max() >= 50 else rank


def assert_same(found: GroupSums, true: GroupSums) -> None:
    for of in ("rows", "yes", "impossible"):
        np.testing.assert_array_equal(getattr(found, of), getattr(true, of), of)
    for of in ("expected", "variance"):
        np.testing.assert_allclose(getattr(found, of), getattr(true, of), rtol=1e-12, atol=1e-12, err_msg=of)


def assert_halves(found: Halves, outcome: np.ndarray, probability: np.ndarray, group: np.ndarray) -> None:
    """Rows are in the order of their key: every other one is of the first half."""
    assert_same(found.both, sums_of(outcome, probability, group))
    for half, start in ((found.first, 0), (found.second, 1)):
        some = np.arange(len(outcome)) % 2 == start
        # Numbers beyond the last group of a half are filled up.
        padded = np.r_[group[some], group.max()]
        true = sums_of(np.r_[outcome[some], 0.0], np.r_[probability[some], 0.0], padded)
        true.rows[-1] -= 1
        assert_same(half, true)


@pytest.mark.parametrize(
    ("kind", "pattern"),
    list(product(VALUES, patterns(120))),
    ids=lambda said: name_of(said).replace("[]", "S"),
)
def test_sums_by_a_column_are_those_of_ranks(
    connection: duckdb.DuckDBPyConnection, kind: str, pattern: str
) -> None:
    known = len(VALUES[kind])
    if known < 51 and pattern not in ("NULL only", "a single one", "mostly one"):
        place = np.random.default_rng(1).integers(-1, known, ROWS)
    else:
        place = patterns(known)[pattern]
    outcome, probability = tosses(ROWS)
    draws = drawn(connection, outcome, probability)
    order = np.random.default_rng(2).permutation(ROWS)
    table(connection, "places", {"of": order, "place": place[order]})
    connection.execute(
        "CREATE OR REPLACE TABLE public AS SELECT of, value"
        f' FROM places LEFT JOIN "{name_of(kind)}" USING (place)'
    )
    found = sums_by_column(draws, "public", "of", {"value": kind})
    assert_halves(found["value"], outcome, probability, groups_of(place))


def test_a_type_is_said_as_the_database_describes_it(connection: duckdb.DuckDBPyConnection) -> None:
    for kind in VALUES:
        described = connection.execute(f'DESCRIBE SELECT value FROM "{name_of(kind)}"').fetchall()[0][1]
        assert described == kind


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    values=st.lists(st.none() | st.integers(0, 400), min_size=1, max_size=300),
    repeated=st.sampled_from([1, 1, 7]),
)
def test_edges_are_numpys_higher_quantiles_of_dense_ranks(
    connection: duckdb.DuckDBPyConnection, values: list[int | None], repeated: int
) -> None:
    values = values * repeated
    known = sorted({value for value in values if value is not None})
    ranked: list[int | None] = [*([None] if None in values else []), *known]
    rank = [ranked.index(value) for value in values]
    quantiles = np.quantile(rank, np.arange(1, 50) / 50, method="higher")
    edges = [ranked[n] for n in np.unique(quantiles) if ranked[n] is not None]
    table(connection, "whole", {"value": values})
    found = groups.grouping(connection, "whole", "value", "BIGINT", by_value=False)
    assert list(found.edges) == edges


@pytest.mark.parametrize("n", [1, 2, 49, 50, 51, 99, 100, 101, 12_345, 100_000])
def test_edges_are_at_numpys_places_for_any_number_of_rows(
    connection: duckdb.DuckDBPyConnection, n: int
) -> None:
    values = np.random.default_rng(n).permutation(n)
    table(connection, "whole", {"value": values})
    found = groups.grouping(connection, "whole", "value", "BIGINT", by_value=False)
    true = np.unique(np.quantile(values, np.arange(1, 50) / 50, method="higher"))
    assert list(found.edges) == list(true)


def test_a_relation_without_rows_has_no_edges(connection: duckdb.DuckDBPyConnection) -> None:
    table(connection, "empty", {"value": np.empty(0)})
    for by_value in (True, False):
        assert list(groups.grouping(connection, "empty", "value", "DOUBLE", by_value).edges) == []


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    edges=st.lists(st.integers(-9, 9), max_size=50).map(sorted),
    values=st.lists(st.none() | st.integers(-10, 10), min_size=1, max_size=30),
)
def test_the_number_of_a_group_is_how_many_edges_are_not_above(
    connection: duckdb.DuckDBPyConnection, edges: list[int], values: list[int | None]
) -> None:
    group = Grouping("value", "BIGINT", edges)
    table(connection, "numbered", {"n": range(len(values)), "value": values})
    found = connection.execute(
        f"SELECT {group.number('edge')} FROM numbered ORDER BY n", group.parameters("edge")
    ).fetchall()
    assert [n for (n,) in found] == [0 if v is None else bisect_right(edges, v) for v in values]


@settings(max_examples=40, deadline=None, derandomize=True)
@given(n=st.integers(1, 300), bends=st.sampled_from([0, 1, 3, 60]), seed=st.integers(0, 99))
def test_sums_by_probability_are_those_of_quantiles(
    connection: duckdb.DuckDBPyConnection, n: int, bends: int, seed: int
) -> None:
    """Ties are in one group; few probabilities have no more say than many."""
    outcome, probability = tosses(n, seed, bends)
    found = sums_by_probability(drawn(connection, outcome, probability))
    assert_same(found, sums_of(outcome, probability, quantile_groups(probability)))


def public(connection: duckdb.DuckDBPyConnection, outcome: np.ndarray, columns: dict[str, Any]) -> Draws:
    draws = drawn(connection, outcome, np.full(len(outcome), 0.5))
    table(connection, "public", {"of": np.arange(len(outcome)), **columns})
    return draws


def test_a_column_is_itself_whatever_it_is_called(connection: duckdb.DuckDBPyConnection) -> None:
    """Also as what the queries call theirs, or as what would be SQL."""
    outcome, _ = tosses(ROWS)
    named = ["key", "number", "value", "half", "place", "outcome", "probability", "rowid", "day", "n"]
    named += ['a "quote"', "it's", "two words", "$edge0", "of;--", "ORDER", "happened", "cluster", "edge"]
    random = np.random.default_rng(5)
    places = {name: random.integers(0, 3 + 60 * (n % 2), ROWS) for n, name in enumerate(named)}
    draws = public(connection, outcome, places)
    found = sums_by_column(draws, "public", "of", dict.fromkeys([*named, "of"], "BIGINT"))
    assert list(found) == [*named, "of"]
    for name, place in {**places, "of": np.arange(ROWS)}.items():
        assert_halves(found[name], outcome, np.full(ROWS, 0.5), groups_of(place))


def test_a_column_is_known_by_many_values_that_come_late(
    connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first rows have few: all of them are looked at before each has a group."""
    monkeypatch.setattr(groups, "FIRST_ROWS", 100)
    outcome, _ = tosses(ROWS)
    place = np.maximum(np.arange(ROWS) - 200, 0)
    draws = public(connection, outcome, {"late": place, "few": np.minimum(place, 3)})
    found = sums_by_column(draws, "public", "of", {"late": "BIGINT", "few": "BIGINT"})
    assert_halves(found["late"], outcome, np.full(ROWS, 0.5), groups_of(place))
    assert len(found["few"].both.rows) == 4


def test_any_number_of_columns_fits_in_little_memory(connection: duckdb.DuckDBPyConnection) -> None:
    """What a column takes is given back before the next one: all at once, these take five times the limit."""
    outcome, _ = tosses(100_000)
    columns = {f"c{n}": np.random.default_rng(n).permutation(100_000) for n in range(30)}
    draws = public(connection, outcome, columns)
    before = connection.execute("SELECT current_setting('memory_limit')").fetchall()[0][0]
    ((used,),) = connection.execute("SELECT sum(memory_usage_bytes) FROM duckdb_memory()").fetchall()
    connection.execute(f"SET memory_limit = '{used + 20_000_000}B'")
    try:
        found = sums_by_column(draws, "public", "of", dict.fromkeys(columns, "BIGINT"))
    finally:
        connection.execute(f"SET memory_limit = '{before}'")
    assert all(len(halves.both.rows) == 50 for halves in found.values())
