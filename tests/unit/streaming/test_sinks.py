"""A replay arrives whole: in a file, in Parquet, at an address that is not ready, in Kafka."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from confluent_kafka import Consumer

from simtom_pipeline.streaming.encoding import Portion
from simtom_pipeline.streaming.replay import replay
from simtom_pipeline.streaming.selection import Selection
from simtom_pipeline.streaming.sinks import SinkError, opened
from simtom_pipeline.streaming.sinks import http as http_sink
from simtom_pipeline.streaming.sinks.kafka import KafkaSink
from tests.support.streams import END, stream, world


@pytest.fixture(scope="module")
def chosen() -> Selection:
    return Selection(world(), ("transactions", "customers"), labels="as_known")


@pytest.fixture(scope="module")
def expected(chosen: Selection) -> list[dict[str, object]]:
    """Records as their JSON Lines have them."""
    return [
        {"_id": str(at), "_table": name, **record}
        for portion in stream(chosen, last=END).portions()
        for at, name, record in zip(portion.positions, portion.names, portion.objects(), strict=True)
    ]


def test_a_file_has_a_line_a_record_and_is_not_written_over(
    chosen: Selection, expected: list[dict[str, object]], tmp_path: Path
) -> None:
    file = tmp_path / "deep" / "records.jsonl"
    sink = opened(str(file))
    replay(stream(chosen, last=END), sink, 0)
    assert [json.loads(line) for line in file.read_bytes().splitlines()] == expected
    assert sink.last == expected[-1]["_id"]
    with pytest.raises(SinkError, match=rf"exists.*--after {sink.last} --to"):
        opened(str(file))


def test_parquet_has_every_row_under_its_day_of_delivery(chosen: Selection, tmp_path: Path) -> None:
    sink = opened(f"{tmp_path}/lake/")
    replay(stream(chosen, last=END), sink, 0)
    for table in ("transactions", "customers"):
        (drawn, landed) = (
            pa.concat_tables(
                chosen.simulation.simulate_day(day)[table] for day in chosen.simulation.scenario.clock.days()
            ),
            pq.read_table(tmp_path / "lake" / table, partitioning=None),
        )
        key = drawn.column_names[0]
        same = [one.sort_by(key).select(drawn.column_names).to_pylist() for one in (drawn, landed)]
        assert same[0] == same[1]
    days = sorted(path.parent.name for path in (tmp_path / "lake" / "transactions").rglob("part.parquet"))
    assert days == [f"day={day}" for day in chosen.simulation.scenario.clock.days()]
    with pytest.raises(SinkError, match=r"part\.parquet exists"):
        replay(stream(chosen, last=END), opened(f"{tmp_path}/lake/"), 0)


class Unready(BaseHTTPRequestHandler):
    """Takes what comes, but for some answers of 503 first."""

    refusals = 2
    taken: list[tuple[str | None, bytes]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if type(self).refusals > 0:
            type(self).refusals -= 1
            self.send_error(503)
            return
        self.taken.append((self.headers["Idempotency-Key"], body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def address() -> Iterator[str]:
    Unready.refusals, Unready.taken = 2, []
    with HTTPServer(("127.0.0.1", 0), Unready) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/in"
        server.shutdown()
        thread.join()


def test_an_address_that_is_not_ready_gets_every_record_once(
    chosen: Selection, expected: list[dict[str, object]], address: str
) -> None:
    replay(stream(chosen, last=END), opened(address), 0)
    assert [json.loads(line) for _, body in Unready.taken for line in body.splitlines()] == expected
    for key, body in Unready.taken:
        assert json.loads(body.splitlines()[-1])["_id"] == key


def test_an_address_that_refuses_ends_the_replay_and_what_it_took_is_known(
    chosen: Selection, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_sink, "ATTEMPTS", 1)
    Unready.refusals = 1000
    sink = opened(address)
    with pytest.raises(SinkError, match="answers 503"):
        replay(stream(chosen, last=END), sink, 0)
    assert sink.last is None


def test_a_broker_gets_each_record_once_keyed_by_customer_and_dated_by_arrival(
    chosen: Selection, expected: list[dict[str, object]]
) -> None:
    sink = KafkaSink("127.0.0.1:1", "history.{table}", {"test.mock.num.brokers": 1})
    portions: list[Portion] = list(stream(chosen, last=END).portions())
    replay(stream(chosen, last=END), sink, 0)
    brokers = sink.producer.list_topics(timeout=10).brokers.values()
    consumer = Consumer({
        "bootstrap.servers": ",".join(f"{one.host}:{one.port}" for one in brokers),
        "group.id": "test",
        "auto.offset.reset": "earliest",
    })  # fmt: skip
    topics = sorted({f"history.{name}" for portion in portions for name in portion.names})
    consumer.subscribe(topics)
    received = {}
    while len(received) < len(expected):
        message = consumer.poll(10)
        assert message is not None
        assert message.error() is None
        (_, at), *_ = message.headers()
        received[at.decode()] = message
    consumer.close()
    for record in expected:
        message, plain = received[str(record["_id"])], {k: v for k, v in record.items() if k[0] != "_"}
        assert json.loads(message.value()) == plain
        assert message.topic() == f"history.{record['_table']}"
        assert message.key().decode() == str(plain.get("customer_id", plain.get("transaction_id")))
        when = plain.get("ingested_at") or plain.get("signup_at")
        if record["_table"] == "transactions":
            assert message.timestamp()[1] == int(np_millis(str(when)))
    assert sink.last == expected[-1]["_id"]


def np_millis(moment: str) -> int:
    import numpy as np

    return int(np.datetime64(moment).astype("datetime64[us]").astype(int) // 1000)


@pytest.mark.parametrize("place", ["ftp://x/y", "kafka://host", "kafka:///topic"])
def test_a_place_that_is_none_is_refused(place: str) -> None:
    with pytest.raises(SinkError, match=r"--to: found .*; allowed: "):
        opened(place)
