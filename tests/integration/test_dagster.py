"""The Dagster room: partitions, single-run backfills, metadata, checks."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
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
from simtom_pipeline.validation.decisions import Verdict
from tests.support.dagster_runs import QUIET, definitions, land, materialize, rows_a_day
from tests.support.landed import found, history_of
from tests.support.landed import land as land_all
from tests.support.visits import furnish

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


@dataclass(frozen=True)
class Run:
    """A run of ten days with every check, the instance that knows of it, and the file."""

    result: dg.ExecuteInProcessResult
    instance: dg.DagsterInstance
    file: Path


@pytest.fixture(scope="module")
def ten_days(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    folder = tmp_path_factory.mktemp("ten_days")
    with pytest.MonkeyPatch.context() as patch, dg.DagsterInstance.ephemeral() as one:
        patch.setenv("SIMTOM_HOME", str(folder))
        file = folder / "x.duckdb"
        result = materialize(load_scenario("baseline", OVERRIDES), file, one, "2024-01-01", "2024-01-10")
        yield Run(result, one, file)


@pytest.fixture
def copied(ten_days: Run, tmp_path: Path) -> Path:
    """A copy of the file with the ten days."""
    return Path(shutil.copy(ten_days.file, tmp_path / "x.duckdb"))


def test_a_range_is_one_run_and_every_day_knows_its_rows(ten_days: Run) -> None:
    assert ten_days.result.success
    assert len(ten_days.instance.get_runs()) == 1
    records = ten_days.instance.fetch_materializations(key("transactions"), limit=100).records
    recorded = {
        record.partition_key: record.asset_materialization.metadata["dagster/partition_row_count"].value  # type: ignore[union-attr]
        for record in records
    }
    assert recorded == rows_a_day(ten_days.file)
    assert set(recorded) == {f"2024-01-{n:02}" for n in range(1, 11)}
    products = ten_days.instance.get_latest_materialization_event(key("products"))
    assert products is not None
    assert products.asset_materialization.metadata["dagster/row_count"].value > 1000  # type: ignore[union-attr]


def test_the_order_of_runs_leaves_the_same_tables(
    scenario: Scenario, instance: dg.DagsterInstance, ten_days: Run, tmp_path: Path
) -> None:
    """Backwards, overlapping, one day again: the file holds the same rows as after one run."""
    straight, crooked = ten_days.file, tmp_path / "crooked.duckdb"
    for first, last in (("06", "10"), ("01", "06"), ("08", "08")):
        land(scenario, crooked, instance, f"2024-01-{first}", f"2024-01-{last}")
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{straight}' AS a (READ_ONLY); ATTACH '{crooked}' AS b (READ_ONLY)")
        for table in ("customers", "products", "devices", "payment_methods", "transactions"):
            for one, other in (("a", "b"), ("b", "a")):
                query = f"SELECT count(*) FROM (FROM {one}.baseline.{table} EXCEPT ALL FROM {other}.baseline.{table})"
                assert connection.execute(query).fetchall() == [(0,)], table


def test_one_partition_can_be_materialized_by_its_key(
    home: Path, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    furnish(home, "2024-01-01", "2024-01-10")
    graphs = definitions(load_scenario("visits"), tmp_path / "x.duckdb")
    result = graphs.resolve_job_def("visits_job").execute_in_process(
        instance=instance, partition_key="2024-01-05", run_config=QUIET
    )
    assert result.success
    assert set(rows_a_day(tmp_path / "x.duckdb", "visits.page_views")) == {"2024-01-05"}


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
        key(parent) for parent in ("customers", "devices", "payment_methods")
    }  # products have no days: Dagster would make a run of its own for them
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


def test_every_table_has_its_checks(ten_days: Run) -> None:
    names: dict[str, set[str]] = {}
    for evaluation in ten_days.result.get_asset_check_evaluations():
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
def test_no_view_of_a_scenario_with_faults_knows_more_than_was_known(name: str, tmp_path: Path) -> None:
    """August, in which the outage is; nothing but what the check needs is run."""
    clock = {"clock.start": "2024-08-05", "clock.end": "2024-08-25"}
    corrupted = load_scenario(name, {**OVERRIDES, **clock})
    file, check = land_all(corrupted, tmp_path / "x.duckdb"), ("fault_ledger", "views_know_no_more")
    with duckdb.connect(str(file)) as connection:
        finding = found(history_of(corrupted, connection), {check})[check]
    assert finding.verdict is Verdict.PASSED, finding.summary


def test_a_corrupted_day_fails_its_check_and_a_rerun_mends_it(
    scenario: Scenario, instance: dg.DagsterInstance, copied: Path
) -> None:
    with duckdb.connect(str(copied)) as connection:
        connection.execute("UPDATE baseline.transactions SET amount = amount + 0.01 WHERE day = '2024-01-10'")
    corrupted = replayed(scenario, copied, instance)
    assert not corrupted.passed
    assert corrupted.severity == dg.AssetCheckSeverity.ERROR
    land(scenario, copied, instance, "2024-01-10", "2024-01-10")
    assert replayed(scenario, copied, instance).passed


def replayed(scenario: Scenario, file: Path, instance: dg.DagsterInstance) -> dg.AssetCheckEvaluation:
    """What Dagster's run of the replay of the transactions, and of nothing else, says."""
    check = dg.AssetCheckKey(key("transactions"), "replay")
    job = dg.define_asset_job("only_replay", selection=dg.AssetSelection.checks(check))
    only = dg.Definitions.merge(definitions(scenario, file), dg.Definitions(jobs=[job]))
    (evaluation,) = (
        only.resolve_job_def("only_replay")
        .execute_in_process(instance=instance, run_config=QUIET, raise_on_error=False)
        .get_asset_check_evaluations()
    )
    return evaluation


