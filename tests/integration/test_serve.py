"""The service as its clients meet it: curl, an event source, a pipe, an Arrow reader; cuts, restarts, signals."""

import json
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from io import BytesIO
from pathlib import Path
from urllib.parse import quote

import duckdb
import httpx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from httpx_sse import connect_sse
from scipy.stats import kstest

from simtom_pipeline import load_scenario, simulate_day
from tests.support.landed import land
from tests.support.servers import SIMTOM, Server, first_records, free_port, served

TINY = """\
name: tiny
extends: dirty_feed
clock: {end: 2024-01-05}
volume: {base_daily_volume: 30}
bnpl: {population: {initial_customers: 60}, credit: {charge_off_days: 7}}
"""
SOON = {"start_time": "2024-03-01T10:00:00", "seed": 5}
"""Settles a live stream."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a scenario of its own, which has landed."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "scenarios").mkdir()
    (folder / "scenarios" / "tiny.yaml").write_text(TINY)
    (folder / "scenarios" / "mistyped.yaml").write_text(TINY.replace("tiny", "mistyped") + "sed: 3\n")
    (folder / "scenarios" / "torn.yaml").write_text("name: [")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIMTOM_HOME", str(folder))
        land(load_scenario("tiny"), folder / "simtom.duckdb")
    return folder


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[Server]:
    with served(home) as running:
        yield running


def data(answer: bytes) -> list[dict[str, object]]:
    """Records of Server-Sent Events, as the older simulator's clients read them: lines that begin with data."""
    return [json.loads(line[6:]) for line in answer.splitlines() if line.startswith(b"data: ")]


def events(server: Server, path: str, after: str | None = None) -> list[tuple[str, str]]:
    """Ids and data, as an event source reads them."""
    headers = {} if after is None else {"Last-Event-ID": after}
    with (
        httpx.Client(timeout=30) as client,
        connect_sse(client, "GET", server.address + path, headers=headers) as source,
    ):
        assert source.response.status_code == 200, source.response.read()
        return [(event.id, event.data) for event in source.iter_sse()]


README_CALLS = [
    {"rate_per_second": 2.0, "total_records": 3},
    {"rate_per_second": 2.0, "arrival_pattern": "uniform"},
    {"rate_per_second": 2.0, "arrival_pattern": "poisson"},
    {"rate_per_second": 1.0, "arrival_pattern": "nhpp", "peak_hours": [12, 19], "time_compression": 24.0},
    {"rate_per_second": 2.0, "arrival_pattern": "burst", "burst_intensity": 3.0, "burst_probability": 0.6},
]


def test_the_older_simulators_calls_work_with_curls_own_content_type(server: Server) -> None:
    """All of them at once; those without an end are cut after four records."""

    def called(body: dict[str, object]) -> list[dict[str, object]]:
        return data(first_records(server, 4, "-X", "POST", "-d", json.dumps(body, indent=2), "/stream/bnpl"))

    with ThreadPoolExecutor(len(README_CALLS)) as callers:
        for body, records in zip(README_CALLS, callers.map(called, README_CALLS), strict=True):
            assert len(records) == (3 if "total_records" in body else 4)
            for number, record in enumerate(records):
                assert record["_record_id"] == number
                assert record["_generator"] == "bnpl"
                assert {"transaction_id", "amount", "risk_score", "payment_provider"} < set(record)
                assert "_timestamp" in record


def test_the_root_and_the_generators_say_what_there_is(server: Server) -> None:
    status = json.loads(server.curl("/"))
    assert status["status"] == "running"
    assert status["generators_available"] == ["bnpl"]
    (bnpl,) = json.loads(server.curl("/generators"))
    known = set(bnpl["config_schema"]["properties"])
    assert {"rate_per_second", "max_records", "peak_hours", "drift_strength", "time_compression"} <= known
    assert b"openapi" in server.curl("/openapi.json")
    assert b"swagger" in server.curl("/docs")


