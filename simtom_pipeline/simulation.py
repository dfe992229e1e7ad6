"""Where a scenario meets its generator: load one, simulate a day of it as it is drawn and as it lands.

Promise: importable, and usable, without Dagster or DuckDB.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from .corruption.faults import corrupt_day
from .corruption.refusals import refused as refused_faults
from .generators.base import ENGINE_VERSION, BaseGenerator
from .generators.drift.schedule import ScheduleCurve
from .generators.registry import Registry, discover
from .home import simtom_home
from .relations import Relations, relations_of
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


def load_all() -> tuple[list[Scenario], dict[str, ScenarioError]]:
    """Every scenario that can be loaded by name, and what is wrong with the others, by name."""
    loaded: list[Scenario] = []
    broken: dict[str, ScenarioError] = {}
    for name in scenario_files():
        try:
            loaded.append(load_scenario(name))
        except ScenarioError as error:
            broken[name] = error
    return loaded, broken


def load_scenario(name_or_path: str | Path, overrides: Mapping[str, Any] | None = None) -> Scenario:
    """Load a scenario by name, or from a file ending in .yaml.

    Parameters
    ----------
    name_or_path : a built-in scenario, one of `$SIMTOM_HOME/scenarios`, or a file.
    overrides : values by dotted path, such as `{"volume.base_daily_volume": 5000}`; None resets to
        the default of the model.

    Returns
    -------
    A frozen model of everything that the scenario says.

    Raises
    ------
    ScenarioError : everything that is wrong, each with file, line, key path, found and allowed.

    Examples
    --------
    >>> load_scenario("baseline", {"volume.base_daily_volume": 20}).volume.base_daily_volume
    20.0
    """
    generators = registry()

    def refused(scenario: Scenario) -> Sequence[Refusal]:
        generator = generators.generator(scenario.generator)
        return [*generator.refused(scenario), *refused_faults(generator.tables, scenario)]

    return loader.load(name_or_path, overrides, generators.settings_model, refused, simtom_home())


class Simulation:
    """A scenario with its generator: any day of it, before noise and faults and as it lands.

    Parameters
    ----------
    scenario : as `load_scenario` returns it.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.generator = make_generator(scenario)

    @cached_property
    def relations(self) -> Relations:
        """Every table and view of the scenario."""
        return relations_of(self.generator)

    @cached_property
    def world(self) -> World:
        """What decides the scenario's rows, and what would make them others."""
        return world_of(self.scenario, self.generator.model_version, ENGINE_VERSION)

    def true_day(self, day: date) -> dict[str, pa.Table]:
        """Every table of one day before noise and faults, by name; ValueError as `simulate_day`."""
        return self.generator.true_day(day)

    def simulate_day(self, day: date) -> dict[str, pa.Table]:
        """Every table of one day as it lands, by name.

        Raises
        ------
        ValueError : the day is outside the scenario's clock.
        """
        true = self.true_day(day)
        if not (self.scenario.noise or self.scenario.faults):
            return true
        return corrupt_day(self.scenario, self.relations.simulated, true, self.generator.streams, day)

    def forget(self) -> None:
        """Let go of what is remembered from one day to the next, often much; no result depends on it."""
        self.generator.forget()

    def constants(self) -> dict[str, pa.Table]:
        """The tables that do not depend on the day, by name."""
        return self.generator.constants()


def simulate_day(scenario: Scenario, day: date) -> dict[str, pa.Table]:
    """Every table of one simulated day: a pure function of its arguments.

    Tables that do not depend on the day (the catalog) are the same for every day.

    Parameters
    ----------
    scenario : as `load_scenario` returns it.
    day : a day of its clock.

    Returns
    -------
    Arrow tables by name, the tables of truth and ledgers among them.

    Raises
    ------
    ValueError : the day is outside the scenario's clock.

    Examples
    --------
    >>> from datetime import date
    >>> scenario = load_scenario("baseline", {"volume.base_daily_volume": 20})
    >>> simulate_day(scenario, date(2024, 6, 1))["transactions"].column_names[:2]
    ['transaction_id', 'day']
    """
    return _remembered(simtom_home(), scenario).simulate_day(day.date() if isinstance(day, datetime) else day)


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
def _remembered(home: Path, scenario: Scenario) -> Simulation:
    """Consecutive days share what was already worked out; no result depends on it. A home has its plugins."""
    return Simulation(scenario)
