"""What each kind of fault does to a value: which values it can hit, and what they become.

Functions are vectorised over one column of one table's day. A fault that could leave a value as it is
cannot hit that value: so the probability that a hit is recorded is the rate, exactly.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import expm1, log

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.special import ndtr, ndtri

from ..contracts import Column, TableContract
from ..generators.random_streams import exponential
from ..moments import MICROSECONDS_PER_DAY, MICROSECONDS_PER_HOUR, MICROSECONDS_PER_MINUTE
from ..scenarios.faults import (
    MAX_DELAY_HOURS,
    Delay,
    ExponentialDelay,
    Fault,
    Given,
    Late,
    LognormalDelay,
    Missing,
    NewCategory,
    OutOfOrder,
    OutOfRange,
    Stuck,
    Truncated,
    Typo,
    UniformDelay,
    UnitChange,
)


@dataclass(frozen=True)
class Values:
    """A column of one table's day before any fault, and what stands beside it.

    Attributes
    ----------
    column : as it lands; `values` has its type, shape (n,).
    others : every column of the table before any fault, by name.
    midnight : start of the day, microseconds since 1970-01-01.
    uniform : uniforms of a name that belong to this fault and column, shape (n,).
    """

    contract: TableContract
    column: Column
    values: pa.Array
    others: dict[str, pa.Array]
    midnight: int
    uniform: Callable[[str], np.ndarray]

    @property
    def known(self) -> np.ndarray:
        """Which values are there, shape (n,)."""
        return _mask(pc.is_valid(self.values))

    def moments(self, name: str | None) -> np.ndarray:
        """A timestamp column in microseconds since 1970-01-01, shape (n,)."""
        return self.contract.column(name or "").type.numbers(self.others[name or ""])


def _mask(flags: pa.Array) -> np.ndarray:
    return np.asarray(flags.fill_null(False).to_numpy(zero_copy_only=False), bool)


def can_be_hit(fault: Fault, column: Values) -> np.ndarray:
    """Which values the fault would change, shape (n,)."""
    match fault:
        case Missing(given=given):
            return column.known & (_holds(given, column) if given else True)
        case Typo():
            return column.known & (_lengths(column) >= 2 if column.column.type.is_text else True)
        case OutOfRange(low=low, high=high):
            kind, numbers = column.column.type, _numbers(column)
            return column.known & ((numbers < kind.in_numbers(low)) | (numbers > kind.in_numbers(high)))
        case UnitChange():
            return column.known & (_numbers(column) != 0)
        case NewCategory(category=category):
            return column.known & _mask(pc.not_equal(column.values, category))
        case Truncated(length=length):
            return column.known & (_lengths(column) > length)
        case Stuck():
            return unlike(column.values, _first_of_stretch(fault, column))
        case OutOfOrder():
            n = len(column.values)
            return _place_in_time(column) < n - 1
        case Late():
            return np.ones(len(column.values), bool)
    raise TypeError(f"a fault of kind {fault.kind} does not hit values")


def is_hit(fault: Fault, column: Values, probability: np.ndarray) -> np.ndarray:
    """Which values are drawn, each with its probability; of a stuck signal whole stretches, shape (n,)."""
    drawn = column.uniform("hit")
    if isinstance(fault, Stuck):
        drawn = drawn[_first_row_of_stretch(fault, column)]
    return drawn < probability


def changed_values(fault: Fault, column: Values, rows: np.ndarray) -> pa.Array:
    """What the values of `rows` become, in the column's type, shape (len(rows),)."""
    kind = column.column.type
    match fault:
        case Missing():
            return pa.nulls(len(rows), kind.arrow)
        case NewCategory(category=category):
            return pa.repeat(pa.scalar(category, kind.arrow), len(rows))
        case Truncated(length=length):
            return pc.utf8_slice_codeunits(column.values.take(pa.array(rows)), 0, length)
        case Stuck():
            return _first_of_stretch(fault, column).take(pa.array(rows))
        case Typo():
            uniform = column.uniform("where")[rows], column.uniform("what")[rows]
            if kind.is_text:
                return _misspelt(column.values.take(pa.array(rows)), *uniform)
            return kind.array(_wrong_digit(_numbers(column)[rows], *uniform))
        case OutOfRange(low=low, high=high):
            between = column.uniform("value")[rows]
            return kind.array(_between(column.column, low, high, between))
        case UnitChange(factor=factor):
            return kind.array(_times(column.column, _numbers(column)[rows], factor))
        case Late(delay=delay):
            waited = np.ceil(delay_hours(delay, column.uniform("delay")[rows]) * MICROSECONDS_PER_HOUR)
            happened = column.moments(column.contract.dated_by)[rows]
            return kind.array(happened + np.maximum(waited, 1).astype(np.int64))
        case OutOfOrder(places=places):
            return kind.array(_overtaken_at(column, places)[rows])
    raise TypeError(f"a fault of kind {fault.kind} does not hit values")


