"""Records are due by a clock, and sent when they are due: nothing adds up."""

import time

import numpy as np
import pytest

from simtom_pipeline.streaming import replay as replay_module
from simtom_pipeline.streaming.encoding import Portion
from simtom_pipeline.streaming.pace import Pace
from simtom_pipeline.streaming.replay import replay
from simtom_pipeline.streaming.selection import Selection
from tests.support.streams import END, START, stream, world


def test_a_moment_is_due_by_its_distance_from_the_origin_alone() -> None:
    pace = Pace(began=50.0, origin=1_000_000, speed=4.0)
    moments = np.array([1_000_000, 5_000_000, 9_000_000])
    assert pace.due(moments).tolist() == [50.0, 51.0, 52.0]
    assert pace.due(moments[2:]).tolist() == [52.0]


class Watched:
    """A sink that notes when each record came."""

    def __init__(self) -> None:
        self.last: str | None = None
        self.came: list[float] = []
        self.moments: list[int] = []

    def send(self, portion: Portion) -> None:
        self.came += [time.monotonic()] * len(portion)
        self.moments += portion.moment.tolist()

    def close(self) -> None: ...


@pytest.mark.parametrize("longest_sleep", [3600.0, 0.01])
def test_a_replay_sends_nothing_before_it_is_due_and_everything_in_the_end(
    monkeypatch: pytest.MonkeyPatch, longest_sleep: float
) -> None:
    """A day in a second; how late records come is the machine's doing, how early is not."""
    monkeypatch.setattr(replay_module, "LONGEST_SLEEP", longest_sleep)
    chosen = Selection(world(), ("transactions",))
    sink, speed = Watched(), 4 * 86_400.0
    midnight = (START - type(START)(1970, 1, 1)).days * 86_400_000_000
    began = time.monotonic()
    replay(stream(chosen, last=END), sink, midnight, speed)
    due = began + (np.array(sink.moments) - midnight) / 1e6 / speed
    assert len(due) > 50
    assert (np.array(sink.came) - due).min() > -0.06
    assert sink.moments == sorted(sink.moments)
