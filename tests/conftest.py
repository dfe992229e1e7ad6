"""Every test has a SIMTOM_HOME of its own; nothing reaches the user's."""

from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")
"""The same examples in every run, and none fails for the machine's being busy."""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "simtom_home"
    folder.mkdir()
    monkeypatch.setenv("SIMTOM_HOME", str(folder))
    return folder
