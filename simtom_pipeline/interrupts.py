"""Signals that ask the process to end: SIGINT, which is Ctrl-C, and SIGTERM.

Once they are heeded, each raises `Interrupted` where the main thread is, and `received` tells of them also
where somebody else handles signals for a while (Dagster during a run) or where the exception was taken for
another one (DuckDB during a query).

Promise: nothing but the standard library is imported, so that signals are heeded before anything is loaded.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

SIGNALS = (signal.SIGINT, signal.SIGTERM)

SECONDS_TO_END = 30
"""How long further signals wait for the first one to have its effect."""

_told: list[int] = []
_raised: list[float] = []
_pipe: list[int] = []
_last_words: list[Callable[[], str]] = [lambda: "Interrupted."]


class Interrupted(KeyboardInterrupt):
    """A signal asked the process to end."""


def heed() -> None:
    """From now on SIGINT and SIGTERM raise `Interrupted` in the main thread, and are remembered."""
    reader, writer = os.pipe()
    for end in (reader, writer):
        os.set_blocking(end, False)
    _pipe.append(reader)
    # Whatever handler is in place when a signal comes, its number is written here first.
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in SIGNALS:
        signal.signal(number, _interrupt)
    sys.unraisablehook = _unraisable


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Raise, unless the process is ending already: whoever is impatient must not cut that short."""
    now = time.monotonic()
    if not _raised or now - _raised[-1] > SECONDS_TO_END:
        _raised.append(now)
        raise Interrupted(number)


def _unraisable(what: "sys.UnraisableHookArgs") -> None:
    """Where an exception cannot be raised, as when an object is disposed of, the signal comes once more."""
    number = received()
    if number is None or isinstance(what.exc_value, Exception):
        sys.__unraisablehook__(what)
        return
    _raised.clear()
    threading.Timer(0.05, signal.pthread_kill, (threading.main_thread().ident, number)).start()


def received() -> int | None:
    """Number of the first signal that asked the process to end; None if there was none."""
    for reader in _pipe:
        with suppress(BlockingIOError):
            _told.extend(number for number in os.read(reader, 4096) if number in SIGNALS)
    return _told[0] if _told else None


def act() -> None:
    """Raise `Interrupted` if a signal has come, also one that somebody has swallowed."""
    if (number := received()) is not None:
        raise Interrupted(number)


def say_at_the_end(words: Callable[[], str]) -> None:
    """What is asked for, and said, if a signal ends the process from now on."""
    _last_words.append(words)


def ignore() -> None:
    """From now on both signals do nothing: the process is about to end."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def end(number: int) -> NoReturn:
    """End now, as shells count: 130 after SIGINT, 143 after SIGTERM. No thread is waited for."""
    with suppress(OSError):
        sys.stdout.flush()
        sys.stderr.write(f"{_last_words[-1]()}\n")
        sys.stderr.flush()
    os._exit(128 + number)


@contextmanager
def held_back() -> Iterator[None]:
    """What happens within is finished first: a signal that comes meanwhile is acted on afterwards."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    waiting: list[int] = []
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    for number in SIGNALS:
        signal.signal(number, lambda arrived, frame: waiting.append(arrived))
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if waiting:
            signal.raise_signal(waiting[0])
