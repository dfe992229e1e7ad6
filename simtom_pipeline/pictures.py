"""A scenario in pictures before a single day of it is simulated: its volume, its hours, its drifts.

Importing this module costs about 0.4 s more than `simulation` (Altair): import it where it is used.
"""

from base64 import b64encode
from collections.abc import Sequence
from datetime import date, timedelta
from functools import partial
from html import escape
from itertools import groupby
from math import ceil
from pathlib import Path
from re import fullmatch
from typing import Any, Literal

import altair as alt
import numpy as np
import vl_convert

from .generators.base import BaseGenerator
from .generators.drift.ledger import LedgerPart
from .generators.faults import hit_probability
from .scenarios.faults import Fault
from .scenarios.models import ALL_DRIFTS, Clock, Scenario
from .simulation import make_generator

Picture = alt.Chart | alt.LayerChart | alt.ConcatChart
Rows = list[dict[str, Any]]
Interpolation = Literal["linear", "step-after"]

MOST_DAYS = 400
"""Of a longer clock not every day is drawn."""
ENOUGH_DAYS = 120
"""As many are drawn of a drift, unless it is so quick that more are needed: each day costs milliseconds."""
MOST_CATEGORIES = 8
MOST_MARKED_MOVEMENTS = 8
WIDE, NARROW = 880, 370
"""Widths of a picture with one panel, and of a panel that has a neighbour, in pixels."""
HEIGHT = 140
DECIMALS = 9
"""Of a PSI: what is smaller is rounding, and its axis would show nothing but zeros."""
SCALE = 2
SAME = 1e-4
"""A quantity that varies by less than this part of itself is constant."""

BLUE, GREY, RED = "#2f6690", "#a9b3bd", "#b5443c"
COLORS = ["#2f6690", "#e0a43a", "#5b9279", "#b5443c", "#8e6c9e", "#6fa8c9", "#a8763e", "#93a83e", "#c4cad0"]
ONSET, SETTLED, AT_ONCE = "onset", "settled", "onset, settled at once"
DASHES = {ONSET: [4, 3], SETTLED: [1, 0], AT_ONCE: [9, 2, 2, 2]}


def charts(scenario: Scenario) -> dict[str, Picture]:
    """Altair charts by key: `volume`, `hours`, `faults` if there are any, and `drift_<id>` for each drift."""
    generator = make_generator(scenario)
    faults = {"faults": _dressed(_faults(scenario), "Faults", HIT)} if scenario.faults else {}
    return {
        "volume": _dressed(_volume(generator), "Expected volume"),
        "hours": _dressed(_hours(generator), "An average day, hour by hour"),
        **faults,
        **{f"drift_{name}": _drift(generator, name, parts) for name, parts in _drifts(generator)},
    }


def png(chart: Picture) -> bytes:
    """The picture as a PNG, twice as many pixels as its nominal size."""
    return vl_convert.vegalite_to_png(chart.to_dict(), scale=SCALE)


def svg(chart: Picture) -> str:
    """The picture as an SVG document."""
    return str(vl_convert.vegalite_to_svg(chart.to_dict()))


def data_uri(chart: Picture) -> str:
    """The picture as an SVG in a data URI: an address that holds what it points to."""
    return f"data:image/svg+xml;base64,{b64encode(svg(chart).encode()).decode()}"


def write_preview(scenario: Scenario, folder: Path) -> list[Path]:
    """Write `<name>.html`, which needs no other file, and a `<name>_<key>.png` for each chart.

    Returns
    -------
    Paths of what was written, the page first. The folder is made if need be.
    """
    folder.mkdir(parents=True, exist_ok=True)
    drawn = charts(scenario)
    written = [folder / f"{scenario.name}.html"]
    written[0].write_text(_page(make_generator(scenario), drawn), encoding="utf-8")
    for key, chart in drawn.items():
        written.append(folder / f"{scenario.name}_{key}.png")
        written[-1].write_bytes(png(chart))
    return written


# volume and hours -------------------------------------------------------------------------------------


