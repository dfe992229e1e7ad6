"""The collector looks at nothing that lasts, and afterwards works as before."""

import gc
import weakref
from collections.abc import Iterator
from contextlib import suppress

import pytest

from simtom_pipeline.lasting import lasting


class Ring:
    """Garbage that only the collector finds."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def nothing_frozen_for_good() -> Iterator[None]:
    yield
    gc.unfreeze()


def test_nothing_is_collected_while_lasting_things_are_made() -> None:
    collections: list[str] = []

    def note(phase: str, info: dict[str, int]) -> None:
        collections.append(phase)

    gc.callbacks.append(note)
    try:
        with lasting():
            kept = [[number] for number in range(100_000)]
        assert collections == []
        del kept
    finally:
        gc.callbacks.remove(note)


def test_what_was_made_is_not_looked_at_and_what_comes_later_is() -> None:
    gc.collect()
    with lasting():
        early = weakref.ref(Ring())
    late = weakref.ref(Ring())
    gc.collect()
    assert early() is not None
    assert late() is None


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_is_left_as_it_was_also_after_an_error(enabled: bool) -> None:
    if not enabled:
        gc.disable()
    before = gc.get_freeze_count()
    try:
        with suppress(RuntimeError), lasting():
            assert not gc.isenabled()
            raise RuntimeError
        assert gc.isenabled() == enabled
        assert gc.get_freeze_count() == before
    finally:
        gc.enable()
