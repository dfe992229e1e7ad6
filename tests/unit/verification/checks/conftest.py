"""Fixtures that several files of this folder share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from simtom_pipeline import load_scenario
from simtom_pipeline.scenarios.models import Scenario
from simtom_pipeline.verification.history import LandedHistory
from tests.support.bad_data import EVENLY_SPACED, SMALL, copied
from tests.support.landed import land_and_measure


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Scenario, Path]]:
    """The scenarios, and their files that are corrupted in copies."""
    folder = tmp_path_factory.mktemp("originals")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIMTOM_HOME", str(folder))
        scenarios = {
            name: load_scenario("baseline", overrides)
            for name, overrides in (("small", SMALL), ("evenly_spaced", EVENLY_SPACED))
        }
        return {
            name: (scenario, land_and_measure(scenario, folder / name))
            for name, scenario in scenarios.items()
        }


@pytest.fixture
def landed(originals: dict[str, tuple[Scenario, Path]], tmp_path: Path) -> Iterator[LandedHistory]:
    with copied(*originals["small"], tmp_path) as landed:
        yield landed
