"""A generator that can be stopped: at each of its moments it waits as long as a file holds it."""

import time
from collections.abc import Mapping

from simtom_pipeline.contracts import BIGINT, DATE, TIMESTAMP, Column, TableContract
from simtom_pipeline.generators.base import BaseGenerator, Columns, Day
from simtom_pipeline.generators.registry import register_generator
from simtom_pipeline.home import simtom_home

TICKS = TableContract(
    name="ticks",
    row="a tick of the clock",
    primary_key=("tick_id",),
    dated_by="event_time",
    columns=(
        Column("tick_id", BIGINT, "key"),
        Column("day", DATE, "simulated day"),
        Column("event_time", TIMESTAMP, "moment of the tick"),
    ),
)


def pass_by(moment: str) -> None:
    """Say in `reached/` that the moment has come if it is held, and wait until it is not."""
    hold = simtom_home() / "hold" / moment
    while hold.exists():
        (simtom_home() / "reached" / moment).touch()
        time.sleep(0.01)


@register_generator("slow_days")
class SlowDays(BaseGenerator):
    """A tick at every arrival."""

    tables = (TICKS,)
    event_table = "ticks"

    def draw_day(self, day: Day) -> Mapping[str, Columns]:
        """The day's ticks; a day with a file in `broken/` cannot be drawn."""
        pass_by("any day")
        pass_by(str(day.date))
        if (simtom_home() / "broken" / str(day.date)).exists():
            raise RuntimeError(f"{day.date} is broken")
        n = len(day.event_time)
        return {"ticks": {"tick_id": day.keys(n), "day": day.filled(n), "event_time": day.event_time}}


pass_by("import")
