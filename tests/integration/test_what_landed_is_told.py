"""What has landed is what Dagster shows, also where a run ends early or asked for less."""

from pathlib import Path

import dagster as dg

from simtom_pipeline import load_scenario
from simtom_pipeline.assets.partitions import asset_key, range_tags
from simtom_pipeline.simulation import Simulation
from tests.support.dagster_runs import QUIET, definitions, rows_a_day

SMALL = {"volume.base_daily_volume": 20, "bnpl.population.initial_customers": 50}
FIRST, LAST = "2024-01-03", "2024-01-05"
DAYS = {FIRST, "2024-01-04", LAST}


def test_one_table_brings_the_others_of_its_days_and_dagster_shows_them_all(tmp_path: Path) -> None:
    scenario, file = load_scenario("baseline", SMALL), tmp_path / "simtom.duckdb"
    relations = Simulation(scenario).relations
    only = dg.define_asset_job("only", selection=dg.AssetSelection.assets(["baseline", "transactions"]))
    job = dg.Definitions.merge(definitions(scenario, file), dg.Definitions(jobs=[only])).resolve_job_def(
        "only"
    )
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(instance=instance, tags=range_tags(FIRST, LAST), run_config=QUIET)
        assert result.success
        for contract in relations.daily:
            key = asset_key(scenario, contract)
            assert instance.get_materialized_partitions(key) == DAYS, contract.name
            events = instance.fetch_materializations(key, limit=10).records
            assert len(events) == len(DAYS), contract.name
            rows = rows_a_day(file, relations.name_of(contract))
            for event in events:
                assert event.asset_materialization is not None
                count = event.asset_materialization.metadata["dagster/partition_row_count"].value
                assert count == rows.get(str(event.partition_key), 0)
        for contract in relations.constants:
            assert instance.get_latest_materialization_event(asset_key(scenario, contract)), contract.name
