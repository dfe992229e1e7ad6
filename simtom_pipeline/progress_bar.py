"""What is seen while a run is under way."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from .landed_days import LandedDays


@contextmanager
def progress_bar(name: str, so_far: LandedDays, console: Console) -> Iterator["Bar"]:
    """Shown until the run ends, however it ends; counts in `so_far` what lands."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
        yield Bar(progress, name, so_far)


class Bar:
    """Progress in three stages: Dagster takes note of the run, days land, Dagster keeps the record."""

    def __init__(self, progress: Progress, name: str, so_far: LandedDays) -> None:
        self._progress, self._name, self._so_far = progress, name, so_far
        self._stage = progress.add_task(f"{name}: planning the run in Dagster", total=None)
        self._landing: TaskID | None = None

    def landed(self, days: int) -> None:
        """Advance by `days`."""
        self._so_far.count += days
        asked = len(self._so_far.days)
        if self._landing is None:
            self._progress.remove_task(self._stage)
            self._landing = self._progress.add_task(f"{self._name}: days simulated and landed", total=asked)
        self._progress.update(self._landing, advance=days)
        if self._so_far.count == asked:
            self._stage = self._progress.add_task(
                f"{self._name}: recording them in Dagster, checking", total=None
            )
