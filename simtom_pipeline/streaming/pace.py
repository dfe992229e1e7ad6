"""When records are due: on an absolute clock, so that nothing adds up and a stream does not drift."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Pace:
    """The map from a simulated clock onto a monotonic one.

    Attributes
    ----------
    began : seconds on the monotonic clock at which `origin` is due.
    origin : moment of the simulated clock, microseconds since 1970-01-01.
    speed : simulated seconds a second.
    """

    began: float
    origin: int
    speed: float

    def due(self, moments: np.ndarray) -> np.ndarray:
        """When moments are due, seconds on the monotonic clock, shape (n,).

        >>> Pace(began=100.0, origin=0, speed=60.0).due(np.array([0, 60_000_000]))
        array([100., 101.])
        """
        seconds: np.ndarray = self.began + (moments - self.origin) / 1e6 / self.speed
        return seconds
