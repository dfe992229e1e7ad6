"""The memory of the database: what may be said of it, that it is kept, and what becomes of too little."""

from pathlib import Path

import duckdb
import pytest

from simtom_pipeline.landing import DuckDBFile, LandingError

SORT = "SELECT max(x) FROM (SELECT x, row_number() OVER (ORDER BY hash(x)) FROM range(3_000_000) t(x))"
HOLD = "SELECT len(list(repeat('x', 100) || x)) FROM range(3_000_000) t(x)"


def megabytes(connection: duckdb.DuckDBPyConnection) -> float:
    ((limit,),) = connection.execute("SELECT current_setting('memory_limit')").fetchall()
    number, unit = str(limit).split()
    return float(number) * {"MiB": 1.048576, "GiB": 1073.741824}[unit]


@pytest.mark.parametrize(("said", "limit"), [("", 300), ("2GB", 400), ("800 MB", 160), ("1GiB", 214.7)])
def test_every_connection_gets_a_fifth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, limit: float
) -> None:
    monkeypatch.setenv("SIMTOM_MEMORY", said)
    storage = DuckDBFile(tmp_path / "x.duckdb")
    with storage.open() as database:
        assert megabytes(database.connection) == pytest.approx(limit, rel=0.01)
    with storage.open(read_only=True) as database:
        assert megabytes(database.connection) == pytest.approx(limit, rel=0.01)
    with storage.open_to_examine() as database:
        assert megabytes(database.connection) == pytest.approx(limit, rel=0.01)


@pytest.mark.parametrize("said", ["lots", "100MB", "-4GB", "4 gallons", "0"])
def test_what_is_no_memory_is_refused_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    monkeypatch.setenv("SIMTOM_MEMORY", said)
    with (
        pytest.raises(LandingError, match=rf"SIMTOM_MEMORY={said}: allowed is a size of 750MB or more"),
        DuckDBFile(tmp_path / "x.duckdb").open(),
    ):
        pass


def test_what_has_no_room_is_put_on_disk_and_what_cannot_ends_with_a_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIMTOM_MEMORY", "800MB")
    storage = DuckDBFile(tmp_path / "x.duckdb")
    with storage.open() as database:
        database.connection.execute("SET memory_limit = '60MB'; SET threads = 1")
        assert database.connection.execute(SORT).fetchall() == [(2_999_999,)]
    with (
        pytest.raises(
            LandingError, match=r"a fifth of SIMTOM_MEMORY \(800MB\)\. Set SIMTOM_MEMORY to more"
        ),
        storage.open() as database,
    ):
        database.connection.execute(HOLD)
    with storage.open() as database:
        assert database.connection.execute("SELECT 1").fetchall() == [(1,)]
