"""A replay arrives whole: in a file, in Parquet, at an address that is not ready, in Kafka."""

import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from confluent_kafka import Consumer

from simtom_pipeline.streaming.positions import Position
from simtom_pipeline.streaming.replay import replay
from simtom_pipeline.streaming.selection import Selection
from simtom_pipeline.streaming.sinks import SinkError, opened
from simtom_pipeline.streaming.sinks import http as http_sink
from simtom_pipeline.streaming.sinks import json_lines as json_lines_sink
from simtom_pipeline.streaming.sinks import kafka as kafka_sink
from simtom_pipeline.streaming.sinks.kafka import KafkaSink
from tests.support.streams import END, LATE, micros, multiset, stream, world


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
    for other in (None, Position.read(str(expected[3]["_id"]))):
        with pytest.raises(SinkError, match=rf"exists.*--after {sink.last}\.$"):
            opened(str(file), other)


def test_a_file_goes_on_after_its_last_record(
    chosen: Selection, expected: list[dict[str, object]], tmp_path: Path
) -> None:
    file = tmp_path / "records.jsonl"
    file.touch()
    replay(stream(chosen, last=END, limit=57), opened(str(file)), 0)
    last = Position.read(str(expected[56]["_id"]))
    replay(stream(chosen, last=END), opened(str(file), last), 0, position=last)
    assert [json.loads(line) for line in file.read_bytes().splitlines()] == expected


