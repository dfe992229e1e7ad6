"""Every test has a SIMTOM_HOME of its own; nothing reaches the user's."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "simtom_home"
    folder.mkdir()
    monkeypatch.setenv("SIMTOM_HOME", str(folder))
    return folder
