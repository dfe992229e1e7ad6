"""A home with a small generator and a scenario of it, which run in a fraction of the lender's time."""

import shutil
from pathlib import Path

PLUGIN = Path(__file__).parent / "plugins" / "page_views.py"
SCENARIO = """\
name: visits
generator: page_views
seed: 3
clock: {{start: {start}, end: {end}}}
volume: {{base_daily_volume: {volume}}}
"""


def furnish(home: Path, start: str, end: str, volume: int = 50, more: str = "") -> None:
    """Put the generator and the scenario `visits` into a home; `more` is further YAML."""
    for folder in ("generators", "scenarios"):
        (home / folder).mkdir(exist_ok=True)
    shutil.copy(PLUGIN, home / "generators" / PLUGIN.name)
    scenario = SCENARIO.format(start=start, end=end, volume=volume) + more
    (home / "scenarios" / "visits.yaml").write_text(scenario)