def _volume(generator: BaseGenerator) -> Picture:
    """Every day; of a long clock the mean of consecutive days, with a band from the least to the most."""
    scenario, step = generator.scenario, _step(generator.scenario.clock)
    rows = _counts(generator, step, "expected")
    if scenario.all_drifts:
        rows = _counts(make_generator(scenario.without(ALL_DRIFTS)), step, "without drift") + rows
    color = alt.Color(
        "series:N",
        title=None,
        scale=alt.Scale(domain=["without drift", "expected"], range=[GREY, BLUE]),
        legend=alt.Legend(orient="top") if scenario.all_drifts else None,
    )
    chart = _chart(rows).properties(width=WIDE, height=260)
    title = "events per day" if step == 1 else f"events per day: mean of {step}, least to most"
    x = _x(scenario.clock, 10)
    lines = chart.mark_line(interpolate="step-after", strokeWidth=1.5)
    lines = lines.encode(x=x, y=_y("events", title, zero=True), color=color)
    if step == 1:
        return lines
    band = chart.transform_filter("datum.series == 'expected'").mark_area(
        interpolate="step-after", opacity=0.25
    )
    return band.encode(x=x, y=_y("least", title, zero=True), y2="most:Q", color=color) + lines


def _counts(generator: BaseGenerator, step: int, series: str) -> Rows:
    days = generator.scenario.clock.days()
    counts = np.array([generator.arrivals.expected_count(day) for day in days])
    rows = []
    for first in range(0, len(days), step):
        some = counts[first : first + step]
        found = {"events": some.mean(), "least": some.min(), "most": some.max()}
        rows.append(_row(days[first], series=series, **{name: float(v) for name, v in found.items()}))
    return _held(rows, generator.scenario.clock)


def _hours(generator: BaseGenerator) -> Picture:
    """The mean of the clock's days, or of a sample of them."""
    days = _spread(generator.scenario.clock, MOST_DAYS)
    events = np.mean([generator.arrivals.expected_by_hour(day) for day in days], axis=0)
    rows = [{"hour": hour, "events": float(count)} for hour, count in enumerate(events)]
    chart = _chart(rows).mark_bar(color=BLUE)
    return chart.encode(
        x=alt.X("hour:O", title="hour of the day", axis=alt.Axis(labelAngle=0)),
        y=_y("events", "events per hour", zero=True),
    ).properties(width=WIDE, height=220)


HIT = "probability that a value, row or stretch that a fault can hit is hit, day by day"


def _faults(scenario: Scenario) -> Picture:
    """A bar a fault, as dark as it is frequent; days on which it hits nothing are left out."""
    rows: Rows = []
    for fault in scenario.faults:
        for probability, days in groupby(scenario.clock.days(), partial(hit_probability, scenario, fault)):
            spell = list(days)
            until = (spell[-1] + timedelta(1)).isoformat()
            rows.append(_row(spell[0], until=until, fault=_named(fault), probability=probability))
    color = alt.Color(
        "probability:Q",
        title=None,
        scale=alt.Scale(type="log", range=["#d3e1ec", BLUE, "#12283d"]),
        legend=alt.Legend(format="~%", orient="top", gradientLength=300, tickCount=5),
    )
    return (
        _chart([row for row in rows if row["probability"] > 0])
        .mark_bar(height=14)
        .encode(
            x=_x(scenario.clock, 10),
            x2="until:T",
            y=alt.Y("fault:N", title=None, sort=None, axis=alt.Axis(labelLimit=220)),
            color=color,
        )
        .properties(width=WIDE - 160, height=22 * len(scenario.faults))
    )


def _named(fault: Fault) -> str:
    return f"{fault.id}: {fault.kind.replace('_', ' ')}"


# one drift --------------------------------------------------------------------------------------------


def _drifts(generator: BaseGenerator) -> list[tuple[str, list[LedgerPart]]]:
    """Each drift's id and parts; those of one drift follow each other in the ledger."""
    return [(name, list(parts)) for name, parts in groupby(generator.ledger_parts(), lambda p: p.drift_id)]


