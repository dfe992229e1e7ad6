"""Examples in docstrings work; the front of the package says parameters, results and errors, and has some."""

import doctest
import inspect
import re
from importlib import import_module
from pathlib import Path

import pytest

import simtom_pipeline
from simtom_pipeline import load_scenario
from simtom_pipeline.generators.base import BaseGenerator
from simtom_pipeline.history import land_history
from simtom_pipeline.landing import DuckDBFile
from simtom_pipeline.simulation import Simulation
from simtom_pipeline.verification.measurements import land_measurements

PACKAGE = Path(simtom_pipeline.__file__).parent
MODULES = sorted(
    ".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts)
    for file in PACKAGE.rglob("*.py")
    if ">>> " in file.read_text(encoding="utf-8")
)
WITH_EXAMPLES = {
    "generators.base", "moments", "simulation", "sql", "training", "verification.verify",
}  # fmt: skip
FRONT = [name for name in simtom_pipeline.__all__ if inspect.isfunction(getattr(simtom_pipeline, name))]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two days of the baseline."""
    file = tmp_path_factory.mktemp("examples") / "simtom.duckdb"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIMTOM_HOME", str(file.parent))
        simulation, storage = Simulation(load_scenario("baseline")), DuckDBFile(file)
        land_history(simulation, simulation.scenario.clock.days()[:2], storage, lambda _: None)
        with storage.open() as landed:
            land_measurements(landed, simulation)
    return file


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_give_what_they_show(name: str, database: Path) -> None:
    told = doctest.testmod(import_module(name), extraglobs={"database": database})
    assert told.attempted > 0
    assert told.failed == 0


def test_the_modules_that_people_call_have_examples() -> None:
    assert {f"simtom_pipeline.{name}" for name in WITH_EXAMPLES} <= set(MODULES)


@pytest.mark.parametrize("name", FRONT)
def test_the_front_says_parameters_results_and_errors_and_shows_an_example(name: str) -> None:
    function = getattr(simtom_pipeline, name)
    words = inspect.getdoc(function) or ""
    headed = re.findall(r"^(\w+)\n-+$", words, re.MULTILINE)
    assert headed == ["Parameters", "Returns", "Raises", "Examples"]
    parameters = words.split("Parameters\n")[1].split("Returns\n")[0]
    assert [
        one
        for one in inspect.signature(function).parameters
        if not re.search(rf"^{one} : ", parameters, re.MULTILINE)
    ] == []


def test_the_base_of_generators_shows_one() -> None:
    assert ">>> class Visits(BaseGenerator):" in (inspect.getdoc(BaseGenerator) or "")