@pytest.mark.parametrize(("start", "end"), [("2024-01-01", "2024-12-31"), ("2033-02-01", "2033-03-31"),
                                            ("1999-12-30", "2000-01-02")])  # fmt: skip
def test_every_simulated_day_is_a_partition_whatever_day_it_is_today(start: str, end: str) -> None:
    scenario = load_scenario("baseline", {"clock.start": start, "clock.end": end})
    days = [day.isoformat() for day in scenario.clock.days()]
    assert daily_partitions(scenario).get_partition_keys() == days


def test_a_failing_landing_keeps_the_days_that_were_there(
    scenario: Scenario, instance: dg.DagsterInstance, copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = rows_a_day(copied)
    original = DuckDBDatabase.insert

    def breaks(database: DuckDBDatabase, table: str, rows: Any) -> None:
        if "transactions" in table:
            raise OSError("the disk is full")
        original(database, table, rows)

    monkeypatch.setattr(DuckDBDatabase, "insert", breaks)
    failed = land(scenario, copied, instance, "2024-01-04", "2024-01-08", raise_on_error=False)
    assert not failed.success
    assert rows_a_day(copied) == before


def test_a_broken_scenario_is_an_asset_that_says_what_is_wrong_and_whose_check_fails(
    home: Path, caplog: pytest.LogCaptureFixture, instance: dg.DagsterInstance
) -> None:
    (home / "scenarios").mkdir()
    for file in ("broken.yaml", "no name.yaml"):
        (home / "scenarios" / file).write_text("name: broken\nextends: baseline\nseed: x\n")
    from simtom_pipeline.definitions import build

    location = build()
    specs = {spec.key: spec for spec in location.resolve_all_asset_specs()}
    groups = {spec.group_name for spec in specs.values()}
    assert "baseline" in groups
    assert "broken" not in groups
    assert "scenario broken is left out" in caplog.text
    broken = {key: spec for key, spec in specs.items() if spec.group_name == "broken_scenarios"}
    assert len(broken) == 2
    for key, spec in broken.items():
        assert "broken.yaml:3: seed" in (spec.description or "") or "no name" in (spec.description or "")
        check = dg.AssetCheckKey(key, "can_be_used")
        job = location.resolve_implicit_global_asset_job_def().get_subset(asset_check_selection={check})
        result = job.execute_in_process(instance=instance, run_config=QUIET)
        (found,) = result.get_asset_check_evaluations()
        assert not found.passed
        assert found.description
        assert found.description in (spec.description or "")


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
    for table in ("customers", "transactions"):
        assert len(instance.get_materialized_partitions(key(table))) == 3
    assert len(rows_a_day(file)) == 3
