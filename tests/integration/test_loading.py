"""What takes long is not imported, and nothing is solved twice, before somebody needs it."""

import json
import subprocess
import sys

import pytest

from simtom_pipeline.simulation import scenario_files

LOADED = """
import json, sys
from simtom_pipeline.definitions import defs
from simtom_pipeline.generators.drift.resolution import resolve
from simtom_pipeline.generators.bnpl.reference_population import _drawn
graphs = {key.path[0] for key in defs.get_repository_def().asset_graph.get_all_asset_keys()}
worked_out = {"resolutions": resolve.cache_info().misses, "populations": _drawn.cache_info().misses}
print(json.dumps({"modules": list(sys.modules), "graphs": sorted(graphs), **worked_out}))
"""
HELP = """
import json, sys
from typer.testing import CliRunner
from simtom_pipeline.cli import app
assert CliRunner().invoke(app, ["--help"]).exit_code == 0
print(json.dumps(list(sys.modules)))
"""


def in_a_process_of_its_own(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return done.stdout


@pytest.fixture(scope="module")
def loaded() -> dict[str, list[str]]:
    """A process that has loaded the code location and its graph."""
    found: dict[str, list[str]] = json.loads(in_a_process_of_its_own(LOADED))
    return found


@pytest.mark.parametrize("needed_later", ["altair", "pandas", "scipy.stats", "holidays.countries"])
def test_a_code_location_is_loaded_without_what_only_a_run_needs(
    loaded: dict[str, list[str]], needed_later: str
) -> None:
    """Frames, pictures, distributions, and the calendars of every country, which only days ask for."""
    assert needed_later not in loaded["modules"]


def test_every_scenario_is_resolved_once_however_many_there_are(loaded: dict[str, list[str]]) -> None:
    assert loaded["graphs"] == sorted(scenario_files())
    assert loaded["resolutions"] == len(loaded["graphs"])
    assert loaded["populations"] == 1  # no built-in scenario says who its customers are


@pytest.mark.parametrize("needed_later", ["dagster", "duckdb", "numpy", "pyarrow", "scipy"])
def test_help_is_shown_without_what_simulates(needed_later: str) -> None:
    assert needed_later not in json.loads(in_a_process_of_its_own(HELP))
