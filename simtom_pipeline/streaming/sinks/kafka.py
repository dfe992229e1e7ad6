"""A topic of Kafka: a message a record, by an idempotent producer."""

import re
from typing import Any

import numpy as np
import orjson

from ...moments import MICROSECONDS_PER_SECOND
from ..encoding import Portion
from .base import SinkError

SECONDS_TO_ANSWER = 10
SECONDS_TO_DELIVER = 60
TOPIC = r"([A-Za-z0-9._-]|\{table\}){1,249}"


class KafkaSink:
    """Messages keyed by customer, so that a customer's stay in order; dated by when the lake had them.

    Parameters
    ----------
    servers : host:port, with commas between several.
    topic : its name; `{table}` in it stands for the record's table.
    settings : more of the client's own settings.
    """

    def __init__(self, servers: str, topic: str, settings: dict[str, Any] | None = None) -> None:
        try:
            from confluent_kafka import Producer
        except ModuleNotFoundError as error:
            raise SinkError(f"{error.name} is missing: pip install 'simtom-pipeline[kafka]'") from error
        if not re.fullmatch(TOPIC, topic):
            raise SinkError(f"--to: found topic {topic!r}; allowed: letters, digits, . _ - and {{table}}")
        self.last: str | None = None
        self._failed: list[str] = []
        self._servers, self._topic = servers, topic
        self._trouble = "it does not answer"
        self.producer = Producer(
            {
                "bootstrap.servers": servers,
                "enable.idempotence": True,
                "acks": "all",
                "message.timeout.ms": SECONDS_TO_DELIVER * 1000,
                "error_cb": self._told,
                "log_level": 0,  # what goes wrong is said once, by the message that ends the replay
                **(settings or {}),
            }
        )
        self._find_broker()

    def send(self, portion: Portion) -> None:
        """As `Sink`; a portion counts as delivered once the brokers have confirmed all of it."""
        records = portion.objects()
        together = zip(portion.positions, portion.names, records, _dates(portion, records), strict=True)
        for position, name, record, milliseconds in together:
            key = record.get("customer_id", next(iter(record.values())))
            self.producer.produce(
                self._topic.replace("{table}", name),
                value=orjson.dumps(record),
                key=None if key is None else str(key),
                timestamp=int(milliseconds),
                headers={"id": str(position)},
                on_delivery=self._delivered,
            )
            self.producer.poll(0)
        self._flush()
        self.last = str(portion.positions[-1])

    def close(self) -> None:
        """As `Sink`."""
        self._flush()

    def _find_broker(self) -> None:
        """See that one of the servers answers; in short attempts, so that a signal is heard."""
        from confluent_kafka import KafkaException

        for _ in range(SECONDS_TO_ANSWER):
            try:
                self.producer.list_topics(timeout=1)
                return
            except KafkaException:
                self.producer.poll(0)
        raise SinkError(f"No Kafka at {self._servers}: {self._trouble}.")

    def _flush(self) -> None:
        left = self.producer.flush(SECONDS_TO_DELIVER)
        if self._failed or left:
            reason = self._failed[0] if self._failed else f"{left} messages are not confirmed"
            raise SinkError(f"Kafka has not taken the records: {reason}.")

    def _told(self, error: Any) -> None:
        self._trouble = str(error.str())

    def _delivered(self, error: Any, message: Any) -> None:
        if error is not None:
            self._failed.append(str(error))


def _dates(portion: Portion, records: list[dict[str, Any]]) -> np.ndarray:
    """When the lake had each record, or where a record does not say, its delivery.

    Milliseconds since 1970-01-01, shape (n,).
    """
    ingested = np.array([record.get("ingested_at") or "NaT" for record in records], "datetime64[us]")
    delivered = portion.moment.astype("datetime64[us]")
    moments: np.ndarray = np.where(np.isnat(ingested), delivered, ingested).astype(np.int64)
    return moments * 1000 // MICROSECONDS_PER_SECOND
