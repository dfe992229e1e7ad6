"""The preview as files: a page in HTML that needs nothing else, and a PNG for each chart."""

from html import escape
from pathlib import Path
from typing import Any

from ..generators.base import BaseGenerator
from ..generators.drift.ledger import LedgerPart
from ..scenarios.models import Clock, Scenario
from ..simulation import make_generator
from .charts import scenario_charts
from .rendering import data_uri, png
from .style import AnyChart
from .wording import change_in_words, day_in_words, schedule_in_words

STYLE_SHEET = """
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
CONTENT_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""The page may load nothing; browsers hold it to that."""
HEADS = ("drift", "kind", "target", "schedule", "onset", "settled", "before → after", "reversions")


def write_preview(scenario: Scenario, folder: Path) -> list[Path]:
    """Write `<name>.html`, which needs no other file, and a `<name>_<key>.png` for each chart.

    Returns
    -------
    Paths of what was written, the page first. The folder is made if need be.
    """
    folder.mkdir(parents=True, exist_ok=True)
    charts = scenario_charts(scenario)
    written = [folder / f"{scenario.name}.html"]
    written[0].write_text(page_text(make_generator(scenario), charts), encoding="utf-8")
    for key, chart in charts.items():
        written.append(folder / f"{scenario.name}_{key}.png")
        written[-1].write_bytes(png(chart))
    return written


def page_text(generator: BaseGenerator, charts: dict[str, AnyChart]) -> str:
    """The page: facts of the scenario, a table of its drifts, then its charts."""
    scenario = generator.scenario
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{CONTENT_POLICY}">
<meta name="viewport" content="width=device-width">
<title>{escape(scenario.name)}</title>
<style>{STYLE_SHEET}</style>
</head>
<body>
<main>
<h1>{escape(scenario.name)}</h1>
<p>{escape(scenario.description)}</p>
<dl>{_facts(generator)}</dl>
<p>What the scenario intends; nothing has been simulated for it.</p>
{_drift_table(generator)}
{"".join(_image(key, chart) for key, chart in charts.items())}
</main>
</body>
</html>
"""


def _facts(generator: BaseGenerator) -> str:
    scenario, clock = generator.scenario, generator.scenario.clock
    events = sum(generator.arrivals.expected_count(day) for day in clock.days())
    days = len(clock.days())
    facts = {
        "Clock": f"{clock.start} to {clock.end}, {days:,} {'day' if days == 1 else 'days'}",
        "Expected": f"{events:,.0f} events in {generator.event_table}",
        "Generator": scenario.generator,
        "Seed": str(scenario.seed),
    }
    return "".join(f"<dt>{escape(name)}</dt><dd>{escape(fact)}</dd>" for name, fact in facts.items())


def _drift_table(generator: BaseGenerator) -> str:
    parts = generator.ledger_parts()
    if not parts:
        return "<h2>Drifts</h2>\n<p>None.</p>"
    head = "".join(f"<th>{name}</th>" for name in HEADS)
    body = "\n".join(_drift_row(part, generator.scenario.clock) for part in parts)
    return f'<h2>Drifts</h2>\n<div class="wide"><table>\n<tr>{head}</tr>\n{body}\n</table></div>'


def _drift_row(part: LedgerPart, clock: Clock) -> str:
    first: dict[str, Any] = part.rows[0]
    reversions = sum(bool(row["is_reversion"]) for row in part.rows)
    texts = (part.drift_id, str(first["kind"]), part.target, schedule_in_words(first))
    days = (day_in_words(first["onset"], clock), day_in_words(first["settled"], clock))
    cells = [f"<td>{escape(text)}</td>" for text in texts]
    cells += [f'<td class="day">{escape(day)}</td>' for day in days]
    cells += [f"<td>{'<br>'.join(map(escape, change_in_words(part)))}</td>", f"<td>{reversions}</td>"]
    return f"<tr>{''.join(cells)}</tr>"


def _image(key: str, chart: AnyChart) -> str:
    """An SVG in an image of its own: names inside one chart cannot meet those of another."""
    return f'<img alt="{escape(key)}" src="{data_uri(chart)}">\n'
