"""What `dagster` loads: the graphs of every scenario, built in and the user's own. Assembly only."""

import logging

import dagster as dg

from .assets.factory import LogProgress, resources, scenario_definitions
from .home import default_database
from .scenarios.models import Scenario
from .scenarios.problems import ScenarioError
from .simulation import load_scenario, scenario_files

_logger = logging.getLogger("simtom")


def load_all() -> tuple[list[Scenario], dict[str, str]]:
    """Every scenario that can be loaded, and what is wrong with each of the others, by name."""
    loaded, broken = [], {}
    for name in scenario_files():
        try:
            loaded.append(load_scenario(name))
        except ScenarioError as error:
            broken[name] = str(error)
    return loaded, broken


def build() -> dg.Definitions:
    """The code location; a broken scenario is reported and left out."""
    scenarios, broken = load_all()
    for name, problems in broken.items():
        _logger.warning("scenario %s is left out:\n%s", name, problems)
    database = default_database()
    shared = dg.Definitions(
        resources=resources(str(database), LogProgress()), executor=dg.in_process_executor
    )
    return dg.Definitions.merge(shared, *(scenario_definitions(s, database) for s in scenarios))


defs = build()
