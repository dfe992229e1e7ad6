"""Objects that last as long as the process, such as modules and definitions: no garbage to be looked for.

Python's collector looks at all that was made so far again and again while imports and definitions pile up,
and once more when the process ends. Of loading Dagster and every scenario that is a third of the time.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def lasting() -> Iterator[None]:
    """What is made within, and whatever was there before, is never looked at by the collector."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        if collects:
            gc.enable()
