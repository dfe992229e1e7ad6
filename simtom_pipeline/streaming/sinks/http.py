"""An address that takes JSON Lines by POST, a batch a portion."""

import requests
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

from ..encoding import Portion, lines
from .base import SinkError

ATTEMPTS = 5
SECONDS_TO_ANSWER = 30


class HttpSink:
    """Batches in order: each is sent once the one before was taken; what fails is sent again, a few times.

    A batch carries the id of its last record as its Idempotency-Key, for one may arrive twice.
    """

    def __init__(self, address: str) -> None:
        self.last: str | None = None
        self._address = address
        self._session = requests.Session()
        retry = Retry(
            total=ATTEMPTS,
            backoff_factor=0.2,
            status_forcelist=[429, 500, 502, 503, 504],
            allowed_methods=["POST"],
            raise_on_status=False,
        )
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=retry))

    def send(self, portion: Portion) -> None:
        """As `Sink`."""
        last = str(portion.positions[-1])
        headers = {"Content-Type": "application/x-ndjson", "Idempotency-Key": last}
        try:
            answer = self._session.post(
                self._address, data=b"".join(lines(portion)), headers=headers, timeout=SECONDS_TO_ANSWER
            )
        except requests.RequestException as error:
            raise SinkError(f"{self._address} does not answer: {error}") from error
        if not answer.ok:
            raise SinkError(
                f"{self._address} answers {answer.status_code} {answer.reason}, also {ATTEMPTS} times over."
            )
        self.last = last

    def close(self) -> None:
        """As `Sink`."""
        self._session.close()
