"""Scenarios landed for tests: the simulated tables and the views, nothing measured."""

from pathlib import Path

import pyarrow as pa

from simtom_pipeline import landing, simulate_day
from simtom_pipeline.scenarios.models import Scenario
from simtom_pipeline.simulation import registry


def land(scenario: Scenario, file: Path) -> Path:
    """Every day of the scenario in a file."""
    generator, days = registry().generator(scenario.generator), scenario.clock.days()
    simulated = [simulate_day(scenario, day) for day in days]
    contracts = generator.contracts(scenario)
    tables = {
        c.name: pa.concat_tables([day[c.name] for day in simulated]) if c.daily else simulated[0][c.name]
        for c in contracts
    }
    with landing.connect(file) as connection:
        landing.replace_days(
            connection, scenario.name, contracts, generator.landed_views(scenario), days, tables
        )
    return file
