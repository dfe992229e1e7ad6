"""What a person sees of a run in the terminal: its progress while it lasts, and a summary at its end."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

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
from rich.table import Table

from .home import default_database, simtom_home
from .landed_days import LandedDays
from .scenarios.models import TWIN_MARK, Scenario

if TYPE_CHECKING:
    from .assets.run import RunReport
    from .validation.decisions import CheckLine
    from .verification.twins import Comparison

out = Console()
err = Console(stderr=True)


@contextmanager
def progress_bar(name: str, so_far: LandedDays) -> Iterator["_Bar"]:
    """What shows how far a run has come; it counts the days that land in `so_far`."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=err) as progress:
        yield _Bar(progress, name, so_far)


@contextmanager
def records_bar(name: str, to: str) -> Iterator[Callable[[int], None]]:
    """What shows how many records a replay has sent, where a person looks and the records go elsewhere."""
    if not err.is_terminal or (to == "-" and out.is_terminal):
        yield lambda _: None
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}: {task.completed:,.0f} records"))
    with Progress(*columns, TimeElapsedColumn(), console=err) as progress:
        task = progress.add_task(f"{name} to {to}", total=None)
        yield lambda records: progress.update(task, advance=records)


class _Bar:
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


def print_checks(checks: Sequence["CheckLine"]) -> None:
    """How many checks passed, and a line for each that did not; one for all that say the same."""
    from .validation.decisions import Verdict

    passed = sum(check.verdict is Verdict.PASSED for check in checks)
    out.print(f"\nChecks: {passed} of {len(checks)} passed", highlight=False)
    alike: dict[tuple[str, Verdict], list[str]] = {}
    for check in checks:
        if check.verdict is not Verdict.PASSED:
            alike.setdefault((check.summary, check.verdict), []).append(f"{check.table} {check.name}")
    for (summary, verdict), names in alike.items():
        those = names[0] if len(names) == 1 else f"{len(names)} checks"
        said, style = ("FAILED", "red") if verdict is Verdict.FAILED else ("cannot tell", "yellow")
        line = f"  {said}: {those}: {summary}"
        out.print(line, style=style, markup=False, highlight=False, soft_wrap=True)


def print_differences(one: str, other: str, comparison: "Comparison | None") -> None:
    """What differs between two landed scenarios, by table and column."""
    if comparison is None:
        out.print(f"\n{one} and {other} have no landed day in common.", highlight=False, soft_wrap=True)
        return
    table = Table("table", "column", "values", "days", "first day", "last day", box=None, header_style="bold")
    for found in comparison.differences:
        days = (str(found.days), str(found.first_day), str(found.last_day))
        table.add_row(found.table, found.column, f"{found.values:,}", *days)
    said = f"{comparison.days} days of {one} and {other}: "
    if not comparison.differences:
        out.print(f"\n{said}every value is the same.", highlight=False, soft_wrap=True)
        return
    out.print(f"\n{said}these columns differ, (row) is rows that only one has.\n", highlight=False)
    out.print(table)


def summarise(scenario: Scenario, report: "RunReport", file: Path) -> None:
    """What a run left behind: rows, checks that did not pass, queries to try, what to do next."""
    rows = Table("table", "rows", box=None, header_style="bold")
    rows.columns[1].justify = "right"
    for table, count in report.rows.items():
        rows.add_row(table, f"{count:,}")
    out.print(rows)
    print_checks(report.checks)
    out.print(f"\nThe data is in {file}. Try in DuckDB:\n", highlight=False, markup=False, soft_wrap=True)
    for query in report.queries:
        out.print(query, highlight=False, markup=False, soft_wrap=True)
    if TWIN_MARK in scenario.name:
        original = scenario.name.split(TWIN_MARK)[0]
        out.print(f"\nThe checks of {original} in Dagster compare it with this twin.", highlight=False)
    elif not report.known_to_dagster:
        own = simtom_home() / "scenarios"
        out.print(
            f"\nDagster shows what scenarios in {own} land in {default_database()}, without --set.",
            highlight=False, markup=False, soft_wrap=True,
        )  # fmt: skip
    else:
        out.print("\nRun history and checks: simtom ui", highlight=False)
