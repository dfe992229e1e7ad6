"""The Dagster instance that keeps run history: `$SIMTOM_HOME/dagster`, set up once."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import dagster as dg
import yaml
from dagster._core.definitions.repository_definition.valid_definitions import SINGLETON_REPOSITORY_NAME
from dagster._core.instance.ref import InstanceRef
from dagster._core.remote_origin import RemoteRepositoryOrigin
from dagster._core.workspace.load import location_origins_from_yaml_paths
from filelock import FileLock, Timeout

from ..disk import write_whole
from ..interrupts import held_back

COMMAND_TAG = "simtom/command"
UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
# What the command prints is for who called it: Dagster would lead it through files and processes of its own,
# which a signal or a full disk ends before the last words are said.
UNCAPTURED = {
    "compute_logs": {
        "module": "dagster._core.storage.noop_compute_log_manager",
        "class": "NoOpComputeLogManager",
    }
}
SHIPPED_CONFIGURATION = Path(__file__).with_name("dagster.yaml")
ELSEWHERE = "elsewhere"
WORKSPACE = Path(__file__).with_name("workspace.yaml")
EVENT_LOG_CONFIGURATION = Path(__file__).with_name("dagster_event_log.yaml")
TELL_WHERE = {"storage", "event_log_storage", "local_artifact_storage", "instance_class"}
"""Settings that tell where Dagster keeps its events, or whose default might."""


def prepare_instance(home: Path, elsewhere: bool = False) -> Path:
    """Make the instance folder ready and the one that Dagster uses in this process; returns it.

    What lands `elsewhere` than in the home's file, or of another world than a scenario's, has an instance of
    its own: in the home's, days would show as landed that its file does not hold.

    Two processes that open a fresh instance at once break its migrations, so the first one initialises
    it under a lock. A configuration that the user has edited is kept; one that does not say where events
    are kept is told, if it can be.
    """
    # Where a signal comes while a connection is closed, SQLAlchemy would log its traceback.
    logging.getLogger("sqlalchemy").setLevel(logging.CRITICAL)
    folder = home / "dagster" / ELSEWHERE if elsewhere else home / "dagster"
    folder.mkdir(parents=True, exist_ok=True)
    _keep_out_of_git(home)
    os.environ["DAGSTER_HOME"] = str(folder)
    with FileLock(folder / ".initialising"):
        _configure((folder / "dagster.yaml").resolve())
        if not (folder / ".initialised").exists():
            with dg.DagsterInstance.get() as instance:
                instance.get_runs(limit=1)
            (folder / ".initialised").touch()
    return folder


def _configure(file: Path) -> None:
    content = (file if file.exists() else SHIPPED_CONFIGURATION).read_bytes()
    end = b"" if content.endswith(b"\n") else b"\n"
    extended = content + end + EVENT_LOG_CONFIGURATION.read_bytes()
    try:
        yaml.safe_load(extended)
        settings = yaml.safe_load(content) or {}
    except yaml.YAMLError:
        return  # Dagster says what is wrong with it, or understands what cannot be added to
    if not TELL_WHERE & settings.keys():
        _write(file, extended)


def _write(file: Path, content: bytes) -> None:
    """Write it where that is allowed: a configuration may be a link into a folder that others look after."""
    if not file.exists() or os.access(file.parent, os.W_OK):
        write_whole(file, content)


def command_instance(folder: Path) -> dg.DagsterInstance:
    """The instance of a prepared folder, as a run in the command's own process uses it."""
    return dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(folder), overrides=UNCAPTURED))


def as_of_the_ui(instance: dg.DagsterInstance, job_name: str) -> None:
    """What this process runs is a run of a job that `simtom ui` serves: of its timeline, to be run again."""
    (location,) = location_origins_from_yaml_paths([str(WORKSPACE)])
    origin = RemoteRepositoryOrigin(location, SINGLETON_REPOSITORY_NAME).get_job_origin(job_name)
    create = partial(instance.create_run_for_job, remote_job_origin=origin)
    instance.create_run_for_job = create  # type: ignore[method-assign]  # Dagster has no other way to say it


@contextmanager
def command_run(instance: dg.DagsterInstance) -> Iterator[dict[str, str]]:
    """Tags for a run of the command `simtom run`; such runs of one home take turns.

    The lock ends with the process, however it ends: a tagged run that nobody holds it for is dead. A run
    that ends early is marked as failed, if Dagster has not come to it.
    """
    with _command_lock(instance):
        _end_command_runs(instance)
        try:
            yield {COMMAND_TAG: "run"}
        except BaseException:
            with held_back():
                _end_command_runs(instance)
            raise


def end_dead_runs(instance: dg.DagsterInstance) -> None:
    """Mark as failed the command's runs whose process is gone; nothing else would ever end them."""
    try:
        with _command_lock(instance, timeout_seconds=0):
            _end_command_runs(instance)
    except Timeout:
        pass


def _command_lock(instance: dg.DagsterInstance, timeout_seconds: float = -1) -> FileLock:
    return FileLock(Path(instance.root_directory) / ".command", timeout=timeout_seconds)


def _end_command_runs(instance: dg.DagsterInstance) -> None:
    for run in instance.get_runs(dg.RunsFilter(tags={COMMAND_TAG: "run"}, statuses=UNFINISHED)):
        if run.parent_run_id is None:  # the UI executes a run again with its tags, in a process of its own
            instance.report_run_failed(run, "The process of `simtom run` ended before the run did.")


def _keep_out_of_git(home: Path) -> None:
    ignore = home / ".gitignore"
    if not ignore.exists():
        write_whole(ignore, b"/simtom.duckdb*\n/dagster/\n")
