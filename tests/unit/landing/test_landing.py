"""What landing promises: days replaced whole, all tables at once, nothing altered that was not asked for.

Every property is looked at in a real DuckDB file, through SQL or a process of its own.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from simtom_pipeline.contracts import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    MONEY,
    TEXT,
    TIMESTAMP,
    Column,
    TableContract,
    ViewColumn,
    ViewContract,
    enum,
)
from simtom_pipeline.landing import Database, DuckDBFile, LandingError
from simtom_pipeline.relations import Relations
from simtom_pipeline.sql import quoted

SCENARIO = "world"
FIRST = date(2024, 1, 1)
COLORS = enum(Literal["red", "it's green", 'the "blue"', "ünïcode"])

EVENTS = TableContract(
    name="events",
    row="one event, the customer's own",
    primary_key=("event_id",),
    dated_by="event_time",
    columns=(
        Column("event_id", BIGINT, "key"),
        Column("day", DATE, "simulated day"),
        Column("event_time", TIMESTAMP, "moment of the event"),
        Column("amount", MONEY, "what it's worth", "USD"),
        Column("color", COLORS, "its colour"),
        Column("is_first", BOOLEAN, "whether it is the first"),
        Column("note", TEXT, "a word about it"),
        Column("score", DOUBLE, "score", "0 to 1"),
    ),
)
RISKS = TableContract(
    name="risks",
    row="one event's risk",
    primary_key=("event_id",),
    truth=True,
    columns=(
        Column("event_id", BIGINT, "key"),
        Column("day", DATE, "simulated day"),
        Column("risk", DOUBLE, "risk", "0 to 1"),
    ),
)
COLORS_SOLD = TableContract(
    name="colors",
    row="a colour on sale",
    primary_key=("color",),
    daily=False,
    columns=(Column("color", COLORS, "the colour"), Column("price", MONEY, "price", "USD")),
)
CONTRACTS = (EVENTS, RISKS, COLORS_SOLD)
RED = ViewContract(
    name="red_events",
    row="a red event, if it's one",
    from_sql="FROM {schema}.events WHERE color = 'red'",
    columns=(
        ViewColumn("event_id", BIGINT, "the event's key", "", "event_id", ("events", "event_id")),
        ViewColumn("amount", MONEY, "worth", "USD", "amount", ("events", "amount")),
    ),
)

Tables = dict[str, pa.Table]


class Declared(Relations):
    """Tables and views as they are given, without those that are measured or kept of every landing."""

    tables = property(lambda self: self.true)
    views = property(lambda self: self.true_views)


def declared(
    tables: Sequence[TableContract] = CONTRACTS, views: Sequence[ViewContract] = (RED,), name: str = SCENARIO
) -> Relations:
    return Declared(SimpleNamespace(name=name), tuple(tables), tuple(views), tables[0].name)


def day(n: int) -> date:
    return FIRST + timedelta(n)


def number(when: date) -> int:
    return (when - date(1970, 1, 1)).days


def events(n: int, version: int = 0, rows: int = 3, **changed: np.ndarray) -> pa.Table:
    """Events of the n-th day; `version` is told by their amounts."""
    ids = n * 1000 + np.arange(rows, dtype=np.int64)
    midnight = number(day(n)) * 86_400_000_000
    columns: dict[str, Any] = {
        "event_id": ids,
        "day": np.full(rows, number(day(n)), np.int32),
        "event_time": midnight + np.arange(rows, dtype=np.int64) * 1_000_001,
        "amount": np.full(rows, version, np.int64),
        "color": np.arange(rows) % 4,
        "is_first": np.arange(rows) % 2 == 0,
        "note": np.array([f"note {i}" for i in ids], object),
        "score": ids / 7.0,
    }
    return EVENTS.table(columns | changed)


def risks(n: int, version: int = 0, rows: int = 3) -> pa.Table:
    ids = n * 1000 + np.arange(rows, dtype=np.int64)
    days = np.full(rows, number(day(n)), np.int32)
    return RISKS.table({"event_id": ids, "day": days, "risk": np.full(rows, float(version))})


def colors(version: int = 0) -> pa.Table:
    return COLORS_SOLD.table({"color": np.arange(4), "price": np.full(4, version)})


def batch(numbers: Sequence[int], version: int = 0, rows: int = 3) -> Tables:
    """All three tables of those days."""
    return {
        "events": pa.concat_tables([events(n, version, rows) for n in numbers]),
        "risks": pa.concat_tables([risks(n, version, rows) for n in numbers]),
        "colors": colors(version),
    }


def land(database: Database, numbers: Sequence[int], version: int = 0, rows: int = 3) -> None:
    replace(database, numbers, batch(numbers, version, rows))


def replace(database: Database, numbers: Sequence[int], tables: Mapping[str, pa.Table]) -> None:
    database.replace_days(declared(), [day(n) for n in numbers], tables)


def snapshot(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table in the file, and the DDL of what is there."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    names = database.connection.execute(
        "SELECT schema_name, table_name, sql FROM duckdb_tables() ORDER BY 1, 2"
    )
    for schema, table, sql in names.fetchall():
        rows = database.connection.execute(f'FROM "{schema}"."{table}" ORDER BY ALL').fetchall()
        found[f"{schema}.{table}"] = [(sql,), *rows]
    return found


def versions(database: Database) -> dict[int, set[int]]:
    """Version of each day, as the events and the risks have it."""
    rows = database.connection.execute(
        f"SELECT day, CAST(amount * 100 AS INTEGER) FROM {SCENARIO}.events"
        f" UNION SELECT day, CAST(risk AS INTEGER) FROM {SCENARIO}_truth.risks"
    ).fetchall()
    found: dict[int, set[int]] = {}
    for when, version in rows:
        found.setdefault((when - FIRST).days, set()).add(version)
    return found


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data" / "simtom.duckdb"


@pytest.fixture
def database(file: Path) -> Iterator[Database]:
    with DuckDBFile(file).open() as opened:
        yield opened


# days


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


# values


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


# failures


class Interrupted(dict[str, pa.Table]):
    """Tables of which one is never handed out."""

    def __init__(self, tables: Tables, error: BaseException) -> None:
        super().__init__(tables)
        self.error = error

    def __getitem__(self, name: str) -> pa.Table:
        if name == "risks":
            raise self.error
        return super().__getitem__(name)


def with_risks(change: Callable[[pa.Table], pa.Table]) -> Callable[[Tables], Tables]:
    return lambda tables: tables | {"risks": change(tables["risks"])}


def put(name: str, values: list[Any]) -> Callable[[pa.Table], pa.Table]:
    def change(table: pa.Table) -> pa.Table:
        return table.set_column(table.column_names.index(name), name, pa.array(values))

    return change


SPOILED: dict[str, Callable[[Tables], Tables]] = {
    "a column is missing": with_risks(lambda t: t.drop_columns(["risk"])),
    "a column is unknown": with_risks(lambda t: t.append_column("more", t["risk"])),
    "a value is no number": with_risks(put("risk", ["high", "low"] * 3)),
    "a value is null": with_risks(put("risk", [0.1, None, 0.2] * 2)),
    "an enum has no such value": lambda t: t | {"colors": put("color", ["red", "mauve"] * 2)(t["colors"])},
    "it is interrupted": lambda tables: Interrupted(tables, KeyboardInterrupt()),
    "it is out of memory": lambda tables: Interrupted(tables, MemoryError()),
}


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED)
@pytest.mark.parametrize("landed_before", [True, False], ids=["old file", "new file"])
def test_a_failure_in_the_middle_leaves_everything_as_it_was(
    database: Database, spoil: Callable[[Tables], Tables], landed_before: bool
) -> None:
    if landed_before:
        land(database, range(4), version=1)
    before = snapshot(database)
    with pytest.raises((LandingError, duckdb.Error, KeyError, KeyboardInterrupt, MemoryError)):
        replace(database, [1, 2], spoil(batch([1, 2], version=2)))
    assert snapshot(database) == before
    land(database, [1, 2], version=3)
    assert versions(database)[2] == {3}


def test_after_a_failure_nothing_of_the_batch_stays_registered(database: Database) -> None:
    with pytest.raises(duckdb.Error):
        replace(database, [0], SPOILED["a column is unknown"](batch([0])))
    with pytest.raises(duckdb.CatalogException):
        database.connection.execute("FROM simtom_rows")


CHANGES = {
    "ALTER TABLE world.events DROP COLUMN note": ["world.events", "lacks note VARCHAR"],
    "ALTER TABLE world.events ADD COLUMN more INTEGER": ["world.events", "has more INTEGER besides"],
    "ALTER TABLE world.events RENAME score TO points": ["lacks score DOUBLE", "has points DOUBLE besides"],
    "ALTER TABLE world.events ALTER amount TYPE DOUBLE": ["has amount as DOUBLE instead of DECIMAL(10,2)"],
    "ALTER TABLE world.events ALTER amount TYPE DECIMAL(12,2)": ["DECIMAL(12,2) instead of DECIMAL(10,2)"],
    "ALTER TABLE world.events ALTER event_time TYPE TIMESTAMPTZ": ["TIME ZONE instead of TIMESTAMP"],
    "ALTER TABLE world.colors ALTER color TYPE VARCHAR": ["world.colors", "color as VARCHAR instead of ENUM"],
    "ALTER TABLE world_truth.risks ALTER event_id TYPE INTEGER": ["world_truth.risks", "INTEGER instead of"],
}


@pytest.mark.parametrize(("change", "named"), CHANGES.items(), ids=CHANGES)
def test_a_table_that_no_longer_fits_is_refused_and_keeps_its_rows(
    file: Path, database: Database, change: str, named: list[str]
) -> None:
    land(database, range(3), version=1)
    database.connection.execute("DROP VIEW world.red_events")
    database.connection.execute(change)
    before = snapshot(database)
    with pytest.raises(LandingError) as refusal:
        land(database, [1], version=2)
    assert snapshot(database) == before
    message = str(refusal.value).replace('"', "")
    for words in (*named, str(file), "--database", "DROP SCHEMA world CASCADE"):
        assert words in message


def test_an_enum_with_another_value_is_refused(database: Database) -> None:
    database.connection.execute(
        "CREATE SCHEMA world; CREATE TABLE world.colors (color ENUM('red'), price DECIMAL(10,2))"
    )
    with pytest.raises(
        LandingError, match=r"has color as ENUM\('red'\) instead of ENUM\('red', 'it''s green'"
    ):
        land(database, [0])


def test_every_difference_of_every_table_is_named_at_once(database: Database) -> None:
    land(database, [0])
    database.connection.execute("DROP VIEW world.red_events")
    database.connection.execute(
        "ALTER TABLE world.events DROP COLUMN note; ALTER TABLE world.events ADD COLUMN a DATE"
    )
    database.connection.execute("ALTER TABLE world_truth.risks ALTER risk TYPE FLOAT")
    with pytest.raises(LandingError) as refusal:
        land(database, [1])
    message = str(refusal.value)
    assert "2 table(s)" in message
    for words in ("lacks note VARCHAR", "has a DATE besides", "has risk as FLOAT instead of DOUBLE"):
        assert words in message


def test_doing_what_the_refusal_says_helps(database: Database) -> None:
    land(database, [0], version=1)
    database.connection.execute("ALTER TABLE world_truth.risks ADD COLUMN more INTEGER")
    with pytest.raises(LandingError) as refusal:
        land(database, [0], version=2)
    for statement in re.findall(r"DROP SCHEMA [^;]*;", str(refusal.value)):
        database.connection.execute(statement)
    land(database, [0], version=2)
    assert versions(database) == {0: {2}}


# connections


def test_a_connection_is_closed_whatever_happens(file: Path) -> None:
    with pytest.raises(ZeroDivisionError), DuckDBFile(file).open() as database:
        1 / 0  # noqa: B018
    with pytest.raises(duckdb.ConnectionException):
        database.connection.execute("SELECT 1")
    with DuckDBFile(file).open(read_only=True) as again:  # refused while a writer of this process is open
        assert again.connection.execute("SELECT 1").fetchall() == [(1,)]


def test_the_folder_of_the_file_is_made(tmp_path: Path) -> None:
    with DuckDBFile(tmp_path / "a" / "b" / "c.duckdb").open() as database:
        land(database, [0])


def test_a_read_only_connection_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(LandingError, match="does not exist"):
        DuckDBFile(tmp_path / "a" / "c.duckdb").open(read_only=True).__enter__()
    assert not (tmp_path / "a").exists()


@contextmanager
def process(script: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """A Python process that has printed its first line and waits for its input to close."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        assert child.stdout.readline()
        yield child
    finally:
        child.stdin.close()
        child.wait(10)
        child.stdout.close()


