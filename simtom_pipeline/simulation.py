"""Where a scenario meets its generator: load one, simulate a day of it.

Promise: importable, and usable, without Dagster or DuckDB.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from .generators.base import ENGINE_VERSION, BaseGenerator
from .generators.drift.schedule import ScheduleCurve
from .generators.fault_contracts import refused as refused_faults
from .generators.registry import Registry, discover
from .home import simtom_home
from .scenarios import loader
from .scenarios.models import Scenario
from .scenarios.problems import Refusal, ScenarioError
from .scenarios.world import World, world_of


def registry() -> Registry:
    """The generators that can be used from here."""
    return discover(simtom_home())


def scenario_files() -> dict[str, Path]:
    """File of every scenario that can be called by name, built in or the user's own."""
    return loader.library(simtom_home())


def load_all() -> tuple[list[Scenario], dict[str, str]]:
    """Every scenario that can be loaded by name, and what is wrong with the others, by name."""
    loaded, broken = [], {}
    for name in scenario_files():
        try:
            loaded.append(load_scenario(name))
        except ScenarioError as error:
            broken[name] = str(error)
    return loaded, broken


def load_scenario(name_or_path: str | Path, overrides: Mapping[str, Any] | None = None) -> Scenario:
    """Load a scenario by name, or from a file ending in .yaml.

    Parameters
    ----------
    overrides : values by dotted path, such as `{"volume.base_daily_volume": 5000}`; None resets to
        the default of the model.

    Raises
    ------
    ScenarioError : everything that is wrong, each with file, line, key path, found and allowed.
    """
    generators = registry()

    def refused(scenario: Scenario) -> Sequence[Refusal]:
        generator = generators.generator(scenario.generator)
        return [*generator.refused(scenario), *refused_faults(generator.tables, scenario)]

    return loader.load(name_or_path, overrides, generators.settings_model, refused, simtom_home())


def simulate_day(scenario: Scenario, day: date) -> dict[str, pa.Table]:
    """Every table of one simulated day, by name: a pure function of its arguments.

    Tables that do not depend on the day (the catalog) are the same for every day.

    Raises
    ------
    ValueError : the day is outside the scenario's clock.
    """
    generator = _remembered(registry().generator(scenario.generator), scenario)
    return generator.simulate_day(day.date() if isinstance(day, datetime) else day)


def world(scenario: Scenario) -> World:
    """What decides the rows of a scenario, and what would make them others."""
    return world_of(scenario, registry().generator(scenario.generator).model_version, ENGINE_VERSION)


def without_weight(scenario: Scenario) -> list[str]:
    """Ids of drifts and faults that act on no day of the clock, such as those that begin after its end."""
    days, clock = scenario.clock.days(), scenario.clock
    declared = (*scenario.all_drifts, *scenario.faults)
    courses = {one.id: ScheduleCurve(one.schedule, clock) for one in declared if one.schedule is not None}
    return [name for name, course in courses.items() if not any(course.weight(day) > 0 for day in days)]


def make_generator(scenario: Scenario) -> BaseGenerator:
    """A new generator with nothing remembered."""
    return registry().generator(scenario.generator)(scenario)


@lru_cache(maxsize=4)
def _remembered(generator: type[BaseGenerator], scenario: Scenario) -> BaseGenerator:
    """Consecutive days share what was already worked out; no result depends on it."""
    return generator(scenario)
