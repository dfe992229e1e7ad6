"""The draws of an outcome, summed up by the database: only sums and groups of them come into memory.

A draw is a row of the table of events with its outcome, the probability that it was drawn with, its cluster
and its day; outcome and probability are NULL where they have not landed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from math import nan
from typing import Any

import duckdb
import numpy as np

from ..claims import DeclaredOutcome
from ..sql import quoted, truth_schema
from ..validation.outcomes import TOO_FEW_FOR_AN_AUC, GroupSums, Totals

EXPECTED = "fsum(probability) AS expected, fsum(probability * (1 - probability)) AS variance"
IMPOSSIBLE = "count(*) FILTER (if(outcome > 0, probability, 1 - probability) <= 0) AS impossible"
SUMS = f"count(*) AS n, coalesce(sum(outcome), 0) AS happened, {EXPECTED}, {IMPOSSIBLE}"
"""Of draws that all have an outcome and a probability, as `GroupSums` takes them."""


@dataclass(frozen=True)
class Draws:
    """Draws of one outcome that are in the database, all of them or some.

    Attributes
    ----------
    rows : relation with a row a draw: key, outcome (0 or 1), probability, cluster, day; `rowid` counts them
        in the order of the key if these are all draws.
    """

    connection: duckdb.DuckDBPyConnection
    rows: str

    def on(self, days: Sequence[date]) -> "Draws":
        """Those of some days."""
        listed = ", ".join(f"DATE '{day}'" for day in days) or "NULL"
        return Draws(self.connection, f"(FROM {self.rows} WHERE day IN ({listed}))")

    def before(self, day: date | None) -> "Draws":
        """Those before a day; all of them if it never comes."""
        return self if day is None else Draws(self.connection, f"(FROM {self.rows} WHERE day < DATE '{day}')")

    @cached_property
    def totals(self) -> Totals:
        """Sums over them; `yes` is NaN if one has no outcome, `expected` if one has no probability."""
        ((rows, drawn, known, yes, *sums),) = self._found(
            "SELECT count(*), count(outcome), count(probability), coalesce(sum(outcome), 0),"
            " coalesce(fsum(probability), 0), coalesce(fsum(probability * (1 - probability)), 0),"
            " coalesce(fsum(probability * (1 - probability) * (1 - 2 * probability)), 0),"
            f" {IMPOSSIBLE} FROM {self.rows}"
        )
        expected, variance, skewness, impossible = sums
        yes, expected = yes if drawn == rows else nan, expected if known == rows else nan
        return Totals(rows, float(yes), float(expected), variance, skewness, impossible)

    @cached_property
    def unusable(self) -> int:
        """How many have no outcome, or no probability between 0 and 1."""
        ((count,),) = self._found(
            f"SELECT count(*) FROM {self.rows} WHERE outcome IS NULL OR isnan(outcome)"
            " OR NOT coalesce(probability BETWEEN 0 AND 1, false)"
        )
        return int(count)

    @cached_property
    def per_day(self) -> dict[date, int]:
        """How many each day has."""
        return dict(self._found(f"SELECT day, count(*) FROM {self.rows} GROUP BY day ORDER BY day"))

    @cached_property
    def rate(self) -> tuple[float, float]:
        """Share of yes and its standard error, draws of one cluster depending on each other."""
        share = self.totals.yes / self.totals.rows
        ((squares,),) = self._found(
            "SELECT fsum(residual * residual) FROM (SELECT (sum(outcome) - $share * count(*)) / $rows"
            f" AS residual FROM {self.rows} GROUP BY cluster)",
            {"share": share, "rows": self.totals.rows},
        )
        return share, nan if np.isnan(share) else float(squares) ** 0.5

    def auc(self, clustered: bool = True) -> tuple[float, float]:
        """Area under the ROC curve of the probability, and its standard error.

        Draws of one cluster may depend on each other (Obuchowski 1997), or not.

        Raises
        ------
        ValueError : fewer than two outcomes of a kind.
        """
        yes, rows = self.totals.yes, self.totals.rows
        if min(yes, rows - yes) < 2:
            raise ValueError(TOO_FEW_FOR_AN_AUC)
        if np.isnan(yes + self.totals.expected):
            return nan, nan
        of_yes, of_no = "(beats - area) / ($happened - 1)", "(beaten - area) / ($failed - 1)"
        independent = (
            f"SELECT fsum(happened * ({of_yes}) ** 2 + failed * ({of_no}) ** 2) AS squares FROM ranks, whole"
        )
        of_clusters = (
            "SELECT fsum(influence * influence) AS squares FROM"
            f" (SELECT sum(if(outcome > 0, {of_yes}, {of_no})) AS influence"
            f" FROM {self.rows} JOIN ranks USING (probability), whole GROUP BY cluster)"
        )
        ((area, squares),) = self._found(
            "WITH levels AS (SELECT probability, sum(outcome) AS happened, sum(1 - outcome) AS failed"
            f" FROM {self.rows} GROUP BY probability),"
            " ranks AS MATERIALIZED (SELECT *,"
            " (sum(failed) OVER ascending - failed / 2) / $failed AS beats,"
            " 1 - (sum(happened) OVER ascending - happened / 2) / $happened AS beaten"
            " FROM levels WINDOW ascending AS (ORDER BY probability)),"
            " whole AS MATERIALIZED (SELECT fsum(happened * beats) / $happened AS area FROM ranks)"
            f" SELECT area, squares FROM whole, ({of_clusters if clustered else independent})",
            {"happened": yes, "failed": rows - yes},
        )
        return float(area), float(squares) ** 0.5

    def _found(self, sql: str, parameters: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql, parameters or {}).fetchall()


def keep_draws(
    connection: duckdb.DuckDBPyConnection, scenario: str, declared: DeclaredOutcome, events: str, key: str
) -> Draws:
    """The draws of an outcome in the order of the events' key, kept in a table until the connection ends."""
    ((database,),) = connection.execute("SELECT current_database()").fetchall()
    of = quoted(database, scenario, declared.table, declared.column)
    table = quoted("temp", "main", f"simtom_draws of {of}")
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT e.{quoted(key)} AS key,"
        f" CAST(o.{quoted(declared.column)} AS DOUBLE) AS outcome,"
        f" CAST(r.{quoted(declared.probability)} AS DOUBLE) AS probability,"
        f" e.{quoted(declared.cluster)} AS cluster, e.day"
        f" FROM {quoted(scenario, events)} e"
        f" LEFT JOIN {quoted(scenario, declared.table)} o USING ({quoted(key)})"
        f" LEFT JOIN {quoted(truth_schema(scenario), declared.truth)} r USING ({quoted(key)})"
        f" ORDER BY e.{quoted(key)}"
    )
    return Draws(connection, table)


def group_sums(found: Sequence[Sequence[Any]]) -> GroupSums:
    """Sums of groups, given a row of `SUMS` for each."""
    columns = np.array(found, float).reshape(len(found), 5).T
    rows, yes, expected, variance, impossible = columns
    return GroupSums(rows.astype(np.int64), yes, expected, variance, impossible.astype(np.int64))
