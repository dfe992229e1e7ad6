"""The scenario as frozen models: what may be said in the YAML and what is said when nothing is.

Defaults are neutral (no calendar effect, no noise, flat hours); the world's figures live in the
YAML files. How a file becomes a scenario is told in `loader.py`.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar

from pydantic import AfterValidator, Field, SerializeAsAny, model_validator

from ..sql import TRUTH_SUFFIX
from .base import (
    IDENTIFIER,
    FrozenModel,
    GeneratorSettings,
    Moment,
    Multiplier,
    SimulatedDay,
)
from .drifts import Drift, DriftType, Effect, Gradual, Linear, Schedule, Seasonal, Sudden
from .faults import Fault, Noise

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
Month = Literal[
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
]  # fmt: skip
WeekOfMonth = Literal["1", "2", "3", "4", "5"]
EventName = Literal[
    "new_year_week", "martin_luther_king_day", "valentines_day", "presidents_day", "easter_sunday",
    "mothers_day", "memorial_day", "fathers_day", "juneteenth", "independence_day", "labor_day",
    "columbus_day", "halloween", "veterans_day", "thanksgiving", "black_friday",
    "thanksgiving_weekend", "cyber_monday", "cyber_week", "christmas_shopping", "christmas_eve",
    "christmas_day", "day_after_christmas",
]  # fmt: skip
ArrivalPattern = Literal["uniform", "poisson", "nhpp", "burst", "hawkes"]

MAX_CLUSTER_DAYS = 31
"""Self-exciting clusters that could outlive this are refused: a day would need too many others."""

TWIN_MARK = "__without_"
ALL_DRIFTS, ALL_FAULTS = "drifts", "faults"
"""What a twin without any drift, or without any fault, is without."""
SHORT_FORM_ID = "drift_type"
RESERVED_IDS = (ALL_DRIFTS, ALL_FAULTS, SHORT_FORM_ID)

RESERVED_NAMES = frozenset({"main", "temp", "system", "information_schema", "pg_catalog", "simtom"})


class Clock(FrozenModel):
    """The simulated clock and its map onto the delivered one.

    `delivered_at = epoch + (event_time - start) / time_compression`; both bounds are inclusive.
    """

    start: SimulatedDay
    end: SimulatedDay
    time_compression: Annotated[float, Field(ge=1e-3, le=1e6, allow_inf_nan=False)] = 1.0
    epoch: Moment | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.end < self.start:
            raise ValueError(f"an end on or after the start ({self.end} is before {self.start})")
        return self

    @property
    def delivery_epoch(self) -> datetime:
        """Delivered time of midnight of `start`."""
        return self.epoch or datetime.combine(self.start, time())

    def position(self, at: date | float) -> date:
        """The day that a position in a schedule means: a day, or a fraction of the clock's range."""
        if isinstance(at, date):
            return at
        return self.start + timedelta(round(at * ((self.end - self.start).days + 1)))

    def days(self) -> list[date]:
        """Every simulated day, in order."""
        return [self.start + timedelta(n) for n in range((self.end - self.start).days + 1)]


class Volume(FrozenModel):
    """Expected events a day: a base times calendar factors times a lognormal day factor of mean one."""

    base_daily_volume: Annotated[float, Field(gt=0, le=1e8, allow_inf_nan=False)] | None = None
    rate_per_second: Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)] | None = None
    day_of_week: dict[Weekday, Multiplier] = {}
    week_of_month: dict[WeekOfMonth, Multiplier] = {}
    month: dict[Month, Multiplier] = {}
    events: dict[EventName, Multiplier] = {}
    daily_noise: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] = 0.0

    @model_validator(mode="after")
    def _one_rate(self) -> Self:
        given = [self.base_daily_volume, self.rate_per_second]
        if given.count(None) != 1:
            found = "neither" if given[0] is None else "both"
            raise ValueError(
                f"exactly one of base_daily_volume and rate_per_second ({found} given; null resets one)"
            )
        return self

    @property
    def events_per_day(self) -> float:
        """Base volume in events a simulated day."""
        if self.base_daily_volume is not None:
            return self.base_daily_volume
        assert self.rate_per_second is not None
        return self.rate_per_second * 86_400


