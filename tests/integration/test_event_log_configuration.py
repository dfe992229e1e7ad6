"""What Dagster's configuration says of its event log: a home is told of ours once, and a user's own words stay."""

import subprocess
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.event_log import SqliteEventLogStorage

from simtom_pipeline import load_scenario
from simtom_pipeline.assets.event_log import BatchedEventLogStorage
from simtom_pipeline.assets.instance import prepare_instance
from tests.support.dagster_runs import land
from tests.support.event_logs import DAYS, MATERIALIZED, by_dagster, opened, run, statuses

pytestmark = pytest.mark.usefixtures("not_batched_yet")


def test_a_home_of_an_earlier_version_is_moved_over_with_its_runs(ticking: Path) -> None:
    configuration = by_dagster(ticking) / "dagster" / "dagster.yaml"
    text = configuration.read_text()
    with opened(ticking) as instance:
        assert land(load_scenario("ticking"), ticking / "simtom.duckdb", instance, DAYS[0], DAYS[2]).success
        (old,) = instance.get_runs()
        events = instance.all_logs(old.run_id)
    result = run("--from", DAYS[3])
    assert result.exit_code == 0, result.output
    assert configuration.read_text().startswith(text)
    told = configuration.read_bytes()
    with opened(ticking) as instance:
        assert type(instance.event_log_storage) is BatchedEventLogStorage
        runs = instance.get_runs(ascending=True)
        assert [one.run_id for one in runs][:1] == [old.run_id]
        assert [one.status for one in runs] == [dg.DagsterRunStatus.SUCCESS] * 2
        assert instance.all_logs(old.run_id) == events
        assert statuses(instance) == [MATERIALIZED] * 8
    prepare_instance(ticking)
    assert configuration.read_bytes() == told


ADDED_TO = {
    "nothing": b"",
    "a comment": "# Grüße\n".encode(),
    "lines of Windows": b"telemetry:\r\n  enabled: false\r\n",
    "no end of the last line": b"telemetry:\n  enabled: false",
    "blank lines": b"telemetry: {enabled: false}\n\n\n",
    "a start of the document": b"---\ntelemetry: {enabled: false}\n",
}


@pytest.mark.parametrize("edited", ADDED_TO)
def test_a_configuration_of_the_users_keeps_its_text_and_is_told_once(ticking: Path, edited: str) -> None:
    configuration = ticking / "dagster" / "dagster.yaml"
    configuration.write_bytes(ADDED_TO[edited])
    configuration.chmod(0o600)
    prepare_instance(ticking)
    told = configuration.read_bytes()
    assert told.startswith(ADDED_TO[edited])
    assert configuration.stat().st_mode & 0o777 == 0o600
    with opened(ticking) as instance:
        assert type(instance.event_log_storage) is BatchedEventLogStorage
    prepare_instance(ticking)
    assert configuration.read_bytes() == told


LET_BE = {
    "a storage": "storage: {sqlite: {base_dir: PLACE}}\n",
    "a storage of events": """\
event_log_storage:
  module: dagster._core.storage.event_log
  class: SqliteEventLogStorage
  config: {base_dir: PLACE}
""",
    "a place of what runs make": """\
local_artifact_storage:
  module: dagster._core.storage.root
  class: LocalArtifactStorage
  config: {base_dir: PLACE}
""",
    "a mapping in braces": "{telemetry: {enabled: false}}\n",
    "an end of the document": "telemetry: {enabled: false}\n...\n",
    "an indented mapping": "  telemetry: {enabled: false}\n  nux: {enabled: false}\n",
    "an empty list": "[]\n",
}


@pytest.mark.parametrize("said", LET_BE)
def test_a_configuration_that_says_where_events_are_or_cannot_be_added_to_is_let_be(
    ticking: Path, tmp_path: Path, said: str
) -> None:
    configuration = ticking / "dagster" / "dagster.yaml"
    configuration.write_text(LET_BE[said].replace("PLACE", str(tmp_path / "place")))
    before = configuration.read_bytes()
    with opened(ticking) as instance:
        assert type(instance.event_log_storage) is SqliteEventLogStorage
    prepare_instance(ticking)
    assert configuration.read_bytes() == before


@pytest.mark.parametrize("wrong", [b"telemetry: [\n", b"- a\n- list\n", "# Grüße\n".encode("latin1")])
def test_a_configuration_that_dagster_cannot_read_is_let_be(ticking: Path, wrong: bytes) -> None:
    configuration = ticking / "dagster" / "dagster.yaml"
    configuration.write_bytes(wrong)
    prepare_instance(ticking)
    assert configuration.read_bytes() == wrong


def test_a_link_to_a_configuration_stays_one(ticking: Path, tmp_path: Path) -> None:
    configuration, linked = ticking / "dagster" / "dagster.yaml", tmp_path / "elsewhere.yaml"
    linked.write_text("# mine\n")
    configuration.unlink()
    configuration.symlink_to(linked)
    prepare_instance(ticking)
    assert configuration.is_symlink()
    assert linked.read_text().startswith("# mine\n")
    with opened(ticking) as instance:
        assert type(instance.event_log_storage) is BatchedEventLogStorage


def test_a_configuration_on_a_disk_that_is_only_read_is_let_be(ticking: Path, tmp_path: Path) -> None:
    configuration, disk = ticking / "dagster" / "dagster.yaml", tmp_path / "disk"
    disk.mkdir()
    linked = disk / "dagster.yaml"
    linked.write_text("# ours\n")
    configuration.unlink()
    configuration.symlink_to(linked)
    for options in ("bind", "remount,bind,ro"):
        mount = ["mount", "-o", options, str(disk), str(disk)]
        if subprocess.run(mount, capture_output=True).returncode:
            pytest.skip("a file system cannot be mounted here")
    try:
        prepare_instance(ticking)
    finally:
        subprocess.run(["umount", str(disk)], check=True)
    assert linked.read_text() == "# ours\n"
