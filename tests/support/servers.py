"""A server in a process of its own, and what clients get from it."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SIMTOM = [sys.executable, "-m", "simtom_pipeline"]


@dataclass(frozen=True)
class Server:
    """A running server."""

    process: subprocess.Popen[str]
    address: str

    def curl(self, *arguments: str) -> bytes:
        """What curl prints; the last argument is a path."""
        *options, path = arguments
        done = subprocess.run(
            ["curl", "-sN", *options, self.address + path], capture_output=True, check=False, timeout=60
        )
        assert done.returncode in (0, 28), done  # 28: cut by --max-time
        return done.stdout


def first_records(server: Server, count: int, *arguments: str) -> bytes:
    """What curl prints until it has printed some records, or to the end; it may take as long as it takes."""
    *options, path = arguments
    command = ["curl", "-sN", *options, server.address + path]
    printed: list[bytes] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE) as client:
        assert client.stdout is not None
        for line in client.stdout:
            printed.append(line)
            if sum(one.startswith(b"data: ") for one in printed) == count:
                break
        client.kill()
    return b"".join(printed)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def served(home: Path, *options: str, port: int | None = None) -> Iterator[Server]:
    """`simtom serve` until the test is over."""
    port = port or free_port()
    environment = os.environ | {"SIMTOM_HOME": str(home)}
    command = [*SIMTOM, "serve", "--port", str(port), *options]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            assert process.stdout is not None
            assert f":{port}" in process.stdout.readline(), process.communicate()
            wait_for(port)
            yield Server(process, f"http://127.0.0.1:{port}")
        finally:
            process.kill()


def wait_for(port: int) -> None:
    """Until somebody listens: the first line comes a moment before."""
    for _ in range(200):
        with socket.socket() as caller:
            if caller.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError(port)
