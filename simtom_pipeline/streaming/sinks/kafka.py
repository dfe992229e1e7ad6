"""A topic of Kafka: a message a record, by an idempotent producer."""

from typing import Any

from ...moments import MICROSECONDS_PER_SECOND
from ..encoding import Portion
from .base import SinkError

SECONDS_TO_DELIVER = 60


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
        self.last: str | None = None
        self._reached: str | None = None
        self._failed: list[str] = []
        self._topic = topic
        self.producer = Producer(
            {
                "bootstrap.servers": servers,
                "enable.idempotence": True,
                "acks": "all",
                "message.timeout.ms": SECONDS_TO_DELIVER * 1000,
                **(settings or {}),
            }
        )

    def send(self, portion: Portion) -> None:
        """As `Sink`; a portion counts as delivered once the brokers have confirmed all of it."""
        told = zip(
            portion.positions,
            portion.names,
            portion.objects(),
            portion.records(),
            portion.moment,
            strict=True,
        )
        for position, name, record, text, moment in told:
            self.producer.produce(
                self._topic.format(table=name),
                value=text,
                key=str(record.get("customer_id", next(iter(record.values())))),
                timestamp=int(moment) * 1000 // MICROSECONDS_PER_SECOND,
                headers={"id": str(position)},
                on_delivery=self._delivered,
            )
            self.producer.poll(0)
        self._flush(str(portion.positions[-1]))

    def _flush(self, last: str) -> None:
        left = self.producer.flush(SECONDS_TO_DELIVER)
        if self._failed or left:
            reason = self._failed[0] if self._failed else f"{left} messages are not confirmed"
            raise SinkError(f"Kafka has not taken the records: {reason}.")
        self.last = last

    def _delivered(self, error: Any, message: Any) -> None:
        if error is not None:
            self._failed.append(str(error))

    def close(self) -> None:
        """As `Sink`."""
        self.producer.flush(SECONDS_TO_DELIVER)