class FlashSale(FrozenModel):
    """A scheduled window in which the intensity is multiplied."""

    start: Moment
    duration_minutes: Annotated[float, Field(gt=0, le=60 * 24 * 366, allow_inf_nan=False)]
    multiplier: Multiplier


class Arrivals(FrozenModel):
    """When events happen within and across days.

    `hourly_profile`, `peak_hours` and `peak_multiplier` shape nhpp, burst and hawkes; uniform and
    poisson have flat hours. Flash sales act on every pattern.
    """

    arrival_pattern: ArrivalPattern = "uniform"
    hourly_profile: Annotated[tuple[Multiplier, ...], Field(min_length=24, max_length=24)] = (1.0,) * 24
    peak_hours: tuple[Annotated[int, Field(ge=0, le=23)], ...] = ()
    peak_multiplier: Multiplier = 1.5
    burst_probability: Annotated[float, Field(gt=0, le=0.99, allow_inf_nan=False)] = 0.1
    burst_intensity: Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)] = 2.0
    burst_minutes: Annotated[float, Field(ge=0.1, le=1440, allow_inf_nan=False)] = 30.0
    branching_ratio: Annotated[float, Field(ge=0, le=0.99, allow_inf_nan=False)] = 0.5
    decay_minutes: Annotated[float, Field(ge=0.001, allow_inf_nan=False)] = 10.0
    flash_sales: tuple[FlashSale, ...] = ()

    @model_validator(mode="after")
    def _some_hour_is_open(self) -> Self:
        if not any(self.hourly_profile) or (self.peak_multiplier == 0 and len(set(self.peak_hours)) == 24):
            raise ValueError("an hourly_profile with at least one hour above 0")
        return self

    @model_validator(mode="after")
    def _clusters_end(self) -> Self:
        mean_minutes = self.decay_minutes / (1 - self.branching_ratio)
        if mean_minutes * 25 > MAX_CLUSTER_DAYS * 1440:
            raise ValueError(
                f"decay_minutes / (1 - branching_ratio) of at most {MAX_CLUSTER_DAYS * 1440 / 25:g}"
                f" (it is {mean_minutes:g}; longer clusters span more than {MAX_CLUSTER_DAYS} days)"
            )
        return self


class Checks(FrozenModel):
    """Tolerances of the checks: how large an effect must be before it is called an error."""

    family_wise_error: Annotated[float, Field(gt=0, lt=0.1, allow_inf_nan=False)] = 1e-3
    volume_tolerance: Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)] = 0.03
    share_tolerance: Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)] = 0.01
    rate_tolerance: Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)] = 0.10
    auc_tolerance: Annotated[float, Field(gt=0, lt=0.5, allow_inf_nan=False)] = 0.02
    replay_days: Annotated[int, Field(ge=1, le=1000)] = 3


Declared = TypeVar("Declared", Drift, Fault)


def _told_apart(declared: tuple[Declared, ...]) -> tuple[Declared, ...]:
    names = [one.id for one in declared]
    if wrong := sorted({name for name in names if names.count(name) > 1 or name in RESERVED_IDS}):
        raise ValueError(
            f"ids that occur once and are none of {', '.join(RESERVED_IDS)} (not so: {', '.join(wrong)})"
        )
    return declared


def _one_noise(entries: tuple[Noise, ...]) -> tuple[Noise, ...]:
    places = [f"{entry.table}.{column}" for entry in entries for column in entry.columns]
    if twice := sorted({place for place in places if places.count(place) > 1}):
        raise ValueError(f"at most one noise on a column (not so: {', '.join(twice)})")
    return entries


def _identifier(name: str) -> str:
    if name in RESERVED_NAMES or name.endswith(TRUTH_SUFFIX):
        raise ValueError(
            "a name that is not reserved"
            f" (names ending in _truth, and {', '.join(sorted(RESERVED_NAMES))}, are)"
        )
    return name


SHORT_FORMS: dict[str, Schedule] = {
    "sudden": Sudden(kind="sudden", at=0.5),
    "gradual": Gradual(kind="gradual", at=0.5, width_days=30.0),
    "linear": Linear.model_validate({"kind": "linear", "from": 0.25, "to": 0.75}),
    "seasonal": Seasonal(kind="seasonal", at=0.25, period_days=90.0),
}
"""What `drift_type` stands for."""


