"""Who is there: the customers of all days before a day, and who of them makes a repeat purchase."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from threading import Lock

import numpy as np

from ..base import day_number
from .entities import PROFILE, SLOTS, Customers


@dataclass(frozen=True)
class ActiveCustomers:
    """Customers of earlier days as repeat purchases of one day find them; the departed have weight 0."""

    customers: Customers
    cumulative_rate: np.ndarray

    @property
    def anyone(self) -> bool:
        """Whether a repeat purchase can find somebody."""
        return len(self.customers) > 0 and bool(self.cumulative_rate[-1] > 0)

    def pick(self, uniform: np.ndarray) -> np.ndarray:
        """Profiles of active customers chosen in proportion to their purchase rate, shape (n,)."""
        total = self.cumulative_rate[-1]
        target = np.minimum(uniform * total, np.nextafter(total, 0))
        order = np.argsort(target)  # looked up in order, neighbours share cache lines
        row = np.empty(len(target), np.int64)
        row[order] = np.searchsorted(self.cumulative_rate, target[order], side="right")
        return self.customers.profile[row]

    def with_milestone(self, day: int) -> Customers:
        """Active customers who get a later device or account on `day` (days since 1970-01-01)."""
        slots = self.customers.milestones.shape[1]
        rows = np.unique(np.flatnonzero(self.customers.milestones.ravel() == day) // slots)
        found = self.customers.take(rows)
        return found.take(found.last_day >= day)


class Population:
    """The customers of all days before a day, remembered so that consecutive days are cheap.

    What is remembered never shows in a result: the rows before a day are the same however one came
    there, and departed customers, dropped when they are the majority, weigh nothing.

    `earlier` draws the customers who were there before `start`. `newcomers(day, anyone)` draws those of
    a day; `anyone` tells it whether there is somebody whom a repeat purchase could find.
    """

    def __init__(
        self,
        start: date,
        earlier: Callable[[], Customers],
        newcomers: Callable[[date, bool], Customers],
    ) -> None:
        self._start = start
        self._earlier = earlier
        self._newcomers = newcomers
        self._lock = Lock()
        self._first: date | None = None

    def _forget(self) -> None:
        self._first = self._next = self._start
        self._held = self._earlier()
        self._rows = len(self._held)
        self._rows_before = {self._start: self._rows}
        self._weighed = (date.min, np.empty(0))

    def before(self, day: date) -> ActiveCustomers:
        """Customers who signed up before `day`, departed ones weighing 0."""
        with self._lock:
            if self._first is None or day < self._first:
                self._forget()
            while self._next < day:
                self._append(self._newcomers(self._next, bool(self._weight(self._next).any())))
            known = self._held.take(slice(0, self._rows_before[day]))
            weight = self._weight(day)
            if day == self._next and np.count_nonzero(weight) * 2 < len(known) - 1000:
                self._drop_departed(day)
            return ActiveCustomers(known, np.cumsum(weight))

    def _weight(self, day: date) -> np.ndarray:
        """Purchase rates of the customers before `day`, the departed ones' 0; kept for the last day asked."""
        if self._weighed[0] != day:
            known = self._held.take(slice(0, self._rows_before[day]))
            weight = np.where(known.last_day >= day_number(day), known.purchase_rate, 0.0)
            self._weighed = (day, weight)
        return self._weighed[1]

    def _append(self, cohort: Customers) -> None:
        rows = self._rows + len(cohort)
        if rows > len(self._held):
            grown = _empty(2 * rows)
            _copy(self._held.take(slice(0, self._rows)), grown, 0)
            self._held = grown
        _copy(cohort, self._held, self._rows)
        self._rows = rows
        self._next += timedelta(1)
        self._rows_before[self._next] = rows

    def _drop_departed(self, day: date) -> None:
        rows = np.nonzero(self._held.last_day[: self._rows] >= day_number(day))[0]
        self._held = self._held.take(rows)
        self._first, self._rows = day, len(rows)
        self._rows_before = {day: len(rows)}
        self._weighed = (date.min, np.empty(0))


def _empty(n: int) -> Customers:
    return Customers(
        np.empty(n, PROFILE), np.empty(n), np.empty(n, np.int32), np.empty((n, 2 * (SLOTS - 1)), np.int32)
    )


def _copy(source: Customers, target: Customers, at: int) -> None:
    part = target.take(slice(at, at + len(source)))
    part.profile[:] = source.profile
    part.purchase_rate[:] = source.purchase_rate
    part.last_day[:] = source.last_day
    part.milestones[:] = source.milestones
