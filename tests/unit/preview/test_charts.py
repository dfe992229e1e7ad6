"""A scenario's charts say what its generator expects, in the words that its generator declares."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from simtom_pipeline import load_scenario
from simtom_pipeline.claims import DeclaredOutcome
from simtom_pipeline.generators.bnpl.generator import BnplGenerator
from simtom_pipeline.preview.charts import scenario_charts
from simtom_pipeline.preview.rendering import png
from simtom_pipeline.simulation import make_generator

SHORT = {"clock.start": "2024-06-01", "clock.end": "2024-06-10"}


def rows(chart: Any) -> list[dict[str, Any]]:
    """Every row of data of a chart."""
    found = chart.to_dict()
    own = list(found.get("datasets", {}).values()) or [found["data"]["values"]]
    return [row for values in own for row in values]


def test_the_volume_is_the_expected_count_with_and_without_drift() -> None:
    scenario = load_scenario("recession", SHORT)
    drawn = rows(scenario_charts(scenario)["volume"])
    twin = scenario.without("drifts")
    for series, world in (("expected", scenario), ("without drift", twin)):
        arrivals, days = make_generator(world).arrivals, world.clock.days()
        of_series = {row["day"]: row["events"] for row in drawn if row["series"] == series}
        assert [of_series[str(day)] for day in days] == [arrivals.expected_count(day) for day in days]


def test_the_hours_of_an_average_day_add_up_to_its_volume() -> None:
    scenario = load_scenario("baseline", SHORT)
    arrivals, days = make_generator(scenario).arrivals, scenario.clock.days()
    total = sum(row["events"] for row in rows(scenario_charts(scenario)["hours"]))
    assert total == pytest.approx(sum(map(arrivals.expected_count, days)) / len(days))


def test_the_chart_of_a_composite_drift_has_what_is_intended_for_each_target() -> None:
    scenario = load_scenario("recession", SHORT)
    generator = make_generator(scenario)
    drawn = rows(scenario_charts(scenario)["drift_downturn"])
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


def test_without_drift_there_is_no_chart_of_one() -> None:
    assert list(scenario_charts(load_scenario("baseline", SHORT))) == ["volume", "hours"]


def test_a_clock_may_be_one_day_or_ten_years() -> None:
    one = load_scenario("gradual_drift", {"clock.start": "2024-07-15", "clock.end": "2024-07-15"})
    ten = load_scenario("prior_shift", {"clock.start": "2020-01-01", "clock.end": "2029-12-31"})
    for chart in scenario_charts(one).values():
        assert png(chart)
    drawn = scenario_charts(ten)
    assert len(rows(drawn["volume"])) <= 2 * 401
    changes = [row for row in rows(drawn["drift_more_defaults"]) if row["day"] == "2024-06-30"]
    assert changes, "the last day before a sudden drift is drawn, however long the clock"


@pytest.mark.parametrize(
    ("words", "title", "unit"),
    [
        ({}, "Expected default rate", "of purchases"),
        ({"name": "click", "rows": "impressions"}, "Expected click rate", "of impressions"),
        ({"name": "", "rows": ""}, "Expected will_default rate", "of transactions"),
    ],
)
def test_an_outcome_is_called_as_its_generator_declares(
    words: dict[str, str], title: str, unit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    declared = BnplGenerator.declared_outcomes

    def renamed(generator: BnplGenerator) -> Sequence[DeclaredOutcome]:
        return [replace(outcome, **words) for outcome in declared(generator)]

    monkeypatch.setattr(BnplGenerator, "declared_outcomes", renamed)
    clock = {"clock.start": "2024-06-28", "clock.end": "2024-07-04"}
    drawn = scenario_charts(load_scenario("prior_shift", clock))["drift_more_defaults"].to_dict()
    panel = next(panel for panel in drawn["concat"] if panel["title"]["text"] == title)
    assert panel["layer"][0]["encoding"]["y"]["title"] == unit
