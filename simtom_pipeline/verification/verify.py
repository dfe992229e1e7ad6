"""Find out whether what landed of a scenario is true: every check, its verdict and why."""

import pkgutil
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import duckdb

from ..home import default_database, run_command
from ..landing import DuckDBFile, LandingError, schema_of
from ..scenarios.models import Scenario
from ..simulation import Simulation
from ..validation.decisions import Finding, Verdict
from . import checks as subjects
from .as_simulated import as_simulated
from .attempts import attempted
from .check import Check
from .checks.content import not_of_this_world
from .history import LandedHistory


def checks_of(simulation: Simulation) -> tuple[Check, ...]:
    """Every check of a scenario, from every file of `checks`."""
    modules = (
        import_module(f"{subjects.__name__}.{module.name}")
        for module in pkgutil.iter_modules(subjects.__path__)
    )
    return tuple(check for module in modules for check in module.checks(simulation))


def landed_history(
    simulation: Simulation, connection: duckdb.DuckDBPyConnection, checks: Collection[Check]
) -> LandedHistory:
    """What has landed, to be judged by these checks: their families of tests share the family-wise error."""
    families = {check.family for check in checks if check.family}
    return LandedHistory(simulation, connection, max(len(families), 1))


def findings(
    simulation: Simulation,
    connection: duckdb.DuckDBPyConnection,
    wanted: Collection[tuple[str, str]] | None = None,
) -> Iterator[tuple[Check, Finding]]:
    """Each check of a scenario, or those of the `wanted` (table, name), with what it finds.

    First what is on record of landing. Where nothing has landed, or days of another world, the others have
    nothing to say; if not, they see rows as they landed, then as they were drawn.
    """
    every = checks_of(simulation)
    history = landed_history(simulation, connection, every)
    chosen = sorted(
        (check for check in every if wanted is None or (check.table, check.name) in wanted),
        key=lambda check: (check.table, check.name),
    )
    others = [check for check in chosen if check.sees != "record"]
    yield from _found(history, [check for check in chosen if check.sees == "record"])
    if finding := _nothing_landed(history) or not_of_this_world(history):
        yield from ((check, finding) for check in others)
        return
    yield from _found(history, [check for check in others if check.sees == "landed"])
    if of_the_world := [check for check in others if check.sees == "true"]:
        with as_simulated(history) as true:
            yield from _found(true, of_the_world)


def _found(history: LandedHistory, checks: Collection[Check]) -> Iterator[tuple[Check, Finding]]:
    for check in checks:
        yield check, attempted(check, history)


def _nothing_landed(history: LandedHistory) -> Finding | None:
    return None if history.days else Finding(Verdict.INCONCLUSIVE, "nothing has landed yet")


@dataclass(frozen=True)
class CheckResult:
    """What one check found.

    Attributes
    ----------
    table, name : the table it is about, and what it is called.
    place : the same table as `<scenario>/<table>`, or `<scenario>/truth/<table>`.
    meaning : what it claims.
    finding : its verdict, why in one sentence, and the figures behind it.
    """

    table: str
    name: str
    place: str
    meaning: str
    finding: Finding

    @property
    def verdict(self) -> Verdict:
        """Passed, failed, or unable to tell."""
        return self.finding.verdict


def verify(scenario: Scenario, *, database: Path | str | None = None) -> list[CheckResult]:
    """Check what has landed of a scenario: the same checks, with the same verdicts, as in Dagster.

    The file is only read.

    Parameters
    ----------
    scenario : as `load_scenario` returns it.
    database : the DuckDB file; by default `$SIMTOM_HOME/simtom.duckdb`.

    Returns
    -------
    One result a check, in the order in which they ran.

    Raises
    ------
    LandingError : there is no such file, it is in use, or the scenario has not landed in it, or by another
        version; the message says what to do.

    Examples
    --------
    >>> from simtom_pipeline import load_scenario, verify
    >>> results = verify(load_scenario("baseline"), database=database)
    >>> [result.name for result in results if result.verdict == "failed"]
    []
    """
    file, simulation = Path(database or default_database()).expanduser(), Simulation(scenario)
    how_to_land = f"Land it first: {run_command(scenario.name, file)}"
    if not file.is_file():
        raise LandingError(f"There is no file {file}. {how_to_land}")
    with DuckDBFile(file).open_to_examine() as landed:
        there = landed.fits(simulation.relations)
        missing = [
            relation.name
            for relation in simulation.relations.tables
            if (schema_of(scenario.name, relation), relation.name) not in there
        ]
        if missing:
            raise LandingError(
                f"{file} does not hold all of {scenario.name} ({', '.join(missing)} missing). {how_to_land}"
            )
        return [
            CheckResult(
                check.table, check.name, simulation.relations.place(check.table), check.meaning, finding
            )
            for check, finding in findings(simulation, landed.connection)
        ]
