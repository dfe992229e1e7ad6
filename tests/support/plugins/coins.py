"""A generator with two outcomes of one event, their truth in one table: tosses of a pair of coins."""

from collections.abc import Mapping, Sequence

import numpy as np

from simtom_pipeline.contracts import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    TIMESTAMP,
    Column,
    DeclaredOutcome,
    TableContract,
)
from simtom_pipeline.generators.base import BaseGenerator, Columns, Day
from simtom_pipeline.generators.registry import register_generator

COINS = ("gold", "silver")
KEY_AND_DAY = (Column("toss_id", BIGINT, "key"), Column("day", DATE, "simulated day"))
TOSSES = TableContract(
    name="tosses",
    row="a toss of both coins",
    primary_key=("toss_id",),
    dated_by="event_time",
    columns=(*KEY_AND_DAY, Column("event_time", TIMESTAMP, "moment of the toss")),
)
RESULTS = TableContract(
    name="results",
    row="what a toss came to",
    primary_key=("toss_id",),
    columns=(*KEY_AND_DAY, *(Column(coin, BOOLEAN, f"whether {coin} shows heads") for coin in COINS)),
)
CHANCES = TableContract(
    name="chances",
    row="how likely heads were in a toss",
    truth=True,
    primary_key=("toss_id",),
    columns=(*KEY_AND_DAY, *(Column(coin, DOUBLE, f"probability of heads of {coin}") for coin in COINS)),
)


@register_generator("coins")
class Coins(BaseGenerator):
    """Coins that are bent again for each toss: heads have any probability between a fifth and four fifths."""

    tables = (TOSSES, RESULTS, CHANCES)
    event_table = "tosses"

    def draw_day(self, day: Day) -> Mapping[str, Columns]:
        """Both coins of each arrival."""
        n = len(day.event_time)
        of_toss: Columns = {"toss_id": day.keys(n), "day": day.filled(n)}
        chances: dict[str, np.ndarray] = {
            coin: 0.2 + 0.6 * self.streams.uniform(f"{coin}.chance", day.date, n) for coin in COINS
        }
        heads = {coin: self.streams.uniform(coin, day.date, n) < chances[coin] for coin in COINS}
        return {
            "tosses": {**of_toss, "event_time": day.event_time},
            "results": {**of_toss, **heads},
            "chances": {**of_toss, **chances},
        }

    def declared_outcomes(self) -> Sequence[DeclaredOutcome]:
        """Heads of either coin; by the integral over all bends, the AUC is 0.7."""
        return [
            DeclaredOutcome(
                table="results",
                column=coin,
                cluster="toss_id",
                truth="chances",
                probability=coin,
                rate=lambda day: 0.5,
                auc=0.7,
                drifts_from=None,
                is_stationary=lambda: True,
                public={"tosses": "toss_id"},
                name=f"heads of {coin}",
            )
            for coin in COINS
        ]
