"""How a scenario says that the world changes: what drifts, when, and how far.

What a target's name means, and which effects it can have, is told by the generator.
"""

from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import (
    Field,
    PlainSerializer,
    PlainValidator,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from .base import FIRST_DAY, IDENTIFIER, LAST_DAY, OUTCOME_RATE, DriftVocabulary, FrozenModel, Probability

DriftType = Literal["none", "linear", "seasonal", "sudden", "gradual"]


A_POSITION = "a day from 1901-01-01 to 2099-12-31, or a fraction of the clock's range from 0 to 1"


def _day_or_fraction(value: Any) -> date | float:
    found: Any = value
    if isinstance(value, str):
        try:
            found = date.fromisoformat(value)
        except ValueError:
            raise ValueError(A_POSITION) from None
    if isinstance(found, date) and FIRST_DAY <= found <= LAST_DAY:
        return found
    if isinstance(found, (int, float)) and not isinstance(found, bool) and 0 <= found <= 1:
        return float(found)
    raise ValueError(A_POSITION)


def _as_written(position: date | float) -> str | float:
    return position.isoformat() if isinstance(position, date) else position


Position = Annotated[
    date | float,
    PlainValidator(_day_or_fraction, json_schema_input_type=date | float),
    PlainSerializer(_as_written, when_used="json"),
]
"""A day, or how much of the scenario's range has passed when that day begins."""
Days = Annotated[float, Field(gt=0, le=36_525, allow_inf_nan=False)]


class _FromTo(FrozenModel):
    """Ends of one kind are in order; a day and a fraction are compared once the clock is known."""

    from_: Annotated[Position, Field(alias="from")]
    to: Position

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if type(self.from_) is type(self.to) and self.to < self.from_:  # type: ignore[operator]
            raise ValueError(f"a `to` that is not before `from` ({self.to} is before {self.from_})")
        return self


class Sudden(FrozenModel):
    """0 before `at`, 1 from that day on."""

    kind: Literal["sudden"]
    at: Position


class Gradual(FrozenModel):
    """Each record is of the new concept with probability 1 / (1 + exp(-4 (t - at) / width_days))."""

    kind: Literal["gradual"]
    at: Position
    width_days: Days


class Linear(_FromTo):
    """0 until `from`, 1 from `to` on, in proportion to the days between."""

    kind: Literal["linear"]


class Seasonal(FrozenModel):
    """(1 - cos(2 pi (t - at) / period_days)) / 2 from `at` on: out and back, again and again."""

    kind: Literal["seasonal"]
    at: Position
    period_days: Annotated[Days, Field(ge=2)]


class Pulse(_FromTo):
    """1 from `from` to `to`, both included, and 0 outside."""

    kind: Literal["pulse"]


Schedule = Annotated[Sudden | Gradual | Linear | Seasonal | Pulse, Field(discriminator="kind")]


class Effect(FrozenModel):
    """How far the target drifts: its new value, or a size that is solved for; one of them.

    `towards` names the value whose share grows where a size of shares is stated. `outcome_rate` beside `to`
    moves the intercept as well, so that the mean probability of the outcome becomes it. A generator may have
    a word of its own for it: what is validated with its vocabulary may be written in that word, and is
    serialized in it.
    """

    to: Annotated[float, Field(allow_inf_nan=False)] | None = None
    shares: dict[str, Probability] | None = None
    mean_ratio: Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)] | None = None
    psi: Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)] | None = None
    ks: Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)] | None = None
    hellinger: Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)] | None = None
    outcome_rate: Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)] | None = None
    towards: str | None = None

    _rate_word: str = PrivateAttr(OUTCOME_RATE)

    @model_validator(mode="before")
    @classmethod
    def _in_common_words(cls, stated: Any, info: ValidationInfo) -> Any:
        word = _vocabulary(info).outcome_rate
        if not isinstance(stated, dict) or word == OUTCOME_RATE or word not in stated:
            return stated
        if OUTCOME_RATE in stated:
            raise ValueError(f"either {OUTCOME_RATE} or {word}, which mean the same")
        return {OUTCOME_RATE if key == word else key: value for key, value in stated.items()}

    @model_serializer(mode="wrap")
    def _in_its_own_words(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {self._in_words(key): value for key, value in handler(self).items()}

    def _in_words(self, size: str) -> str:
        return self._rate_word if size == OUTCOME_RATE else size

    @field_validator("shares")
    @classmethod
    def _add_up(cls, shares: dict[str, float] | None) -> dict[str, float] | None:
        if shares is not None and abs(sum(shares.values()) - 1) > 1e-6:
            raise ValueError(f"shares that add up to 1 (these add up to {sum(shares.values()):.6g})")
        return shares

    @model_validator(mode="after")
    def _one_size(self, info: ValidationInfo) -> Self:
        self._rate_word = _vocabulary(info).outcome_rate
        stated = list(self.sizes)
        if len(stated) != 1 and stated != ["to", OUTCOME_RATE]:
            given = " and ".join(map(self._in_words, stated))
            raise ValueError(
                f"exactly one of to, shares, mean_ratio, psi, ks, hellinger and {self._rate_word}, or to with"
                f" {self._rate_word} ({given or 'none'} given)"
            )
        return self

    @property
    def sizes(self) -> dict[str, Any]:
        """What is stated, without the direction."""
        stated = {name: getattr(self, name) for name in type(self).model_fields if name != "towards"}
        return {name: value for name, value in stated.items() if value is not None}


class Drift(FrozenModel):
    """One declared change of the world."""

    id: Annotated[str, Field(pattern=IDENTIFIER, max_length=30)]
    kind: str
    """One of the kinds that its generator knows."""
    target: str | None = None
    """None: what a drift of this kind acts on if nothing is said."""
    schedule: Schedule
    effect: Effect

    @field_validator("kind", mode="before")
    @classmethod
    def _known(cls, kind: Any, info: ValidationInfo) -> Any:
        if info.context is not None and kind not in (kinds := _vocabulary(info).kinds):
            *others, last = map(repr, kinds)
            raise ValueError(f"{', '.join(others)} or {last}")
        return kind


def _vocabulary(info: ValidationInfo) -> DriftVocabulary:
    """The vocabulary of the generator whose scenario is validated; the general one if none is given."""
    return DriftVocabulary() if info.context is None else info.context
