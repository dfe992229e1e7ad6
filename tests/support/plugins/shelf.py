"""A generator with a table that does not depend on the day: sales, and the wares that are on sale."""

from collections.abc import Mapping

import numpy as np

from simtom_pipeline.contracts import BIGINT, DATE, MONEY, TIMESTAMP, Column, TableContract
from simtom_pipeline.generators.base import BaseGenerator, Columns, Day
from simtom_pipeline.generators.registry import register_generator

WARES = TableContract(
    name="wares",
    row="something on sale",
    primary_key=("ware_id",),
    daily=False,
    columns=(Column("ware_id", BIGINT, "key"), Column("price", MONEY, "its price", "USD")),
)
SALES = TableContract(
    name="sales",
    row="a sale",
    primary_key=("sale_id",),
    dated_by="event_time",
    columns=(
        Column("sale_id", BIGINT, "key"),
        Column("day", DATE, "simulated day"),
        Column("event_time", TIMESTAMP, "moment of the sale"),
    ),
)


@register_generator("shelf")
class Shelf(BaseGenerator):
    """A sale at every arrival, and nine wares."""

    tables = (WARES, SALES)
    event_table = "sales"

    def draw_day(self, day: Day) -> Mapping[str, Columns]:
        """The day's sales."""
        n = len(day.event_time)
        return {"sales": {"sale_id": day.keys(n), "day": day.filled(n), "event_time": day.event_time}}

    def draw_constants(self) -> Mapping[str, Columns]:
        """The wares, each a dollar dearer than the one before."""
        return {"wares": {"ware_id": np.arange(1, 10), "price": 100 * np.arange(1, 10)}}
