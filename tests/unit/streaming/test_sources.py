"""What is drawn and what has landed is one stream, and a file that cannot be read says why."""

import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from simtom_pipeline.history import land_history
from simtom_pipeline.landing import DuckDBFile, LandingError
from simtom_pipeline.simulation import Simulation
from simtom_pipeline.streaming.selection import Selection
from simtom_pipeline.streaming.sources import (
    AnotherWorldLandedError,
    LandedDays,
    NotLandedError,
    SimulatedDays,
)
from tests.support.landed import land, opened
from tests.support.streams import END, LATE, START, Sent, multiset, sent, sent_with_moments, stream, world

ENTITY_FAULTS = [
    {"id": "typos", "kind": "typo", "table": "customers", "columns": ["state"], "rate": 0.3},
    {"id": "twice", "kind": "duplicate", "table": "customers", "columns": ["income_bracket"], "rate": 0.3},
    {"id": "lost", "kind": "missing", "table": "devices", "columns": ["device_os"], "rate": 0.3},
    {"id": "device_twice", "kind": "duplicate", "table": "devices", "rate": 0.3},
    {"id": "late_payers", "kind": "missing", "table": "outcomes", "columns": ["will_default"], "rate": 0.3},
]
WRONG_ACCOUNTS = [
    {"id": "wrong", "kind": "typo", "table": "transactions", "columns": ["payment_method_id"], "rate": 1.0},
    {"id": "undated", "kind": "missing", "table": "transactions", "columns": ["event_time"], "rate": 0.1},
]
FLAT: dict[str, Any] = {"tables": ("bnpl_records", "customers"), "labels": "as_known"}
BY_ARRIVAL: dict[str, Any] = {
    "tables": ("transactions", "installments"), "order": "ingested_at", "labels": "as_known"
}  # fmt: skip


def land_days(simulation: Simulation, file: Path, first: int, last: int, fresh: bool = False) -> None:
    days = [START + timedelta(n) for n in range(first, last + 1)]
    land_history(simulation, days, DuckDBFile(file), lambda _: None, fresh)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "simtom.duckdb"


@pytest.mark.parametrize(
    ("faults", "asked"), [(LATE, BY_ARRIVAL), (WRONG_ACCOUNTS, FLAT)], ids=["by arrival", "flat record"]
)
def test_what_is_drawn_and_what_has_landed_is_one_stream_that_can_go_on_from_either(
    faults: list[Any], asked: dict[str, Any], file: Path
) -> None:
    simulation = world(faults=faults)
    land(simulation.scenario, file)
    selection = Selection(simulation, **asked)
    drawn = sent(stream(selection))
    landed = LandedDays(selection, DuckDBFile(file))
    assert sent(stream(selection, landed)) == drawn
    there, back = len(drawn) // 3, len(drawn) // 2
    pieces: list[Sent] = sent(stream(selection, SimulatedDays(selection)), most=there)
    pieces += sent(stream(selection, landed), pieces[-1][0], back - there)
    pieces += sent(stream(selection, SimulatedDays(selection)), pieces[-1][0])
    assert pieces == drawn


@pytest.mark.parametrize("faults", [ENTITY_FAULTS, WRONG_ACCOUNTS], ids=["of entities", "wrong"])
def test_the_flat_record_is_the_view_of_the_days_that_have_landed_by_then(
    faults: list[Any], file: Path
) -> None:
    simulation = world(faults=faults)
    found = [one for *_, one in sent_with_moments(stream(Selection(simulation, ("bnpl_records",))))]
    expected: list[dict[str, Any]] = []
    for n, day in enumerate(simulation.scenario.clock.days()):
        land_days(simulation, file, n, n)
        with opened(file, read_only=True) as connection:
            expected += connection.execute(
                "FROM baseline.bnpl_records WHERE _record_id IN"
                " (SELECT transaction_id FROM baseline.transactions WHERE day = ?)",
                [day],
            ).to_arrow_table().to_pylist()  # fmt: skip
    assert multiset(found) == multiset(expected)


def test_a_missing_file_and_a_day_that_has_not_landed_say_so(file: Path) -> None:
    selection = Selection(world())
    source = LandedDays(selection, DuckDBFile(file))
    with pytest.raises(NotLandedError, match=r"There is no file .*simtom run baseline"):
        sent(stream(selection, source))
    land_days(world(), file, 0, 1)
    portions = stream(selection, source).portions()
    read = [*next(portions).records(), *next(portions).records()]
    with pytest.raises(NotLandedError, match="2024-01-03 of baseline has not landed"):
        next(portions)
    assert read == [one for *_, one in sent(stream(selection, last=START + timedelta(1)))]


def test_a_flat_record_needs_the_days_before_it(file: Path) -> None:
    selection = Selection(world(), ("bnpl_records",))
    land_days(world(), file, 2, 3)
    with pytest.raises(NotLandedError, match="2024-01-01 of baseline has not landed"):
        sent(stream(selection, LandedDays(selection, DuckDBFile(file)), first=END))


def test_a_day_replaced_by_another_world_ends_the_stream_with_both_digests(file: Path) -> None:
    old, new = world(), world(seed=7)
    land(old.scenario, file)
    selection = Selection(old)
    portions = stream(selection, LandedDays(selection, DuckDBFile(file))).portions()
    next(portions)
    land_days(new, file, 1, 1, fresh=True)
    with pytest.raises(AnotherWorldLandedError) as refused:
        next(portions)
    assert old.world.digest in str(refused.value)
    assert new.world.digest in str(refused.value)
    assert "2024-01-02" in str(refused.value)


def test_a_stream_waits_for_a_file_that_another_process_holds(file: Path) -> None:
    simulation = world()
    land(simulation.scenario, file)
    selection, asked = Selection(simulation), []
    hold = (
        "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); input(); c.close()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", hold, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"

        def release() -> None:
            asked.append(1)
            if len(asked) == 3:
                holder.communicate("\n")

        found = sent(stream(selection, LandedDays(selection, DuckDBFile(file), release)))
    assert found == sent(stream(selection))
    assert len(asked) >= 3


def test_a_file_that_is_no_database_is_told_at_once(file: Path) -> None:
    """Only a file that somebody uses is worth waiting for."""
    file.write_text("notes, not a database\n" * 100)

    def wait() -> None:
        raise AssertionError("waits for a file that will not change")

    source = LandedDays(Selection(world()), DuckDBFile(file), wait)
    with pytest.raises(LandingError, match="cannot be opened"):
        source.day(START)


def test_a_table_that_is_not_as_it_landed_is_told_by_its_column(file: Path) -> None:
    simulation = world()
    land_days(simulation, file, 0, 0)
    with opened(file) as connection:
        connection.execute("ALTER TABLE baseline.transactions DROP COLUMN amount")
    with pytest.raises(LandingError, match="amount"):
        LandedDays(Selection(simulation), DuckDBFile(file)).day(START)