def test_of_a_scenario_that_cannot_be_used_is_said_what_is_wrong(server: Server, home: Path) -> None:
    listed = server.curl("/scenarios")
    assert str(home).encode() not in listed
    every = {one["name"]: one for one in json.loads(listed)}
    assert every["tiny"]["last_day"] == "2024-01-05"
    assert every["mistyped"]["problems"][0]["key"] == "sed"
    assert every["torn"]["problems"][0]["key"] == "torn.yaml:1"
    for name in ("mistyped", "torn"):
        answer = httpx.get(f"{server.address}/scenarios/{name}/stream")
        assert answer.status_code == 422
        assert answer.json()["detail"] == every[name]["problems"]


def test_what_was_left_open_is_settled_once_and_sent_back_with_the_address(server: Server) -> None:
    answer = httpx.post(
        server.address + "/stream/bnpl",
        json={"rate_per_second": 0.1, "max_records": 2, "time_compression": 40},
    )
    (first, _) = data(answer.content)
    again = first["_stream"]["url"]
    assert again == answer.headers["content-location"]
    assert answer.headers["x-simtom-seed"] in again
    assert answer.headers["x-simtom-start-time"] == first["_stream"]["start_time"]
    assert httpx.get(server.address + again).content == answer.content


def test_both_spellings_and_both_methods_are_the_same_stream(server: Server) -> None:
    def posted(**said: object) -> bytes:
        return httpx.post(
            server.address + "/stream/bnpl",
            json=SOON | {"rate_per_second": 0.1, "time_compression": 40} | said,
        ).content

    old, new = posted(total_records=2), posted(max_records=2)
    assert old == new
    query = "?rate_per_second=0.1&time_compression=40&total_records=2&seed=5&start_time=2024-03-01T10:00:00"
    assert server.curl("/stream/bnpl" + query) == old
    no_drift = posted(max_records=2, drift_type="sudden", drift_strength=0)
    assert [record["amount"] for record in data(no_drift)] == [record["amount"] for record in data(old)]


def test_the_domains_own_parameters_can_be_sent(server: Server) -> None:
    query = quote(json.dumps({"bnpl.economic_stress_factor": 0.25}))
    path = f"/stream/bnpl?rate_per_second=0.1&max_records=2&time_compression=100&overrides={query}"
    assert [record["economic_stress_factor"] for record in data(server.curl(path))] == [0.25, 0.25]
    named = data(
        server.curl(
            "-d",
            json.dumps(
                {"scenario": "tiny", "base_daily_volume": 9000, "max_records": 2, "time_compression": 1000}
            ),
            "/stream/bnpl",
        )
    )
    assert str(named[0]["_timestamp"]).startswith("2024-01-01")


def test_the_client_receives_the_rate_times_the_compression_and_poissons_law(server: Server) -> None:
    """About 2,000 arrivals in four seconds: gaps as received are exponential with the asked mean."""
    body = SOON | {
        "rate_per_second": 0.5,
        "time_compression": 1000,
        "arrival_pattern": "poisson",
        "max_records": 2000,
    }
    arrived, simulated = [], []
    with (
        httpx.Client(timeout=30) as client,
        client.stream("POST", server.address + "/stream/bnpl", json=body) as answer,
    ):
        for line in answer.iter_lines():
            if line.startswith("data: "):
                arrived.append(time.perf_counter())
                simulated.append(np.datetime64(json.loads(line[6:])["_timestamp"]))
    received = np.array(arrived) - arrived[0]
    asked = (np.array(simulated) - simulated[0]) / np.timedelta64(1, "s") / 1000
    assert len(received) == 2000
    span = slice(200, None)  # once the first, which were drawn before anything was sent, have caught up
    assert abs(np.ptp(received[span]) / np.ptp(asked[span]) - 1) < 0.02
    assert np.median(np.abs(received - asked)) < 0.1
    assert kstest(np.diff(asked) * 500, "expon").pvalue > 1e-4
    assert abs(asked[-1] * 500 / 2000 - 1) < 0.1


ALL = "/scenarios/tiny/stream?tables=transactions,outcomes&labels=as_known&order=ingested_at&to=2024-03-01"


