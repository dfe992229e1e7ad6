"""Run a scenario's days through Dagster in this process, so that the UI knows about them afterwards."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import dagster as dg
import pandas  # noqa: F401  # DuckDB would import it in the midst of a query, where a signal gets lost

from ..corruption.ledgers import FAULT_LEDGER
from ..home import default_database
from ..landing import LandingError, Storage, schema_of
from ..landing.ddl import readable
from ..landing.records import FRESH_TAG, Recorder
from ..relations import Relations
from ..scenarios.models import Scenario
from ..scenarios.problems import ScenarioError
from ..simulation import Simulation, load_scenario, scenario_files, world
from ..sql import truth_schema
from ..validation.decisions import CheckLine, Verdict
from .factory import Progress, resources, scenario_definitions
from .instance import as_of_the_ui, command_instance, command_run, prepare_instance
from .partitions import range_tags
from .schedule import history_job_name


@dataclass(frozen=True)
class RunReport:
    """What a run left behind: rows a table, check results, queries to try."""

    rows: dict[str, int]
    checks: list[CheckLine]
    queries: list[str]
    known_to_dagster: bool

    @property
    def failed_checks(self) -> int:
        """How many checks failed."""
        return sum(check.verdict is Verdict.FAILED for check in self.checks)


def run_history(
    scenario: Scenario,
    days: Sequence[date],
    storage: Storage,
    home: Path,
    progress: Progress,
    fresh: bool = False,
) -> RunReport:
    """Simulate, land and check consecutive `days`; a `fresh` world may take the place of another one.

    Raises
    ------
    LandingError : the storage is in use, is no database, or holds tables of another contract or days of
        another world.
    """
    simulation = Simulation(scenario)
    relations = simulation.relations
    shown = is_shown(scenario, storage)
    folder = prepare_instance(home, elsewhere=not shown)
    # The storage is looked at only while it is this run's turn: another run may be writing into it.
    with command_instance(folder) as instance, command_run(instance) as tags:
        with storage.open() as database:
            Recorder(scenario.name, simulation.world, scenario.clock, fresh, days).check(database)
            database.fits(relations)
        tags |= {FRESH_TAG: "true"} if fresh else {}
        if known := shown and scenario.name in scenario_files():
            as_of_the_ui(instance, history_job_name(scenario))
        result = _execute(instance, tags, scenario, days, storage, progress)
        with storage.open(read_only=True) as database:
            schema = readable(database.connection, scenario.name)
            places = [(schema_of(scenario.name, contract), contract.name) for contract in relations.tables]
            rows = {f"{of}.{table}": database.count(of, table) for of, table in places}
    return RunReport(
        rows=rows,
        checks=[_check_line(evaluation) for evaluation in result.get_asset_check_evaluations()],
        queries=queries(schema, relations),
        known_to_dagster=known,
    )


def is_shown(scenario: Scenario, storage: Storage) -> bool:
    """Whether days are of the file, and of the world, that the home's history is about."""
    if storage.address != str(default_database()):
        return False
    if scenario.name not in scenario_files():
        return True
    try:
        of_that_name = load_scenario(scenario.name)
    except ScenarioError:  # what runs is another file of the same name
        return False
    return world(of_that_name).digest == world(scenario).digest


def _execute(
    instance: dg.DagsterInstance,
    tags: dict[str, str],
    scenario: Scenario,
    days: Sequence[date],
    storage: Storage,
    progress: Progress,
) -> dg.ExecuteInProcessResult:
    logging.getLogger("dagster").setLevel(logging.ERROR)
    graphs = dg.Definitions.merge(
        dg.Definitions(resources=resources(storage.address, progress), executor=dg.in_process_executor),
        # No pool: a killed process would keep its slot for ever. Runs of the command take turns by a lock.
        scenario_definitions(scenario, storage, pool=None),
    )
    job = graphs.resolve_job_def(history_job_name(scenario))
    try:
        return job.execute_in_process(
            instance=instance,
            tags=tags | range_tags(days[0].isoformat(), days[-1].isoformat()),
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )
    except LandingError:
        raise
    except Exception as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, LandingError):
            cause = cause.__cause__
        if cause is not None:
            raise cause from error
        raise


def _check_line(evaluation: dg.AssetCheckEvaluation) -> CheckLine:
    failed = not evaluation.passed and evaluation.severity == dg.AssetCheckSeverity.ERROR
    verdict = Verdict.PASSED if evaluation.passed else Verdict.FAILED if failed else Verdict.INCONCLUSIVE
    table = "/".join(evaluation.asset_key.path)
    return CheckLine(table, evaluation.check_name, verdict, evaluation.description or "")


def queries(schema: str, relations: Relations) -> list[str]:
    """Queries to try, in the scenario's schema as SQL writes it: three, and one of its faults."""
    truth, events = truth_schema(relations.scenario.name), relations.event_table
    of_faults = (
        f"SELECT kind, column_name, count(*) AS entries FROM {truth}.{FAULT_LEDGER.name}"
        " GROUP BY ALL ORDER BY ALL;"
    )
    flat = next((view.name for view in relations.views if not view.truth), events)
    return [
        f"FROM {schema}.{flat} LIMIT 5;",
        f"SELECT date_trunc('month', event_time) AS month, count(*) AS events"
        f" FROM {schema}.{events} GROUP BY ALL ORDER BY ALL;",
        "SELECT i.day, round(i.expected_count) AS expected, count(*) AS landed"
        f" FROM {truth}.daily_intensity i JOIN {schema}.{events} USING (day)"
        " GROUP BY ALL ORDER BY landed DESC LIMIT 5;",
        *([of_faults] if relations.scenario.faults else []),
    ]
