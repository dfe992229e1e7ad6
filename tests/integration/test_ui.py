"""The UI for real: webserver, daemon and code server, asked over GraphQL as a browser asks."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

import dagster as dg

from tests.support.dagster_runs import rows_a_day

GRAPHQL_ASSETS = "{ assetNodes { assetKey { path } groupName } }"


LAUNCH = """mutation($p: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $p) {
  __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""


STATUS = "query($id: String!) { partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill { status } } }"


def test_the_ui_serves_every_scenario_and_backfills_a_range_in_one_run(home: Path) -> None:
    """`simtom ui` for real: webserver, daemon and code server, asked over GraphQL as the UI asks.

    With hash seed 2 Dagster would refuse the backfill of a step that may not be subset.
    """
    (home / "scenarios").mkdir()
    text = "name: tiny\nextends: baseline\nclock: {end: 2024-01-20}\nvolume: {base_daily_volume: 20}\nbnpl: {population: {initial_customers: 50}}\n"
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
        assert set(rows_a_day(home / "simtom.duckdb", "tiny.transactions")) == set(days)
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
        time.sleep(0.2)
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
