"""Failures, locks and kills: what had landed stays, and the message says what to do."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from simtom_pipeline.landing import Database, DuckDBFile, LandingError
from tests.support.small_world import (
    SCENARIO,
    Tables,
    batch,
    land,
    replace,
    snapshot,
    versions,
)


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


CORRUPTED: dict[str, Callable[[Tables], Tables]] = {
    "a column is missing": with_risks(lambda t: t.drop_columns(["risk"])),
    "a column is unknown": with_risks(lambda t: t.append_column("more", t["risk"])),
    "a value is no number": with_risks(put("risk", ["high", "low"] * 3)),
    "a value is null": with_risks(put("risk", [0.1, None, 0.2] * 2)),
    "an enum has no such value": lambda t: t | {"colors": put("color", ["red", "mauve"] * 2)(t["colors"])},
    "it is interrupted": lambda tables: Interrupted(tables, KeyboardInterrupt()),
    "it is out of memory": lambda tables: Interrupted(tables, MemoryError()),
}


@pytest.mark.parametrize("corrupt", CORRUPTED.values(), ids=CORRUPTED)
@pytest.mark.parametrize("landed_before", [True, False], ids=["old file", "new file"])
def test_a_failure_in_the_middle_leaves_everything_as_it_was(
    database: Database, corrupt: Callable[[Tables], Tables], landed_before: bool
) -> None:
    if landed_before:
        land(database, range(4), version=1)
    before = snapshot(database)
    with pytest.raises((LandingError, duckdb.Error, KeyError, KeyboardInterrupt, MemoryError)):
        replace(database, [1, 2], corrupt(batch([1, 2], version=2)))
    assert snapshot(database) == before
    land(database, [1, 2], version=3)
    assert versions(database)[2] == {3}


def test_after_a_failure_nothing_of_the_batch_stays_registered(database: Database) -> None:
    with pytest.raises(duckdb.Error):
        replace(database, [0], CORRUPTED["a column is unknown"](batch([0])))
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


ROOT = Path(__file__).parents[3]
LAND = """
import sys
import pyarrow as pa
sys.path[:0] = [sys.argv[1]]
from tests.support import small_world as world
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
    with process(LAND, ROOT, file, table, moment, rows) as child:
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
from tests.support import small_world as world
from pathlib import Path
from simtom_pipeline.landing import DuckDBFile

with DuckDBFile(Path(sys.argv[2])).open() as database:
    for version in range(1, 100_000):
        world.land(database, range(4), version)
        print(version, flush=True)
"""


@pytest.mark.parametrize("after", [1, 7])
def test_a_process_killed_at_any_moment_leaves_one_version_of_all_days(file: Path, after: int) -> None:
    with process(LAND_ON_AND_ON, ROOT, file) as child:
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