def test_the_same_records_in_every_form(server: Server) -> None:
    path = "/scenarios/tiny/stream?tables=transactions"
    by_event = events(server, path)
    lines = [json.loads(x) for x in server.curl("-H", "Accept: application/x-ndjson", path).splitlines()]
    assert [(one.pop("_id"), one.pop("_table") and one) for one in lines] == [
        (at, json.loads(text)) for at, text in by_event
    ]
    arrow = server.curl("-H", "Accept: application/vnd.apache.arrow.stream", path)
    rows = pa.ipc.open_stream(BytesIO(arrow)).read_all()
    assert rows["_id"].to_pylist() == [at for at, _ in by_event]
    assert rows["transaction_id"].to_pylist() == [json.loads(text)["transaction_id"] for _, text in by_event]


def test_a_cut_stream_goes_on_after_the_last_id_even_on_another_server(server: Server, home: Path) -> None:
    whole = events(server, ALL)
    at = whole[40][0]
    assert events(server, ALL, after=at) == whole[41:]
    assert events(server, f"{ALL}&source=landed", after=at) == whole[41:]
    with served(home) as another:
        answer = another.curl(f"{ALL}&after={at}")
        assert data(answer) == [json.loads(text) for _, text in whole[41:]]
        another.process.kill()
    assert httpx.get(f"{server.address}{ALL}", headers={"Last-Event-ID": whole[-1][0]}).status_code == 204


def test_a_live_stream_goes_on_too_and_ends_where_it_would_have(server: Server) -> None:
    path = (
        "/stream/bnpl?rate_per_second=0.1&time_compression=1000&max_records=60&seed=5&start_time=2024-03-01"
    )
    whole = events(server, path)
    assert len(whole) == 60
    assert events(server, path, after=whole[20][0]) == whole[21:]
    assert data(server.curl(f"{path}&after={whole[20][0]}"))[0]["_record_id"] == 21


def test_the_place_of_another_stream_is_a_conflict_that_names_both(server: Server) -> None:
    at = events(server, "/scenarios/tiny/stream?limit=1")[0][0]
    answer = httpx.get(server.address + ALL, headers={"Last-Event-ID": at})
    assert answer.status_code == 409
    assert answer.json()["asked"] == at.split(".")[0]
    assert answer.json()["here"] in answer.json()["detail"]


