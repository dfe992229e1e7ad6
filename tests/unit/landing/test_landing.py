"""Days replace days, and values come back as they were landed."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import numpy as np
import pytest

from simtom_pipeline.contracts import (
    DOUBLE,
    Column,
    TableContract,
    ViewColumn,
    ViewContract,
)
from simtom_pipeline.landing import Database, LandingError
from simtom_pipeline.sql import quoted
from tests.support.small_world import (
    COLORS,
    CONTRACTS,
    EVENTS,
    FIRST,
    RED,
    RISKS,
    SCENARIO,
    batch,
    colors,
    day,
    declared,
    events,
    land,
    replace,
    snapshot,
    versions,
)


def test_replacing_touches_only_the_given_days(database: Database) -> None:
    land(database, range(5), version=1)
    land(database, [2], version=2)
    assert versions(database) == {0: {1}, 1: {1}, 2: {2}, 3: {1}, 4: {1}}


def test_days_that_are_not_adjacent_leave_the_days_between(database: Database) -> None:
    land(database, range(6), version=1)
    land(database, [4, 1], version=2)
    assert versions(database) == {0: {1}, 1: {2}, 2: {1}, 3: {1}, 4: {2}, 5: {1}}


def test_replacing_twice_is_replacing_once(database: Database) -> None:
    land(database, range(3), version=1)
    once = snapshot(database)
    land(database, range(3), version=1)
    assert snapshot(database) == once
    assert len(once) == 3


def test_any_history_of_replacements_leaves_the_last_version_of_each_day(database: Database) -> None:
    draw, expected = np.random.default_rng(3), dict[int, set[int]]()
    for version in range(1, 25):
        numbers = draw.permutation(8)[: draw.integers(1, 6)].tolist()
        land(database, numbers, version)
        expected |= {n: {version} for n in numbers}
        assert versions(database) == expected
    assert database.count(SCENARIO, "events") == 3 * len(expected)


def test_a_day_without_rows_lands_and_takes_the_old_rows_with_it(database: Database) -> None:
    land(database, [0, 1, 2])
    land(database, [1], rows=0)
    assert set(versions(database)) == {0, 2}
    assert database.count(SCENARIO, "events") == 6


def test_a_world_may_start_with_an_empty_day(database: Database) -> None:
    land(database, [0], rows=0)
    assert {name: len(rows) - 1 for name, rows in snapshot(database).items()} == {
        "world.events": 0,
        "world.colors": 4,
        "world_truth.risks": 0,
    }


def test_a_table_without_days_is_replaced_whole(database: Database) -> None:
    land(database, [0], version=1)
    land(database, [7], version=2)
    prices = database.connection.execute("SELECT DISTINCT price FROM world.colors").fetchall()
    assert prices == [(Decimal("0.02"),)]
    assert database.count(SCENARIO, "colors") == 4


def test_replacing_constants_makes_every_table_and_touches_no_day(database: Database) -> None:
    database.replace_whole(declared(), {"colors": colors(1)})
    assert len(snapshot(database)) == 3
    land(database, [0, 1], version=1)
    database.replace_whole(declared(), {"colors": colors(2)})
    assert versions(database) == {0: {1}, 1: {1}}
    assert database.connection.execute("SELECT DISTINCT price FROM world.colors").fetchall() == [
        (Decimal("0.02"),)
    ]


def test_scenarios_in_one_file_do_not_meet(database: Database) -> None:
    land(database, [0], version=1)
    database.replace_days(declared(views=(), name="other"), [day(0)], batch([0], version=2))
    assert versions(database) == {0: {1}}


def test_the_truth_has_a_schema_of_its_own(database: Database) -> None:
    land(database, [0])
    assert set(snapshot(database)) == {"world.events", "world.colors", "world_truth.risks"}


def test_views_read_what_has_landed(database: Database) -> None:
    land(database, [0], version=5)
    assert database.connection.execute("FROM world.red_events").fetchall() == [(0, Decimal("0.05"))]


def landed_events(database: Database, column: str, values: np.ndarray) -> list[Any]:
    """What comes back of one column of one day."""
    rows = events(0, rows=len(values), **{column: values})
    database.replace_days(declared([EVENTS], ()), [FIRST], {"events": rows})
    found = database.connection.execute(f"SELECT {column} FROM world.events ORDER BY event_id").fetchall()
    return [value for (value,) in found]


def test_money_is_exact_to_the_cent(database: Database) -> None:
    largest = 10**10 - 1
    cents = [0, 1, -1, 10, 99, -100, 12_345, 2**31, -(2**31) - 1, 2**32, largest, -largest]
    cents += np.random.default_rng(1).integers(-largest, largest, 500).tolist()
    found = landed_events(database, "amount", np.array(cents, np.int64))
    assert found == [Decimal(c) / 100 for c in cents]


@pytest.mark.parametrize("cents", [10**10, -(10**10), 2**62])
def test_money_that_its_type_cannot_hold_is_refused(database: Database, cents: int) -> None:
    with pytest.raises((ValueError, LandingError, duckdb.Error)):
        landed_events(database, "amount", np.array([cents], np.int64))


def test_an_enum_comes_back_as_its_values(database: Database) -> None:
    codes = np.array([3, 1, 0, 2, 2, 1])
    assert landed_events(database, "color", codes) == [COLORS.values[code] for code in codes]
    (kind,) = database.connection.execute("SELECT DISTINCT typeof(color) FROM world.events").fetchall()[0]
    assert kind.startswith("ENUM(")


def test_an_enum_keeps_the_order_of_its_values(database: Database) -> None:
    landed_events(database, "color", np.array([3, 1, 0, 2]))
    ordered = database.connection.execute("SELECT color FROM world.events ORDER BY color").fetchall()
    assert [value for (value,) in ordered] == list(COLORS.values)


def test_moments_are_exact_to_the_microsecond(database: Database) -> None:
    moments = np.array([0, -1, 1, 1_704_067_200_000_001, 7_258_118_399_999_999, -2_208_988_800_000_000])
    epoch = datetime(1970, 1, 1)
    expected = [epoch + timedelta(microseconds=int(m)) for m in moments]
    assert landed_events(database, "event_time", moments) == expected


def test_doubles_come_back_bit_for_bit(database: Database) -> None:
    values = np.array([0.1, 1 / 3, -0.0, 5e-324, 1.7976931348623157e308, np.inf, np.nextafter(1, 2)])
    found = np.array(landed_events(database, "score", values))
    assert found.tobytes() == values.tobytes()


def test_keys_flags_and_words_come_back_as_they_were(database: Database) -> None:
    keys = np.array([-(2**63), -1, 0, 2**53 + 1, 2**63 - 1])
    words = np.array(["", "it's", 'a "word"; DROP TABLE x; --', "line\nbreak", "日本 🙂"], object)
    flags = np.array([True, False, False, True, True])
    assert landed_events(database, "event_id", keys) == keys.tolist()
    assert landed_events(database, "note", words) == words.tolist()
    assert landed_events(database, "is_first", flags) == flags.tolist()


def test_columns_are_matched_by_name(database: Database) -> None:
    straight = batch([0, 1], version=4)
    replace(database, [0, 1], straight)
    expected = snapshot(database)
    replace(database, [0, 1], {name: t.select(t.column_names[::-1]) for name, t in straight.items()})
    assert snapshot(database) == expected


def test_a_file_whose_columns_stand_in_another_order_fits(database: Database) -> None:
    backwards = ", ".join(f"{c.name} {c.type.sql}" for c in reversed(RISKS.columns))
    database.connection.execute(f"CREATE SCHEMA world_truth; CREATE TABLE world_truth.risks ({backwards})")
    land(database, [0], version=3)
    row = database.connection.execute(
        "SELECT event_id, day, risk FROM world_truth.risks ORDER BY 1"
    ).fetchall()[1]
    assert row == (1, FIRST, 3.0)


def test_tables_and_columns_say_what_they_mean(database: Database) -> None:
    land(database, [0])
    said = database.connection.execute(
        "SELECT table_name, column_name, comment FROM duckdb_columns() WHERE NOT internal"
    ).fetchall()
    declared = [(t.name, c.name, c.comment) for t in (*CONTRACTS, RED) for c in t.columns]
    assert sorted(said) == sorted(declared)
    assert ("events", "amount", "what it's worth [USD]") in said


def test_tables_say_what_a_row_is_and_what_identifies_it(database: Database) -> None:
    land(database, [0])
    tables = database.connection.execute("SELECT table_name, comment FROM duckdb_tables()").fetchall()
    assert dict(tables) == {
        "events": "A row is one event, the customer's own. Primary key: event_id.",
        "risks": "A row is one event's risk. Primary key: event_id.",
        "colors": "A row is a colour on sale. Primary key: color.",
    }
    views = database.connection.execute("SELECT comment FROM duckdb_views() WHERE NOT internal").fetchall()
    assert views == [("A row is a red event, if it's one.",)]


def test_no_column_may_be_empty(database: Database) -> None:
    land(database, [0])
    nullable = database.connection.execute(
        "SELECT count(*) FROM duckdb_columns() JOIN duckdb_tables() USING (table_oid) WHERE is_nullable"
    ).fetchall()
    assert nullable == [(0,)]


@pytest.mark.parametrize(
    "awkward", ['a "quoted" one', "two words", "dotted.name", "order", "x; DROP SCHEMA main", "ÄÖ"]
)
def test_names_that_need_quoting_are_quoted(database: Database, awkward: str) -> None:
    columns = (*RISKS.columns[:2], Column(awkward, DOUBLE, "a value"))
    contract = TableContract(awkward, "a row", columns, ("event_id",))
    table = contract.table({"event_id": np.array([1]), "day": np.array([19_723]), awkward: np.array([0.5])})
    shown = tuple(
        ViewColumn(c.name, c.type, c.meaning, expression=quoted(c.name), source=(awkward, c.name))
        for c in columns
    )
    view = ViewContract("v", "a row", shown, f"FROM {{schema}}.{quoted(awkward)}")
    for _ in range(2):
        database.replace_days(declared([contract], [view], awkward), [FIRST], {awkward: table})
    assert database.connection.execute(f"FROM {quoted(awkward, 'v')}").fetchall() == [(1, FIRST, 0.5)]
    assert database.count(awkward, awkward) == 1
