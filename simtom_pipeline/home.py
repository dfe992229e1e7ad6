"""Where a user's files live: `$SIMTOM_HOME`, by default `.simtom` in the working directory."""

import os
from pathlib import Path


def simtom_home() -> Path:
    """Absolute path of the user's folder; it need not exist."""
    return Path(os.environ.get("SIMTOM_HOME") or ".simtom").expanduser().resolve()


def run_command(scenario: str, file: Path | str) -> str:
    """The command that lands a scenario in a file."""
    where = "" if Path(file) == default_database() else f" --database {file}"
    return f"simtom run {scenario}{where}"


def default_database() -> Path:
    """Absolute path of the DuckDB file used when none is named."""
    return simtom_home() / "simtom.duckdb"
