"""Scenarios landed for tests, through what a run lands them with."""

from pathlib import Path

from simtom_pipeline import landing
from simtom_pipeline.assets.derived import land_derived
from simtom_pipeline.assets.history import land_history
from simtom_pipeline.scenarios.models import Scenario
from simtom_pipeline.simulation import registry


def land(scenario: Scenario, file: Path) -> Path:
    """Every day of the scenario in a file: the simulated tables and the views, nothing measured."""
    generator, days = registry().generator(scenario.generator), scenario.clock.days()
    land_history(scenario, generator, days, lambda: landing.connect(file), lambda _: None)
    return file


def land_and_measure(scenario: Scenario, file: Path) -> Path:
    """The same, and what is measured on them."""
    land(scenario, file)
    with landing.connect(file) as connection:
        land_derived(connection, scenario)
    return file
