"""Dagster's webserver and daemon, as processes of their own that end when this one is asked to end.

What they say is passed on until a signal comes. While they end they are not quoted: an interrupt that finds
one of them disposing of objects makes it print a traceback, which tells nobody anything.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from typing import IO

from .instance import WORKSPACE

SECONDS_UNTIL_ASKED_AGAIN = 10
"""An interrupt can be lost in a process that is disposing of objects: one that goes on then gets another."""

SECONDS_TO_END = 90
"""After these, services that do not end are killed."""


def require_free(port: int) -> None:
    """OSError where a port of 127.0.0.1 cannot be listened on: Dagster would say so in a traceback."""
    socket.create_server(("127.0.0.1", port)).close()


def run_ui(port: int) -> int:
    """Serve the code location on `127.0.0.1:port` until a signal or Dagster ends it; Dagster's exit code."""
    # `dagster dev` recommends another command that wants a project of its own.
    quiet = ["-W", "ignore:Function `dev_command`"]
    command = ["dagster", "dev", "-w", str(WORKSPACE), "-h", "127.0.0.1", "-p", str(port)]
    # A session of its own: Ctrl-C reaches this process alone, which asks the services to end, once.
    services = subprocess.Popen(  # noqa: S603
        [sys.executable, *quiet, "-m", *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    assert services.stdout is not None
    ending = threading.Event()
    threading.Thread(target=_pass_on, args=(services.stdout, ending), daemon=True).start()
    signal.signal(signal.SIGHUP, lambda number, frame: signal.raise_signal(signal.SIGTERM))
    try:
        return services.wait()
    except BaseException:
        ending.set()
        try:
            _end(services)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(services.pid, signal.SIGKILL)
        raise


def _pass_on(lines: IO[bytes], ending: threading.Event) -> None:
    for line in lines:
        if not ending.is_set():
            with suppress(OSError):
                sys.stdout.buffer.write(line)
                sys.stdout.buffer.flush()


def _end(services: "subprocess.Popen[bytes]") -> None:
    """Ask Dagster to end its services and, if it goes on, each of them."""
    services.send_signal(signal.SIGINT)
    try:
        services.wait(SECONDS_UNTIL_ASKED_AGAIN)
    except subprocess.TimeoutExpired:
        os.killpg(services.pid, signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            services.wait(SECONDS_TO_END)
