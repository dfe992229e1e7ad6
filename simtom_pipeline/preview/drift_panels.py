"""The chart of one drift: a panel for its weight, some for each of its targets, some for the outcome."""

from collections.abc import Sequence
from datetime import date, timedelta
from math import ceil
from re import fullmatch
from typing import Any, Literal

import altair as alt
import numpy as np

from ..generators.base import BaseGenerator
from ..generators.drift.ledger import LedgerPart
from ..scenarios.models import Clock
from .style import (
    BLUE,
    CATEGORY_COLORS,
    MAX_DAYS,
    PANEL_WIDTH,
    PERCENT,
    RED,
    AnyChart,
    Rows,
    chart_of,
    days_axis,
    evenly_spread,
    heading,
    held_to_the_end,
    row_of,
    value_axis,
    varies,
    with_title,
)
from .wording import named_categories, parameter_in_words, schedule_in_words, short_name

USUAL_DAYS = 120
"""As many days are drawn of a drift, unless it is so quick that more are needed: each costs milliseconds."""
MAX_MARKED_MOVEMENTS = 8
"""Of a drift with more movements the first alone is marked."""
PANEL_HEIGHT = 140
PSI_DECIMALS = 9
"""What is smaller is rounding, and its axis would show nothing but zeros."""
POINTS_PER_PERIOD = 12

ONSET, SETTLED, AT_ONCE = "onset", "settled", "onset, settled at once"
DASHES = {ONSET: [4, 3], SETTLED: [1, 0], AT_ONCE: [9, 2, 2, 2]}


def drift_chart(generator: BaseGenerator, parts: Sequence[LedgerPart]) -> AnyChart:
    """The panels of the drift that has these `parts`, two a line, under its id and its schedule."""
    panels = alt.concat(*DriftPanels(generator, parts).all(), columns=2, spacing=28)
    panels = panels.resolve_scale(color="independent", strokeDash="independent")
    row: dict[str, Any] = parts[0].rows[0]
    schedule = f"{row['kind']}, {schedule_in_words(row)}."
    below = f"{schedule} Sizes are those with every drift of the scenario acting."
    return with_title(panels, parts[0].drift_id, below)


class DriftPanels:
    """The panels of one drift: what is intended for its targets on each drawn day."""

    def __init__(self, generator: BaseGenerator, parts: Sequence[LedgerPart]) -> None:
        self.generator, self.parts, self.clock = generator, parts, generator.scenario.clock
        self.days = _drawn_days(self.clock, generator.ledger_parts())
        every_day = len(self.days) == len(self.clock.days())
        self.interpolate: Literal["linear", "step-after"] = "step-after" if every_day else "linear"
        self.intended = {part.target: [generator.intended(part, day) for day in self.days] for part in parts}
        self.marks = _mark_rows(parts[0], self.clock)

    def all(self) -> list[AnyChart]:
        """The weight, of each target its value and its distance, then what becomes of the outcome."""
        weights = [i.w for i in self.intended[self.parts[0].target]]
        panels = [self._line(weights, "Weight of the drift", "weight, 0 to 1", from_zero=True, legend=True)]
        for part in self.parts:
            panels += self._target_panels(part)
        return panels + self._outcome_panels()

    def _target_panels(self, part: LedgerPart) -> list[AnyChart]:
        name, intended = part.target, self.intended[part.target]
        panels = [self._shares(part)] if len(intended[0].parameter) > 1 else self._number_panels(part)
        psi = [None if i.intended_psi is None else round(i.intended_psi, PSI_DECIMALS) for i in intended]
        if None not in psi:
            title = f"{short_name(name)}: distance from the reference"
            panels.append(self._line(psi, title, f"PSI of {_column_of(part) or name}", from_zero=True))
        return panels

    def _number_panels(self, part: LedgerPart) -> list[AnyChart]:
        """The parameter, and the mean where that is another number."""
        name, intended = short_name(part.target), self.intended[part.target]
        parameters = [i.parameter[0] for i in intended]
        means, rates = [i.intended_mean for i in intended], [i.expected_default_rate for i in intended]
        panels = [self._line(parameters, f"{name}: parameter in force", parameter_in_words(part))]
        if part.measured and None not in means and not _same(means, parameters) and not _same(means, rates):
            unit = _unit_of(self.generator, part.target)
            panels.append(self._line(means, f"{name}: mean", f"mean, {unit}" if unit else "mean"))
        return panels

    def _outcome_panels(self) -> list[AnyChart]:
        """Rate and Bayes AUC of the outcome where they change; a volume that drifts alone changes neither."""
        measured = [part for part in self.parts if part.measured]
        outcomes = self.generator.declared_outcomes()
        if not measured or not outcomes:
            return []
        intended = self.intended[measured[0].target]
        declared = next(one for one in outcomes if measured[0].outcome in ("", one.column))
        rates = [i.expected_default_rate for i in intended]
        aucs = [i.expected_bayes_auc for i in intended]
        panels = []
        if varies(rates):
            name = declared.name or declared.column
            unit = f"of {declared.rows or declared.events or self.generator.event_table}"
            panels.append(self._line(rates, f"Expected {name} rate", unit, percent=True))
        if varies(aucs):
            panels.append(self._line(aucs, "Bayes AUC, the best any model could reach", "AUC"))
        return panels

    def _line(
        self,
        values: Sequence[float | None],
        title: str,
        unit: str,
        from_zero: bool = False,
        percent: bool = False,
        legend: bool = False,
    ) -> AnyChart:
        rows = [row_of(day, value=value) for day, value in zip(self.days, values, strict=True)]
        line = chart_of(held_to_the_end(rows, self.clock))
        line = line.mark_line(interpolate=self.interpolate, color=BLUE, strokeWidth=2)
        y = value_axis(
            "value", unit, from_zero, percent, constant=not varies(values), all_zero=not any(values)
        )
        return self._panel(line.encode(x=days_axis(self.clock, 5), y=y), title, legend)

    def _shares(self, part: LedgerPart) -> AnyChart:
        """Areas on top of each other, the first category at the bottom."""
        names, places_of = named_categories(part)
        color = alt.Color(
            "category:N",
            title=None,
            sort=names,
            scale=alt.Scale(domain=names, range=CATEGORY_COLORS[: len(names)]),
            legend=alt.Legend(orient="bottom", columns=3, labelLimit=140, offset=2),
        )
        y = alt.Y("share:Q", title="share", stack="zero", scale=alt.Scale(domain=[0, 1]), axis=PERCENT)
        areas = chart_of(self._share_rows(part, names, places_of)).mark_area(interpolate=self.interpolate)
        areas = areas.encode(x=days_axis(self.clock, 5), y=y, color=color, order="order:Q")
        return self._panel(areas, f"{short_name(part.target)}: shares", legend=False)

    def _share_rows(self, part: LedgerPart, names: list[str], places_of: list[list[int]]) -> Rows:
        shares_by_day = [i.intended_shares or i.parameter for i in self.intended[part.target]]
        rows: Rows = []
        for order, (name, places) in enumerate(zip(names, places_of, strict=True)):
            series = [
                row_of(day, category=name, order=order, share=sum(shares[place] for place in places))
                for day, shares in zip(self.days, shares_by_day, strict=True)
            ]
            rows += held_to_the_end(series, self.clock)
        return rows

    def _panel(self, chart: alt.Chart, title: str, legend: bool) -> AnyChart:
        chart = chart.properties(width=PANEL_WIDTH, height=PANEL_HEIGHT)
        return alt.LayerChart(layer=[chart, *self._rules(legend)], title=heading(title, 12))

    def _rules(self, legend: bool) -> list[alt.Chart]:
        """Upright lines on the days on which a movement begins or is complete."""
        if not self.marks:
            return []
        shown = [what for what in DASHES if any(mark["what"] == what for mark in self.marks)]
        dash = alt.StrokeDash(
            "what:N",
            title=None,
            scale=alt.Scale(domain=shown, range=[DASHES[what] for what in shown]),
            legend=alt.Legend(orient="bottom", symbolStrokeColor=RED, symbolSize=300) if legend else None,
        )
        rules = chart_of(self.marks).mark_rule(color=RED, strokeWidth=1, opacity=0.8)
        x, above = days_axis(self.clock, 5), alt.value(-7)
        return [rules.encode(x=x, y=above, y2=alt.value(PANEL_HEIGHT), strokeDash=dash)]


