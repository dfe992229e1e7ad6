"""What every chart has in common: colors, sizes, the axis of days, titles, rows of data, days drawn."""

from collections.abc import Sequence
from datetime import date, timedelta
from math import ceil
from typing import Any

import altair as alt
import numpy as np

from ..scenarios.models import Clock

AnyChart = alt.Chart | alt.LayerChart | alt.ConcatChart
Rows = list[dict[str, Any]]

MAX_DAYS = 400
"""Of any clock at most so many days are drawn."""
FULL_WIDTH, PANEL_WIDTH = 880, 370
"""Widths of a chart with one panel, and of a panel that has a neighbour, in pixels."""
RELATIVE_TOLERANCE = 1e-4
"""A quantity that varies by less than this part of itself is constant."""

BLUE, GREY, RED = "#2f6690", "#a9b3bd", "#b5443c"
LIGHT_BLUE, DARK_BLUE = "#d3e1ec", "#12283d"
CATEGORY_COLORS = [
    *("#2f6690", "#e0a43a", "#5b9279", "#b5443c", "#8e6c9e", "#6fa8c9", "#a8763e", "#93a83e", "#c4cad0"),
]
PERCENT = alt.Axis(format="%", tickCount=5)


def chart_of(rows: Rows) -> alt.Chart:
    """A chart that holds its data itself."""
    return alt.Chart(alt.InlineData(values=rows))


def row_of(day: date, **values: object) -> dict[str, Any]:
    """A row of data that begins on a day."""
    return {"day": day.isoformat(), **values}


def held_to_the_end(rows: Rows, clock: Clock) -> Rows:
    """A day lasts until the next one begins; so does the last one."""
    return [*rows, rows[-1] | {"day": (clock.end + timedelta(1)).isoformat()}]


def evenly_spread(clock: Clock, max_days: int) -> list[date]:
    """Every day, or of a longer clock days evenly spread, the first and the last among them."""
    days = clock.days()
    places = np.linspace(0, len(days) - 1, min(len(days), max_days))
    return [days[round(place)] for place in places]


def days_per_point(clock: Clock) -> int:
    """How many days one point of a chart stands for."""
    return ceil(len(clock.days()) / MAX_DAYS)


def varies(values: Sequence[float | None]) -> bool:
    """Whether known values differ by more than rounding."""
    known = [value for value in values if value is not None]
    return bool(known) and max(known) - min(known) > RELATIVE_TOLERANCE * max(map(abs, known))


def days_axis(clock: Clock, labels: int) -> alt.X:
    """Days in UTC, which is how dates are read: no time zone moves them."""
    ends = [clock.start.isoformat(), (clock.end + timedelta(1)).isoformat()]
    every, form = _ticks(len(clock.days()), labels)
    axis = alt.Axis(format=form, tickCount=every, labelOverlap="greedy", labelFlush=False, labelSeparation=8)
    scale = alt.Scale(type="utc", domain=ends, nice=False)
    return alt.X("day:T", title=None, scale=scale, axis=axis)


def _ticks(days: int, labels: int) -> tuple[alt.TimeIntervalStep, str]:
    """Interval between ticks and format of their labels, so that about `labels` fit."""
    if days <= 7 * labels:
        return alt.TimeIntervalStep(interval="day", step=ceil(days / labels)), "%-d %b %Y"
    if days <= 31 * 12 * 3:
        return alt.TimeIntervalStep(interval="month", step=ceil(days / 30 / labels)), "%b %Y"
    return alt.TimeIntervalStep(interval="year", step=ceil(days / 365 / labels)), "%Y"


def value_axis(
    field: str,
    title: str,
    from_zero: bool,
    percent: bool = False,
    constant: bool = False,
    all_zero: bool = False,
) -> alt.Y:
    """The upright axis of a number; a constant is shown from zero, lest rounding fill the panel."""
    axis = PERCENT if percent else alt.Axis(tickCount=5)
    scale = alt.Scale(domain=[0, 1]) if all_zero else alt.Scale(zero=from_zero or constant)
    return alt.Y(f"{field}:Q", title=title, scale=scale, axis=axis)


def heading(text: str, size: int, below: str = "") -> alt.Title:
    """A title of `size` pixels, flush left, with a line below it."""
    return alt.Title(text, subtitle=below, anchor="start", fontSize=size, offset=12)


def with_title(chart: AnyChart, title: str, below: str = "") -> AnyChart:
    """A whole chart, on white, with its title and the look of its axes."""
    chart = chart.properties(title=heading(title, 17, below), background="white", padding=14)
    return chart.configure_axis(titleFontWeight="normal", gridColor="#e6e9ec").configure_view(stroke=None)