def _drift(generator: BaseGenerator, name: str, parts: Sequence[LedgerPart]) -> Picture:
    panels = alt.concat(*_Panels(generator, parts).all(), columns=2, spacing=28)
    panels = panels.resolve_scale(color="independent", strokeDash="independent")
    row: dict[str, Any] = parts[0].rows[0]
    said = f"{row['kind']}, {_schedule(row)}. Sizes are those with every drift of the scenario acting."
    return _dressed(panels, name, said)


class _Panels:
    """The panels of one drift: what is intended for its targets on each drawn day."""

    def __init__(self, generator: BaseGenerator, parts: Sequence[LedgerPart]) -> None:
        self.generator, self.parts, self.clock = generator, parts, generator.scenario.clock
        self.days = _days_of_drifts(self.clock, generator.ledger_parts())
        whole = len(self.days) == len(self.clock.days())
        self.interpolate: Interpolation = "step-after" if whole else "linear"
        self.intended = {part.target: [generator.intended(part, day) for day in self.days] for part in parts}
        self.marks = _marks(parts[0], self.clock)

    def all(self) -> list[Picture]:
        """The weight, of each target its value and its distance, then what becomes of the defaults."""
        weights = [i.w for i in self.intended[self.parts[0].target]]
        found = [self._line(weights, "Weight of the drift", "weight, 0 to 1", zero=True, legend=True)]
        for part in self.parts:
            found += self._of_target(part)
        return found + self._of_defaults()

    def _of_target(self, part: LedgerPart) -> list[Picture]:
        name, intended = part.target, self.intended[part.target]
        panels = [self._shares(part)] if len(intended[0].parameter) > 1 else self._of_number(part)
        psi = [None if i.intended_psi is None else round(i.intended_psi, DECIMALS) for i in intended]
        if None not in psi:
            of = f"PSI of {_outcome(part) or name}"
            panels.append(self._line(psi, f"{_short(name)}: distance from the reference", of, zero=True))
        return panels

    def _of_number(self, part: LedgerPart) -> list[Picture]:
        """The parameter, and the mean where that is another number."""
        name, intended = part.target, self.intended[part.target]
        parameters = [i.parameter[0] for i in intended]
        means, rates = [i.intended_mean for i in intended], [i.expected_default_rate for i in intended]
        panels = [self._line(parameters, f"{_short(name)}: parameter in force", _of_parameter(part))]
        if part.measured and None not in means and not _same(means, parameters) and not _same(means, rates):
            unit = _unit(self.generator, name)
            panels.append(self._line(means, f"{_short(name)}: mean", f"mean, {unit}" if unit else "mean"))
        return panels

    def _of_defaults(self) -> list[Picture]:
        """Default rate and Bayes AUC where they change; a volume that drifts alone changes neither."""
        measured = [part for part in self.parts if part.measured]
        if not measured:
            return []
        intended = self.intended[measured[0].target]
        rates = [i.expected_default_rate for i in intended]
        aucs = [i.expected_bayes_auc for i in intended]
        panels = []
        if _varies(rates):
            panels.append(self._line(rates, "Expected default rate", "of purchases", percent=True))
        if _varies(aucs):
            panels.append(self._line(aucs, "Bayes AUC, the best any model could reach", "AUC"))
        return panels

    def _line(
        self,
        values: Sequence[float | None],
        title: str,
        unit: str,
        zero: bool = False,
        percent: bool = False,
        legend: bool = False,
    ) -> Picture:
        rows = [_row(day, value=value) for day, value in zip(self.days, values, strict=True)]
        line = _chart(_held(rows, self.clock))
        line = line.mark_line(interpolate=self.interpolate, color=BLUE, strokeWidth=2)
        y = _y("value", unit, zero, percent, flat=not _varies(values), none=not any(values))
        return self._panel(line.encode(x=_x(self.clock, 5), y=y), title, legend)

    def _shares(self, part: LedgerPart) -> Picture:
        """Areas on top of each other, the first category at the bottom."""
        names, kept = _categories(part)
        rows = []
        shares = [i.intended_shares or i.parameter for i in self.intended[part.target]]
        for order, (name, places) in enumerate(zip(names, kept, strict=True)):
            of_name = [sum(of_day[place] for place in places) for of_day in shares]
            named = zip(self.days, of_name, strict=True)
            rows += _held([_row(day, category=name, order=order, share=s) for day, s in named], self.clock)
        color = alt.Color(
            "category:N",
            title=None,
            sort=names,
            scale=alt.Scale(domain=names, range=COLORS[: len(names)]),
            legend=alt.Legend(orient="bottom", columns=3, labelLimit=140, offset=2),
        )
        y = alt.Y("share:Q", title="share", stack="zero", scale=alt.Scale(domain=[0, 1]), axis=PERCENT)
        areas = _chart(rows).mark_area(interpolate=self.interpolate)
        areas = areas.encode(x=_x(self.clock, 5), y=y, color=color, order="order:Q")
        return self._panel(areas, f"{_short(part.target)}: shares", legend=False)

    def _panel(self, chart: alt.Chart, title: str, legend: bool) -> Picture:
        chart = chart.properties(width=NARROW, height=HEIGHT)
        return alt.LayerChart(layer=[chart, *self._rules(legend)], title=_heading(title, 12))

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
        rules = _chart(self.marks).mark_rule(color=RED, strokeWidth=1, opacity=0.8)
        x, above = _x(self.clock, 5), alt.value(-7)
        return [rules.encode(x=x, y=above, y2=alt.value(HEIGHT), strokeDash=dash)]


