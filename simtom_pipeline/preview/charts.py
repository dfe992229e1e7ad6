"""Every chart of a scenario: its volume, its hours, its faults, and one for each of its drifts."""

from datetime import timedelta
from functools import partial
from itertools import groupby

import altair as alt
import numpy as np

from ..corruption.faults import hit_probability
from ..generators.base import BaseGenerator
from ..scenarios.faults import Fault
from ..scenarios.models import ALL_DRIFTS, Clock, Scenario
from ..simulation import make_generator
from .drift_panels import drift_chart
from .style import (
    BLUE,
    DARK_BLUE,
    FULL_WIDTH,
    GREY,
    LIGHT_BLUE,
    MAX_DAYS,
    AnyChart,
    Rows,
    chart_of,
    days_axis,
    days_per_point,
    evenly_spread,
    held_to_the_end,
    row_of,
    value_axis,
    with_title,
)

MEANING_OF_FAULTS = "probability that a value, row or stretch that a fault can hit is hit, day by day"


def scenario_charts(scenario: Scenario) -> dict[str, AnyChart]:
    """Altair charts by key: `volume`, `hours`, `faults` if there are any, and `drift_<id>` for each drift."""
    generator = make_generator(scenario)
    charts = {
        "volume": with_title(_volume_chart(generator), "Expected volume"),
        "hours": with_title(_hours_chart(generator), "An average day, hour by hour"),
    }
    if scenario.faults:
        charts["faults"] = with_title(_faults_chart(scenario), "Faults", MEANING_OF_FAULTS)
    # Parts of one drift follow each other in the ledger.
    for drift_id, parts in groupby(generator.ledger_parts(), lambda part: part.drift_id):
        charts[f"drift_{drift_id}"] = drift_chart(generator, list(parts))
    return charts


def _volume_chart(generator: BaseGenerator) -> AnyChart:
    """Every day; of a long clock the mean of consecutive days, with a band from the least to the most."""
    scenario, step = generator.scenario, days_per_point(generator.scenario.clock)
    rows = _volume_rows(generator, step, "expected")
    if scenario.all_drifts:
        rows = _volume_rows(make_generator(scenario.without(ALL_DRIFTS)), step, "without drift") + rows
    color = alt.Color(
        "series:N",
        title=None,
        scale=alt.Scale(domain=["without drift", "expected"], range=[GREY, BLUE]),
        legend=alt.Legend(orient="top") if scenario.all_drifts else None,
    )
    chart = chart_of(rows).properties(width=FULL_WIDTH, height=260)
    title = "events per day" if step == 1 else f"events per day: mean of {step}, least to most"
    x = days_axis(scenario.clock, 10)
    lines = chart.mark_line(interpolate="step-after", strokeWidth=1.5)
    lines = lines.encode(x=x, y=value_axis("events", title, from_zero=True), color=color)
    if step == 1:
        return lines
    band = chart.transform_filter("datum.series == 'expected'").mark_area(
        interpolate="step-after", opacity=0.25
    )
    return band.encode(x=x, y=value_axis("least", title, from_zero=True), y2="most:Q", color=color) + lines


def _volume_rows(generator: BaseGenerator, step: int, series: str) -> Rows:
    """Mean, least and most of the expected events per day, for each `step` consecutive days."""
    clock: Clock = generator.scenario.clock
    days = clock.days()
    counts = np.array([generator.arrivals.expected_count(day) for day in days])
    rows = []
    for first in range(0, len(days), step):
        some = counts[first : first + step]
        numbers = {"events": float(some.mean()), "least": float(some.min()), "most": float(some.max())}
        rows.append(row_of(days[first], series=series, **numbers))
    return held_to_the_end(rows, clock)


def _hours_chart(generator: BaseGenerator) -> AnyChart:
    """Expected events of each hour: the mean of the clock's days, or of a sample of them."""
    days = evenly_spread(generator.scenario.clock, MAX_DAYS)
    events = np.mean([generator.arrivals.expected_by_hour(day) for day in days], axis=0)
    rows = [{"hour": hour, "events": float(count)} for hour, count in enumerate(events)]
    bars = chart_of(rows).mark_bar(color=BLUE)
    return bars.encode(
        x=alt.X("hour:O", title="hour of the day", axis=alt.Axis(labelAngle=0)),
        y=value_axis("events", "events per hour", from_zero=True),
    ).properties(width=FULL_WIDTH, height=220)


def _faults_chart(scenario: Scenario) -> AnyChart:
    """A line of bars a fault, as dark as it is frequent; days on which it hits nothing are left out."""
    color = alt.Color(
        "probability:Q",
        title=None,
        scale=alt.Scale(type="log", range=[LIGHT_BLUE, BLUE, DARK_BLUE]),
        legend=alt.Legend(format="~%", orient="top", gradientLength=300, tickCount=5),
    )
    bars = chart_of(_fault_rows(scenario)).mark_bar(height=14)
    bars = bars.encode(
        x=days_axis(scenario.clock, 10),
        x2="until:T",
        y=alt.Y("fault:N", title=None, sort=None, axis=alt.Axis(labelLimit=220)),
        color=color,
    )
    return bars.properties(width=FULL_WIDTH - 160, height=22 * len(scenario.faults))


def _fault_rows(scenario: Scenario) -> Rows:
    """A row for each spell of days on which a fault hits with one and the same probability."""
    rows: Rows = []
    for fault in scenario.faults:
        for probability, days in groupby(scenario.clock.days(), partial(hit_probability, scenario, fault)):
            spell = list(days)
            until = (spell[-1] + timedelta(1)).isoformat()
            rows.append(row_of(spell[0], until=until, fault=_name_of(fault), probability=probability))
    return [row for row in rows if row["probability"] > 0]


def _name_of(fault: Fault) -> str:
    return f"{fault.id}: {fault.kind.replace('_', ' ')}"
