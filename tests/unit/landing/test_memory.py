"""SIMTOM_MEMORY: what it may be, that connections keep to it, and what is said where it is too little."""

from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from pathlib import Path

import duckdb
import pytest

from simtom_pipeline.landing import Database, DuckDBFile, LandingError
from simtom_pipeline.landing import memory as budgets
from tests.support.small_world import batch, land, replace, snapshot

GOOD = {
    "750MB": 150_000_000,
    "1.5GB": 300_000_000,
    "4GB": 800_000_000,
    "4 gb": 800_000_000,
    "2.5GiB": 2**29,
    "2000000000": 400_000_000,
    " 1TB ": 200_000_000_000,
}


@pytest.mark.parametrize(("said", "share"), GOOD.items())
def test_the_database_may_take_a_fifth(monkeypatch: pytest.MonkeyPatch, said: str, share: int) -> None:
    monkeypatch.setenv("SIMTOM_MEMORY", said)
    assert budgets.of_database() == share
    assert budgets.budget() == 5 * share


@pytest.mark.parametrize("said", [None, ""])
def test_where_nothing_is_said_it_is_the_default(monkeypatch: pytest.MonkeyPatch, said: str | None) -> None:
    monkeypatch.delenv("SIMTOM_MEMORY", raising=False)
    if said is not None:
        monkeypatch.setenv("SIMTOM_MEMORY", said)
    assert budgets.of_database() == 300_000_000


BAD = [
    "plenty",
    "4 elephants",
    "-4GB",
    "-4000000000",
    "0",
    "nan",
    "inf",
    "1e12",
    "1,5GB",
    " ",
    "749MB",
    "749999999",
]


