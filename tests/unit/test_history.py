"""Whoever simulates the days, in whatever chunks: the same rows land, in the same transactions."""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date, timedelta
from multiprocessing import get_context
from pathlib import Path
from threading import Event
from typing import Any, ClassVar

import pyarrow as pa
import pytest

from simtom_pipeline import batches, interrupts, load_scenario
from simtom_pipeline.batches import Workers
from simtom_pipeline.history import land_history
from simtom_pipeline.landing import Database, DuckDBFile, LandingError
from simtom_pipeline.scenarios.models import Scenario
from simtom_pipeline.simulation import Simulation
from tests.support.visits import furnish

CHUNKS = [1, 7, 30]
ONE_THREAD = Workers()
SMALL = {"volume.base_daily_volume": 12, "clock.end": "2024-01-05"}
N_DAYS, FEW_DAYS, CHUNKS_OF_FEW = 5, 4, [1, 3, 4]
"""Five days, of two transactions of at most four; chunks within, across and as large as one."""

Content = dict[tuple[str, date | None], tuple[int, str]]


class InTheCaller(Executor):
    """Runs what it is given at once, where it is given."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


@pytest.fixture(scope="module")
def processes() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as executor:
        yield executor


@pytest.fixture
def executor(request: pytest.FixtureRequest, processes: ProcessPoolExecutor) -> Iterator[Executor]:
    if request.param == "processes":
        yield processes
        return
    with ThreadPoolExecutor(3) if request.param == "threads" else InTheCaller() as one:
        yield one


def content(file: DuckDBFile, name: str) -> Content:
    """What is on record of every table and day: how many rows, and their digest."""
    with file.open(read_only=True) as database:
        rows = database.connection.execute(
            f"SELECT table_name, day, rows, digest FROM {name}_truth.landed_days"
        ).fetchall()
    return {(table, day): (count, digest) for table, day, count, digest in rows}


def days_in(file: DuckDBFile, name: str) -> set[date]:
    return {day for _, day in content(file, name) if day is not None}


def land(
    scenario: Scenario, file: DuckDBFile, workers: Workers = ONE_THREAD
) -> tuple[Content, list[int], dict[str, dict[date, int]]]:
    """What is on record, the days of each transaction, and the rows of each day."""
    landed: list[int] = []
    days = scenario.clock.days()
    rows = land_history(Simulation(scenario), days, file, landed.append, workers=workers)
    return content(file, scenario.name), landed, rows


@pytest.fixture
def batches_of_few_days(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "DAYS_PER_TRANSACTION", FEW_DAYS)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> tuple[Content, list[int], Any]:
    file = DuckDBFile(tmp_path_factory.mktemp("expected") / "x.duckdb")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "DAYS_PER_TRANSACTION", FEW_DAYS)
        return land(load_scenario("dirty_feed", SMALL), file)


@pytest.mark.usefixtures("batches_of_few_days")
@pytest.mark.parametrize("days_per_chunk", CHUNKS_OF_FEW)
@pytest.mark.parametrize("executor", ["threads", "processes", "in the caller"], indirect=True)
def test_any_executor_and_any_chunk_land_the_same(
    expected: tuple[Content, list[int], Any], executor: Executor, days_per_chunk: int, tmp_path: Path
) -> None:
    """Also with noise and faults; the scenario is told by digests of every table's every day."""
    file = DuckDBFile(tmp_path / "x.duckdb")
    found = land(load_scenario("dirty_feed", SMALL), file, Workers(executor, days_per_chunk))
    assert found == expected
    assert found[1] == [4, 1]
    assert len({day for _, day in found[0]} - {None}) == N_DAYS
    assert executor.submit(str, 1).result() == "1"  # it is left running


@pytest.mark.parametrize("executor", ["threads", "processes"], indirect=True)
def test_generators_of_the_users_home_are_simulated_too(
    home: Path, executor: Executor, tmp_path: Path
) -> None:
    furnish(home, "2024-01-01", "2024-01-10")
    scenario = load_scenario("visits")
    expected = land(scenario, DuckDBFile(tmp_path / "one.duckdb"))
    assert land(scenario, DuckDBFile(tmp_path / "other.duckdb"), Workers(executor, 7)) == expected