def delay_hours(delay: Delay, uniform: np.ndarray) -> np.ndarray:
    """Delays of at most MAX_DELAY_HOURS by inversion, hours, the shape of `uniform`."""
    match delay:
        case ExponentialDelay(mean_hours=mean):
            return exponential(uniform * -expm1(-MAX_DELAY_HOURS / mean), mean)
        case LognormalDelay(median_hours=median, sigma=sigma):
            share = ndtr(log(MAX_DELAY_HOURS / median) / sigma)
            return median * np.exp(sigma * ndtri(uniform * share))
        case UniformDelay(low_hours=low, high_hours=high):
            return low + (high - low) * uniform


def _holds(given: Given, column: Values) -> np.ndarray:
    name = given.column or column.column.name
    values, kind = column.others[name], column.contract.column(name).type
    if given.values is not None:
        return _mask(pc.is_in(pc.cast(values, pa.string()), pa.array(given.values)))
    numbers = kind.numbers(values) / (100 if kind.is_money else 1)
    there = _mask(pc.is_valid(values))
    low = -np.inf if given.above is None else given.above
    high = np.inf if given.below is None else given.below
    return there & (low < numbers) & (numbers < high)


def _numbers(column: Values) -> np.ndarray:
    return column.column.type.numbers(column.values)


def _between(column: Column, low: float, high: float, uniform: np.ndarray) -> np.ndarray:
    """A value of the column from `low` to `high`, each as likely as any other."""
    if column.step == 0:
        return np.clip(low + (high - low) * uniform, low, high)
    first, last = column.steps_between(low, high)
    return column.from_steps(np.minimum(first + np.floor(uniform * (last - first + 1)), last))


def _times(column: Column, numbers: np.ndarray, factor: float) -> np.ndarray:
    return column.from_steps(np.rint(column.to_steps(numbers)) * factor) if column.step else numbers * factor


def _lengths(column: Values) -> np.ndarray:
    return np.asarray(pc.utf8_length(column.values).fill_null(0).to_numpy(zero_copy_only=False))


# wrong letters and digits ------------------------------------------------------------------------------


def _misspelt(text: pa.Array, where: np.ndarray, what: np.ndarray) -> pa.Array:
    """Two neighbouring characters swapped or, half the time and where they are equal, the first left out."""
    letters = _code_points(text)
    length = np.asarray(pc.utf8_length(text).to_numpy(zero_copy_only=False))
    rows = np.arange(len(length))
    at = np.minimum((where * (length - 1)).astype(np.int64), length - 2)
    here, there = letters[rows, at], letters[rows, at + 1]
    swapped = letters.copy()
    swapped[rows, at], swapped[rows, at + 1] = there, here
    after = np.arange(letters.shape[1]) >= at[:, None]
    shifted = np.concatenate([letters[:, 1:], np.zeros((len(rows), 1), letters.dtype)], axis=1)
    left_out = np.where(after, shifted, letters)
    misspelt = np.where(((what < 0.5) | (here == there))[:, None], left_out, swapped)
    return pa.array(np.ascontiguousarray(misspelt).view(f"U{letters.shape[1]}").ravel().tolist(), pa.string())


