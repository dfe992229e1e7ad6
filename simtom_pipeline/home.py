"""Where a user's files live: `$SIMTOM_HOME`, by default `.simtom` in the working directory."""

import os
from pathlib import Path


def simtom_home() -> Path:
    """Absolute path of the user's folder; it need not exist."""
    return Path(os.environ.get("SIMTOM_HOME") or ".simtom").expanduser().resolve()


def default_database() -> Path:
    """Absolute path of the DuckDB file used when none is named."""
    return simtom_home() / "simtom.duckdb"