def _days_of_drifts(clock: Clock, parts: Sequence[LedgerPart]) -> list[date]:
    """Enough days to follow every drift, with both sides of where a movement begins or ends."""
    quickest = min([len(clock.days()) / ENOUGH_DAYS, *(days for part in parts for days in _pace(part))])
    days = set(_spread(clock, min(ceil(len(clock.days()) / quickest), MOST_DAYS)))
    corners = {row[name] for part in parts for row in _marked(part) for name in ("onset", "settled")}
    corners |= {day - timedelta(1) for day in corners}
    return sorted(days | {day for day in corners if clock.start <= day <= clock.end})


def _pace(part: LedgerPart) -> list[float]:
    """Days between points that show how a seasonal or a gradual drift moves."""
    row: dict[str, Any] = part.rows[0]
    return [row[name] / 12 for name in ("period_days", "width_days") if row[name] is not None]


def _marked(part: LedgerPart) -> Sequence[dict[str, Any]]:
    """The movements that are marked: all, or the first one of very many."""
    return part.rows if len(part.rows) <= MOST_MARKED_MOVEMENTS else part.rows[:1]


def _marks(part: LedgerPart, clock: Clock) -> Rows:
    found: Rows = []
    for row in _marked(part):
        onset, settled = row["onset"], row["settled"]
        days = [(onset, AT_ONCE)] if onset == settled else [(onset, ONSET), (settled, SETTLED)]
        found += [_row(day, what=what) for day, what in days if clock.start <= day <= clock.end]
    return found


def _categories(part: LedgerPart) -> tuple[list[str], list[list[int]]]:
    """Names and places of the shares; of very many, those that drift least are taken together."""
    names = part.measured.values if part.measured else ()
    row: dict[str, Any] = part.rows[0]
    changes = np.abs(np.subtract(row["after"], row["before"]))
    largest = sorted(np.argsort(-changes, kind="stable")[:MOST_CATEGORIES].tolist())
    others = [place for place in range(len(names)) if place not in largest]
    kept, places = [names[place] for place in largest], [[place] for place in largest]
    return ([*kept, f"{len(others)} others"], [*places, others]) if others else (kept, places)


def _short(target: str) -> str:
    """Without the section of the settings that it stands in."""
    return target.rsplit(".", 1)[-1]