HOLD = """
import duckdb, sys
connection = duckdb.connect(sys.argv[1], read_only=sys.argv[2] == "True")
print("open", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize(("holder_reads", "we_read"), [(False, False), (False, True), (True, False)])
def test_a_locked_file_says_who_holds_it(file: Path, holder_reads: bool, we_read: bool) -> None:
    with DuckDBFile(file).open() as database:
        land(database, [0], version=1)
    with process(HOLD, file, holder_reads) as holder:
        began = time.monotonic()
        with pytest.raises(LandingError) as refusal:
            DuckDBFile(file).open(read_only=we_read).__enter__()
        assert time.monotonic() - began < 1
        for words in (str(file), f"process {holder.pid} ", "wait for it to end"):
            assert words in str(refusal.value)
    with DuckDBFile(file).open() as database:
        assert versions(database) == {0: {1}}


def test_two_processes_may_read_at_once(file: Path) -> None:
    with DuckDBFile(file).open() as database:
        land(database, [0], version=1)
    with process(HOLD, file, True), DuckDBFile(file).open(read_only=True) as database:
        assert versions(database) == {0: {1}}


def opening(path: Path) -> str:
    """What is said when the file cannot be opened."""
    with pytest.raises(LandingError) as refusal, DuckDBFile(path).open():
        pass
    return str(refusal.value)


@pytest.mark.parametrize("folder", ["plain", "blocks"])
def test_a_file_that_is_no_database_is_called_that(tmp_path: Path, folder: str) -> None:
    """Also where its path has the word lock in it."""
    path = tmp_path / folder / "notes.txt"
    path.parent.mkdir()
    path.write_text("not a database\n" * 1000)
    message = opening(path)
    assert "not a valid DuckDB database" in message
    assert "in use" not in message
    assert path.read_text() == "not a database\n" * 1000


@pytest.mark.parametrize("offset", [4096 + 100, 8192 + 100], ids=["header", "other header"])
def test_a_damaged_database_is_not_called_a_locked_one(file: Path, offset: int) -> None:
    """DuckDB names the damaged block, a word that has a lock in it."""
    with DuckDBFile(file).open() as database:
        land(database, [0])
    content = bytearray(file.read_bytes())
    content[offset : offset + 64] = b"\xff" * 64
    file.write_bytes(content)
    message = opening(file)
    assert "in use" not in message
    assert "Corrupt" in message


def test_a_folder_is_no_database(tmp_path: Path) -> None:
    assert "cannot be opened" in opening(tmp_path)


# a process that is killed

LAND = """
import sys
import pyarrow as pa
sys.path[:0] = [sys.argv[1]]
import test_landing as world
from pathlib import Path
from simtom_pipeline.landing import DuckDBFile

