"""The Dagster instance that keeps run history: `$SIMTOM_HOME/dagster`, set up once."""

import os
import shutil
from pathlib import Path

import dagster as dg
from filelock import FileLock

SHIPPED_CONFIGURATION = Path(__file__).with_name("dagster.yaml")


def prepare_instance(home: Path) -> Path:
    """Make the instance folder ready and the one that Dagster uses in this process; returns it.

    Two processes that open a fresh instance at once break its migrations, so the first one initialises
    it under a lock. A configuration that the user has edited is kept.
    """
    folder = home / "dagster"
    folder.mkdir(parents=True, exist_ok=True)
    _keep_out_of_git(home)
    os.environ["DAGSTER_HOME"] = str(folder)
    with FileLock(folder / ".initialising"):
        if not (folder / "dagster.yaml").exists():
            shutil.copyfile(SHIPPED_CONFIGURATION, folder / "dagster.yaml")
        if not (folder / ".initialised").exists():
            with dg.DagsterInstance.get() as instance:
                instance.get_runs(limit=1)
            (folder / ".initialised").touch()
    return folder


def _keep_out_of_git(home: Path) -> None:
    ignore = home / ".gitignore"
    if not ignore.exists():
        ignore.write_text("/simtom.duckdb*\n/dagster/\n")
