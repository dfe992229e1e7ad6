"""Every check passes, fails and says that it cannot tell, each in a run of Dagster that ends well.

A small world with noise, every kind of fault, a drift and its twin lands once; what a check must fail on is
done to a copy, many corruptions at a time. Which checks there are is asked of the code: a new one is missing
here until it has been seen to fail.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from simtom_pipeline import load_scenario
from simtom_pipeline.assets.factory import LogProgress, resources, scenario_definitions
from simtom_pipeline.landing import DuckDBFile
from simtom_pipeline.scenarios.models import Scenario
from simtom_pipeline.simulation import Simulation
from simtom_pipeline.verification.verify import checks_of
from tests.support import bad_data as of_the_world
from tests.support import bad_feeds as of_faults
from tests.support.landed import land_and_measure, opened

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
WIDE: Mapping[str, Any] = {
    "checks": {"volume_tolerance": 0.2, "rate_tolerance": 0.5, "auc_tolerance": 0.2, "replay_days": 1}
}
NARROW: Mapping[str, Any] = {
    "checks": {"volume_tolerance": 1e-4, "rate_tolerance": 1e-4, "auc_tolerance": 1e-4, "replay_days": 1}
}
WORLD: Mapping[str, Any] = {
    **of_faults.DIRTY,
    # The first days and the last one, which the corruptions are about, are not lost.
    "faults": [
        {**fault, "schedule": {"kind": "pulse", "from": "2024-01-05", "to": "2024-01-15"}}
        if fault["kind"] == "dropped_day"
        else fault
        for fault in of_faults.DIRTY["faults"]
    ],
    "volume.base_daily_volume": 200,
    "bnpl.credit.base_default_rate": 0.1,
    "drifts": [
        {
            "id": "slower",
            "kind": "label_delay",
            "schedule": {"kind": "sudden", "at": "2024-01-09"},
            "effect": {"to": 20},
        }
    ],
}
HARDLY_ANYBODY: Mapping[str, Any] = {"clock.end": "2024-01-03", "volume.base_daily_volume": 0.1}

Check = tuple[str, str]
"""Name and table."""


def _first_of_each(corruptions: list[tuple[Check, str]]) -> dict[Check, str]:
    found: dict[Check, str] = {}
    for check, sql in corruptions:
        found.setdefault(check, sql)
    return found


CORRUPTIONS: tuple[Mapping[Check, str], ...] = (
    _first_of_each([((s.check, s.table), s.sql) for s in of_the_world.CORRUPTED if s.check != "primary_key"])
    | {
        ("twins", "drift_ledger"): "UPDATE baseline__without_slower.customers SET state = 'WY'",
        ("replay", "drift_ledger"): "UPDATE drift_ledger SET after = [9.0] WHERE phase = 1",
        ("drift_as_declared", "drift_ledger_daily"): "UPDATE drift_ledger_daily SET w = 0.9 WHERE w = 1",
        ("measured_anew", "drift_ledger_daily"): "UPDATE drift_ledger_daily SET realised_mean = 1",
        ("measured_anew", "daily_profile"): "UPDATE daily_profile SET realised = realised + 1",
    }
    | {
        ("primary_key", table): f"INSERT INTO {table} FROM {table} LIMIT 40"
        for table in (
            *(*of_the_world.KEYS, "drift_ledger", "drift_ledger_daily", "daily_profile"),
            *("runs", "landed_days"),
        )
    },
    _first_of_each([((check, table), sql) for check, table, sql in of_faults.CORRUPTED.values()]),
    {
        ("landed_content", table): f"UPDATE landed_days SET digest = '0' WHERE table_name = '{table}'"
        for table in (*of_the_world.KEYS, "drift_ledger", "fault_ledger", "noise_ledger")
    }
    | {("one_world", "runs"): "UPDATE landed_days SET world = 'another'; UPDATE runs SET world = 'another'"},
)
"""What is done to a copy of the file before a run, and the check that must fail on it."""


@dataclass(frozen=True)
class Landing:
    """A scenario, and the file it has landed in."""

    scenario: Scenario
    file: Path

    def every_check(self) -> set[Check]:
        return {(check.name, check.table) for check in checks_of(Simulation(self.scenario))}

    def run_checks(self, *only: Check) -> dict[Check, dg.AssetCheckEvaluation]:
        """What checks said in a run of every one, or of some only, as the event log has kept it."""
        place = Simulation(self.scenario).relations.place
        keys = [dg.AssetCheckKey(dg.AssetKey(place(table).split("/")), name) for name, table in only]
        selection = dg.AssetSelection.checks(*keys) if only else dg.AssetSelection.all_asset_checks()
        graphs = dg.Definitions.merge(
            dg.Definitions(
                resources=resources(str(self.file), LogProgress()),
                executor=dg.in_process_executor,
                jobs=[dg.define_asset_job("only_checks", selection=selection)],
            ),
            scenario_definitions(self.scenario, DuckDBFile(self.file)),
        )
        with dg.DagsterInstance.ephemeral() as instance:
            run = graphs.resolve_job_def("only_checks").execute_in_process(
                instance=instance, run_config=QUIET
            )
            assert run.success
            kept = instance.all_logs(run.run_id, dg.DagsterEventType.ASSET_CHECK_EVALUATION)
        told = [entry.get_dagster_event().asset_check_evaluation_data for entry in kept]
        return {(one.check_name, one.asset_key.path[-1]): one for one in told}

    def copied(self, folder: Path, *corruptions: str) -> "Landing":
        """The same in a copy of the file, with something done to it."""
        copy = Path(shutil.copy(self.file, folder / "copy.duckdb"))
        with opened(copy) as connection:
            connection.execute("SET search_path = 'baseline,baseline_truth'")
            for sql in corruptions:
                connection.execute(sql)
        return Landing(self.scenario, copy)


def verdicts(said: Mapping[Check, dg.AssetCheckEvaluation]) -> dict[Check, str]:
    """Verdict of each check; what Dagster shows of it agrees, and a browser can read it."""
    found = {}
    for check, one in said.items():
        verdict = str(one.metadata["verdict"].value)
        is_error = one.severity is dg.AssetCheckSeverity.ERROR
        assert (one.passed, is_error) == (verdict == "passed", verdict == "failed"), check
        for value in one.metadata.values():
            if isinstance(value, dg.TableMetadataValue):
                json.dumps([dict(record.data) for record in value.records], allow_nan=False)
        assert "error" not in one.metadata, (check, one.description)
        found[check] = verdict
    return found


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory) -> Landing:
    folder = tmp_path_factory.mktemp("outcomes")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIMTOM_HOME", str(folder))
        scenario = load_scenario("baseline", {**WORLD, **WIDE})
        land_and_measure(scenario.without("slower"), folder / "world.duckdb")
        return Landing(scenario, land_and_measure(scenario, folder / "world.duckdb"))


def test_every_check_passes_on_what_was_simulated(landed: Landing) -> None:
    said = verdicts(landed.run_checks())
    assert said == dict.fromkeys(landed.every_check(), "passed")


@pytest.mark.parametrize("group", range(len(CORRUPTIONS)))
def test_a_check_fails_and_the_run_does_not(landed: Landing, group: int, tmp_path: Path) -> None:
    """Those that are meant; the first time, when nearly all of them are, the others are run as well."""
    meant = CORRUPTIONS[group]
    said = verdicts(landed.copied(tmp_path, *meant.values()).run_checks(*(meant if group else ())))
    assert {check for check in meant if said[check] != "failed"} == set()
    assert set(said) == (set(meant) if group else landed.every_check())


def test_no_check_is_left_that_was_never_seen_to_fail(landed: Landing) -> None:
    assert {check for corruptions in CORRUPTIONS for check in corruptions} == landed.every_check()


def test_no_check_can_tell_where_nothing_has_landed(landed: Landing, tmp_path: Path) -> None:
    said = verdicts(Landing(landed.scenario, tmp_path / "new.duckdb").run_checks())
    assert said == dict.fromkeys(landed.every_check(), "inconclusive")


def test_checks_of_sizes_and_of_days_that_have_not_landed_cannot_tell(
    landed: Landing, tmp_path: Path
) -> None:
    scenario = load_scenario("baseline", {**WORLD, **NARROW})
    forgotten = [
        f"DELETE FROM {table} WHERE day = '2024-01-03'" for table in ("customers", "daily_intensity")
    ]
    said = verdicts(Landing(scenario, landed.copied(tmp_path, *forgotten).file).run_checks())
    undecided = {check for check, verdict in said.items() if verdict == "inconclusive"}
    assert undecided == {
        ("daily_volume", "transactions"), ("outcome_rate", "outcomes"), ("bayes_auc", "default_risk"),
        ("drift_as_declared", "drift_ledger_daily"),
        *(("temporal_integrity", child) for child in ("devices", "payment_methods", "transactions")),
    }  # fmt: skip


def test_checks_of_laws_cannot_tell_where_hardly_anything_happens(tmp_path: Path) -> None:
    scenario = load_scenario("baseline", HARDLY_ANYBODY)
    said = verdicts(Landing(scenario, land_and_measure(scenario, tmp_path / "quiet.duckdb")).run_checks())
    undecided = {check for check, verdict in said.items() if verdict == "inconclusive"}
    assert "failed" not in said.values()
    assert undecided == {
        ("daily_volume", "transactions"), ("hour_of_day", "transactions"), ("outcome_rate", "outcomes"),
        *((name, "default_risk") for name in ("declared_probability", "bayes_auc", "leakage")),
    }  # fmt: skip


AN_IMPROBABLE_DAY: Mapping[str, Any] = {
    "seed": 484,
    "clock.end": "2024-01-05",
    "volume.base_daily_volume": 60,
    "bnpl.population.initial_customers": 50,
    "checks": {"volume_tolerance": 0.5},
}


def test_a_day_that_is_improbable_but_drawn_is_called_so_and_fails_nothing(tmp_path: Path) -> None:
    scenario = load_scenario("baseline", AN_IMPROBABLE_DAY)
    landed = Landing(scenario, land_and_measure(scenario, tmp_path / "improbable.duckdb"))
    volume = ("daily_volume", "transactions")
    said = landed.run_checks(volume)
    (record,) = said[volume].metadata["rows"].records
    assert verdicts(said) == {volume: "inconclusive"}
    assert (record.data["day"], record.data["count"], record.data["simulated"]) == ("2024-01-03", 24, 24)
    assert 1e-7 < record.data["p_value"] < 2e-4
    assert "0 broken days, 1 improbable but as drawn" in said[volume].description
    last = "(SELECT max(transaction_id) FROM transactions WHERE day = '2024-01-03')"
    said = landed.copied(tmp_path, f"DELETE FROM transactions WHERE transaction_id = {last}").run_checks(
        volume
    )
    assert verdicts(said) == {volume: "failed"}
    assert "1 broken days" in said[volume].description