def waits():
    print("in the transaction", flush=True)
    sys.stdin.read()

class Waiting(dict):
    def __getitem__(self, name):
        table = super().__getitem__(name)
        if name == sys.argv[3] and sys.argv[4] == "before":
            waits()
        return stalled(table) if name == sys.argv[3] else table

def stalled(table):
    def batches():
        yield from table.slice(0, 2).to_batches()
        waits()
    return pa.RecordBatchReader.from_batches(table.schema, batches())

with DuckDBFile(Path(sys.argv[2])).open() as database:
    world.replace(database, [1, 2], Waiting(world.batch([1, 2], 2, rows=int(sys.argv[5]))))
"""


def killed_while_landing(file: Path, table: str, moment: str, rows: int) -> None:
    """Lands version 2 of two days and dies in the middle."""
    with process(LAND, Path(__file__).parent, file, table, moment, rows) as child:
        os.kill(child.pid, signal.SIGKILL)
        assert child.wait(10) == -signal.SIGKILL


@pytest.mark.parametrize(
    ("table", "moment", "rows"),
    [("risks", "while", 3), ("risks", "before", 70_000), ("colors", "while", 3)],
)
def test_a_process_killed_while_landing_leaves_the_old_days(
    file: Path, table: str, moment: str, rows: int
) -> None:
    """Before, between and within the inserts, also when so many rows came before that they are on disk."""
    with DuckDBFile(file).open() as database:
        land(database, range(4), version=1)
        before = snapshot(database)
    killed_while_landing(file, table, moment, rows)
    with DuckDBFile(file).open() as database:
        assert snapshot(database) == before
        land(database, [1, 2], version=3)
        assert versions(database) == {0: {1}, 1: {3}, 2: {3}, 3: {1}}


def test_a_process_killed_in_its_first_landing_leaves_nothing(file: Path) -> None:
    killed_while_landing(file, "risks", "while", 3)
    with DuckDBFile(file).open() as database:
        assert snapshot(database) == {}


LAND_ON_AND_ON = """
import sys
sys.path[:0] = [sys.argv[1]]
import test_landing as world
from pathlib import Path
from simtom_pipeline.landing import DuckDBFile

with DuckDBFile(Path(sys.argv[2])).open() as database:
    for version in range(1, 100_000):
        world.land(database, range(4), version)
        print(version, flush=True)
"""


@pytest.mark.parametrize("after", [1, 7])
def test_a_process_killed_at_any_moment_leaves_one_version_of_all_days(file: Path, after: int) -> None:
    with process(LAND_ON_AND_ON, Path(__file__).parent, file) as child:
        assert child.stdout is not None
        seen = 1
        while seen < after:
            seen = int(child.stdout.readline())
        child.kill()
        child.wait(10)
    with DuckDBFile(file).open() as database:
        found = versions(database)
        assert set(found) == {0, 1, 2, 3}
        (version,) = set.union(*found.values())
        assert version >= after
        assert database.count(SCENARIO, "events") == 12