class Scenario(FrozenModel):
    """One world: everything that `simulate_day` needs besides the day."""

    name: Annotated[str, Field(pattern=IDENTIFIER), AfterValidator(_identifier)]
    extends: Annotated[str, Field(pattern=IDENTIFIER)] | None = None
    description: str = ""
    generator: Annotated[str, Field(pattern=IDENTIFIER)] = "bnpl"
    seed: Annotated[int, Field(ge=0, lt=2**64)] = 0
    clock: Clock
    volume: Volume
    arrivals: Arrivals = Arrivals()
    drifts: Annotated[tuple[Drift, ...], AfterValidator(_told_apart)] = ()
    drift_type: DriftType = "none"
    drift_strength: Annotated[float, Field(gt=0, le=10, allow_inf_nan=False)] = 0.25
    noise: Annotated[tuple[Noise, ...], AfterValidator(_one_noise)] = ()
    faults: Annotated[tuple[Fault, ...], AfterValidator(_told_apart)] = ()
    checks: Checks = Checks()
    settings: SerializeAsAny[GeneratorSettings] = Field(default=GeneratorSettings(), exclude=False)

    own_keys: ClassVar[frozenset[str]]

    @property
    def all_drifts(self) -> tuple[Drift, ...]:
        """The declared drifts, and the one of `drift_type`: its size is a PSI of `drift_strength`."""
        if self.drift_type == "none":
            return self.drifts
        effect, schedule = Effect(psi=self.drift_strength), SHORT_FORMS[self.drift_type]
        return (
            *self.drifts,
            Drift(id=SHORT_FORM_ID, kind="covariate", schedule=schedule, effect=effect),
        )

    @model_validator(mode="after")
    def _ids_told_apart(self) -> Self:
        if shared := sorted({drift.id for drift in self.drifts} & {fault.id for fault in self.faults}):
            raise ValueError(f"ids of faults that are no drift's (not so: {', '.join(shared)})")
        return self

    @property
    def causes(self) -> tuple[str, ...]:
        """What a twin can be without: each drift, each fault, all drifts, all faults."""
        drifts, faults = [drift.id for drift in self.all_drifts], [fault.id for fault in self.faults]
        return (*drifts, *faults, *([ALL_DRIFTS] * bool(drifts)), *([ALL_FAULTS] * bool(faults)))

    def without(self, cause: str) -> "Scenario":
        """The counterfactual twin: the same world without one of its `causes`.

        Raises
        ------
        LookupError : the scenario has no such cause.
        """
        if cause not in self.causes:
            raise LookupError(f"{self.name} has no {cause!r}; it has {', '.join(self.causes) or 'none'}")
        drifts = tuple(d for d in self.drifts if cause not in (d.id, ALL_DRIFTS))
        faults = tuple(f for f in self.faults if cause not in (f.id, ALL_FAULTS))
        short: DriftType = "none" if cause in (ALL_DRIFTS, SHORT_FORM_ID) else self.drift_type
        name = f"{self.name}{TWIN_MARK}{cause}"
        return self.model_copy(update={"name": name, "drifts": drifts, "faults": faults, "drift_type": short})

    @property
    def faultless(self) -> "Scenario":
        """The same scenario, under the same name, without its faults."""
        return self.model_copy(update={"faults": ()})

    def __getattr__(self, name: str) -> Any:
        """The generator's section under its own name: `scenario.bnpl` is `scenario.settings`."""
        if name == self.__dict__.get("generator"):
            return self.settings
        return super().__getattr__(name)  # type: ignore[misc]

    @cached_property
    def digest(self) -> str:
        """Hexadecimal SHA-256 of everything the scenario says, in a canonical form."""
        document = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(document.encode()).hexdigest()

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with other values; what was remembered of the original is not copied."""
        copy = super().model_copy(update=update, deep=deep)
        copy.__dict__.pop("digest", None)
        return copy

    def __hash__(self) -> int:
        return hash(self.digest)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Scenario) and self.digest == other.digest


Scenario.own_keys = frozenset(Scenario.model_fields) - {"settings"}
