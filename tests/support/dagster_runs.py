"""Scenarios run by Dagster in the process of a test."""

from pathlib import Path
from typing import Any

import dagster as dg
import duckdb

from simtom_pipeline.assets.factory import LogProgress, resources, scenario_definitions
from simtom_pipeline.assets.partitions import asset_key, range_tags
from simtom_pipeline.landing import DuckDBFile
from simtom_pipeline.scenarios.models import Scenario
from simtom_pipeline.simulation import Simulation

TINY = """\
name: tiny
extends: baseline
clock: {end: 2024-01-20}
volume: {base_daily_volume: 20}
bnpl: {population: {initial_customers: 50}}
"""
"""A scenario of a few purchases a day."""
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def definitions(scenario: Scenario, file: Path) -> dg.Definitions:
    return dg.Definitions.merge(
        dg.Definitions(resources=resources(str(file), LogProgress()), executor=dg.in_process_executor),
        scenario_definitions(scenario, DuckDBFile(file)),
    )


def materialize(
    scenario: Scenario, file: Path, instance: dg.DagsterInstance, first: str, last: str, **options: Any
) -> dg.ExecuteInProcessResult:
    job = definitions(scenario, file).resolve_job_def(f"{scenario.name}_job")
    return job.execute_in_process(
        instance=instance, tags=range_tags(first, last), run_config=QUIET, **options
    )


def land(
    scenario: Scenario, file: Path, instance: dg.DagsterInstance, first: str, last: str, **options: Any
) -> dg.ExecuteInProcessResult:
    """The simulated tables alone: nothing is measured or checked."""
    contracts = Simulation(scenario).relations.simulated
    tables = dg.AssetSelection.assets(*(asset_key(scenario, contract) for contract in contracts))
    only = dg.Definitions(jobs=[dg.define_asset_job("only_tables", selection=tables.without_checks())])
    job = dg.Definitions.merge(definitions(scenario, file), only).resolve_job_def("only_tables")
    return job.execute_in_process(
        instance=instance, tags=range_tags(first, last), run_config=QUIET, **options
    )


def rows_a_day(file: Path, table: str = "baseline.transactions") -> dict[str, int]:
    """Rows of each day of a table in a file."""
    with duckdb.connect(str(file), read_only=True) as connection:
        rows = connection.execute(f"SELECT CAST(day AS VARCHAR), count(*) FROM {table} GROUP BY 1").fetchall()
    return dict(rows)
