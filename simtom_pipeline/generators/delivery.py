"""The delivered clock: when a moment of the simulated clock is delivered, in NumPy and in SQL."""

from datetime import datetime, time

import numpy as np

from ..moments import microseconds
from ..scenarios.models import Clock


def clocks_start(clock: Clock) -> tuple[int, int]:
    """Where the simulated and the delivered clock start, in microseconds since 1970-01-01."""
    return microseconds(datetime.combine(clock.start, time())), microseconds(clock.delivery_epoch)


def delivered(clock: Clock, event_time: np.ndarray) -> np.ndarray:
    """epoch + (event_time - start) / c, in whole microseconds (rounded down)."""
    start, epoch = clocks_start(clock)
    elapsed = event_time - start
    if clock.time_compression != 1:
        elapsed = np.floor(elapsed / clock.time_compression).astype(np.int64)
    return epoch + elapsed


def delivered_sql(clock: Clock) -> str:
    """SQL of the delivered time of `{moment}`: epoch + (moment - start) / c, as generators work it out."""
    start, epoch = clocks_start(clock)
    elapsed = f"epoch_us({{moment}}) - ({start})"
    if clock.time_compression != 1:
        compression = f"CAST({clock.time_compression!r} AS DOUBLE)"
        elapsed = f"CAST(floor(({elapsed}) / {compression}) AS BIGINT)"
    return f"make_timestamp({epoch} + {elapsed})"