@pytest.mark.parametrize("content", [b'{"_id":"x","_table":"y"}\n{"_id":"z', b"a,b\n1,2\n", b"[1]\n"])
def test_a_file_that_is_no_whole_replay_is_left_alone(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "records.jsonl"
    file.write_bytes(content)
    with pytest.raises(SinkError, match=r"exists\. Name another file\.$"):
        opened(str(file))
    assert file.read_bytes() == content


def test_lines_longer_than_a_pipe_takes_at_once_arrive_too(
    chosen: Selection, expected: list[dict[str, object]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(json_lines_sink, "BYTES_AT_ONCE", 400)  # less than a purchase, more than a label
    replay(stream(chosen, last=END), opened(f"{tmp_path}/records"), 0)
    found = [json.loads(line) for line in (tmp_path / "records").read_bytes().splitlines()]
    assert found == expected


@pytest.fixture(scope="module")
def late() -> Selection:
    """A feed in order of arrival, of which a good part arrives on a later day."""
    return Selection(world(faults=LATE[:2]), ("transactions", "customers"), order="ingested_at")


def test_parquet_has_every_row_under_its_day_of_delivery(late: Selection, tmp_path: Path) -> None:
    replay(stream(late), opened(f"{tmp_path}/lake/"), 0)
    for table in ("transactions", "customers"):
        drawn = pa.concat_tables(
            late.simulation.simulate_day(day)[table] for day in late.simulation.scenario.clock.days()
        )
        landed = pq.read_table(tmp_path / "lake" / table)  # by whatever reads a folder
        assert multiset(landed.select(drawn.column_names).to_pylist()) == multiset(drawn.to_pylist())
        assert len(set(landed["_id"].to_pylist())) == len(landed)
    days = duckdb.sql(
        "SELECT delivered, CAST(ingested_at AS DATE), day"
        f" FROM read_parquet('{tmp_path}/lake/transactions/*/part.parquet')"
    ).fetchall()
    assert all(delivered == ingested for delivered, ingested, _ in days)
    assert any(delivered > day for delivered, _, day in days)


def lake(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Rows of a folder by place, in order of the stream."""
    found = {
        str(place.relative_to(folder)): [
            row for file in place.iterdir() for row in pq.ParquetFile(file).read().to_pylist()
        ]
        for place in folder.glob("*/delivered=*")
    }
    return {place: sorted(rows, key=lambda row: Position.read(row["_id"])) for place, rows in found.items()}


@pytest.mark.parametrize("records", [1, 40, 100])
def test_a_folder_has_whole_days_wherever_a_replay_is_ended_and_goes_on_after_them(
    chosen: Selection, tmp_path: Path, records: int
) -> None:
    uncut, cut = tmp_path / "uncut", tmp_path / "cut"
    replay(stream(chosen, last=END), opened(f"{uncut}/"), 0)
    sink = opened(f"{cut}/")
    for portion in stream(chosen, last=END).portions():
        for number in range(len(portion)):
            if records > portion.count + number:
                sink.send(portion.part(number, number + 1))
    whole = lake(uncut)
    kept = lake(cut) if cut.exists() else {}
    assert kept.items() < whole.items()
    assert {place for place in whole if place[-10:] in {kept[-10:] for kept in kept}} == set(kept)
    assert (sink.last is None) == (not kept)
    if sink.last is not None:
        with pytest.raises(SinkError, match=rf"exists\. Name another folder, .*--after {sink.last}\.$"):
            replay(stream(chosen, last=END), opened(f"{cut}/"), 0)
    last = Position.read(sink.last) if sink.last else None
    replay(stream(chosen, last=END), opened(f"{cut}/", last), 0, position=last)
    assert lake(cut) == whole


def test_a_folder_goes_on_within_a_day(
    chosen: Selection, expected: list[dict[str, object]], tmp_path: Path
) -> None:
    uncut, cut = tmp_path / "uncut", tmp_path / "cut"
    replay(stream(chosen, last=END), opened(f"{uncut}/"), 0)
    replay(stream(chosen, last=END, limit=90), opened(f"{cut}/"), 0)
    last = Position.read(str(expected[89]["_id"]))
    replay(stream(chosen, last=END), opened(f"{cut}/", last), 0, position=last)
    assert lake(cut) == lake(uncut)


def test_a_day_of_which_one_table_cannot_be_written_is_in_no_table(chosen: Selection, tmp_path: Path) -> None:
    (tmp_path / "transactions").write_text("in the way")
    with pytest.raises(OSError, match="transactions"):
        replay(stream(chosen, last=END), opened(f"{tmp_path}/"), 0)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / "transactions"]


class Unready(BaseHTTPRequestHandler):
    """Takes what comes, but for some answers first."""

    answer, refusals, asked = 503, 2, 0
    taken: list[tuple[str | None, bytes]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        type(self).asked += 1
        if type(self).refusals > 0:
            type(self).refusals -= 1
            self.send_response(self.answer)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.taken.append((self.headers["Idempotency-Key"], body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def address() -> Iterator[str]:
    Unready.answer, Unready.refusals, Unready.asked, Unready.taken = 503, 2, 0, []
    with HTTPServer(("127.0.0.1", 0), Unready) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/in"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("answer", [429, 503, 507])
def test_an_address_that_is_not_ready_gets_every_record_once(
    chosen: Selection, expected: list[dict[str, object]], address: str, answer: int
) -> None:
    Unready.answer = answer
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
    with pytest.raises(SinkError, match=r"answers 503 .*, also 1 times over"):
        replay(stream(chosen, last=END), sink, 0)
    assert sink.last is None
    assert Unready.asked == 2


@pytest.mark.parametrize(
    ("answer", "said"), [(404, r"answers 404 Not Found\.$"), (301, r"not followed; name /elsewhere if")]
)
def test_an_answer_that_would_be_the_same_again_is_not_asked_for_again(
    chosen: Selection, address: str, answer: int, said: str
) -> None:
    """A redirect least of all: who follows it leaves the records behind, and is told that all is well."""
    Unready.answer, Unready.refusals = answer, 1
    with pytest.raises(SinkError, match=said):
        replay(stream(chosen, last=END), opened(address), 0)
    assert (Unready.asked, Unready.taken) == (1, [])


def test_a_broker_gets_each_record_once_keyed_by_customer_and_dated_by_arrival() -> None:
    """In order of the events, with purchases that arrived late, and some whose customer was lost."""
    nameless = {
        "id": "nameless", "kind": "missing", "table": "transactions", "columns": ["customer_id"], "rate": 0.2
    }  # fmt: skip
    chosen = Selection(world(faults=[LATE[0], nameless]), ("transactions", "customers", "installments"))
    whole = stream(chosen, last=END)
    sent = {
        str(at): (name, int(moment), record)
        for portion in whole.portions()
        for at, name, moment, record in zip(
            portion.positions, portion.names, portion.moment, portion.objects(), strict=True
        )
    }
    sink = KafkaSink("127.0.0.1:1", "history.{table}", {"test.mock.num.brokers": 1})
    replay(whole, sink, 0)
    assert sink.last == list(sent)[-1]
    received = {at: message for message in consumed(sink, len(sent)) for _, at in message.headers()}
    assert {at.decode() for at in received} == set(sent)
    customers, delays = [], []
    for at, message in received.items():
        name, moment, record = sent[at.decode()]
        assert json.loads(message.value()) == record
        assert message.topic() == f"history.{name}"
        key = record["customer_id"] if "customer_id" in record else record["transaction_id"]
        assert message.key() == (None if key is None else str(key).encode())
        arrived = micros(record["ingested_at"]) if name == "transactions" else moment
        assert arrived is not None
        assert message.timestamp()[1] == arrived // 1000
        customers.append(key)
        delays.append(arrived - moment)
    assert None in customers
    assert max(delays) > 3_600_000_000


def consumed(sink: KafkaSink, count: int) -> list[Any]:
    """Messages of the sink's own cluster, all of its topics; one more than `count` if there are any."""
    cluster = sink.producer.list_topics(timeout=10)
    consumer = Consumer({
        "bootstrap.servers": ",".join(f"{one.host}:{one.port}" for one in cluster.brokers.values()),
        "group.id": "test",
        "auto.offset.reset": "earliest",
    })  # fmt: skip
    consumer.subscribe(list(cluster.topics))
    found: list[Any] = []
    while len(found) <= count and (message := consumer.poll(10 if len(found) < count else 0.5)) is not None:
        assert message.error() is None
        found.append(message)
    consumer.close()
    assert len(found) == count
    return found


def test_records_that_no_broker_confirms_end_the_replay(chosen: Selection) -> None:
    slow = {"test.mock.num.brokers": 1, "test.mock.broker.rtt": 500, "message.timeout.ms": 300}
    sink = KafkaSink("127.0.0.1:1", "history", slow)
    with pytest.raises(SinkError, match=r"^Kafka has not taken the records: .*timed out"):
        replay(stream(chosen, last=END), sink, 0)
    assert sink.last is None


def test_without_a_broker_a_replay_ends_with_what_is_wrong(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(kafka_sink, "SECONDS_TO_ANSWER", 1)
    with pytest.raises(SinkError, match=r"^No Kafka at 127\.0\.0\.1:1: .*refused"):
        opened("kafka://127.0.0.1:1/history")
    assert capfd.readouterr() == ("", "")


def test_without_the_client_a_replay_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    with pytest.raises(SinkError, match=r"pip install 'simtom-pipeline\[kafka\]'"):
        opened("kafka://127.0.0.1:1/history")


@pytest.mark.parametrize(
    "place", ["ftp://x/y", "kafka://host", "kafka:///topic", "kafka://h/x{y}", "kafka://h/a/b"]
)
def test_a_place_that_is_none_is_refused(place: str) -> None:
    with pytest.raises(SinkError, match=r"--to: found .*; allowed: "):
        opened(place)


@pytest.mark.parametrize("nowhere", ["", " "])
def test_nowhere_is_no_destination(nowhere: str) -> None:
    """An empty variable in a shell does not fill the folder that somebody is in."""
    with pytest.raises(SinkError, match="--to: found"):
        opened(nowhere)
