"""What the tests with Dagster share: a history that is quick to write, and one that is set up already."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from simtom_pipeline.assets.instance import prepare_instance
from tests.support.event_logs import furnish


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


@pytest.fixture
def not_batched_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """What opening a storage sets is for the test alone."""
    monkeypatch.setenv("DAGSTER_HOME", "")
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "")
    monkeypatch.delenv("DAGSTER_EVENT_BATCH_SIZE")


@pytest.fixture
def ticking(prepared_home: Path) -> Path:
    """A home with our storage, and a scenario of a few days that is quick to run."""
    return furnish(prepared_home)
