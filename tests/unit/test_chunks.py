"""What a worker is sent: the scenario and the home; and what it needs: neither a database nor Dagster."""

import pickle
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import date, timedelta
from multiprocessing import get_context
from pathlib import Path
from threading import Event

import pytest

from simtom_pipeline import load_scenario
from simtom_pipeline.chunks import PortableSimulation, WantedDays, simulate_chunk
from simtom_pipeline.simulation import Simulation
from tests.support.digests import digest
from tests.support.visits import furnish

DAYS = [date(2024, 1, 10) + timedelta(n) for n in range(3)]
MODULES = "sorted(__import__('sys').modules)"


@pytest.fixture(scope="module")
def process() -> Iterator[ProcessPoolExecutor]:
    """One worker, begun as on another machine: with nothing of this process but its environment."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor:
        yield executor


def visits(home: Path, more: str = "") -> Simulation:
    furnish(home, "2024-01-10", "2024-01-20", more=more)
    return Simulation(load_scenario("visits"))


def test_a_chunk_is_its_days_simulated_one_by_one(home: Path) -> None:
    simulation = visits(home)
    found = simulate_chunk(PortableSimulation(simulation), DAYS)
    assert [day for day, _ in found] == DAYS
    assert [digest(tables) for _, tables in found] == [digest(simulation.simulate_day(day)) for day in DAYS]


def test_a_process_finds_the_generators_of_the_senders_home_and_draws_the_same(
    home: Path, process: ProcessPoolExecutor
) -> None:
    """Of every home that sends it something, in any order."""
    simulation = visits(home, more="page_views: {page: {home: 0.8, search: 0.1, basket: 0.1}}\n")
    sent = PortableSimulation(simulation)
    lender = PortableSimulation(Simulation(load_scenario("baseline", {"volume.base_daily_volume": 5})))
    for portable, days in ((sent, DAYS), (lender, DAYS), (sent, DAYS[::-1])):
        here = simulate_chunk(portable, days)
        there = process.submit(simulate_chunk, portable, days).result()
        assert [day for day, _ in there] == days
        assert [digest(tables) for _, tables in there] == [digest(tables) for _, tables in here]
        for (_, ours), (_, theirs) in zip(here, there, strict=True):
            assert {name: table.schema for name, table in ours.items()} == {
                name: table.schema for name, table in theirs.items()
            }


def test_a_worker_imports_neither_dagster_nor_duckdb(home: Path) -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        process.submit(simulate_chunk, PortableSimulation(visits(home)), DAYS).result()
        modules = process.submit(eval, MODULES).result()
    assert "simtom_pipeline.simulation" in modules
    assert "simtom_pipeline.landing" not in modules
    assert not [name for name in modules if name.startswith(("dagster", "duckdb", "_duckdb"))]


def test_what_is_sent_is_the_scenario_and_nothing_that_was_worked_out(home: Path) -> None:
    portable = PortableSimulation(Simulation(load_scenario("baseline")))
    before = pickle.dumps(portable)
    simulate_chunk(portable, [date(2024, 3, 1)])
    assert pickle.dumps(portable) == before
    assert len(before) < 50_000


def test_days_that_are_no_longer_wanted_are_not_begun_but_are_all_sent() -> None:
    enough = Event()
    wanted = WantedDays(DAYS, enough)
    days = iter(wanted)
    assert next(days) == DAYS[0]
    sent = pickle.loads(pickle.dumps(wanted))
    enough.set()
    assert list(days) == []
    assert list(sent) == DAYS


def test_days_before_one_that_cannot_be_simulated_are_kept(home: Path) -> None:
    portable, outside = PortableSimulation(visits(home)), date(2024, 1, 21)
    assert [day for day, _ in simulate_chunk(portable, [*DAYS, outside, DAYS[0]])] == DAYS
    with pytest.raises(ValueError, match="2024-01-21"):
        simulate_chunk(portable, [outside, *DAYS])
