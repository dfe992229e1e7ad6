"""Columns of landed rows, one day after the other: never more than a portion of them is in memory."""

from collections.abc import Iterator, Mapping
from datetime import date

import duckdb
import numpy as np

from ..moments import day_number

ROWS_AT_ONCE = 300_000


def by_day(
    connection: duckdb.DuckDBPyConnection, rows: str, columns: str, order: str = ""
) -> Iterator[tuple[date, Mapping[str, np.ndarray]]]:
    """Columns of the rows of each day that has any, days ascending; without NULLs.

    Parameters
    ----------
    rows : relation with a column `day`.
    columns : names of the columns, with commas between them.
    order : of the rows of a day.
    """
    counts = dict(
        connection.execute(
            f"SELECT day, count(*) FROM {rows} WHERE day IS NOT NULL GROUP BY day ORDER BY day"
        ).fetchall()
    )
    for days in _portions(counts):
        found = connection.execute(
            f"SELECT date_diff('day', DATE '1970-01-01', day) AS number, {columns} FROM {rows}"
            f" WHERE day BETWEEN ? AND ? ORDER BY {', '.join(filter(None, ('number', order)))}",
            [days[0], days[-1]],
        ).fetchnumpy()
        number = found.pop("number")
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
