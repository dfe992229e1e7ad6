"""The Dagster room: partitions, single-run backfills, metadata, schedules, checks, the UI's GraphQL."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest
from dagster import AssetPartitionStatus

from simtom_pipeline import load_scenario
from simtom_pipeline.assets.factory import LogProgress, resources, scenario_definitions
from simtom_pipeline.assets.instance import prepare_instance
from simtom_pipeline.assets.partitions import asset_key, daily_partitions, range_tags
from simtom_pipeline.landing import DuckDBFile
from simtom_pipeline.landing.duckdb_file import DuckDBDatabase
from simtom_pipeline.scenarios.models import Scenario
from simtom_pipeline.simulation import Simulation

OVERRIDES = {
    "volume.base_daily_volume": 80,
    "bnpl.population.initial_customers": 200,
    "clock.end": "2024-01-10",
}
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def definitions(scenario: Scenario, file: Path) -> dg.Definitions:
    return dg.Definitions.merge(
        dg.Definitions(resources=resources(str(file), LogProgress()), executor=dg.in_process_executor),
        scenario_definitions(scenario, DuckDBFile(file)),
    )


def materialize(
    scenario: Scenario, file: Path, instance: dg.DagsterInstance, first: str, last: str, **options: Any
) -> dg.ExecuteInProcessResult:
    job = definitions(scenario, file).resolve_job_def(f"{scenario.name}_job")
    return job.execute_in_process(
        instance=instance, tags=range_tags(first, last), run_config=QUIET, **options
    )


def land(
    scenario: Scenario, file: Path, instance: dg.DagsterInstance, first: str, last: str, **options: Any
) -> dg.ExecuteInProcessResult:
    """The simulated tables alone: nothing is measured or checked."""
    contracts = Simulation(scenario).relations.simulated
    tables = [asset_key(scenario, contract) for contract in contracts]
    return materialize(scenario, file, instance, first, last, asset_selection=tables, **options)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as one:
        yield one


@pytest.fixture
def kept_instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """On disk, as a schedule needs it."""
    folder = tmp_path / "instance"
    folder.mkdir()
    with dg.DagsterInstance.local_temp(str(folder)) as one:
        yield one


@pytest.fixture
def scenario() -> Scenario:
    return load_scenario("baseline", OVERRIDES)


def key(*path: str) -> dg.AssetKey:
    return dg.AssetKey(["baseline", *path])


def counts(file: Path, schema: str = "baseline") -> dict[str, int]:
    with duckdb.connect(str(file), read_only=True) as connection:
        rows = connection.execute(
            f"SELECT CAST(day AS VARCHAR), count(*) FROM {schema}.transactions GROUP BY 1"
        ).fetchall()
    return dict(rows)


def test_a_range_is_one_run_and_every_day_knows_its_rows(
    scenario: Scenario, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    file = tmp_path / "x.duckdb"
    result = materialize(scenario, file, instance, "2024-01-03", "2024-01-09")
    assert result.success
    assert len(instance.get_runs()) == 1
    records = instance.fetch_materializations(key("transactions"), limit=100).records
    recorded = {
        record.partition_key: record.asset_materialization.metadata["dagster/partition_row_count"].value  # type: ignore[union-attr]
        for record in records
    }
    assert recorded == counts(file)
    assert set(recorded) == {f"2024-01-0{n}" for n in range(3, 10)}
    products = instance.get_latest_materialization_event(key("products"))
    assert products is not None
    assert products.asset_materialization.metadata["dagster/row_count"].value > 1000  # type: ignore[union-attr]


def test_the_order_of_runs_leaves_the_same_tables(
    scenario: Scenario, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    """Backwards, overlapping, one day again: the file holds the same rows as after one run."""
    straight, crooked = tmp_path / "straight.duckdb", tmp_path / "crooked.duckdb"
    land(scenario, straight, instance, "2024-01-01", "2024-01-06")
    for first, last in (("04", "06"), ("01", "03"), ("05", "05"), ("02", "04")):
        land(scenario, crooked, instance, f"2024-01-{first}", f"2024-01-{last}")
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{straight}' AS a (READ_ONLY); ATTACH '{crooked}' AS b (READ_ONLY)")
        for table in ("customers", "products", "devices", "payment_methods", "transactions"):
            for one, other in (("a", "b"), ("b", "a")):
                query = f"SELECT count(*) FROM (FROM {one}.baseline.{table} EXCEPT ALL FROM {other}.baseline.{table})"
                assert connection.execute(query).fetchall() == [(0,)], table


def test_one_partition_can_be_materialized_by_its_key(
    scenario: Scenario, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    graphs = definitions(scenario, tmp_path / "x.duckdb")
    result = graphs.resolve_job_def("baseline_job").execute_in_process(
        instance=instance, partition_key="2024-01-05", run_config=QUIET
    )
    assert result.success
    assert set(counts(tmp_path / "x.duckdb")) == {"2024-01-05"}


def test_definitions_describe_tables_columns_and_lineage(scenario: Scenario, tmp_path: Path) -> None:
    specs = {
        spec.key: spec for spec in definitions(scenario, tmp_path / "simtom.duckdb").resolve_all_asset_specs()
    }
    transactions = specs[key("transactions")]
    assert transactions.metadata["dagster/table_name"] == "simtom.baseline.transactions"
    columns = {column.name: column for column in transactions.metadata["dagster/column_schema"].columns}
    assert columns["amount"].type == "DECIMAL(10,2)"
    assert columns["amount"].description == "price at the moment of sale [USD, from 0.01 on]"
    lineage = transactions.metadata["dagster/column_lineage"].deps_by_column
    assert lineage["customer_id"][0].asset_key == key("customers")
    assert {dep.asset_key for dep in transactions.deps} == {
        key(parent) for parent in ("customers", "products", "devices", "payment_methods")
    }
    truth = specs[key("truth", "daily_intensity")]
    assert truth.metadata["dagster/table_name"] == "simtom.baseline_truth.daily_intensity"
    records = specs[key("bnpl_records")]
    assert records.kinds == {"duckdb", "view"}
    macro = specs[key("training_set")]
    assert macro.kinds == {"duckdb", "macro"}
    assert macro.metadata["dagster/table_name"] == "simtom.baseline.training_set(as_of)"
    assert {dep.asset_key for dep in macro.deps} == {key("training_rows")}
    of_rows = {dep.asset_key for dep in specs[key("training_rows")].deps}
    assert {key("customer_history"), key("outcomes"), key("transactions")} <= of_rows
    assert key("installments") in {dep.asset_key for dep in specs[key("customer_history")].deps}
    paid_at = {c.name: c for c in specs[key("installments")].metadata["dagster/column_schema"].columns}[
        "paid_at"
    ]
    assert paid_at.constraints.nullable
    (source,) = records.metadata["dagster/column_lineage"].deps_by_column["customer_state"]
    assert (source.asset_key, source.column_name) == (key("customers"), "state")


def test_what_only_the_simulator_knows_is_called_by_its_schema(tmp_path: Path) -> None:
    graphs = definitions(load_scenario("outage"), tmp_path / "simtom.duckdb")
    names = {spec.metadata["dagster/table_name"] for spec in graphs.resolve_all_asset_specs()}
    assert {"simtom.outage_truth.clean_transactions", "simtom.outage_truth.landed_days"} <= names


def test_every_table_has_its_checks(scenario: Scenario, instance: dg.DagsterInstance, tmp_path: Path) -> None:
    result = materialize(scenario, tmp_path / "x.duckdb", instance, "2024-01-01", "2024-01-10")
    names: dict[str, set[str]] = {}
    for evaluation in result.get_asset_check_evaluations():
        names.setdefault("/".join(evaluation.asset_key.path[1:]), set()).add(evaluation.check_name)
        assert evaluation.passed or evaluation.severity == dg.AssetCheckSeverity.WARN, evaluation
    assert names["transactions"] == {
        "primary_key", "day_boundaries", "temporal_integrity", "daily_volume", "hour_of_day",
        "declared_shares", "replay", "landed_content",
    }  # fmt: skip
    for table in ("customers", "devices", "payment_methods"):
        assert {"primary_key", "day_boundaries", "declared_shares", "replay"} <= names[table]
    assert names["products"] == {"primary_key", "replay", "landed_content"}
    assert names["truth/runs"] == {"primary_key", "one_world"}
    assert names["outcomes"] == {
        "primary_key", "temporal_integrity", "replay", "landed_content", "default_is_an_unpaid_installment",
        "first_missed_payment", "label_maturity", "outcome_rate",
    }  # fmt: skip
    assert {"declared_probability", "bayes_auc", "leakage"} <= names["truth/default_risk"]
    assert {"amounts_add_up", "late_fee_only_when_late"} <= names["installments"]


@pytest.mark.parametrize("name", ["dirty_feed", "late_labels_and_events", "outage"])
def test_no_view_of_a_scenario_with_faults_knows_more_than_was_known(
    name: str, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    """August, in which the outage is; nothing but what the check needs is run."""
    clock = {"clock.start": "2024-08-05", "clock.end": "2024-08-25"}
    corrupted = load_scenario(name, {**OVERRIDES, **clock})
    graphs, file = definitions(corrupted, tmp_path / "x.duckdb"), tmp_path / "x.duckdb"
    land(corrupted, file, instance, "2024-08-05", "2024-08-25")
    check = dg.AssetCheckKey(dg.AssetKey([name, "truth", "fault_ledger"]), "views_know_no_more")
    job = dg.define_asset_job("only_views", selection=dg.AssetSelection.checks(check))
    only = dg.Definitions.merge(graphs, dg.Definitions(jobs=[job])).resolve_job_def("only_views")
    (evaluation,) = only.execute_in_process(instance=instance, run_config=QUIET).get_asset_check_evaluations()
    assert evaluation.passed, evaluation.description


def test_a_corrupted_day_fails_its_check_and_a_rerun_mends_it(
    scenario: Scenario, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    file = tmp_path / "x.duckdb"
    materialize(scenario, file, instance, "2024-01-01", "2024-01-06")
    with duckdb.connect(str(file)) as connection:
        connection.execute("UPDATE baseline.transactions SET amount = amount + 0.01 WHERE day = '2024-01-06'")
    check = dg.AssetCheckKey(key("transactions"), "replay")
    graphs = definitions(scenario, file)
    job = dg.define_asset_job("only_replay", selection=dg.AssetSelection.checks(check))
    only = dg.Definitions.merge(graphs, dg.Definitions(jobs=[job])).resolve_job_def("only_replay")
    (corrupted,) = only.execute_in_process(
        instance=instance, run_config=QUIET, raise_on_error=False
    ).get_asset_check_evaluations()
    assert not corrupted.passed
    assert corrupted.severity == dg.AssetCheckSeverity.ERROR
    mended = materialize(scenario, file, instance, "2024-01-06", "2024-01-06")
    (result,) = [
        e for e in mended.get_asset_check_evaluations() if e.check_name == "replay" and e.asset_key == key("transactions")
    ]  # fmt: skip
    assert result.passed


@pytest.mark.parametrize(("start", "end"), [("2024-01-01", "2024-12-31"), ("2033-02-01", "2033-03-31"),
                                            ("1999-12-30", "2000-01-02")])  # fmt: skip
def test_every_simulated_day_is_a_partition_whatever_day_it_is_today(start: str, end: str) -> None:
    scenario = load_scenario("baseline", {"clock.start": start, "clock.end": end})
    days = [day.isoformat() for day in scenario.clock.days()]
    assert daily_partitions(scenario).get_partition_keys() == days


def evaluate_schedule(
    scenario: Scenario, file: Path, instance: dg.DagsterInstance
) -> dg.ScheduleEvaluationContext:
    graphs = definitions(scenario, file)
    schedule = graphs.resolve_schedule_def("baseline_missing_days")
    with dg.build_schedule_context(instance=instance, repository_def=graphs.get_repository_def()) as context:
        return schedule.evaluate_tick(context)  # type: ignore[return-value]


def test_the_schedule_requests_what_is_missing_or_failed_as_one_range(
    scenario: Scenario, kept_instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "x.duckdb"

    def requested() -> dict[str, str] | None:
        tick = evaluate_schedule(scenario, file, kept_instance)
        if not tick.run_requests:  # type: ignore[attr-defined]
            return None
        (request,) = tick.run_requests  # type: ignore[attr-defined]
        return {k: v for k, v in request.tags.items() if "range" in k}

    assert requested() == range_tags("2024-01-01", "2024-01-10")
    land(scenario, file, kept_instance, "2024-01-01", "2024-01-03")
    land(scenario, file, kept_instance, "2024-01-06", "2024-01-10")
    assert requested() == range_tags("2024-01-04", "2024-01-05")

    from simtom_pipeline.assets import factory

    def fails(*_: object) -> None:
        raise RuntimeError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(factory, "land_history", fails)
        failed = land(scenario, file, kept_instance, "2024-01-07", "2024-01-08", raise_on_error=False)
    assert not failed.success
    status = kept_instance.get_status_by_partition(
        key("transactions"), ["2024-01-07", "2024-01-09"], daily_partitions(scenario)
    )
    assert status == {
        "2024-01-07": AssetPartitionStatus.FAILED,
        "2024-01-09": AssetPartitionStatus.MATERIALIZED,
    }
    assert requested() == range_tags("2024-01-04", "2024-01-08")
    land(scenario, file, kept_instance, "2024-01-04", "2024-01-08")
    assert requested() is None
    assert sum(counts(file).values()) > 0
    assert len(counts(file)) == 10


def test_the_schedule_is_off_by_default_and_waits_for_a_run_under_way(
    scenario: Scenario, kept_instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graphs = definitions(scenario, tmp_path / "x.duckdb")
    schedule = graphs.resolve_schedule_def("baseline_missing_days")
    assert schedule.default_status == dg.DefaultScheduleStatus.STOPPED
    kept_instance.create_run_for_job(
        graphs.resolve_job_def("baseline_job"), status=dg.DagsterRunStatus.STARTED
    )
    tick = evaluate_schedule(scenario, tmp_path / "x.duckdb", kept_instance)
    assert "has not finished" in (tick.skip_message or "")  # type: ignore[attr-defined]


def test_a_failing_landing_keeps_the_days_that_were_there(
    scenario: Scenario, instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "x.duckdb"
    materialize(scenario, file, instance, "2024-01-01", "2024-01-05")
    before = counts(file)
    original = DuckDBDatabase.insert

    def breaks(database: DuckDBDatabase, table: str, rows: Any) -> None:
        if "transactions" in table:
            raise OSError("the disk is full")
        original(database, table, rows)

    with monkeypatch.context() as patch:
        patch.setattr(DuckDBDatabase, "insert", breaks)
        failed = materialize(scenario, file, instance, "2024-01-04", "2024-01-08", raise_on_error=False)
    assert not failed.success
    assert counts(file) == before


def test_a_broken_scenario_is_left_out_of_the_code_location(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (home / "scenarios").mkdir()
    (home / "scenarios" / "broken.yaml").write_text("name: broken\nextends: baseline\nseed: x\n")
    from simtom_pipeline.definitions import build

    groups = {spec.group_name for spec in build().resolve_all_asset_specs()}
    assert "baseline" in groups
    assert "broken" not in groups
    assert "scenario broken is left out" in caplog.text


def test_the_instance_is_set_up_once_and_a_users_configuration_is_kept(home: Path) -> None:
    folder = prepare_instance(home)
    (folder / "dagster.yaml").write_text("telemetry: {enabled: false}\n# mine\n")
    assert prepare_instance(home) == folder
    assert "# mine" in (folder / "dagster.yaml").read_text()


GRAPHQL_ASSETS = "{ assetNodes { assetKey { path } groupName } }"
LAUNCH = """mutation($p: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $p) {
  __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""
STATUS = "query($id: String!) { partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill { status } } }"


def test_the_ui_serves_every_scenario_and_backfills_a_range_in_one_run(home: Path) -> None:
    """`simtom ui` for real: webserver, daemon and code server, asked over GraphQL as the UI asks.

    With hash seed 2 Dagster would refuse the backfill of a step that may not be subset.
    """
    (home / "scenarios").mkdir()
    text = "name: tiny\nextends: baseline\nclock: {end: 2024-01-20}\nvolume: {base_daily_volume: 80}\n"
    (home / "scenarios" / "tiny.yaml").write_text(text)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "simtom_pipeline", "ui", "--port", str(port)]
    log = home / "ui.log"
    with log.open("w") as output:
        server = subprocess.Popen(
            command,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env={**os.environ, "PYTHONHASHSEED": "2"},
        )
    try:
        nodes = _ask(port, GRAPHQL_ASSETS, server)["assetNodes"]
        tables = ("customers", "devices", "payment_methods", "transactions", "truth/daily_intensity")
        keys = [{"path": ["tiny", *table.split("/")]} for table in tables]
        assert all(key in [node["assetKey"] for node in nodes] for key in keys)
        days = [f"2024-01-{n:02}" for n in range(3, 8)]
        launched = _ask(port, LAUNCH, server, {"p": {"assetSelection": keys, "partitionNames": days}})
        assert launched["launchPartitionBackfill"]["__typename"] == "LaunchBackfillSuccess", launched
        _wait_for_backfill(port, server, launched["launchPartitionBackfill"]["backfillId"])
        assert set(counts(home / "simtom.duckdb", "tiny")) == set(days)
        with dg.DagsterInstance.from_config(str(home / "dagster")) as instance:
            landed = instance.get_materialized_partitions(dg.AssetKey(["tiny", "transactions"]))
            assert len(instance.get_runs()) == 1
        assert landed == set(days)
        groups = {node["groupName"] for node in nodes}
        assert {"baseline", "flash_sale", "holiday_season"} <= groups
        assert f"http://127.0.0.1:{port}" in log.read_text()
        os.killpg(server.pid, signal.SIGINT)  # Ctrl-C reaches whoever the terminal knows
        assert server.wait(90) == 130
        assert "Traceback" not in log.read_text()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def _wait_for_backfill(port: int, server: subprocess.Popen[bytes], backfill_id: str) -> None:
    deadline = time.monotonic() + 150
    while time.monotonic() < deadline:
        status = _ask(port, STATUS, server, {"id": backfill_id})["partitionBackfillOrError"]["status"]
        if status == "COMPLETED_SUCCESS":
            return
        assert status in ("REQUESTED", "COMPLETED"), status
        time.sleep(1)
    raise AssertionError("the backfill does not end")


