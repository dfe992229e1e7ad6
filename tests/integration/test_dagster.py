"""The Dagster room: partitions, single-run backfills, metadata, checks."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest

from simtom_pipeline import load_scenario
from simtom_pipeline.assets.instance import prepare_instance
from simtom_pipeline.assets.partitions import daily_partitions, range_tags
from simtom_pipeline.landing.duckdb_file import DuckDBDatabase
from simtom_pipeline.scenarios.models import Scenario
from tests.support.dagster_runs import QUIET, definitions, land, materialize, rows_a_day

OVERRIDES = {
    "volume.base_daily_volume": 80,
    "bnpl.population.initial_customers": 200,
    "clock.end": "2024-01-10",
}


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as one:
        yield one


@pytest.fixture
def scenario() -> Scenario:
    return load_scenario("baseline", OVERRIDES)


def key(*path: str) -> dg.AssetKey:
    return dg.AssetKey(["baseline", *path])


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
    assert recorded == rows_a_day(file)
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
    assert set(rows_a_day(tmp_path / "x.duckdb")) == {"2024-01-05"}


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


def test_a_failing_landing_keeps_the_days_that_were_there(
    scenario: Scenario, instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "x.duckdb"
    materialize(scenario, file, instance, "2024-01-01", "2024-01-05")
    before = rows_a_day(file)
    original = DuckDBDatabase.insert

    def breaks(database: DuckDBDatabase, table: str, rows: Any) -> None:
        if "transactions" in table:
            raise OSError("the disk is full")
        original(database, table, rows)

    with monkeypatch.context() as patch:
        patch.setattr(DuckDBDatabase, "insert", breaks)
        failed = materialize(scenario, file, instance, "2024-01-04", "2024-01-08", raise_on_error=False)
    assert not failed.success
    assert rows_a_day(file) == before


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
    assert len(rows_a_day(file)) == 3
