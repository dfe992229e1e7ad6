"""Synthetic, labelled, drifting event history: one scenario in, any day of it out, bit for bit.

`load_scenario` and `simulate_day` need neither Dagster nor DuckDB; those live behind `simtom run`.
`training_set` reads what has landed, `verify` checks it. Each is imported when it is first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .scenarios.problems import ScenarioError
    from .simulation import load_scenario, simulate_day
    from .training import training_set
    from .verification.verify import verify

__all__ = ["ScenarioError", "load_scenario", "simulate_day", "training_set", "verify"]

_MODULES = {
    "ScenarioError": "scenarios.problems",
    "load_scenario": "simulation",
    "simulate_day": "simulation",
    "training_set": "training",
    "verify": "verification.verify",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(f".{_MODULES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