def _ask(
    port: int, query: str, server: subprocess.Popen[bytes], variables: dict[str, Any] | None = None
) -> Any:
    """The answer's data, once the server serves assets."""
    deadline = time.monotonic() + 90
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/graphql",
        data=json.dumps({"query": query, "variables": variables or {}}).encode(),
        headers={"Content-Type": "application/json"},
    )
    while True:
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                data = json.loads(response.read())["data"]
                if data.get("assetNodes") != []:
                    return data
        except urllib.error.HTTPError as error:
            raise AssertionError(error.read().decode()) from error
        except OSError:
            pass
        assert server.poll() is None, "the server ended"
        assert time.monotonic() < deadline, "the server does not answer"
        time.sleep(0.5)


def test_days_that_are_not_in_the_file_are_requested_whatever_dagster_remembers(
    scenario: Scenario, kept_instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "x.duckdb"
    land(scenario, file, kept_instance, "2024-01-01", "2024-01-10")
    assert not evaluate_schedule(scenario, file, kept_instance).run_requests  # type: ignore[attr-defined]
    file.unlink()
    (request,) = evaluate_schedule(scenario, file, kept_instance).run_requests  # type: ignore[attr-defined]
    assert range_tags("2024-01-01", "2024-01-10").items() <= request.tags.items()


def test_one_selected_table_lands_whole_days(
    scenario: Scenario, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    file = tmp_path / "x.duckdb"
    job = definitions(scenario, file).resolve_job_def("baseline_job")
    result = job.execute_in_process(
        instance=instance,
        tags=range_tags("2024-01-01", "2024-01-03"),
        run_config=QUIET,
        asset_selection=[key("customers")],
    )
    assert result.success
    assert len(instance.get_materialized_partitions(key("customers"))) == 3
    assert not instance.get_materialized_partitions(key("transactions"))
    assert len(counts(file)) == 3


def test_a_dead_run_of_the_command_does_not_stop_the_schedule(
    scenario: Scenario, kept_instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    graphs = definitions(scenario, tmp_path / "x.duckdb")
    dead = kept_instance.create_run_for_job(
        graphs.resolve_job_def("baseline_job"),
        status=dg.DagsterRunStatus.STARTED,
        tags={"simtom/command": "run"},
    )
    tick = evaluate_schedule(scenario, tmp_path / "x.duckdb", kept_instance)
    assert tick.run_requests  # type: ignore[attr-defined]
    ended = kept_instance.get_run_by_id(dead.run_id)
    assert ended is not None
    assert ended.status == dg.DagsterRunStatus.FAILURE
