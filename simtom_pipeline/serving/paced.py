"""Sends the records of a stream when they are due, and no faster than the client takes them.

A record is due at `began + (moment - origin) / speed` on the server's clock: nothing adds up over the
records, so a stream does not drift. Who falls behind is sent what is due as soon as there is room for it, and
is told the lag.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Mapping
from contextlib import suppress

import numpy as np
from anyio import CapacityLimiter, to_thread
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ..landing import LandingError
from ..streaming.encoding import Portion
from ..streaming.pace import Pace
from .bounds import Slots, TooMuchError
from .formats import Format

KEEP_ALIVE_SECONDS = 10.0
LAG_IS_TOLD_FROM = 1.0
"""Seconds behind the clock from which the client is told."""
PORTIONS_AHEAD = 3
MAX_AT_ONCE = 200
"""Most records in one write, so that a slow client is noticed between two."""
TICK_SECONDS = 0.002
"""Records due within a tick are sent together."""

_drawing = CapacityLimiter(2)
"""How many streams draw a day at the same time: while it is drawn, a large one takes a hundred megabytes."""
_encoding = CapacityLimiter(4)
"""How many make bytes of records at the same time; they do not wait for a day that is drawn."""

Write = Callable[[bytes], Awaitable[None]]
Frames = tuple[np.ndarray, list[bytes]]
"""Moments of some records and their bytes."""


class Portions:
    """Portions of a stream, which threads draw one after the other; ended as soon as none is drawing.

    A thread cannot be interrupted: who leaves while it draws a day leaves it to end the stream afterwards.
    """

    def __init__(self, portions: Generator[Portion, None, None]) -> None:
        self._portions, self._drawing, self._ended = portions, threading.Lock(), False

    def draw(self) -> Portion | None:
        """The next one; None after the last."""
        try:
            with self._drawing:
                return next(self._portions, None)
        finally:
            if self._ended:
                self.close()

    def close(self) -> None:
        """Nothing more is wanted."""
        self._ended = True
        if self._drawing.acquire(blocking=False):
            try:
                self._portions.close()
            finally:
                self._drawing.release()


class NobodyWaitsError(RuntimeError):
    """Whoever asked has gone away, or the server is about to end."""


class Wanted:
    """Whether somebody still waits for the first record of a stream."""

    def __init__(self) -> None:
        self._ended = threading.Event()

    def check(self) -> None:
        """NobodyWaitsError, in the thread that waits for a file, once nobody does."""
        if self._ended.is_set():
            raise NobodyWaitsError("the server is about to end: ask again once it is back")

    async def first(self, portions: Portions, receive: Receive, closing: asyncio.Event) -> Portion | None:
        """The first portion, None if there is none; NobodyWaitsError."""
        drawing = asyncio.create_task(in_thread(portions))
        ends = [asyncio.create_task(_left(receive)), asyncio.create_task(closing.wait())]
        await asyncio.wait([drawing, *ends], return_when=asyncio.FIRST_COMPLETED)
        for end in ends:
            end.cancel()
        if not drawing.done():
            drawing.cancel()
            portions.close()
            self._ended.set()
            self.check()
        return await drawing


async def in_thread(portions: Portions) -> Portion | None:
    """The next portion, drawn in a thread; None after the last."""
    return await to_thread.run_sync(portions.draw, limiter=_drawing)


class PacedResponse(Response):
    """A stream as an answer.

    Parameters
    ----------
    first : the first portion, which is there already, so that what fails before it has its own answer.
    portions : those after it.
    speed : simulated seconds a second; None: as fast as the client takes them.
    origin : moment of the simulated clock that is now, microseconds since 1970-01-01.
    slots : where the stream's place is given back when it ends, however it ends.
    closing : set when the server is about to end.
    """

    def __init__(
        self,
        first: Portion,
        portions: Portions,
        form: Format,
        speed: float | None,
        origin: int,
        headers: Mapping[str, str],
        slots: Slots,
        closing: asyncio.Event,
    ) -> None:
        self.status_code, self.background = 200, None
        self.init_headers(
            {
                **headers,
                "content-type": form.media_type,
                "cache-control": "no-store",
                "x-accel-buffering": "no",
            }
        )
        self._first: Portion | None = first
        self._portions, self._form = portions, form
        self._speed, self._origin, self._slots, self._closing = speed, origin, slots, closing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sending = asyncio.create_task(self._send(send))
        leaving = [asyncio.create_task(_left(receive)), asyncio.create_task(self._closing.wait())]
        try:
            await asyncio.wait([sending, *leaving], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, *leaving):
                task.cancel()
            self._slots.give_back()
        with suppress(asyncio.CancelledError):
            await sending

    async def _send(self, send: Send) -> None:
        async def write(body: bytes) -> None:
            await send({"type": "http.response.body", "body": body, "more_body": True})

        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await write(self._form.begin())
        try:
            await self._send_records(write)
        except (LandingError, TooMuchError) as error:
            failure = self._form.failure(str(error))
            if not failure:
                raise
            await write(failure)
        await send({"type": "http.response.body", "body": self._form.end(), "more_body": False})

    async def _send_records(self, write: Write) -> None:
        clock = asyncio.get_running_loop().time
        began, told = clock(), 0.0
        async for moments, frames in self._ahead():
            sent = 0
            while sent < len(frames):
                until = len(frames)
                if self._speed is not None:
                    due = Pace(began, self._origin, self._speed).due(moments[sent:])
                    await self._wait(due[0], clock, write)
                    now = clock()
                    until = sent + max(int(np.searchsorted(due, now + TICK_SECONDS, side="right")), 1)
                    if (lag := now - due[0]) > LAG_IS_TOLD_FROM and now - told > LAG_IS_TOLD_FROM:
                        told = now
                        await write(self._form.note(f"lag {lag:.1f} s"))
                until = min(until, sent + MAX_AT_ONCE)
                if body := b"".join(frames[sent:until]):
                    await write(body)
                sent = until

    async def _wait(self, due: float, clock: Callable[[], float], write: Write) -> None:
        """Until something is due; a client that hears nothing for long gets a sign of life."""
        while (left := due - clock()) > 0:
            await asyncio.sleep(min(left, KEEP_ALIVE_SECONDS))
            if left > KEEP_ALIVE_SECONDS and (sign := self._form.note("waiting")):
                await write(sign)

    async def _ahead(self) -> AsyncIterator[Frames]:
        """Portions as bytes; while one is sent, the next are drawn."""
        queue: asyncio.Queue[Frames | Exception | None] = asyncio.Queue(PORTIONS_AHEAD)

        async def draw() -> None:
            portion, self._first = self._first, None  # it holds its whole day
            try:
                while portion is not None:
                    frames = await to_thread.run_sync(
                        self._form.frames, portion, self._speed, limiter=_encoding
                    )
                    await queue.put((portion.moment, list(frames)))
                    portion = await in_thread(self._portions)
                await queue.put(None)
            except Exception as error:
                await queue.put(error)
            finally:
                self._portions.close()

        drawing = asyncio.create_task(draw())
        try:
            while (found := await queue.get()) is not None:
                if isinstance(found, Exception):
                    raise found
                yield found
        finally:
            drawing.cancel()


async def _left(receive: Receive) -> None:
    """Until the client has gone away."""
    while (await receive())["type"] != "http.disconnect":
        pass
