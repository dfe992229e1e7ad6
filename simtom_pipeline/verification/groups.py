"""Rows in groups of like values of a column, formed by the database without looking at outcomes.

A group is named by a number: how many of some ascending edges are not above the value; NULL is below all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import ceil
from typing import Any

import duckdb
import numpy as np

from ..sql import quoted
from ..validation.outcomes import GroupSums
from .draws import SUMS, Draws, group_sums

MAX_GROUPS = 50
FIRST_ROWS = 10_000
COLUMNS_AT_ONCE = 4
"""Of more, what the database keeps of each would add up."""


@dataclass(frozen=True)
class Grouping:
    """A column, the SQL type of its values, and the edges between its groups, ascending."""

    column: str
    type: str
    edges: Sequence[Any]

    def number(self, name: str) -> str:
        """SQL of the number of a row's group; `name` begins the names of its `parameters`."""
        above = self._halves(name, 0, len(self.edges))
        return f"CAST(if({quoted(self.column)} IS NULL, 0, {above}) AS UTINYINT)"

    def _halves(self, name: str, first: int, last: int) -> str:
        if first == last:
            return str(first)
        middle = (first + last) // 2
        below, above = self._halves(name, first, middle), self._halves(name, middle + 1, last)
        edge = f"CAST(${name}_{middle} AS {self.type})"
        return f"CASE WHEN {quoted(self.column)} < {edge} THEN {below} ELSE {above} END"

    def parameters(self, name: str) -> dict[str, Any]:
        """The edges, by the names that they have in `number`."""
        return {f"{name}_{n}": edge for n, edge in enumerate(self.edges)}


def grouping(
    connection: duckdb.DuckDBPyConnection, rows: str, column: str, kind: str, by_value: bool = True
) -> Grouping:
    """At most MAX_GROUPS groups of a relation's column: one a value, or as many rows in each as can be.

    Equal values are always together. `by_value`: whether few values have a group each.
    """
    few = _values(connection, rows, column) if by_value else None
    return Grouping(column, kind, _quantiles(connection, rows, column) if few is None else few)


def _values(connection: duckdb.DuckDBPyConnection, rows: str, column: str) -> list[Any] | None:
    """The values but NULL, ascending; None if they are more than groups may be."""
    name = quoted(column)
    for some in (f"(FROM {rows} LIMIT {FIRST_ROWS})", rows):  # most columns tell by a few rows
        found = connection.execute(
            f"SELECT DISTINCT {name} AS value FROM {some} ORDER BY value NULLS FIRST LIMIT {MAX_GROUPS + 1}"
        ).fetchall()
        if len(found) > MAX_GROUPS:
            return None
    return [value for (value,) in found if value is not None]


def _quantiles(connection: duckdb.DuckDBPyConnection, rows: str, column: str) -> list[Any]:
    """Values below which lie 1/50, 2/50, ... of the rows.

    By sorting, which can do with little memory; `quantile_disc` holds every value, and is slower.
    """
    ((n,),) = connection.execute(f"SELECT count(*) FROM {rows}").fetchall()
    places = sorted({ceil((n - 1) * (k / MAX_GROUPS)) for k in range(1, MAX_GROUPS)})
    found = connection.execute(
        f"SELECT value FROM (SELECT {quoted(column)} AS value,"
        f" row_number() OVER (ORDER BY {quoted(column)} NULLS FIRST) - 1 AS place FROM {rows})"
        f" WHERE place IN ({', '.join(map(str, places))}) AND value IS NOT NULL ORDER BY place"
    ).fetchall()
    return [value for value, _ in groupby(value for (value,) in found)]


def sums_by_probability(draws: Draws) -> GroupSums:
    """Sums over groups of draws of like probability."""
    groups = grouping(draws.connection, draws.rows, "probability", "DOUBLE", by_value=False)
    found = draws.connection.execute(
        f"SELECT {groups.number('edge')} AS number, {SUMS} FROM {draws.rows} GROUP BY number ORDER BY number",
        groups.parameters("edge"),
    ).fetchall()
    return group_sums([sums for _, *sums in found])


@dataclass(frozen=True)
class Halves:
    """Sums over the groups of one column: of all draws, of every other one, and of those between."""

    both: GroupSums
    first: GroupSums
    second: GroupSums


def sums_by_column(draws: Draws, rows: str, key: str, columns: Mapping[str, str]) -> dict[str, Halves]:
    """Sums over groups of like values of each column of a relation with a row for each draw, by its name.

    Draws and rows are paired in the order of the key.

    Parameters
    ----------
    rows, key : the relation, and its column that holds the key of the draw.
    columns : SQL type of each column, by its name.
    """
    names = list(columns)
    portions = [names[n : n + COLUMNS_AT_ONCE] for n in range(0, len(names), COLUMNS_AT_ONCE)]
    found: dict[str, Halves] = {}
    for portion in portions:
        groups = [grouping(draws.connection, rows, name, columns[name]) for name in portion]
        found |= _sums(draws, rows, key, groups)
    return found


def _sums(draws: Draws, rows: str, key: str, groups: Sequence[Grouping]) -> dict[str, Halves]:
    """The same of some columns, whose numbers of groups are kept in a table for as long."""
    run, made = draws.connection.execute, quoted("temp", "main", "simtom_groups")
    numbers = ", ".join(f"{one.number(f'edge{n}')} AS g{n}" for n, one in enumerate(groups))
    run(
        f"CREATE OR REPLACE TEMP TABLE {made} AS SELECT * EXCLUDE place"
        f" FROM (SELECT rowid AS place, rowid % 2 AS half, outcome, probability FROM {draws.rows})"
        f" JOIN (SELECT row_number() OVER (ORDER BY {quoted(key)}) - 1 AS place, {numbers} FROM {rows})"
        " USING (place)",
        {k: v for n, one in enumerate(groups) for k, v in one.parameters(f"edge{n}").items()},
    )
    # One after the other: by all of them at once the database would keep a table of each, for each thread.
    found = {
        one.column: run(f"SELECT half, g{n}, {SUMS} FROM {made} GROUP BY half, g{n}").fetchall()
        for n, one in enumerate(groups)
    }
    run(f"DROP TABLE {made}")
    return {name: _halves(of_column) for name, of_column in found.items()}


def _halves(found: Sequence[Sequence[Any]]) -> Halves:
    """Of a row of `SUMS` for each half and group."""
    table = np.zeros((2, MAX_GROUPS + 1, 5))
    for half, number, *sums in found:
        table[half, number] = sums
    first, second = table[:, table[:, :, 0].any(axis=0)]
    return Halves(group_sums(first + second), group_sums(first), group_sums(second))
