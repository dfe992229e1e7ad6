"""What the tests with Dagster share: a history that is quick to write, and one that is set up already."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from simtom_pipeline.assets.instance import prepare_instance


@pytest.fixture(scope="session", autouse=True)
def unsynced_history() -> Iterator[None]:
    """SQLite hands its writes to the system and does not wait for the disk; no test cuts the power.

    Dagster keeps each event of a run in transactions of their own, so that a run would wait for hundreds.
    """

    def unsynced(connection: Any, _: object) -> None:
        connection.execute("PRAGMA synchronous = OFF")

    event.listen(Engine, "connect", unsynced)
    yield
    event.remove(Engine, "connect", unsynced)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose Dagster instance is set up, to be copied."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", "")
        folder = tmp_path_factory.mktemp("prepared")
        prepare_instance(folder)
    return folder


@pytest.fixture
def prepared_home(home: Path, prepared: Path) -> Path:
    """The home of the test, with a Dagster instance that is set up."""
    shutil.copytree(prepared, home, dirs_exist_ok=True)
    return home
