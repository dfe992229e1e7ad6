"""The replay clock: which days it requests at which moment, what it waits for, and when it gives up."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill

from simtom_pipeline import load_scenario
from simtom_pipeline.assets.missing_days import MissingDays
from simtom_pipeline.assets.partitions import daily_partitions, range_tags
from simtom_pipeline.assets.replay_clock import MAX_ATTEMPTS, ReplayClock
from simtom_pipeline.history import land_history
from simtom_pipeline.landing import DuckDBFile
from simtom_pipeline.simulation import Simulation
from tests.support.dagster_runs import definitions
from tests.support.visits import furnish

EPOCH = datetime(2030, 5, 1, 12)
FAILURE, CANCELED, SUCCESS = (dg.DagsterRunStatus(name) for name in ("FAILURE", "CANCELED", "SUCCESS"))
UNDER_WAY = ("NOT_STARTED", "STARTED", "CANCELING")


@dg.job
def visits_job() -> None:
    """Bears the name of the scenario's job, which is all that is asked of a run's."""


class Replay:
    """The clock of ten days of a small scenario, a day of which is delivered every ten minutes from `EPOCH` on."""

    def __init__(self, file: Path, instance: dg.DagsterInstance) -> None:
        self.file, self.instance = file, instance
        self.scenario = load_scenario(
            "visits", overrides={"clock.time_compression": 144, "clock.epoch": EPOCH}
        )
        partitions = daily_partitions(self.scenario)
        simulation = Simulation(self.scenario)
        missing = MissingDays(simulation.relations, "visits_job", partitions, DuckDBFile(file))
        self.clock = ReplayClock(simulation, missing)
        self.cursor: str | None = None

    def tick(self, minutes: float) -> tuple[str, str] | str:
        """What is requested some minutes after the epoch, or why nothing is."""
        result = self.clock.tick(self.instance, self.cursor, EPOCH + timedelta(minutes=minutes))
        self.cursor = result.cursor
        if not result.run_requests:
            assert isinstance(result.skip_reason, dg.SkipReason)
            return result.skip_reason.skip_message or ""
        (request,) = result.run_requests
        self.tags = dict(request.tags)
        first, last = (request.tags[tag] for tag in range_tags("", ""))
        return first[-2:], last[-2:]

    def run(self, status: dg.DagsterRunStatus) -> dg.DagsterRun:
        """The run of the last request, in a state."""
        return self.instance.create_run_for_job(visits_job, status=status, tags=self.tags)

    def land(self, first: int, last: int) -> None:
        """Days of a month, into the file, as Dagster is told by whom it does not run."""
        days = self.scenario.clock.days()[first - 1 : last]
        land_history(self.clock.simulation, days, DuckDBFile(self.file), lambda days: None, fresh=False)
        for key in self.clock.missing.daily:
            for day in days:
                self.instance.report_runless_asset_event(dg.AssetMaterialization(key, partition=str(day)))


@pytest.fixture
def replay(home: Path, tmp_path: Path) -> Iterator[Replay]:
    furnish(home, "2024-01-01", "2024-01-10", volume=5)
    folder = tmp_path / "instance"
    folder.mkdir()
    with dg.DagsterInstance.local_temp(str(folder)) as instance:
        yield Replay(tmp_path / "x.duckdb", instance)


def test_a_day_is_due_when_its_end_is_delivered_and_all_due_days_are_one_range(replay: Replay) -> None:
    assert replay.tick(-60) == "next day 2024-01-01 falls due at 2030-05-01 12:10:00 UTC (in 2 h)"
    assert replay.tick(9.99) == "next day 2024-01-01 falls due at 2030-05-01 12:10:00 UTC (in 1 s)"
    assert replay.tick(10) == ("01", "01")
    replay.land(1, 1)
    replay.run(SUCCESS)
    assert replay.tick(17) == "next day 2024-01-02 falls due at 2030-05-01 12:20:00 UTC (in 3 min)"
    assert replay.tick(49.9) == ("02", "04")  # after downtime
    replay.land(2, 4)
    replay.run(SUCCESS)
    assert replay.tick(10_000) == ("05", "10")
    replay.land(5, 10)
    replay.run(SUCCESS)
    assert replay.tick(10_001) == "the clock has ended on 2024-01-10"


def test_the_cursor_is_the_simulated_instant_up_to_which_days_have_been_requested(replay: Replay) -> None:
    replay.tick(25)
    cursor = json.loads(replay.cursor or "")
    assert cursor["requested_until"] == "2024-01-03T00:00:00"
    assert cursor["last_request"] == ["2024-01-01", "2024-01-02"]


@pytest.mark.parametrize("status", UNDER_WAY)
def test_a_tick_that_is_repeated_after_a_crash_requests_nothing_twice(replay: Replay, status: str) -> None:
    """The run was made, but the daemon was killed before it could keep the cursor."""
    assert replay.tick(25) == ("01", "02")
    run = replay.run(dg.DagsterRunStatus(status))
    replay.cursor = None
    assert replay.tick(45) == f"waiting: run {run.run_id} of visits has not finished"
    assert replay.cursor is None


def test_a_request_that_dagster_made_no_run_of_is_made_again(replay: Replay) -> None:
    assert replay.tick(25) == ("01", "02")
    assert replay.tick(25) == ("01", "02")


def test_what_others_have_landed_is_not_requested_nor_spanned_by_a_range(replay: Replay) -> None:
    replay.land(1, 2)
    replay.land(5, 6)
    assert replay.tick(80) == ("03", "04")
    replay.land(3, 4)
    replay.run(SUCCESS)
    assert replay.tick(80) == ("07", "08")


@pytest.mark.parametrize("status", [FAILURE, CANCELED])
def test_a_day_is_requested_again_until_it_has_failed_three_times_and_alone(
    replay: Replay, status: dg.DagsterRunStatus
) -> None:
    """Days that fall due meanwhile come after it: a run fails as a whole."""
    assert replay.tick(10) == ("01", "01")
    for _ in range(MAX_ATTEMPTS - 1):
        replay.run(status)
        assert replay.tick(35) == ("01", "01")
    replay.run(status)
    assert replay.tick(35) == ("02", "03")
    replay.run(SUCCESS)
    replay.land(2, 3)
    given_up = "; given up after 3 runs that did not succeed: 2024-01-01"
    assert replay.tick(38).endswith(f"(in 2 min){given_up}")  # type: ignore[union-attr]
    replay.cursor = None
    assert given_up in replay.tick(38)
    replay.land(1, 1)  # by hand
    assert given_up not in replay.tick(38)


def test_a_day_that_is_removed_stays_away_until_the_cursor_is_reset(replay: Replay) -> None:
    assert replay.tick(25) == ("01", "02")
    replay.run(FAILURE)
    assert replay.tick(25) == ("01", "02")
    replay.land(1, 2)
    replay.run(SUCCESS)
    replay.file.unlink()
    replay.instance.wipe_assets(list(replay.clock.missing.daily))
    assert "next day 2024-01-03" in replay.tick(25)
    replay.cursor = None
    assert replay.tick(25) == ("01", "02")


def test_another_world_begins_anew_and_a_file_of_another_one_is_left_alone(replay: Replay) -> None:
    replay.land(1, 2)
    assert "next day 2024-01-03" in replay.tick(25)
    cursor = replay.cursor
    other = Replay(replay.file, replay.instance)
    world = Simulation(other.scenario.model_copy(update={"seed": 4}))
    missing = MissingDays(
        world.relations, "visits_job", other.clock.missing.partitions, DuckDBFile(other.file)
    )
    other.clock, other.cursor = ReplayClock(world, missing), cursor
    assert "from another world" in other.tick(25)
    assert other.cursor == cursor
    other.file.unlink()
    assert other.tick(25) == ("01", "02")


def test_a_backfill_of_the_scenario_is_waited_for_before_it_has_a_run(replay: Replay) -> None:
    for scenario in ("another", "visits"):
        backfill = PartitionBackfill(
            f"of {scenario}",
            BulkActionStatus.REQUESTED,
            False,
            {},
            0.0,
            asset_selection=[dg.AssetKey([scenario, "page_views"])],
        )
        replay.instance.add_backfill(backfill)
    assert replay.tick(25) == "waiting: backfill of visits has not finished"


def test_a_cursor_that_somebody_wrote_by_hand_is_refused_in_words(replay: Replay) -> None:
    replay.cursor = "2024-01-03"
    assert replay.tick(25) == "the cursor is none of this clock: '2024-01-03'; reset it"


def test_the_sensor_is_off_by_default_and_reads_the_time(replay: Replay) -> None:
    """The clock of the scenario begins in 2024 and is as fast as time: every day fell due long ago."""
    graphs = definitions(load_scenario("visits"), replay.file)
    sensor = graphs.resolve_sensor_def("visits_replay_clock")
    assert sensor.default_status == dg.DefaultSensorStatus.STOPPED
    with dg.build_sensor_context(replay.instance, repository_def=graphs.get_repository_def()) as context:
        (request,) = sensor.evaluate_tick(context).run_requests or []
    assert range_tags("2024-01-01", "2024-01-10").items() <= request.tags.items()
