"""What has landed is streamed byte for byte as what is drawn; what has not landed is no silence."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from simtom_pipeline import load_scenario
from simtom_pipeline.history import land_history
from simtom_pipeline.landing import DuckDBFile, LandingError
from simtom_pipeline.simulation import Simulation
from simtom_pipeline.streaming import sources
from simtom_pipeline.streaming.delivery import Source
from simtom_pipeline.streaming.encoding import Portion
from simtom_pipeline.streaming.selection import Selection
from simtom_pipeline.streaming.sources import (
    AnotherWorldLandedError,
    LandedDays,
    NotLandedError,
    SimulatedDays,
)
from simtom_pipeline.streaming.stream import Stream
from tests.support.landed import land, opened
from tests.support.streams import sent, small, stream_of
from tests.support.visits import furnish

CHOSEN = {
    "tables": ("transactions", "customers", "installments", "fault_ledger", "noise_ledger", "bnpl_records"),
    "labels": "as_known",
}


@pytest.fixture(scope="module")
def dirty() -> Simulation:
    """Every fault, on customers and devices too, so that what a purchase refers to is corrupted as well."""
    faults = [
        {"id": "typing", "kind": "typo", "table": "customers", "columns": ["state"], "rate": 0.5},
        {"id": "twice", "kind": "duplicate", "table": "transactions", "rate": 0.2},
        {"id": "lost", "kind": "missing", "table": "devices", "columns": ["device_os"], "rate": 0.5},
        {"id": "day", "kind": "dropped_day", "table": "payment_methods", "rate": 0.3},
    ]
    return small("dirty_feed", **{"faults": faults})


@pytest.fixture(scope="module")
def file(dirty: Simulation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return land(dirty.scenario, tmp_path_factory.mktemp("landed") / "landed.duckdb")


def test_what_has_landed_is_streamed_as_what_is_drawn(dirty: Simulation, file: Path) -> None:
    chosen = Selection(dirty, **CHOSEN)  # type: ignore[arg-type]
    drawn = sent(stream_of(chosen))
    assert sent(stream_of(chosen, source=LandedDays(chosen, DuckDBFile(file)))) == drawn
    middle = drawn[len(drawn) // 2][0]
    rest = sent(stream_of(chosen, source=LandedDays(chosen, DuckDBFile(file))), middle)
    assert rest == drawn[len(drawn) // 2 + 1 :]


def test_the_flat_record_is_the_view_of_what_has_landed(dirty: Simulation, file: Path) -> None:
    with opened(file, read_only=True) as connection:
        view = connection.execute("FROM dirty_feed.bnpl_records").to_arrow_table().to_pylist()
    records = []
    chosen = Selection(dirty, ("bnpl_records",))
    for portion in stream_of(chosen).portions():
        records += [{k: v for k, v in row.items() if k != "_id"} for row in portion.table().to_pylist()]
    assert len(records) == len(view)
    assert sorted(map(repr, records)) == sorted(map(repr, view))


@dataclass
class Replacing:
    """A source that lands another world before a day is read."""

    inner: Source
    before: date
    other: Simulation
    file: Path

    def day(self, day: date) -> object:
        if day == self.before:
            with opened(self.file) as connection:
                connection.execute("DROP SCHEMA baseline CASCADE; DROP SCHEMA baseline_truth CASCADE")
            land(self.other.scenario, self.file)
        return self.inner.day(day)


def test_a_day_that_is_replaced_meanwhile_ends_the_stream_and_both_worlds_are_named(tmp_path: Path) -> None:
    simulation, other = small(), small(seed=7)
    file = land(simulation.scenario, tmp_path / "replaced.duckdb")
    chosen = Selection(simulation)
    source = Replacing(LandedDays(chosen, DuckDBFile(file)), date(2024, 1, 4), other, file)
    received: list[Portion] = []
    with pytest.raises(AnotherWorldLandedError) as error:
        received.extend(stream_of(chosen, source=source).portions())
    assert {portion.day.day for portion in received} == {date(2024, 1, n) for n in (1, 2, 3)}
    assert simulation.world.digest in str(error.value)
    assert other.world.digest in str(error.value)


def test_a_day_that_has_not_landed_is_an_error(tmp_path: Path) -> None:
    simulation = small()
    file = DuckDBFile(tmp_path / "part.duckdb")
    land_history(simulation, simulation.scenario.clock.days()[:2], file, lambda _: None)
    chosen = Selection(simulation)
    with pytest.raises(NotLandedError, match="2024-01-03 of baseline has not landed in"):
        sent(stream_of(chosen, source=LandedDays(chosen, file)))
    nothing = DuckDBFile(tmp_path / "nothing.duckdb")
    with pytest.raises(NotLandedError, match="Land it first: simtom run baseline"):
        sent(stream_of(chosen, source=LandedDays(chosen, nothing)))
    assert not nothing.exists()


@contextmanager
def held(file: Path, seconds: float) -> Iterator[None]:
    """Another process writes to the file for a while."""
    program = (
        f"import duckdb, time; c = duckdb.connect({str(file)!r}); print(flush=True); time.sleep({seconds})"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        yield
        holder.kill()


def test_a_file_that_is_written_to_is_waited_for_and_not_for_ever(
    dirty: Simulation, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = Selection(dirty)
    days = LandedDays(chosen, DuckDBFile(file))
    with held(file, 0.5):
        assert days.day(date(2024, 1, 1))["transactions"].num_rows > 0
    monkeypatch.setattr(sources, "MAX_WAIT", 0.3)
    with held(file, 60), pytest.raises(LandingError, match="is in use by process"):
        days.day(date(2024, 1, 1))


def test_events_without_a_flat_record_are_streamed_by_themselves(home: Path) -> None:
    furnish(home, "2024-01-01", "2024-01-02")
    visits = Simulation(load_scenario("visits"))
    chosen, clock = Selection(visits), visits.scenario.clock
    records = sent(Stream(chosen, SimulatedDays(chosen), clock.start, clock.start))
    assert len(records) == visits.simulate_day(clock.start)[visits.relations.event_table].num_rows
