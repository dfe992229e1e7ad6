"""What `simtom verify` and `simtom_pipeline.verify` say of a file is what Dagster recorded of the same file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from typer.testing import CliRunner, Result

from simtom_pipeline import load_scenario, verify
from simtom_pipeline.assets.factory import LogProgress, resources, scenario_definitions
from simtom_pipeline.cli import app
from simtom_pipeline.landing import DuckDBFile
from simtom_pipeline.scenarios.models import Scenario
from tests.support.landed import land_and_measure, opened
from tests.support.visits import furnish

Said = Mapping[tuple[str, str], tuple[str, str]]
"""Verdict and summary of each check, by its table and its name."""
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}

FEED: Mapping[str, Any] = {
    "clock": {"start": "2024-01-01", "end": "2024-01-04"},
    "volume.base_daily_volume": 100,
    "bnpl.population.initial_customers": 50,
    "bnpl.credit.base_default_rate": 0.2,
    "drifts": [
        {"id": "dearer", "kind": "covariate", "target": "amount",
         "schedule": {"kind": "sudden", "at": "2024-01-03"}, "effect": {"mean_ratio": 1.5}},
    ],
    "noise": [
        {"table": "transactions", "columns": ["risk_score"], "noise_type": "gaussian", "noise_level": 0.1},
    ],
    "faults": [
        {"id": "lost", "kind": "missing", "table": "transactions", "columns": ["risk_level"], "rate": 0.2},
        {"id": "twice", "kind": "duplicate", "table": "transactions", "columns": ["amount"], "rate": 0.2},
    ],
}  # fmt: skip
CORRUPTIONS = """
UPDATE baseline.outcomes SET will_default = NOT will_default;
UPDATE baseline.devices SET device_os = 'iOS';
DELETE FROM baseline.transactions WHERE day = '2024-01-04';
DELETE FROM baseline_truth.fault_ledger WHERE key[1] % 2 = 0;
UPDATE baseline_truth.noise_ledger SET measured_value = 1;
UPDATE baseline_truth.drift_ledger_daily SET w = 0.5 WHERE w = 1;
INSERT INTO baseline.payment_methods FROM baseline.payment_methods LIMIT 9;
"""
"""Something wrong of every kind: of rows, values, days, ledgers and what is measured."""


def recorded(scenario: Scenario, file: Path) -> Said:
    """What a run of Dagster with every check, and nothing else, records of a file."""
    graphs = dg.Definitions.merge(
        dg.Definitions(
            resources=resources(str(file), LogProgress()),
            executor=dg.in_process_executor,
            jobs=[dg.define_asset_job("only_checks", selection=dg.AssetSelection.all_asset_checks())],
        ),
        scenario_definitions(scenario, DuckDBFile(file)),
    )
    with dg.DagsterInstance.ephemeral() as instance:
        run = graphs.resolve_job_def("only_checks").execute_in_process(instance=instance, run_config=QUIET)
    return {
        ("/".join(one.asset_key.path), one.check_name): (
            str(one.metadata["verdict"].value),
            one.description or "",
        )
        for one in run.get_asset_check_evaluations()
    }


def verified(scenario: Scenario, file: Path) -> Said:
    """The same without Dagster."""
    results = verify(scenario, database=file)
    return {(one.place, one.name): (one.verdict.value, one.finding.summary) for one in results}


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Scenario:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIMTOM_HOME", str(tmp_path_factory.mktemp("home")))
        return load_scenario("baseline", FEED)


@pytest.fixture(scope="module")
def corrupted(scenario: Scenario, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A history with something wrong of every kind."""
    file = land_and_measure(scenario, tmp_path_factory.mktemp("corrupted") / "feed.duckdb")
    with opened(file) as connection:
        connection.execute(CORRUPTIONS)
    return file


def test_a_history_gets_the_verdicts_and_summaries_that_dagster_records(
    scenario: Scenario, corrupted: Path
) -> None:
    """Whether a check passes, fails or cannot tell."""
    said = verified(scenario, corrupted)
    assert said == recorded(scenario, corrupted)
    assert {verdict for verdict, _ in said.values()} == {"passed", "failed", "inconclusive"}
    failed = {name for (_, name), (verdict, _) in said.items() if verdict == "failed"}
    assert failed >= {
        "primary_key", "landed_content", "daily_volume", "declared_shares", "declared_probability",
        "default_is_an_unpaid_installment", "replay", "faults_undone", "noise_as_declared",
        "drift_as_declared", "measured_anew",
    }  # fmt: skip


# the command ---------------------------------------------------------------------------------------------


def simtom_verify(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["verify", "visits", *arguments], catch_exceptions=False)


@pytest.fixture
def visits(home: Path) -> Path:
    """The file of a home in which a small scenario has landed."""
    furnish(home, "2024-01-10", "2024-01-14")
    return land_and_measure(load_scenario("visits"), home / "simtom.duckdb")


@pytest.mark.parametrize(
    ("change", "code"),
    [("", 0), ("UPDATE visits.page_views SET page = 'home'", 1)],
    ids=["as it landed", "corrupted"],
)
def test_the_command_says_what_the_function_finds_and_ends_with_one_where_a_check_fails(
    visits: Path, change: str, code: int
) -> None:
    with opened(visits) as connection:
        connection.execute(change or "SELECT 1")
    content = visits.read_bytes()
    result = simtom_verify()
    assert result.exit_code == code, result.output
    said = verified(load_scenario("visits"), visits)
    passed = [summary for verdict, summary in said.values() if verdict == "passed"]
    assert f"Checks: {len(passed)} of {len(said)} passed" in result.output
    failed = [summary for verdict, summary in said.values() if verdict == "failed"]
    assert bool(failed) == bool(change)
    assert [summary for summary in failed if summary not in result.output] == []
    assert ("FAILED: visits/page_views declared_shares: " in result.output) == bool(change)
    assert visits.read_bytes() == content


def test_what_has_not_landed_is_a_mistake_of_the_users(visits: Path, tmp_path: Path) -> None:
    result = simtom_verify("--database", str(tmp_path / "none.duckdb"))
    assert result.exit_code == 2
    assert "Land it first: simtom run visits" in " ".join(result.output.split())
