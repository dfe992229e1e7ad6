"""The digest of content against hashlib, and what it must see and must not."""

import hashlib
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

import duckdb
import pytest

from simtom_pipeline.contracts import (
    BIGINT,
    BIGINTS,
    BOOLEAN,
    DATE,
    DOUBLE,
    DOUBLES,
    MONEY,
    TEXT,
    TIMESTAMP,
    WIDE_MONEY,
    Column,
    ColumnType,
    TableContract,
    enum,
)
from simtom_pipeline.landing.content import Digest, digests, works

COLORS = enum(Literal["red", "it's green"])
Row = tuple[Any, ...]


def contract(**types: ColumnType) -> TableContract:
    columns = tuple(Column(name, kind, name, nullable=True) for name, kind in types.items())
    return TableContract("events", "an event", columns, primary_key=("a_key",), daily="day" in types)


ALL_TYPES = contract(
    a_key=BIGINT, b=BOOLEAN, c=COLORS, day=DATE, e=DOUBLE, f=TIMESTAMP, g=MONEY, h=BIGINTS, i=DOUBLES, j=TEXT
)
FIRST, SECOND = date(2024, 2, 29), date(1969, 12, 31)
ROWS: list[Row] = [
    (
        1,
        True,
        "red",
        FIRST,
        0.1,
        datetime(2024, 2, 29, 1, 2, 3, 4),
        Decimal("-0.50"),
        [1, -2],
        [1e-7],
        "a|b~ü",
    ),
    (2, False, "it's green", FIRST, -0.0, datetime(1969, 1, 1), Decimal("12.00"), [], [], ""),
    (3, None, None, FIRST, None, None, None, None, None, None),
    (-4, True, "red", SECOND, 1e300, datetime(2100, 1, 1), Decimal("99999999.99"), [7], [0.1, 3.0], "~"),
]


def landed(table: TableContract, rows: Iterable[Row]) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    columns = ", ".join(f'"{column.name}" {column.type.sql}' for column in table.columns)
    connection.execute(f"CREATE TABLE events ({columns})")
    for row in rows:
        connection.execute(f"INSERT INTO events VALUES ({', '.join('?' * len(row))})", list(row))
    return connection


def by_hand(table: TableContract, rows: Iterable[Row]) -> str:
    """The sum of MD5s of the rows' canonical texts, by hashlib."""
    total = 0
    for row in rows:
        values = dict(zip(table.column_names, row, strict=True))
        text = "|".join(_text(values[name]) for name in sorted(values))
        total += int.from_bytes(hashlib.md5(text.encode()).digest(), "little")
    return f"{total:x}"


def _text(value: Any) -> str:
    match value:
        case None:
            return "~"
        case bool():
            return str(value).lower()
        case float():
            return f"{value + 0.0:.17g}"
        case str():
            return f"{len(value.encode())}:{value}"
        case datetime():
            return str((value - datetime(1970, 1, 1)) // timedelta(microseconds=1))
        case date():
            return str((value - date(1970, 1, 1)).days)
        case list():
            return "[" + ",".join(_text(one) for one in value) + "]"
    return str(value)


def test_it_is_the_sum_of_md5_over_rows_a_day() -> None:
    found = digests(landed(ALL_TYPES, ROWS), ALL_TYPES, "events")
    assert found == {
        FIRST: Digest(3, by_hand(ALL_TYPES, ROWS[:3])),
        SECOND: Digest(1, by_hand(ALL_TYPES, ROWS[3:])),
    }


def test_the_order_of_rows_does_not_matter() -> None:
    one, other = landed(ALL_TYPES, ROWS), landed(ALL_TYPES, ROWS[::-1])
    assert digests(one, ALL_TYPES, "events") == digests(other, ALL_TYPES, "events")


@pytest.mark.parametrize(
    ("one", "other", "values"),
    [
        (COLORS, TEXT, ["red", "it's green", None]),
        (MONEY, WIDE_MONEY, [Decimal("1.10"), Decimal("-3.00"), None]),
        (DOUBLE, DOUBLE, [0.0, 1.5, None]),
    ],
    ids=["an ENUM or text", "money, narrow or wide", "zero of either sign"],
)
def test_the_same_values_in_another_type_are_the_same(
    one: ColumnType, other: ColumnType, values: list[Any]
) -> None:
    tables = contract(a_key=BIGINT, b=one), contract(a_key=BIGINT, b=other)
    rows = list(enumerate(values))
    again = [(n, -value if value == 0.0 and one is DOUBLE else value) for n, value in rows]
    found = [digests(landed(t, r), t, "events") for t, r in zip(tables, (rows, again), strict=True)]
    assert found[0] == found[1]


OTHERS: dict[str, list[Row]] = {
    "a row is lost": ROWS[1:],
    "a row is doubled": [*ROWS, ROWS[0]],
    "a pair is doubled": [*ROWS, *ROWS[:2], *ROWS[:2]],
    "NULL for no text": [*ROWS[:1], (*ROWS[1][:-1], None), *ROWS[2:]],
    "NULL for an empty list": [*ROWS[:1], (*ROWS[1][:7], None, *ROWS[1][8:]), *ROWS[2:]],
    "an ulp": [(*ROWS[0][:4], 0.1 + 2**-56, *ROWS[0][5:]), *ROWS[1:]],
    "a microsecond": [(*ROWS[0][:5], datetime(2024, 2, 29, 1, 2, 3, 5), *ROWS[0][6:]), *ROWS[1:]],
    "two rows swap a value": [
        (*ROWS[0][:6], ROWS[1][6], *ROWS[0][7:]),
        (*ROWS[1][:6], ROWS[0][6], *ROWS[1][7:]),
        *ROWS[2:],
    ],
}


@pytest.mark.parametrize("rows", OTHERS.values(), ids=OTHERS)
def test_any_other_content_is_seen(rows: list[Row]) -> None:
    one, other = (digests(landed(ALL_TYPES, some), ALL_TYPES, "events") for some in (ROWS, rows))
    assert one[FIRST] != other[FIRST]


def test_text_cannot_pass_for_two_columns() -> None:
    table = contract(a_key=BIGINT, b=TEXT, c=TEXT)
    pairs = [("x|1:y", "z"), ("x", "y|1:z"), ("~", None), (None, "~"), ("", "~"), ("~", "")]
    found = {digests(landed(table, [(1, *pair)]), table, "events")[None] for pair in pairs}
    assert len(found) == len(pairs)


def test_this_version_of_duckdb_makes_the_digest_that_its_name_stands_for() -> None:
    assert works(duckdb.connect())
