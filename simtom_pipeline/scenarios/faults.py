"""How a scenario says that its data are corrupted: noise on measurements, faults of the feed.

Both come after the world: what was drawn, outcomes included, was drawn from the true values. Which tables
and columns there are is told by the generator.
"""

import unicodedata
from collections.abc import Iterable
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from .base import IDENTIFIER, FrozenModel, Positive
from .drifts import Schedule

Figure = Annotated[float, Field(allow_inf_nan=False, ge=-1e12, le=1e12)]
Share = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
MAX_DELAY_HOURS = 10 * 8766.0
"""Ten years: a delay is drawn on condition that it is no longer."""
Hours = Annotated[float, Field(gt=0, le=24 * 366, allow_inf_nan=False)]

NoiseLevel = Annotated[float, Field(ge=1e-6, le=1, allow_inf_nan=False)]


def _once(columns: tuple[str, ...]) -> tuple[str, ...]:
    if twice := sorted({name for name in columns if columns.count(name) > 1}):
        raise ValueError(f"columns that are named once (not so: {', '.join(twice)})")
    return columns


Names = Annotated[tuple[str, ...], AfterValidator(_once)]
Columns = Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(_once)]


def _printable(text: str) -> str:
    if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in text):
        raise ValueError("text without control characters")
    return text


Word = Annotated[str, AfterValidator(_printable)]


class _Noise(FrozenModel):
    """On every value of the columns; what is measured is the true value times 1 + a relative error."""

    table: str
    columns: Columns


class GaussianNoise(_Noise):
    """Normal relative error with standard deviation `noise_level`."""

    noise_type: Literal["gaussian"]
    noise_level: NoiseLevel


class UniformNoise(_Noise):
    """Relative error uniform from -`noise_level` to `noise_level`."""

    noise_type: Literal["uniform"]
    noise_level: NoiseLevel


class Outliers(_Noise):
    """A `share` of the values is `size` times what it should be, the others are right."""

    noise_type: Literal["outliers"]
    share: Share
    size: Annotated[float, Field(gt=1, le=10_000, allow_inf_nan=False)]


Noise = Annotated[GaussianNoise | UniformNoise | Outliers, Field(discriminator="noise_type")]


Hits = Literal["values", "arrival", "rows", "day"]
"""What a fault hits: values of columns, the moment a row arrives, whole rows, or a whole day."""
Takes = Literal["any", "text", "number", "text or digits"]
"""Columns that a fault of values can hit: any, words, numbers, or words, whole numbers and amounts."""
Leaves = Literal["text", "digits", "null"]
"""What a fault can leave in a column that its type would not hold: other words, more digits, nothing."""


class _Fault(FrozenModel):
    """A value is hit with probability `rate` times the schedule's weight; always, if there is no schedule."""

    hits: ClassVar[Hits] = "values"
    takes: ClassVar[Takes] = "any"
    leaves: ClassVar[frozenset[Leaves]] = frozenset()

    id: Annotated[str, Field(pattern=IDENTIFIER, max_length=30)]
    table: str
    rate: Share
    schedule: Schedule | None = None


class _ColumnFault(_Fault):
    columns: Columns