def _drawn_days(clock: Clock, parts: Sequence[LedgerPart]) -> list[date]:
    """Enough days to follow every drift, with both sides of where a movement begins or ends."""
    steps = [step for part in parts for step in _days_between_points(part)]
    step = min([len(clock.days()) / USUAL_DAYS, *steps])
    days = set(evenly_spread(clock, min(ceil(len(clock.days()) / step), MAX_DAYS)))
    corners = {row[name] for part in parts for row in _marked_movements(part) for name in (ONSET, SETTLED)}
    corners |= {day - timedelta(1) for day in corners}
    return sorted(days | {day for day in corners if clock.start <= day <= clock.end})


def _days_between_points(part: LedgerPart) -> list[float]:
    """Days between points that show how a seasonal or a gradual drift moves."""
    row: dict[str, Any] = part.rows[0]
    lengths = [row[name] for name in ("period_days", "width_days")]
    return [length / POINTS_PER_PERIOD for length in lengths if length is not None]


def _marked_movements(part: LedgerPart) -> Sequence[dict[str, Any]]:
    """The movements that are marked: all, or the first one of very many."""
    return part.rows if len(part.rows) <= MAX_MARKED_MOVEMENTS else part.rows[:1]


def _mark_rows(part: LedgerPart, clock: Clock) -> Rows:
    """A row for each day within the clock on which a marked movement begins or is complete."""
    rows: Rows = []
    for movement in _marked_movements(part):
        onset, settled = movement[ONSET], movement[SETTLED]
        days = [(onset, AT_ONCE)] if onset == settled else [(onset, ONSET), (settled, SETTLED)]
        rows += [row_of(day, what=what) for day, what in days if clock.start <= day <= clock.end]
    return rows


def _column_of(part: LedgerPart) -> str | None:
    """The column that shows the target, if its value is a column as it stands."""
    found = fullmatch(r"\w+\.(\w+)", part.measured.expression) if part.measured else None
    return found[1] if found else None


def _unit_of(generator: BaseGenerator, column: str) -> str:
    """Unit of a column of the generator's tables, if it has one."""
    return next((c.unit for t in generator.tables for c in t.columns if c.name == column and c.unit), "")


def _same(some: Sequence[float | None], others: Sequence[float | None]) -> bool:
    """Whether two series are equal up to rounding; one with gaps equals none."""
    return None not in others and bool(np.allclose(np.array(some, float), np.array(others, float)))
