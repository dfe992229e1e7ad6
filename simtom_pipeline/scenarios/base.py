"""What every model of a scenario is made of: frozen models, identifiers, days, shares."""

import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, ClassVar, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Multiplier = Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)]
Probability = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
OUTCOME_RATE = "outcome_rate"
IDENTIFIER = r"^[a-z][a-z0-9_]{0,62}$"

K = TypeVar("K", bound=str)


def _moment(text: Any) -> Any:
    if not isinstance(text, str):
        return text
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"a moment such as 2024-11-29T18:00:00 ({error})") from None
    if moment.tzinfo is not None:
        raise ValueError("a moment without a time zone: the simulated clock has none")
    return moment


Moment = Annotated[datetime, BeforeValidator(_moment)]
"""A moment of the simulated clock; a date alone means its midnight."""


def _adds_up_to_one(shares: dict[K, float]) -> dict[K, float]:
    total = sum(shares.values())
    if abs(total - 1) > 1e-6:
        raise ValueError(f"shares that add up to 1 (these add up to {total:.6g})")
    return shares


Shares = Annotated[dict[K, Probability], AfterValidator(_adds_up_to_one)]
"""Share of each value; what is left out has share 0; they add up to one."""


def equal_shares(values: object) -> dict[Any, float]:
    """The neutral default: every value of a `Literal` equally often."""
    names = get_args(values)
    return {name: 1 / len(names) for name in names}


def valid_name(name: str) -> bool:
    """Whether `name` is an identifier: it can be a schema, a file and an asset key as it is."""
    return re.fullmatch(IDENTIFIER[1:-1], name) is not None


class FrozenModel(BaseModel):
    """Base of everything a scenario says: immutable, and unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, validate_default=False)


@dataclass(frozen=True)
class DriftVocabulary:
    """The words in which the scenarios of a generator speak of drift.

    Attributes
    ----------
    kinds : kinds of drift; those beyond the general ones are the generator's to name.
    outcome_rate : what it calls the `outcome_rate` of an effect, which may be called so as well.
    """

    kinds: tuple[str, ...] = ("covariate", "prior", "concept", "volume")
    outcome_rate: str = OUTCOME_RATE


class GeneratorSettings(FrozenModel):
    """Base of a generator's own section; a generator without one accepts no key there."""

    drift_vocabulary: ClassVar[DriftVocabulary] = DriftVocabulary()


FIRST_DAY, LAST_DAY = date(1901, 1, 1), date(2099, 12, 31)
SimulatedDay = Annotated[date, Field(ge=FIRST_DAY, le=LAST_DAY)]
"""The years for which the calendar of US holidays is known."""
