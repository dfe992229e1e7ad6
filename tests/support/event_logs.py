"""Homes whose Dagster keeps its events in our storage or its own, and a scenario that is quick to run."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
from dagster._core.storage.partition_status_cache import AssetPartitionStatus
from typer.testing import CliRunner, Result

from simtom_pipeline import load_scenario
from simtom_pipeline.assets.instance import SHIPPED_CONFIGURATION
from simtom_pipeline.assets.partitions import daily_partitions
from simtom_pipeline.cli import app

PLUGIN = Path(__file__).parent / "plugins" / "slow_days.py"
TICKING = """\
name: ticking
generator: slow_days
clock: {start: 2024-01-01, end: 2024-01-08}
volume: {base_daily_volume: 20}
"""
DAYS = [f"2024-01-0{n}" for n in range(1, 9)]
TICKS = dg.AssetKey(["ticking", "ticks"])
MATERIALIZED, FAILED = AssetPartitionStatus.MATERIALIZED, AssetPartitionStatus.FAILED


def furnish(home: Path) -> Path:
    """Put the generator and the scenario `ticking` into a home; returns it."""
    for folder in ("scenarios", "generators", "hold", "reached", "broken"):
        (home / folder).mkdir(parents=True)
    shutil.copy(PLUGIN, home / "generators")
    (home / "scenarios" / "ticking.yaml").write_text(TICKING)
    return home


def by_dagster(home: Path) -> Path:
    """The home as an earlier version left it: Dagster keeps its events in its own storage."""
    (home / "dagster" / "dagster.yaml").write_bytes(SHIPPED_CONFIGURATION.read_bytes())
    return home


@contextmanager
def opened(home: Path) -> Iterator[dg.DagsterInstance]:
    """Dagster's instance of a home."""
    with dg.DagsterInstance.from_config(str(home / "dagster")) as instance:
        yield instance


def run(*arguments: str) -> Result:
    """The command, in this process."""
    return CliRunner().invoke(app, ["run", "ticking", *arguments])


def statuses(instance: dg.DagsterInstance) -> list[AssetPartitionStatus | None]:
    """What Dagster says of each day of the ticks."""
    found = instance.get_status_by_partition(TICKS, DAYS, daily_partitions(load_scenario("ticking")))
    assert found is not None
    return [found[day] for day in DAYS]
