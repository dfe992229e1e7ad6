"""Runs of the command are runs of the job that the UI serves; a command that cannot serve says why."""

import socket
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.workspace.load import location_origins_from_yaml_paths
from typer.testing import CliRunner

from simtom_pipeline.assets.instance import COMMAND_TAG, ELSEWHERE, WORKSPACE, end_dead_runs
from simtom_pipeline.cli import app
from tests.support.dagster_runs import TINY


def test_a_run_of_the_command_is_of_the_job_that_the_ui_serves_if_the_ui_knows_its_scenario(
    prepared_home: Path,
) -> None:
    (prepared_home / "scenarios").mkdir()
    for file, name in (("scenarios/tiny.yaml", "tiny"), ("apart.yaml", "apart")):
        (prepared_home / file).write_text(TINY.replace("tiny", name))
    served = {origin.location_name for origin in location_origins_from_yaml_paths([str(WORKSPACE)])}
    for scenario in ("tiny", str(prepared_home / "apart.yaml")):
        result = CliRunner().invoke(app, ["run", scenario, "--to", "2024-01-01"])
        assert result.exit_code == 0, result.output
    with dg.DagsterInstance.from_config(str(prepared_home / "dagster")) as instance:
        runs = {run.job_name: run.remote_job_origin for run in instance.get_runs()}
    origin = runs["tiny_job"]
    assert origin is not None
    assert origin.job_name == "tiny_job"
    assert {origin.repository_origin.code_location_origin.location_name} == served == {"simtom_pipeline"}
    assert runs["apart_job"] is None


@pytest.mark.parametrize(
    "where", [["--database", "other.duckdb"], ["--set", "seed=7"]], ids=["file", "world"]
)
def test_what_lands_in_another_file_or_of_another_world_leaves_the_homes_history_as_it_is(
    prepared_home: Path, where: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(prepared_home)
    (prepared_home / "scenarios").mkdir()
    (prepared_home / "scenarios" / "tiny.yaml").write_text(TINY)
    result = CliRunner().invoke(app, ["run", "tiny", "--to", "2024-01-01", *where])
    assert result.exit_code == 0, result.output
    assert "Run history and checks" not in result.output
    with dg.DagsterInstance.from_config(str(prepared_home / "dagster")) as instance:
        assert not instance.get_runs()
        assert not instance.all_asset_keys()
    with dg.DagsterInstance.from_config(str(prepared_home / "dagster" / ELSEWHERE)) as instance:
        (run,) = instance.get_runs()
        assert run.status is dg.DagsterRunStatus.SUCCESS
        assert run.remote_job_origin is None


def test_a_file_runs_also_where_the_homes_scenario_of_that_name_cannot_be_used(prepared_home: Path) -> None:
    (prepared_home / "scenarios").mkdir()
    (prepared_home / "scenarios" / "tiny.yaml").write_text(TINY + "seed: x\n")
    (prepared_home / "tiny.yaml").write_text(TINY)
    result = CliRunner().invoke(app, ["run", str(prepared_home / "tiny.yaml"), "--to", "2024-01-01"])
    assert result.exit_code == 0, result.output
    with dg.DagsterInstance.from_config(str(prepared_home / "dagster")) as instance:
        assert not instance.get_runs()


def test_a_run_that_the_ui_executes_again_is_not_taken_for_one_of_a_command_that_is_gone(
    prepared_home: Path,
) -> None:
    job = dg.GraphDefinition(name="nothing").to_job()
    with dg.DagsterInstance.from_config(str(prepared_home / "dagster")) as instance:
        started = {"status": dg.DagsterRunStatus.STARTED, "tags": {COMMAND_TAG: "run"}}
        of_the_command = instance.create_run_for_job(job, **started)
        again = instance.create_run_for_job(
            job, **started, parent_run_id=of_the_command.run_id, root_run_id=of_the_command.run_id
        )
        end_dead_runs(instance)
        found = {run.run_id: run.status for run in instance.get_runs()}
    assert found[of_the_command.run_id] is dg.DagsterRunStatus.FAILURE
    assert found[again.run_id] is dg.DagsterRunStatus.STARTED


@pytest.mark.usefixtures("prepared_home")
def test_a_port_that_is_taken_is_one_message_and_exit_code_2() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = CliRunner().invoke(app, ["ui", "--port", str(port)])
    assert result.exit_code == 2
    assert f"127.0.0.1:{port}: Address already in use" in result.output
    assert "Name another port with --port." in result.output