@pytest.fixture
def visits(home: Path) -> Scenario:
    furnish(home, "2024-01-01", "2024-02-09")
    return load_scenario("visits")


@contextmanager
def simulating(
    patch: pytest.MonkeyPatch, before: Callable[[date], None] = lambda day: None
) -> Iterator[list[date]]:
    """The days that are simulated, in their order; `before` is called before each."""
    begun: list[date] = []
    original = Simulation.simulate_day

    def simulate_day(self: Simulation, day: date) -> dict[str, pa.Table]:
        begun.append(day)
        before(day)
        return original(self, day)

    with patch.context() as patched:
        patched.setattr(Simulation, "simulate_day", simulate_day)
        yield begun


@pytest.mark.parametrize("days_per_chunk", [None, *CHUNKS])
def test_at_the_end_no_further_day_is_begun(
    visits: Scenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days_per_chunk: int | None
) -> None:
    """The one under way is finished; what has landed stays, and is told."""
    under_way, go = Event(), Event()
    held = visits.clock.days()[30]

    def hold(day: date) -> None:
        if day == held:
            under_way.set()
            assert go.wait(60)

    def landed(days: int) -> None:
        assert under_way.wait(60)
        raise interrupts.Interrupted(2)

    file, days = DuckDBFile(tmp_path / "x.duckdb"), visits.clock.days()
    with simulating(monkeypatch, hold) as begun, ThreadPoolExecutor(1) as executor:
        with pytest.raises(interrupts.Interrupted) as interrupted:
            land_history(Simulation(visits), days, file, landed, workers=Workers(executor, days_per_chunk))
        go.set()
        executor.submit(int).result()  # whatever was asked for before has come to its end
    assert begun == days[:31]
    (note,) = interrupted.value.__notes__
    assert note.startswith("30 of 40 days have landed, whole: 2024-01-01 to 2024-01-30.")
    assert days_in(file, "visits") == set(days[:30])


