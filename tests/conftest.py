"""Every test has a SIMTOM_HOME of its own; nothing reaches the user's."""

import gc
import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")
"""The same examples in every run, and none fails for the machine's being busy."""

os.environ["SIMTOM_MEMORY"] = "750MB"
"""The least that is allowed: what holds in it holds in more, and small worlds are queried by one thread."""


os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
"""The many commands that tests start share what has been compiled."""


def pytest_collection_finish() -> None:
    """What has been imported stays: no collection of garbage need look at it."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "simtom_home"
    folder.mkdir()
    monkeypatch.setenv("SIMTOM_HOME", str(folder))
    return folder