def _outcome(part: LedgerPart) -> str | None:
    """The column that shows a parameter that is not a column itself."""
    found = fullmatch(r"\w+\.(\w+)", part.measured.expression) if part.measured else None
    return found[1] if found else None


def _of_parameter(part: LedgerPart) -> str:
    row: dict[str, Any] = part.rows[0]
    before = row["before"]
    return "factor, 1 without drift" if before == (1.0,) else f"parameter, {before[0]:.3g} without drift"


def _unit(generator: BaseGenerator, column: str) -> str:
    """Unit of a column of the event table, if it has one."""
    return next((c.unit for t in generator.tables for c in t.columns if c.name == column and c.unit), "")


def _varies(values: Sequence[float | None]) -> bool:
    known = [value for value in values if value is not None]
    return bool(known) and max(known) - min(known) > SAME * max(map(abs, known))


def _same(some: Sequence[float | None], others: Sequence[float | None]) -> bool:
    return None not in others and bool(np.allclose(np.array(some, float), np.array(others, float)))


# what pictures have in common -------------------------------------------------------------------------


def _chart(rows: Rows) -> alt.Chart:
    return alt.Chart(alt.InlineData(values=rows))


def _step(clock: Clock) -> int:
    """How many days one point of a picture stands for."""
    return ceil(len(clock.days()) / MOST_DAYS)


def _spread(clock: Clock, most: int) -> list[date]:
    """Every day, or of a longer clock days evenly spread, the first and the last among them."""
    days = clock.days()
    places = np.linspace(0, len(days) - 1, min(len(days), most))
    return [days[round(place)] for place in places]


def _row(day: date, **values: object) -> dict[str, Any]:
    return {"day": day.isoformat(), **values}


def _held(rows: Rows, clock: Clock) -> Rows:
    """A day lasts until the next one begins; so does the last one."""
    return [*rows, rows[-1] | {"day": (clock.end + timedelta(1)).isoformat()}]


def _x(clock: Clock, labels: int) -> alt.X:
    """Days in UTC, which is how dates are read: no time zone moves them."""
    days = len(clock.days())
    ends = [clock.start.isoformat(), (clock.end + timedelta(1)).isoformat()]
    every, form = _ticks(days, labels)
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


PERCENT = alt.Axis(format="%", tickCount=5)


def _y(
    field: str, title: str, zero: bool, percent: bool = False, flat: bool = False, none: bool = False
) -> alt.Y:
    axis = PERCENT if percent else alt.Axis(tickCount=5)
    scale = alt.Scale(domain=[0, 1]) if none else alt.Scale(zero=zero or flat)
    return alt.Y(f"{field}:Q", title=title, scale=scale, axis=axis)


def _heading(text: str, size: int, below: str = "") -> alt.Title:
    return alt.Title(text, subtitle=below, anchor="start", fontSize=size, offset=12)


def _dressed(chart: Picture, title: str, below: str = "") -> Picture:
    chart = chart.properties(title=_heading(title, 17, below), background="white", padding=14)
    return chart.configure_axis(titleFontWeight="normal", gridColor="#e6e9ec").configure_view(stroke=None)


