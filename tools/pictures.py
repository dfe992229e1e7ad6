"""The pictures of `docs/scenarios`: every drift, and the faults, of the scenarios that have a page.

A picture is written where something changed that a reader could see, not for the last digit of a
coordinate, so that a change of the pictures in version control is one of their figures.
"""

from pathlib import Path
from re import compile as pattern

import numpy as np

from simtom_pipeline.preview.charts import scenario_charts
from simtom_pipeline.preview.rendering import svg
from simtom_pipeline.simulation import load_scenario

from . import REPOSITORY

SCENARIO_PAGES = REPOSITORY / "docs" / "scenarios"
VISIBLE_PIXELS = 0.1
"""A coordinate that moves by less moves nothing that a reader could see."""
RELATIVE_TOLERANCE = 1e-6
"""Within which a number in words, as screen readers say them, is the same."""

NUMBER = pattern(r"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?")
LABEL = pattern(r'aria-label="[^"]*"')
TEXT = pattern(r">[^<]+<")


def write_pictures() -> None:
    """Draw them, and write those that look different from what is there."""
    for page in sorted(SCENARIO_PAGES.glob("*.md")):
        for key, chart in scenario_charts(load_scenario(page.stem)).items():
            if key.startswith(("drift_", "faults")):
                target = SCENARIO_PAGES / f"{page.stem}_{key.removeprefix('drift_')}.svg"
                _write_if_different(target, svg(chart))


def _write_if_different(target: Path, drawn: str) -> None:
    if not target.exists() or not look_alike(target.read_text(encoding="utf-8"), drawn):
        target.write_text(drawn, encoding="utf-8")


def look_alike(some: str, other: str) -> bool:
    """Whether two SVG documents show and say the same: they differ in digits that nobody can see."""
    if TEXT.findall(some) != TEXT.findall(other) or NUMBER.sub("#", some) != NUMBER.sub("#", other):
        return False
    said, said_of_other = (_numbers(" ".join(LABEL.findall(document))) for document in (some, other))
    drawn, drawn_of_other = (_numbers(LABEL.sub("", document)) for document in (some, other))
    return bool(
        np.allclose(said, said_of_other, rtol=RELATIVE_TOLERANCE, atol=0)
        and np.allclose(drawn, drawn_of_other, rtol=0, atol=VISIBLE_PIXELS)
    )


def _numbers(text: str) -> np.ndarray:
    """Every number in a text, shape (n_numbers,)."""
    return np.array(NUMBER.findall(text), float)