class Given(FrozenModel):
    """Which rows can lose their value: by another column, or by the value itself (`column` left out)."""

    column: str | None = None
    above: Figure | None = None
    below: Figure | None = None
    values: Annotated[tuple[Word, ...], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _one_condition(self) -> Self:
        stated = [name for name in ("above", "below", "values") if getattr(self, name) is not None]
        if len(stated) != 1:
            raise ValueError(
                f"exactly one of above, below and values ({' and '.join(stated) or 'none'} given)"
            )
        return self


class Missing(_ColumnFault):
    """NULL; completely at random, or (`given`) at random given another column, or by its own value."""

    leaves = frozenset({"null"})

    kind: Literal["missing"]
    given: Given = None  # type: ignore[assignment]


class Duplicate(_Fault):
    """The row arrives twice; in the copy, `columns` hold the values of another row of the day."""

    hits = "rows"

    kind: Literal["duplicate"]
    columns: Names = ()


class ExponentialDelay(FrozenModel):
    """Most a little, some much."""

    kind: Literal["exponential"]
    mean_hours: Hours


class LognormalDelay(FrozenModel):
    """Median and standard deviation of the logarithm."""

    kind: Literal["lognormal"]
    median_hours: Hours
    sigma: Annotated[float, Field(gt=0, le=3, allow_inf_nan=False)]


class UniformDelay(FrozenModel):
    """Between two bounds."""

    kind: Literal["uniform"]
    low_hours: Annotated[float, Field(ge=0, le=24 * 366, allow_inf_nan=False)]
    high_hours: Hours

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.high_hours <= self.low_hours:
            raise ValueError(f"a high_hours above low_hours ({self.high_hours:g} is not)")
        return self


Delay = Annotated[ExponentialDelay | LognormalDelay | UniformDelay, Field(discriminator="kind")]


class Late(_Fault):
    """The row arrives a delay after it happened."""

    hits = "arrival"

    kind: Literal["late"]
    delay: Delay


class OutOfOrder(_Fault):
    """The row arrives just after the row that happened `places` later on that day."""

    hits = "arrival"

    kind: Literal["out_of_order"]
    places: Annotated[int, Field(ge=1, le=1_000_000)]


class Typo(_ColumnFault):
    """Two neighbouring characters swapped, or one left out; in a number, one digit wrong."""

    takes = "text or digits"
    leaves = frozenset({"text", "digits"})

    kind: Literal["typo"]


class OutOfRange(_ColumnFault):
    """A value from `low` to `high`, where no true one should be."""

    takes = "number"
    leaves = frozenset({"digits"})

    kind: Literal["out_of_range"]
    low: Figure
    high: Figure

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.high < self.low:
            raise ValueError(f"a high that is not below low ({self.high:g} is below {self.low:g})")
        return self


def _far_from_one(factor: float) -> float:
    if 0.5 < factor < 2:
        raise ValueError("a factor of at most 0.5 or at least 2")
    return factor


class UnitChange(_ColumnFault):
    """The value in another unit: times `factor`; 100 is cents for dollars."""

    takes = "number"
    leaves = frozenset({"digits"})

    kind: Literal["unit_change"]
    rate: Share = 1.0
    factor: Annotated[Positive, Field(le=1e6), AfterValidator(_far_from_one)] = 100.0


class Stuck(_ColumnFault):
    """The day falls into stretches; a stretch that is hit repeats the first value in it."""

    kind: Literal["stuck"]
    stretch_minutes: Annotated[float, Field(ge=1, le=1440, allow_inf_nan=False)] = 60.0


class NewCategory(_ColumnFault):
    """A value that was never among the known ones."""

    takes = "text"
    leaves = frozenset({"text"})

    kind: Literal["new_category"]
    category: Annotated[Word, Field(min_length=1, max_length=100)]


class Truncated(_ColumnFault):
    """The first `length` characters only."""

    takes = "text"
    leaves = frozenset({"text"})

    kind: Literal["truncated"]
    length: Annotated[int, Field(ge=1, le=1000)]


class DroppedDay(_Fault):
    """A day that never arrives: of one table, or of every table that lands by the day."""

    hits = "day"

    kind: Literal["dropped_day"]
    table: str | None = None  # type: ignore[assignment]


Fault = Annotated[
    Missing
    | Duplicate
    | Late
    | OutOfOrder
    | Typo
    | OutOfRange
    | UnitChange
    | Stuck
    | NewCategory
    | Truncated
    | DroppedDay,
    Field(discriminator="kind"),
]


def columns_of(fault: Fault) -> tuple[str, ...]:
    """Columns that the scenario names for a fault to hit; none for whole rows."""
    return getattr(fault, "columns", ())


def on_table(faults: Iterable[Fault], table: str) -> list[Fault]:
    """The faults that can hit a table, in order."""
    return [fault for fault in faults if fault.table == table or fault.table is None]