# the page ---------------------------------------------------------------------------------------------

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #22303c; background: #f4f5f7; margin: 0 }
main { max-width: 1000px; margin: 2rem auto; padding: 1.5rem 2.5rem 2.5rem; background: white }
h1 { margin: 0 0 .25rem }
h2 { margin: 2.5rem 0 .5rem; font-size: 1.15rem }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1.5rem; margin: 1.25rem 0 }
dt { color: #66747f }
dd { margin: 0 }
.wide { overflow-x: auto }
table { border-collapse: collapse; font-size: .85rem; width: 100% }
th, td { text-align: left; vertical-align: top; padding: .4rem .8rem .4rem 0; border-bottom: 1px solid #ddd }
th { color: #66747f; font-weight: 600 }
td { overflow-wrap: anywhere; min-width: 5rem }
.day { white-space: nowrap }
img { display: block; max-width: 100%; height: auto; margin: 1.5rem 0 }
"""
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""The page may load nothing; browsers hold it to that."""
HEADS = ("drift", "kind", "target", "schedule", "onset", "settled", "before → after", "reversions")


def _page(generator: BaseGenerator, drawn: dict[str, Picture]) -> str:
    scenario, clock = generator.scenario, generator.scenario.clock
    events = sum(generator.arrivals.expected_count(day) for day in clock.days())
    days = len(clock.days())
    facts = {
        "Clock": f"{clock.start} to {clock.end}, {days:,} {'day' if days == 1 else 'days'}",
        "Expected": f"{events:,.0f} events in {generator.event_table}",
        "Generator": scenario.generator,
        "Seed": str(scenario.seed),
    }
    listed = "".join(f"<dt>{escape(name)}</dt><dd>{escape(fact)}</dd>" for name, fact in facts.items())
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width">
<title>{escape(scenario.name)}</title>
<style>{STYLE}</style>
</head>
<body>
<main>
<h1>{escape(scenario.name)}</h1>
<p>{escape(scenario.description)}</p>
<dl>{listed}</dl>
<p>What the scenario intends; nothing has been simulated for it.</p>
{_table(generator)}
{"".join(_image(key, chart) for key, chart in drawn.items())}
</main>
</body>
</html>
"""


def _table(generator: BaseGenerator) -> str:
    parts = generator.ledger_parts()
    if not parts:
        return "<h2>Drifts</h2>\n<p>None.</p>"
    head = "".join(f"<th>{name}</th>" for name in HEADS)
    body = "\n".join(_line_of_table(part, generator.scenario.clock) for part in parts)
    return f'<h2>Drifts</h2>\n<div class="wide"><table>\n<tr>{head}</tr>\n{body}\n</table></div>'


def _line_of_table(part: LedgerPart, clock: Clock) -> str:
    first: dict[str, Any] = part.rows[0]
    back = sum(bool(row["is_reversion"]) for row in part.rows)
    texts = (part.drift_id, str(first["kind"]), part.target, _schedule(first))
    days = (_when(first["onset"], clock), _when(first["settled"], clock))
    cells = [f"<td>{escape(text)}</td>" for text in texts]
    cells += [f'<td class="day">{escape(day)}</td>' for day in days]
    cells += [f"<td>{'<br>'.join(map(escape, _change(part)))}</td>", f"<td>{back}</td>"]
    return f"<tr>{''.join(cells)}</tr>"


def _schedule(row: dict[str, Any]) -> str:
    """What the schedule says, in words."""
    kind, first = row["schedule"], row["schedule_from"]
    if row["schedule_to"] is not None:
        return f"{kind} from {first} to {row['schedule_to']}"
    if row["width_days"] is not None:
        return f"{kind} around {first}, {row['width_days']:g} days wide"
    if row["period_days"] is not None:
        return f"{kind} from {first}, every {row['period_days']:g} days"
    return f"{kind} at {first}"


def _when(day: date, clock: Clock) -> str:
    if day > clock.end:
        return f"{day} (after the end)"
    return f"{day} (before the start)" if day < clock.start else str(day)


def _change(part: LedgerPart) -> list[str]:
    """Parameter before and after the whole drift; of shares those that change most."""
    row: dict[str, Any] = part.rows[0]
    before, after = row["before"], row["after"]
    if len(before) == 1:
        return [f"{before[0]:.4g} → {after[0]:.4g}"]
    names, places = _categories(part)
    sums = [
        (name, *(sum(side[n] for n in of) for side in (before, after)))
        for name, of in zip(names, places, strict=True)
    ]
    return [f"{name} {100 * old:.3g} → {100 * new:.3g} %" for name, old, new in sums]


def _image(key: str, chart: Picture) -> str:
    """An SVG in an image of its own: names inside one picture cannot meet those of another."""
    return f'<img alt="{escape(key)}" src="{data_uri(chart)}">\n'
