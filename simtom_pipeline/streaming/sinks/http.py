"""An address that takes JSON Lines by POST, a batch a portion."""

import requests
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

from ..encoding import Portion, lines
from .base import SinkError

ATTEMPTS = 5
"""How often a batch is sent again."""
SECONDS_TO_ANSWER = 30
WORTH_ANOTHER_ATTEMPT = (429, *range(500, 600))
"""Too many requests, and whatever is the server's own trouble."""


class HttpSink:
    """Batches in order: each is sent once the one before was taken; what fails is sent again, a few times.

    A batch carries the id of its last record as its Idempotency-Key, for one may arrive twice. A redirect is
    not followed: most clients, this one too, would ask for the new address and leave the records behind.
    """

    def __init__(self, address: str) -> None:
        self.last: str | None = None
        self._address = address
        self._session = requests.Session()
        retry = Retry(
            total=ATTEMPTS,
            backoff_factor=0.2,
            status_forcelist=WORTH_ANOTHER_ATTEMPT,
            allowed_methods=["POST"],
            raise_on_status=False,
        )
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=retry))

    def send(self, portion: Portion) -> None:
        """As `Sink`."""
        last = str(portion.positions[-1])
        headers = {"Content-Type": "application/x-ndjson", "Idempotency-Key": last}
        body = b"".join(lines(portion))
        try:
            answer = self._session.post(
                self._address, data=body, headers=headers, timeout=SECONDS_TO_ANSWER, allow_redirects=False
            )
        except requests.RequestException as error:
            raise SinkError(f"{self._address} does not answer: {error}") from error
        if not 200 <= answer.status_code < 300:
            raise SinkError(f"{self._address} answers {answer.status_code} {answer.reason}{_more(answer)}.")
        self.last = last

    def close(self) -> None:
        """As `Sink`."""
        self._session.close()


def _more(answer: requests.Response) -> str:
    """What else there is to say of an answer."""
    if answer.is_redirect:
        return f", which is not followed; name {answer.headers['Location']} if it is meant"
    return f", also {ATTEMPTS} times over" if answer.status_code in WORTH_ANOTHER_ATTEMPT else ""
