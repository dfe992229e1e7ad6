"""Portions of a stream that is left while a thread draws: the thread ends it, once, without an error."""

import threading
from collections.abc import Generator
from typing import Any

from simtom_pipeline.serving.paced import Portions


class Slow:
    """A stream that draws until it is let go, and notes who ends it."""

    def __init__(self) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.ended: list[int] = []

    def portions(self) -> Generator[Any, None, None]:
        try:
            while True:
                self.begun.set()
                assert self.go_on.wait(30)
                yield "portion"
        finally:
            self.ended.append(threading.get_ident())


def test_a_stream_that_is_left_while_it_draws_is_ended_by_who_draws() -> None:
    slow, drawn = Slow(), list[Any]()
    portions = Portions(slow.portions())
    thread = threading.Thread(target=lambda: drawn.append(portions.draw()))
    thread.start()
    assert slow.begun.wait(30)
    portions.close()
    assert slow.ended == []
    slow.go_on.set()
    thread.join(30)
    assert drawn == ["portion"]
    assert slow.ended == [thread.ident]


def test_a_stream_that_is_left_between_two_portions_is_ended_at_once() -> None:
    slow = Slow()
    slow.go_on.set()
    portions = Portions(slow.portions())
    portions.draw()
    portions.close()
    portions.close()
    assert slow.ended == [threading.get_ident()]
    assert portions.draw() is None