@pytest.fixture(params=BAD)
def bad(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("SIMTOM_MEMORY", request.param)
    return str(request.param)


def test_what_is_no_size_or_too_small_a_one_is_refused_before_a_file_is_made(bad: str, file: Path) -> None:
    said = f"SIMTOM_MEMORY={bad}: allowed is a size of 750MB or more, such as 1.5GB or 4GB."
    for open_it in (DuckDBFile(file).open, DuckDBFile(file).open_to_examine):
        with pytest.raises(LandingError) as refusal:
            open_it().__enter__()
        assert str(refusal.value) == said
    assert not file.parent.exists()


@pytest.mark.parametrize(
    ("said", "threads"), [("750MB", 1), ("1.2GB", 1), ("1.25GB", 2), ("1.5GB", 2), ("80GB", 128)]
)
def test_each_thread_has_what_it_needs(monkeypatch: pytest.MonkeyPatch, said: str, threads: int) -> None:
    """DuckDB advises 125 MB: with less its operators, which take memory on each, fail on many cores."""
    monkeypatch.setenv("SIMTOM_MEMORY", said)
    assert budgets.threads_of_database() == threads


Opened = Callable[[Path], AbstractContextManager[Database]]
WAYS: dict[str, Opened] = {
    "to write": lambda file: DuckDBFile(file).open(),
    "to read": lambda file: DuckDBFile(file).open(read_only=True),
    "to examine": lambda file: DuckDBFile(file).open_to_examine(),
    "as another makes it": lambda file: DuckDBFile(file, lambda: closing(many_threads(file))).open(),
}


def many_threads(file: Path) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(str(file), config={"threads": 9})


def settings(database: Database) -> tuple[str, int]:
    query = "SELECT current_setting('memory_limit'), current_setting('threads')"
    ((limit, threads),) = database.connection.execute(query).fetchall()
    return limit, threads


@pytest.fixture
def landed(file: Path) -> Path:
    with DuckDBFile(file).open() as database:
        land(database, range(3))
    return file


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_every_connection_keeps_to_the_limit(
    monkeypatch: pytest.MonkeyPatch, landed: Path, way: Opened
) -> None:
    with duckdb.connect() as usual:
        ((threads,),) = usual.execute("SELECT current_setting('threads')").fetchall()
    threads = 9 if way is WAYS["as another makes it"] else threads
    for said, limit, most in (("800MB", "152.5 MiB", 1), ("2.5GiB", "512.0 MiB", 4), ("", "286.1 MiB", 2)):
        monkeypatch.setenv("SIMTOM_MEMORY", said)
        with way(landed) as database:
            assert settings(database) == (limit, min(most, threads))


def test_no_threads_are_added_to_those_that_there_are(monkeypatch: pytest.MonkeyPatch, landed: Path) -> None:
    monkeypatch.setenv("SIMTOM_MEMORY", "80GB")
    with WAYS["as another makes it"](landed) as database:
        assert settings(database)[1] == 9


def test_more_than_there_is_can_be_said(monkeypatch: pytest.MonkeyPatch, landed: Path) -> None:
    monkeypatch.setenv("SIMTOM_MEMORY", "99999999EB")
    for way in WAYS.values():
        with way(landed) as database:
            assert settings(database)[0].endswith("PiB")


TOO_MUCH = "SELECT len(list(n)) FROM range(30_000_000) numbers(n)"
SAID = (
    "The database needs more than the 150.0MB it may take, a fifth of SIMTOM_MEMORY (750MB)."
    " Set SIMTOM_MEMORY to more, such as 4GB, and run again. (Out of Memory Error: "
)


@pytest.fixture
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIMTOM_MEMORY", "750MB")


@pytest.mark.usefixtures("little")
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_what_cannot_do_with_it_says_so_in_one_line(landed: Path, way: Opened) -> None:
    with pytest.raises(LandingError) as refusal, way(landed) as database:
        database.connection.execute(TOO_MUCH).fetchall()
    message = str(refusal.value)
    assert message.startswith(SAID)
    assert "\n" not in message
    assert isinstance(refusal.value.__cause__, duckdb.OutOfMemoryException)


@pytest.mark.usefixtures("little")
def test_what_had_landed_before_is_there_after_it(landed: Path) -> None:
    with DuckDBFile(landed).open() as database:
        before = snapshot(database)
    with pytest.raises(LandingError), DuckDBFile(landed).open() as database, database.transaction():
        database.connection.execute(f"DELETE FROM world.events; {TOO_MUCH}").fetchall()
    with DuckDBFile(landed).open() as database:
        assert snapshot(database) == before
        replace(database, [1], batch([1], version=2))


def test_where_nothing_is_said_the_default_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIMTOM_MEMORY", "")
    assert "300.0MB it may take, a fifth of SIMTOM_MEMORY (1.5GB). Set" in budgets.refusal(ValueError("full"))


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty megabytes for the database, as if a run had no more."""
    monkeypatch.setenv("SIMTOM_MEMORY", "750MB")
    monkeypatch.setattr(budgets, "SHARES", 37.5)


SORTED = "CREATE TEMP TABLE aside AS SELECT n, hash(n) AS h FROM range(3_000_000) numbers(n) ORDER BY h"


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_what_does_not_fit_is_put_aside_on_disk_and_none_of_it_stays(landed: Path, way: Opened) -> None:
    """Also where the file is only read: its folder stays as it was."""
    before = set(landed.parent.rglob("*"))
    with way(landed) as database:
        database.connection.execute(SORTED)
        files = database.connection.execute("SELECT path, size FROM duckdb_temporary_files()").fetchall()
        assert sum(size for _, size in files) > 20_000_000
        found = database.connection.execute(
            "SELECT count(*), sum(n), count(DISTINCT h) FROM aside"
        ).fetchall()
        assert found == [(3_000_000, 3_000_000 * 2_999_999 // 2, 3_000_000)]
        if way is WAYS["to examine"]:
            assert set(landed.parent.rglob("*")) == before
    assert not any(Path(path).exists() for path, _ in files)
    assert set(landed.parent.rglob("*")) == before


@pytest.mark.usefixtures("tiny")
def test_a_disk_that_has_no_room_for_it_is_named(landed: Path) -> None:
    with pytest.raises(LandingError) as refusal, DuckDBFile(landed).open_to_examine() as database:
        database.connection.execute(f"SET max_temp_directory_size = '9MB'; {SORTED}")
    message = str(refusal.value)
    assert "20.0MB it may take" in message
    assert "no more room on disk for what it put aside. Set SIMTOM_MEMORY to more" in message
    assert "or make room on disk, and run again. (Out of Memory Error: failed to offload" in message