def test_a_table_of_a_day_in_every_form_is_the_simulated_one(
    server: Server, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIMTOM_HOME", str(home))
    drawn = simulate_day(load_scenario("tiny"), date(2024, 1, 3))["transactions"]
    path = "/scenarios/tiny/days/2024-01-03/transactions"
    assert pa.ipc.open_stream(BytesIO(server.curl(f"{path}?format=arrow"))).read_all() == drawn
    parquet = "application/vnd.apache.parquet"
    for answer in (server.curl(f"{path}?format=parquet"), server.curl("-H", f"Accept: {parquet}", path)):
        assert pq.read_table(BytesIO(answer))["amount"] == drawn["amount"]
    assert [row["amount"] for row in json.loads(server.curl(path))] == [
        float(x) for x in drawn["amount"].to_pylist()
    ]


WRONG = [
    ("/stream/nobody", 404, "there are bnpl"),
    ("/scenarios/nothing/stream", 404, "baseline"),
    ("/scenarios/..%2F..%2Fetc%2Fpasswd/stream", 404, ""),
    ("/scenarios/tiny.yaml", 404, "baseline"),
    ("/stream/bnpl?scenario=%2Fetc%2Fpasswd", 404, "baseline"),
    ("/scenarios/tiny/days/2023-01-01/transactions", 404, "2024-01-01 to 2024-01-05"),
    ("/scenarios/tiny/days/2024-01-01/orders", 404, "transactions"),
    ("/scenarios/tiny/stream?tables=orders", 422, '"key":"tables"'),
    ("/scenarios/tiny/stream?from=2025-01-01", 422, '"key":"from"'),
    ("/scenarios/tiny/stream?speed=-1", 422, '[{"key":"speed","found":"'),
    ("/scenarios/tiny/stream?tables=", 422, '"key":"tables"'),
    ("/scenarios/tiny/stream?after=", 422, '"key":"after"'),
    ("/scenarios/tiny/stream?from=20240301", 422, '"allowed":"a day such as 2024-03-01"'),
    ("/scenarios/tiny/stream?from=soon", 422, '"allowed":"a day such as 2024-03-01"'),
    ("/scenarios/tiny/days/2024-01-01/transactions?formt=parquet", 422, '"key":"formt"'),
    ("/scenarios/tiny/days/2024-01-01?hour=3", 422, '"key":"hour"'),
    ("/stream/bnpl?max_records=3&total_records=4", 422, '"key":"total_records","found":"max_records too'),
    ("/scenarios/tiny/stream?limit=2&limit=3", 422, '"key":"limit","found":"2 values"'),
    ("/stream/bnpl?seed=2&seed=3", 422, '"key":"seed","found":"2 values"'),
    ("/scenarios/tiny/stream?lmit=3", 422, '"allowed":"from, to, tables, speed, order, labels, source, limit, after"'),
    ("/stream/bnpl?sed=3", 422, "rate_per_second"),
    ("/scenarios/tiny/stream?after=here", 422, '"key":"after"'),
    ("/scenarios/tiny/stream?sped=1", 422, '"key":"sped"'),
    ("/scenarios/baseline/stream?source=landed", 404, "has not landed"),
    ("/stream/bnpl?rate_per_second=0.001", 422, '"key":"rate_per_second"'),
    ("/stream/bnpl?rate_per_second=1000&time_compression=1000", 422, "10,000"),
    ("/stream/bnpl?base_daily_volume=2000000", 422, '"key":"base_daily_volume"'),
    ("/stream/bnpl?end_date=2024-01-01", 422, '"key":"end_date"'),
    ("/stream/bnpl?start_date=2024-01-01&end_date=2026-01-01", 422, "365 days"),
    ("/stream/bnpl?overrides=" + quote('{"bnpl.credit.base_default_rate": 2}'), 422, '"key":"bnpl.credit.base_default_rate"'),
    ("/stream/bnpl?overrides=" + quote('{"bnpl.population.initial_customers": 90000000}'), 422, "1,000,000"),
    ("/stream/bnpl?overrides=" + quote('{"clock.end": "2090-01-01"}'), 422, "3,660 days"),
    ("/stream/bnpl?overrides=" + quote('{"volume.rate_per_second": 900}'), 422, "1,000,000"),
    ("/stream/bnpl?overrides=" + quote('{"extends": "x"}'), 422, '"key":"overrides"'),
]  # fmt: skip


@pytest.mark.parametrize(("path", "code", "said"), WRONG)
def test_what_cannot_be_had_is_said_before_a_byte_is_sent(
    server: Server, home: Path, path: str, code: int, said: str
) -> None:
    answer = httpx.get(server.address + path, timeout=30)
    assert answer.status_code == code, answer.text
    assert said in answer.text
    assert str(home) not in answer.text.replace(str(home / "simtom.duckdb"), "")
    assert "site-packages" not in answer.text


def test_bodies_that_are_none_are_refused(server: Server) -> None:
    address = server.address + "/stream/bnpl"
    assert httpx.post(address, content=b" " * 70_000).status_code == 413
    for body in (b"{", b"[]", b'{"rate_per_second": "fast"}', b'{"noise": 1}'):
        answer = httpx.post(address, content=body)
        assert answer.status_code == 422, answer.text
        assert {"key", "found", "allowed"} == set(answer.json()["detail"][0])
    assert httpx.post(address, content=b"null").json()["detail"][0]["found"] == "null"
    assert httpx.get(address, headers={"Accept": "image/png"}).status_code == 406
    table = server.address + "/scenarios/tiny/days/2024-01-01/transactions"
    refused = httpx.get(table, headers={"Accept": "application/xml"})
    assert refused.status_code == 406
    assert "application/vnd.apache.parquet" in refused.text


def test_a_monitor_may_ask_for_the_head_alone(server: Server) -> None:
    for path in ("/", "/health"):
        answer = httpx.head(server.address + path)
        assert answer.status_code == 200
        assert answer.content == b""


def open_streams(server: Server) -> int:
    return int(json.loads(server.curl("/"))["open_streams"])


def test_a_slow_client_is_told_its_lag_gets_every_record_once_and_frees_its_place(server: Server) -> None:
    """It reads nothing for three seconds of a thousand records each, and then as fast as it can."""
    path = "/stream/bnpl?rate_per_second=1&time_compression=1000&seed=5&start_time=2024-03-01"
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        client.settimeout(30)
        client.connect(("127.0.0.1", int(server.address.rpartition(":")[2])))
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: simtom\r\n\r\n".encode())
        received = client.recv(1000)
        assert open_streams(server) == 1
        time.sleep(3)
        while b"\n: lag " not in received and len(received) < 20_000_000:
            received += client.recv(65_536)
    lag = received.partition(b"\n: lag ")[2].split()[0]
    assert float(lag) > 1
    ids = [int(line.rpartition(b".")[2]) for line in received.splitlines() if line.startswith(b"id: ")]
    assert ids == list(range(len(ids)))
    wait_until_streams(server, 0)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_server_and_its_streams_within_two_seconds(
    home: Path, number: int, code: int
) -> None:
    with served(home) as server:
        path = "/stream/bnpl?rate_per_second=0.1&time_compression=100&start_time=2024-03-01"
        listening = subprocess.Popen(["curl", "-sN", server.address + path], stdout=subprocess.PIPE)
        assert listening.stdout is not None
        listening.stdout.readline()
        began = time.monotonic()
        server.process.send_signal(number)
        _, said = server.process.communicate(timeout=30)
        assert time.monotonic() - began < 2
        assert server.process.returncode == code
        assert "Traceback" not in said
        listening.communicate(timeout=10)


LANDED = "/scenarios/tiny/stream?tables=transactions&source=landed"


def test_who_waits_for_a_file_that_is_in_use_may_leave_and_holds_up_no_end(home: Path) -> None:
    """A client that goes away frees its place; one that is there when the server ends is told so."""
    with duckdb.connect(str(home / "simtom.duckdb")), served(home) as server:
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(server.address + LANDED, timeout=2)
        wait_until_streams(server, 0)
        waiting = ["curl", "-s", "-w", "%{http_code}", server.address + LANDED]
        with subprocess.Popen(waiting, stdout=subprocess.PIPE, text=True) as client:
            wait_until_streams(server, 1)
            server.process.send_signal(signal.SIGINT)
            _, said = server.process.communicate(timeout=30)
            answer, _ = client.communicate(timeout=30)
    assert server.process.returncode == 130
    assert "Traceback" not in said
    assert answer.endswith("503")
    assert "the server is about to end" in answer


def wait_until_streams(server: Server, count: int) -> None:
    """Until so many streams are open; a file in use is waited for far longer."""
    for _ in range(100):
        if open_streams(server) == count:
            return
        time.sleep(0.1)
    raise AssertionError(f"there are {open_streams(server)} streams, not {count}")


def test_a_server_says_that_it_is_there_once_it_is(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run([*SIMTOM, "serve", "--port", port], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Address already in use" in done.stderr


def test_who_may_ask(home: Path) -> None:
    def refused(*options: str) -> str:
        done = subprocess.run([*SIMTOM, "serve", *options], capture_output=True, text=True, timeout=60)
        assert done.returncode == 2, done
        assert "Traceback" not in done.stderr
        return done.stderr

    assert "--token" in refused("--host", "0.0.0.0", "--port", str(free_port()))
    assert "16" in refused("--token", "short")
    token = "a-token-of-some-length"
    with served(home, "--host", "0.0.0.0", "--token", token) as server:
        assert httpx.get(server.address + "/health").status_code == 200
        assert httpx.get(server.address + "/scenarios").status_code == 401
        wrong = httpx.get(server.address + "/scenarios", headers={"Authorization": "Bearer wrong"})
        assert wrong.status_code == 401
        right = httpx.get(server.address + "/scenarios/tiny", headers={"Authorization": f"Bearer {token}"})
        assert right.json()["name"] == "tiny"
        assert "in use" in refused("--port", server.address.rpartition(":")[2])