def _code_points(text: pa.Array) -> np.ndarray:
    """Unicode code points, shape (n, longest), 0 after the end."""
    as_numpy = np.array(text.to_pylist(), dtype=np.str_)
    width = max(as_numpy.dtype.itemsize // 4, 2)
    return as_numpy.astype(f"U{width}").view(np.uint32).reshape(len(as_numpy), width)


def _wrong_digit(numbers: np.ndarray, where: np.ndarray, what: np.ndarray) -> np.ndarray:
    """One digit replaced by another one; the first digit does not become 0."""
    size = np.abs(numbers)
    digits = np.ones(len(size), np.int64)
    for power in range(1, 19):
        digits += size >= 10**power
    place = np.minimum((where * digits).astype(np.int64), digits - 1)
    unit = 10**place
    digit = size // unit % 10
    is_first = place == digits - 1
    # A first digit d becomes one of 1..9 but d, any other one of 0..9 but d: counted from d on.
    choices = np.where(is_first, np.where(digit == 0, 9, 8), 9)
    step = np.minimum((what * choices).astype(np.int64), choices - 1) + 1
    new = np.where(is_first & (digit > 0), (digit - 1 + step) % 9 + 1, (digit + step) % 10)
    return np.where(numbers < 0, -1, 1) * (size + (new - digit) * unit)


# order in time -----------------------------------------------------------------------------------------


def _place_in_time(column: Values) -> np.ndarray:
    """Number of each row when the day is ordered by time, from 0, shape (n,)."""
    order = np.argsort(column.moments(column.contract.dated_by), kind="stable")
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    return place


def _overtaken_at(column: Values, places: int) -> np.ndarray:
    """Just after the row `places` later happened, or the day's last one; shape (n,)."""
    happened = column.moments(column.contract.dated_by)
    in_order, place = np.sort(happened), _place_in_time(column)
    return in_order[np.minimum(place + places, len(place) - 1)] + 1


def _stretch(fault: Stuck, column: Values) -> np.ndarray:
    """Number of each row's stretch of the day, shape (n,); what is dated before the day is in the first."""
    since_midnight = column.moments(column.contract.dated_by) - column.midnight
    since_midnight = np.clip(since_midnight, 0, MICROSECONDS_PER_DAY - 1)
    return since_midnight // int(fault.stretch_minutes * MICROSECONDS_PER_MINUTE)


def _first_row_of_stretch(fault: Stuck, column: Values) -> np.ndarray:
    """The first row of each row's stretch that has a value; its own number where none has; shape (n,)."""
    n, stretch, place = len(column.values), _stretch(fault, column), _place_in_time(column)
    rows = np.flatnonzero(column.known)
    rows = rows[np.lexsort((place[rows], stretch[rows]))]
    stretches, at = np.unique(stretch[rows], return_index=True)
    first = np.arange(n)
    if len(stretches):
        where = np.minimum(np.searchsorted(stretches, stretch), len(stretches) - 1)
        first = np.where(stretches[where] == stretch, rows[at][where], first)
    return first


def _first_of_stretch(fault: Stuck, column: Values) -> pa.Array:
    return column.values.take(pa.array(_first_row_of_stretch(fault, column)))


def unlike(one: pa.Array, other: pa.Array) -> np.ndarray:
    """Where two arrays differ; NULL is like NULL only, shape (n,)."""
    alike = pc.fill_null(pc.equal(one, other), False)
    return ~(_mask(alike) | (_mask(pc.is_null(one)) & _mask(pc.is_null(other))))
