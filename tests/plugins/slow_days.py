"""A generator whose days can be stopped at: drawing one waits as long as a file of its name exists."""

import time
from collections.abc import Mapping

from simtom_pipeline.contracts import BIGINT, DATE, TIMESTAMP, Column, TableContract
from simtom_pipeline.generators.base import BaseGenerator, Columns, Day
from simtom_pipeline.generators.registry import register_generator
from simtom_pipeline.home import simtom_home
from simtom_pipeline.scenarios.base import GeneratorSettings

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


class SlowDaysSettings(GeneratorSettings):
    """The section `slow_days`."""


@register_generator("slow_days")
class SlowDays(BaseGenerator):
    """Ticks; on a day with a file `hold/<day>` in the home it says so in `reached/<day>` and waits."""

    settings_model = SlowDaysSettings
    tables = (TICKS,)
    event_table = "ticks"

    def draw_day(self, day: Day) -> Mapping[str, Columns]:
        """Wait if the day is held, fail if it is broken, then tick at every arrival."""
        home = simtom_home()
        hold = home / "hold" / str(day.date)
        if hold.exists():
            (home / "reached" / str(day.date)).touch()
        while hold.exists():
            time.sleep(0.01)
        if (home / "broken" / str(day.date)).exists():
            raise RuntimeError(f"{day.date} cannot be drawn")
        n = len(day.event_time)
        return {
            "ticks": {"tick_id": day.keys(n), "day": day.filled(n), "event_time": day.event_time},
        }
