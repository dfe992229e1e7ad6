"""A scenario's pictures say what its generator expects, and the page needs nothing but itself."""

import re
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from simtom_pipeline import load_scenario
from simtom_pipeline.pictures import charts, png, write_preview
from simtom_pipeline.simulation import make_generator

SHORT = {"clock.start": "2024-06-01", "clock.end": "2024-06-10"}
TWO_DRIFTS = {"clock.start": "2024-06-28", "clock.end": "2024-07-04", "drift_type": "sudden"}
PAGE_VIEWS = Path(__file__).parents[1] / "plugins" / "page_views.py"


def rows(chart: Any) -> list[dict[str, Any]]:
    """Every row of data of a chart."""
    found = chart.to_dict()
    own = list(found.get("datasets", {}).values()) or [found["data"]["values"]]
    return [row for values in own for row in values]


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
    scenario = load_scenario("uniform_arrivals", {**SHORT, "description": hostile})
    page = write_preview(scenario, tmp_path)[0].read_text()
    assert "<script" not in page
    assert "&lt;/p&gt;&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;" in page


def test_the_volume_is_the_expected_count_with_and_without_drift() -> None:
    scenario = load_scenario("recession", SHORT)
    drawn = rows(charts(scenario)["volume"])
    twin = scenario.without("drifts")
    for series, world in (("expected", scenario), ("without drift", twin)):
        arrivals, days = make_generator(world).arrivals, world.clock.days()
        of_series = {row["day"]: row["events"] for row in drawn if row["series"] == series}
        assert [of_series[str(day)] for day in days] == [arrivals.expected_count(day) for day in days]


def test_the_hours_of_an_average_day_add_up_to_its_volume() -> None:
    scenario = load_scenario("baseline", SHORT)
    arrivals, days = make_generator(scenario).arrivals, scenario.clock.days()
    total = sum(row["events"] for row in rows(charts(scenario)["hours"]))
    assert total == pytest.approx(sum(map(arrivals.expected_count, days)) / len(days))


def test_the_picture_of_a_composite_drift_has_what_is_intended_for_each_target() -> None:
    scenario = load_scenario("recession", SHORT)
    generator = make_generator(scenario)
    drawn = rows(charts(scenario)["drift_downturn"])
    day = date(2024, 6, 5)
    values = [row["value"] for row in drawn if row["day"] == str(day) and "value" in row]
    shares = [row["share"] for row in drawn if row["day"] == str(day) and "share" in row]
    for part in generator.ledger_parts():
        intended = generator.intended(part, day)
        assert intended.w in values
        assert intended.expected_default_rate in values
        assert intended.intended_psi is None or round(intended.intended_psi, 9) in values
        if len(intended.parameter) > 1:
            assert set(intended.intended_shares or ()) <= set(shares)
        else:
            assert intended.parameter[0] in values


def test_without_drift_there_is_no_picture_of_one() -> None:
    assert list(charts(load_scenario("baseline", SHORT))) == ["volume", "hours"]


def test_a_clock_may_be_one_day_or_ten_years() -> None:
    one = load_scenario("gradual_drift", {"clock.start": "2024-07-15", "clock.end": "2024-07-15"})
    ten = load_scenario("prior_shift", {"clock.start": "2020-01-01", "clock.end": "2029-12-31"})
    for chart in charts(one).values():
        assert png(chart)
    drawn = charts(ten)
    assert len(rows(drawn["volume"])) <= 2 * 401
    changes = [row for row in rows(drawn["drift_more_defaults"]) if row["day"] == "2024-06-30"]
    assert changes, "the last day before a sudden drift is drawn, however long the clock"


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
