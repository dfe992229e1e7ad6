"""Synthetic, labelled, drifting event history: one scenario in, any day of it out, bit for bit.

`load_scenario` and `simulate_day` need neither Dagster nor DuckDB; those live behind `simtom run`.
`training_set` reads what has landed, and loads DuckDB when it is first asked for.
"""

from typing import TYPE_CHECKING, Any

from .scenarios.problems import ScenarioError
from .simulation import load_scenario, simulate_day

if TYPE_CHECKING:
    from .training import training_set

__all__ = ["ScenarioError", "load_scenario", "simulate_day", "training_set"]


def __getattr__(name: str) -> Any:
    if name == "training_set":
        from .training import training_set

        return training_set
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
