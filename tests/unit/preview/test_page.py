"""The preview's page names every drift, escapes what the user wrote, and needs nothing but itself."""

import re
import shutil
from pathlib import Path

import pytest

from simtom_pipeline import load_scenario
from simtom_pipeline.preview.page import write_preview

TWO_DRIFTS = {"clock.start": "2024-06-28", "clock.end": "2024-07-04", "drift_type": "sudden"}
PAGE_VIEWS = Path(__file__).parents[2] / "support" / "plugins" / "page_views.py"


@pytest.fixture(scope="module")
def preview(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    scenario = load_scenario("prior_shift", TWO_DRIFTS)
    return write_preview(scenario, tmp_path_factory.mktemp("preview") / "new")


def test_the_page_comes_first_and_every_picture_is_a_png(preview: list[Path]) -> None:
    drifts = load_scenario("prior_shift", TWO_DRIFTS).all_drifts
    keys = ["volume", "hours", *(f"drift_{drift.id}" for drift in drifts)]
    assert [path.name for path in preview] == [
        "prior_shift.html",
        *(f"prior_shift_{key}.png" for key in keys),
    ]
    for path in preview[1:]:
        assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


def test_the_page_names_every_drift_and_loads_nothing(preview: list[Path]) -> None:
    page = preview[0].read_text()
    for drift in load_scenario("prior_shift", TWO_DRIFTS).all_drifts:
        assert f"<td>{drift.id}</td>" in page
    assert not re.search(r"https?://|url\(|@import|<script|<link", page)
    assert "default-src 'none'" in page
    assert len(page) < 2e6


def test_what_the_user_wrote_is_escaped(tmp_path: Path) -> None:
    hostile = '</p><script>alert("1")</script>&'
    scenario = load_scenario(
        "uniform_arrivals", {"clock.start": "2024-06-01", "clock.end": "2024-06-10", "description": hostile}
    )
    page = write_preview(scenario, tmp_path)[0].read_text()
    assert "<script" not in page
    assert "&lt;/p&gt;&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;" in page


def test_a_generator_from_elsewhere_is_drawn(home: Path, tmp_path: Path) -> None:
    (home / "generators").mkdir()
    shutil.copy(PAGE_VIEWS, home / "generators")
    file = tmp_path / "visits.yaml"
    file.write_text(
        "name: visits\ngenerator: page_views\nclock: {start: 2024-01-01, end: 2024-01-03}\n"
        "volume: {base_daily_volume: 50}\n"
    )
    written = write_preview(load_scenario(file), tmp_path / "preview")
    assert len(written) == 3
    assert "150 events in page_views" in written[0].read_text()