def test_a_signal_that_was_swallowed_ends_it_between_two_batches(
    visits: Scenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[int] = []
    monkeypatch.setattr(interrupts, "received", lambda: 2 if said else None)
    with pytest.raises(interrupts.Interrupted):
        land_history(Simulation(visits), visits.clock.days(), DuckDBFile(tmp_path / "x"), said.append)
    assert said == [30]


@pytest.mark.parametrize("days_per_chunk", [None, *CHUNKS])
@pytest.mark.parametrize("rows", [10**9, 450])
def test_a_day_that_cannot_be_simulated_keeps_the_batches_before_it(
    visits: Scenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days_per_chunk: int | None, rows: int
) -> None:
    """Wherever a chunk has its borders, and whether a batch was ended by its days or its rows."""
    monkeypatch.setattr(batches, "ROWS_PER_TRANSACTION", rows)
    bad = visits.clock.days()[33]

    def breaks(day: date) -> None:
        if day == bad:
            raise RuntimeError(f"{day} is broken")

    landed: list[int] = []
    file, workers = DuckDBFile(tmp_path / "x"), Workers(InTheCaller(), days_per_chunk)
    with simulating(monkeypatch, breaks), pytest.raises(RuntimeError, match="broken") as failed:
        land_history(Simulation(visits), visits.clock.days(), file, landed.append, workers=workers)
    assert landed == ([30] if rows > 450 else landed_in_batches_of(rows, visits, before=bad))
    assert len(days_in(file, "visits")) == sum(landed)
    assert failed.value.__notes__[0].startswith(f"{sum(landed)} of 40 days have landed")


def landed_in_batches_of(rows: int, scenario: Scenario, before: date) -> list[int]:
    """Days of each batch that is full before a day, worked out one by one."""
    simulation, sizes, days, total = Simulation(scenario), list[int](), 0, 0
    for day in scenario.clock.days():
        if day == before:
            break
        days += 1
        total += sum(table.num_rows for table in simulation.simulate_day(day).values())
        if total >= rows:
            sizes.append(days)
            days, total = 0, 0
    assert len(sizes) > 2
    return sizes


@pytest.mark.parametrize("days_per_chunk", [None, 1, 3])
def test_not_much_more_than_a_batch_is_simulated_ahead(
    visits: Scenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days_per_chunk: int | None
) -> None:
    """This bounds the memory: days that are simulated and have not landed are of two batches and a chunk."""
    monkeypatch.setattr(batches, "ROWS_PER_TRANSACTION", 200)  # some four days
    so_far, ahead, days = [0], list[int](), visits.clock.days()[:24]

    with simulating(monkeypatch) as begun:

        def landed(days: int) -> None:
            ahead.append(len(begun) - so_far[0])
            so_far[0] += days

        workers = Workers(InTheCaller(), days_per_chunk)
        land_history(Simulation(visits), days, DuckDBFile(tmp_path / "x"), landed, workers=workers)
    assert sum(ahead) > 0
    assert max(ahead) <= 2 * 5 + (days_per_chunk or batches.MAX_DAYS_PER_CHUNK)
    assert begun == days


@pytest.mark.parametrize(
    ("volume", "days"), [(0.1, 5), (999, 5), (1000, 5), (2400, 2), (27_000, 1), (10**6, 1)]
)
def test_where_many_events_are_expected_a_chunk_is_a_day(volume: float, days: int) -> None:
    scenario = load_scenario("baseline", {"volume.base_daily_volume": volume})
    chunks = Workers().chunks(Simulation(scenario), scenario.clock.days())
    assert max(map(len, chunks)) == days
    assert [day for chunk in chunks for day in chunk] == scenario.clock.days()


def test_the_storage_is_open_only_while_days_land(visits: Scenario, tmp_path: Path) -> None:
    """Whoever simulates meanwhile, and whoever is begun for it, has nothing of it open."""

    class Watched(DuckDBFile):
        is_open: ClassVar[list[int]] = [0]

        @contextmanager
        def open(self, read_only: bool = False) -> Iterator[Database]:
            self.is_open[0] += 1
            with super().open(read_only) as database:
                yield database
            self.is_open[0] -= 1

    class Begun(InTheCaller):
        def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
            assert Watched.is_open == [0]
            return super().submit(fn, *args, **kwargs)

    land(visits, Watched(tmp_path / "x.duckdb"), Workers(Begun()))


@pytest.mark.usefixtures("batches_of_few_days")
@pytest.mark.parametrize("executor", ["threads", "processes"], indirect=True)
def test_days_without_a_record_are_seen_to_be_of_this_world_by_any_executor(
    home: Path, tmp_path: Path, executor: Executor
) -> None:
    furnish(home, "2024-01-01", "2024-01-10")
    visits = load_scenario("visits")
    days, file = visits.clock.days(), DuckDBFile(tmp_path / "x.duckdb")

    def landed_by_an_earlier_version(amount: str) -> None:
        land(visits, file)
        with file.open() as database:
            database.connection.execute("DROP TABLE visits_truth.runs; DROP TABLE visits_truth.landed_days")
            database.connection.execute(f"UPDATE visits.page_views SET view_id = view_id {amount}")

    landed_by_an_earlier_version("+ 0")
    land_history(Simulation(visits), days[-1:], file, lambda n: None, workers=Workers(executor, 4))
    assert days_in(file, "visits") == set(days)
    landed_by_an_earlier_version("+ 1")
    with pytest.raises(LandingError, match="kept no record"):
        land_history(Simulation(visits), days[-1:], file, lambda n: None, workers=Workers(executor, 4))


def test_chunks_of_days_that_are_not_adjacent_keep_their_order(visits: Scenario, tmp_path: Path) -> None:
    days = [date(2024, 1, 20) - timedelta(3 * n) for n in range(6)]
    landed: list[int] = []
    rows = land_history(
        Simulation(visits), days, DuckDBFile(tmp_path / "x"), landed.append, workers=Workers(None, 4)
    )
    assert list(rows["page_views"]) == days
    assert landed == [6]
