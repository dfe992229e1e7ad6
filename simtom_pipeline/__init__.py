"""Synthetic, labelled, drifting event history: one scenario in, any day of it out, bit for bit.

`load_scenario` and `simulate_day` need neither Dagster nor DuckDB; those live behind `simtom run`.
"""

from .scenarios.problems import ScenarioError
from .simulation import load_scenario, simulate_day

__all__ = ["ScenarioError", "load_scenario", "simulate_day"]
