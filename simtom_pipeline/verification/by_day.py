"""Columns of landed rows, one day after the other: never more than a portion of them is in memory."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date

import duckdb
import numpy as np

from ..moments import day_number
from ..sql import listed, quoted

ROWS_AT_ONCE = 300_000
NUMBER = "simtom_number"


def by_day(
    connection: duckdb.DuckDBPyConnection, rows: str, columns: Sequence[str], order: Sequence[str] = ()
) -> Iterator[tuple[date, Mapping[str, np.ndarray]]]:
    """Columns of the rows of each day that has any, days ascending; rows with a NULL in them are left out.

    Parameters
    ----------
    rows : relation with a column `day`.
    order : columns by which the rows of a day are sorted.
    """
    known = " AND ".join(f"{quoted(name)} IS NOT NULL" for name in ("day", *columns))
    counts = dict(
        connection.execute(
            f"SELECT day, count(*) FROM {rows} WHERE {known} GROUP BY day ORDER BY day"
        ).fetchall()
    )
    number_of_day = f"date_diff('day', DATE '1970-01-01', day) AS {NUMBER}"
    for days in _portions(counts):
        found = connection.execute(
            f"SELECT {number_of_day}, {listed(tuple(columns))} FROM {rows}"
            f" WHERE day BETWEEN ? AND ? AND {known} ORDER BY {listed((NUMBER, *order))}",
            [days[0], days[-1]],
        ).fetchnumpy()
        number = found.pop(NUMBER)
        for day in days:
            first, last = np.searchsorted(number, [day_number(day), day_number(day) + 1])
            yield day, {name: np.asarray(values[first:last]) for name, values in found.items()}


def _portions(counts: Mapping[date, int]) -> Iterator[list[date]]:
    """Days in a row that have ROWS_AT_ONCE rows together at most, or a single one."""
    days, rows = list[date](), 0
    for day, count in counts.items():
        if days and rows + count > ROWS_AT_ONCE:
            yield days
            days, rows = [], 0
        days.append(day)
        rows += count
    if days:
        yield days
