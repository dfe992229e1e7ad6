"""Runs the service until a signal ends it: every stream is ended first, within two seconds."""

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import uvicorn

from ..landing import DuckDBFile
from .app import Service, create_app

MAX_UNSENT_BYTES = 262_144
"""What the system keeps for a client that does not read: beyond it, the client falls behind, and is told."""
SECONDS_TO_END = 1
"""For requests that are not streams; those end at once."""


class _Server(uvicorn.Server):
    """A server that tells its streams when it is about to end."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal has come."""
        asyncio.get_event_loop().call_soon_threadsafe(self._service.closing.set)
        super().handle_exit(sig, frame)


def serve(host: str, port: int, token: str | None, database: Path, listening: Callable[[], None]) -> None:
    """Serve on an address until SIGINT or SIGTERM; `listening` is called once it can be reached.

    Raises
    ------
    OSError : the address cannot be used.
    """
    service = Service(storage=DuckDBFile(database), token=token)
    config = uvicorn.Config(
        create_app(service),
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=SECONDS_TO_END,
        ws="none",
    )
    with _listening(host, port) as listener:
        listening()
        asyncio.run(_Server(config, service).serve([listener]))


def _listening(host: str, port: int) -> socket.socket:
    """A socket that listens on an address; OSError."""
    ((family, *_, address), *_) = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    listener = socket.create_server(address[:2], family=family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MAX_UNSENT_BYTES)
    return listener
