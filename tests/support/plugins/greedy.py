"""A generator with a claim that cannot be judged in little memory: all of a list has to be there at once."""

from collections.abc import Mapping, Sequence

from simtom_pipeline.contracts import BIGINT, DATE, TIMESTAMP, Claim, Column, TableContract
from simtom_pipeline.generators.base import BaseGenerator, Columns, Day
from simtom_pipeline.generators.registry import register_generator

MANY = 30_000_000
TICKS = TableContract(
    name="ticks",
    row="a tick",
    primary_key=("tick_id",),
    dated_by="event_time",
    columns=(
        Column("tick_id", BIGINT, "key"),
        Column("day", DATE, "simulated day"),
        Column("event_time", TIMESTAMP, "moment of the tick"),
    ),
)


@register_generator("greedy")
class Greedy(BaseGenerator):
    """Ticks."""

    tables = (TICKS,)
    event_table = "ticks"

    def draw_day(self, day: Day) -> Mapping[str, Columns]:
        """Each arrival is one."""
        n = len(day.event_time)
        return {"ticks": {"tick_id": day.keys(n), "day": day.filled(n), "event_time": day.event_time}}

    def claims(self) -> Sequence[Claim]:
        """A list is as long as it was made."""
        sql = f"SELECT len(list(n)) - {MANY} FROM range({MANY}) numbers(n)"
        return [Claim("counted", "ticks", "a list is as long as it was made", sql)]
