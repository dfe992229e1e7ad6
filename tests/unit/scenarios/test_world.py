"""Which scenarios draw the same rows: the digest of a world against what is simulated."""

from datetime import date
from typing import Any

import pytest

from simtom_pipeline import load_scenario
from simtom_pipeline.scenarios.world import changes
from simtom_pipeline.simulation import Simulation, load_all, make_generator, world
from tests.support.digests import digest

DRIFT = {"id": "dearer", "kind": "covariate", "effect": {"mean_ratio": 1.5}}


def drifting(at: Any) -> dict[str, Any]:
    return {"drifts": [{**DRIFT, "schedule": {"kind": "sudden", "at": at}}]}


SAME: dict[str, dict[str, Any]] = {
    "a later end": {"clock.end": "2025-12-31"},
    "another description": {"description": "another"},
    "other tolerances": {"checks.replay_days": 9},
    "a strength of no drift": {"drift_strength": 0.5},
    "what is the default anyway": {"arrivals.burst_probability": 0.1},
}
OTHER: dict[str, dict[str, Any]] = {
    "another seed": {"seed": 43},
    "an earlier start": {"clock.start": "2023-12-30"},
    "another volume": {"volume.base_daily_volume": 1001},
    "another delivery": {"clock.time_compression": 2.0},
    "another coefficient": {"bnpl.credit.coefficients.tenure": -0.31},
    "a drift": drifting("2024-03-06"),
    "a drift of the short form": {"drift_type": "sudden"},
    "a fault": {"faults": [{"id": "a", "kind": "dropped_day", "rate": 0.5}]},
    "noise": {
        "noise": [
            {"table": "transactions", "columns": ["amount"], "noise_type": "gaussian", "noise_level": 0.1}
        ]
    },
}
SMALL = {"volume.base_daily_volume": 50, "bnpl.population.initial_customers": 40}
DAY = date(2024, 3, 7)


@pytest.mark.parametrize("overrides", SAME.values(), ids=SAME)
def test_what_changes_no_row_changes_no_world(overrides: dict[str, Any]) -> None:
    one, other = load_scenario("baseline", SMALL), load_scenario("baseline", SMALL | overrides)
    assert world(one).digest == world(other).digest
    assert digest(Simulation(one).simulate_day(DAY)) == digest(Simulation(other).simulate_day(DAY))


@pytest.mark.parametrize("overrides", OTHER.values(), ids=OTHER)
def test_what_changes_rows_changes_the_world_and_is_named(overrides: dict[str, Any]) -> None:
    one, other = load_scenario("baseline", SMALL), load_scenario("baseline", SMALL | overrides)
    assert world(one).digest != world(other).digest
    named = [change.key_path for change in changes(world(one).document, world(other).document)]
    key = next(iter(overrides)).replace("drift_type", "drifts")
    assert any(path == key or path.startswith(f"{key}.") for path in named), named


def test_a_fraction_of_the_clock_is_the_day_it_means() -> None:
    """So a later end is another world exactly where a schedule moves with it."""
    fraction, day = (
        load_scenario("baseline", drifting(0.5)),
        load_scenario("baseline", drifting("2024-07-02")),
    )
    longer = load_scenario("baseline", drifting(0.5) | {"clock.end": "2025-12-31"})
    assert world(fraction).digest == world(day).digest
    assert [str(change) for change in changes(world(fraction).document, world(longer).document)] == [
        "drifts.0.schedule.at: 2024-07-02, now 2025-01-01"
    ]


def test_the_order_of_drifts_and_the_names_of_faults_are_part_of_the_world() -> None:
    """Later shares lie on top of earlier ones; a fault's draws are keyed by its id."""
    faults = [{"id": name, "kind": "dropped_day", "rate": 0.5} for name in ("a", "b")]
    documents = [world(load_scenario("baseline", {"faults": [fault]})).digest for fault in faults]
    assert len(set(documents)) == 2


def test_a_world_is_another_with_another_version_of_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    scenario = load_scenario("baseline")
    before = world(scenario)
    monkeypatch.setattr(type(make_generator(scenario)), "model_version", 99)
    assert [change.key_path for change in changes(before.document, world(scenario).document)] == [
        "model_version"
    ]


def test_every_built_in_scenario_is_a_world_of_its_own() -> None:
    worlds = {scenario.name: world(scenario).digest for scenario in load_all()[0]}
    assert len(set(worlds.values())) == len(worlds) > 15
