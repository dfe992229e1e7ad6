"""A live stream: the parameters that the older simulator has, and the scenario that they mean.

What is left open (the seed, the moment of the start) is settled once, by `settled`; from then on a stream is
as reproducible as any other, and `address` is where it can be had again.
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from math import ceil
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlencode

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from ..contracts import TableContract
from ..generators.base import BaseGenerator
from ..scenarios.base import FIRST_DAY, LAST_DAY
from ..scenarios.models import SHORT_FORMS
from ..scenarios.world import POSITIONS
from .bounds import MAX_EVENTS_PER_DAY, MAX_RECORDS_PER_SECOND

ENDLESS_DAYS = 3_650
"""Length of the clock of a stream without an end."""
DAYS_OF_DRIFT = 365
"""Of such a clock, the days over which a drift runs its course."""
MAX_HISTORY_DAYS = 365
SECONDS_PER_DAY = 86_400
EVENTS_PER_LIVE_DAY = 200_000
"""Of the simulated clock, where it may run faster instead: the first record comes within seconds."""
OUTLIERS_PER_LEVEL = 0.1
"""Share of outliers at noise level 1."""
OUTLIER_SIZE = 10.0
RESERVED_OVERRIDES = ("name", "extends", "generator", "description")


def _read_mapping(value: Any) -> Any:
    """A mapping, which in a URL is JSON text."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise ValueError('a JSON object such as {"bnpl.economic_stress_factor": 0.5}') from None


def _read_numbers(value: Any) -> Any:
    """Numbers, which in a URL may have commas between them."""
    parts = value if isinstance(value, list) else [value]
    return [piece for part in parts for piece in (part.split(",") if isinstance(part, str) else [part])]


Hour = Annotated[int, Field(ge=0, le=23)]


class LiveRequest(BaseModel):
    """Parameters of a live stream; every one may be left out."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    rate_per_second: Annotated[
        float | None,
        Field(
            ge=0.01,
            le=1000,
            allow_inf_nan=False,
            description="Events a second of the simulated clock. Default 1, unless base_daily_volume or"
            " start_date is given: then null.",
        ),
    ] = None
    base_daily_volume: Annotated[
        float,
        Field(ge=1, le=MAX_EVENTS_PER_DAY, allow_inf_nan=False, description="Events a day, without a rate."),
    ] = 1000
    max_records: Annotated[
        int | None,
        Field(
            ge=1,
            le=10**12,
            validation_alias=AliasChoices("max_records", "total_records"),
            description="How many records; null: until the client leaves. Also called total_records.",
        ),
    ] = None
    arrival_pattern: Annotated[
        Literal["uniform", "poisson", "nhpp", "burst", "hawkes"],
        Field(description="When events happen: evenly, at random, by the hours of the day, in bursts."),
    ] = "uniform"
    peak_hours: Annotated[
        list[Hour],
        BeforeValidator(_read_numbers),
        Field(max_length=24, description="Hours with more events."),
    ] = [12, 19]
    burst_intensity: Annotated[
        float, Field(ge=1, le=10, allow_inf_nan=False, description="Factor on the rate in a burst.")
    ] = 2.0
    burst_probability: Annotated[
        float, Field(ge=0, le=0.99, allow_inf_nan=False, description="Share of time in a burst.")
    ] = 0.1
    start_date: Annotated[
        date | None, Field(ge=FIRST_DAY, le=LAST_DAY, description="First simulated day, a history's.")
    ] = None
    end_date: Annotated[
        date | None,
        Field(ge=FIRST_DAY, le=LAST_DAY, description="Last simulated day, at most 365 days after the first."),
    ] = None
    include_holiday_patterns: Annotated[
        bool, Field(description="Holidays and shopping days, without a rate.")
    ] = True
    weekend_multiplier: Annotated[
        float, Field(ge=0.1, le=5, allow_inf_nan=False, description="Factor of weekends, without a rate.")
    ] = 0.85
    noise_type: Annotated[
        Literal["none", "gaussian", "uniform", "outliers"],
        Field(description="Noise on everything that is measured of an event."),
    ] = "none"
    noise_level: Annotated[
        float,
        Field(
            ge=0, le=1, allow_inf_nan=False, description="Relative error; of outliers a tenth is their share."
        ),
    ] = 0.0
    drift_type: Annotated[
        Literal["none", "linear", "seasonal", "sudden", "gradual"],
        Field(description="Covariate drift over the clock, or over the first year of an endless one."),
    ] = "none"
    drift_strength: Annotated[
        float, Field(ge=0, le=1, allow_inf_nan=False, description="Its size, a PSI; 0 is no drift.")
    ] = 0.0
    seed: Annotated[int | None, Field(ge=0, lt=2**63, description="null: one is drawn, and sent back.")] = (
        None
    )
    start_time: Annotated[
        datetime | None,
        Field(description="Moment of the simulated clock at which the stream begins; null: now."),
    ] = None
    time_compression: Annotated[
        float, Field(ge=0.1, le=1000, allow_inf_nan=False, description="Simulated seconds a second.")
    ] = 1.0
    scenario: Annotated[
        str | None,
        Field(
            max_length=63, description="Scenario to start from, by name; then only what is given changes it."
        ),
    ] = None
    overrides: Annotated[
        dict[str, Any],
        BeforeValidator(_read_mapping),
        Field(
            description="Values by dotted key of a scenario, the generator's own among them; in a URL, JSON."
        ),
    ] = {}

    after: Annotated[
        str | None, Field(max_length=200, description="Id of the last record received; also Last-Event-ID.")
    ] = None

    @model_validator(mode="before")
    @classmethod
    def _one_name(cls, said: Any) -> Any:
        if isinstance(said, dict) and {"max_records", "total_records"} <= said.keys():
            raise ValueError("total_records: found max_records too, which is the same; allowed: one of them")
        return said

    @model_validator(mode="after")
    def _dates_in_order(self) -> Self:
        if self.end_date is None:
            return self
        if self.start_date is None:
            raise ValueError("end_date: found a last day alone; allowed: with a start_date")
        if not 0 <= (self.end_date - self.start_date).days <= MAX_HISTORY_DAYS:
            allowed = f"from start_date on, at most {MAX_HISTORY_DAYS} days"
            raise ValueError(f"end_date: found {self.end_date}; allowed: {allowed}")
        return self

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if (rate := self.rate) is not None and rate * self.time_compression > MAX_RECORDS_PER_SECOND:
            raise ValueError(
                f"time_compression: found {rate:g} times {self.time_compression:g} records a second; allowed:"
                f" at most {MAX_RECORDS_PER_SECOND:,}"
            )
        return self

    @model_validator(mode="after")
    def _whose_overrides(self) -> Self:
        for key in self.overrides:
            if key.split(".")[0] in RESERVED_OVERRIDES:
                raise ValueError(
                    f"overrides: found the key {key!r}; allowed: any but {', '.join(RESERVED_OVERRIDES)}"
                )
        return self

    @property
    def rate(self) -> float | None:
        """Events a second; None where they are counted by the day."""
        by_the_day = {"base_daily_volume", "start_date"} & self.model_fields_set
        is_given = "rate_per_second" in self.model_fields_set or self.scenario is not None or by_the_day
        return self.rate_per_second if is_given else 1.0

    def settled(self, now: datetime) -> "LiveRequest":
        """The same with a seed and a start: those that are given, or one drawn and the time now.

        A named scenario has both already.
        """
        given = self.model_dump(exclude_unset=True, exclude={"seed", "start_time", "after"})
        seed, start = self.seed, self.start_time
        if self.scenario is None:
            seed = secrets.randbits(32) if seed is None else seed
            start = start or (datetime.combine(self.start_date, time()) if self.start_date else now)
        if start is not None and start.tzinfo is not None:
            start = start.astimezone(UTC).replace(tzinfo=None)
        settled = {"seed": seed, "start_time": start}
        return LiveRequest(**given, **{key: value for key, value in settled.items() if value is not None})

    def address(self, generator: str) -> str:
        """Path and query from which the same stream can be had again."""
        given = self.model_dump(mode="json", exclude_unset=True, exclude_none=True)
        query = {
            key: ",".join(map(str, value)) if isinstance(value, list)
            else json.dumps(value, separators=(",", ":")) if isinstance(value, dict)
            else str(value).lower() if isinstance(value, bool)
            else value
            for key, value in sorted(given.items())
        }  # fmt: skip
        return f"/stream/{generator}?{urlencode(query)}"


@dataclass(frozen=True)
class LiveScenario:
    """What a live stream is of.

    Attributes
    ----------
    scenario : the name to start from.
    overrides : what of it is changed, by dotted key.
    begins : moment of the simulated clock before which nothing is sent; None: the clock's start.
    """

    scenario: str
    overrides: Mapping[str, Any]
    begins: datetime | None


def live_scenario(request: LiveRequest, base: str, generator: type[BaseGenerator]) -> LiveScenario:
    """The scenario that a settled request means; `base` is the one to start from if it names none."""
    named = request.scenario is not None
    said = request.model_fields_set if named else set(LiveRequest.model_fields)
    events = next(table for table in generator.tables if table.name == generator.event_table)
    overrides = {} if named else dict(generator.live_overrides)
    overrides |= _clock(request, said) | _volume(request, said, named) | _arrivals(request, said, named)
    overrides |= _noise(request, said, events) | _drift(request, said, named)
    if request.seed is not None:
        overrides["seed"] = request.seed
    start = request.start_time
    if start is None and request.start_date is not None:
        start = datetime.combine(request.start_date, time())
    return LiveScenario(request.scenario or base, overrides | request.overrides, start)


def hurry(request: LiveRequest) -> int:
    """By how much the simulated clock runs faster still, so that a day of it is not too large.

    The rate is that much lower then, and what a second brings is the same.
    """
    return max(ceil((request.rate or 0) * SECONDS_PER_DAY / EVENTS_PER_LIVE_DAY), 1)


def _clock(request: LiveRequest, said: set[str]) -> dict[str, Any]:
    compression = request.time_compression * hurry(request)
    overrides: dict[str, Any] = {}
    if "time_compression" in said or compression != request.time_compression:
        overrides["clock.time_compression"] = compression
    if (start := request.start_time) is None:
        return overrides
    midnight = datetime.combine(start.date(), time())
    end = request.end_date or min(start.date() + timedelta(ENDLESS_DAYS - 1), LAST_DAY)
    return overrides | {
        "clock.start": start.date().isoformat(),
        "clock.end": end.isoformat(),
        "clock.epoch": (start - (start - midnight) / compression).isoformat(),
    }


def _volume(request: LiveRequest, said: set[str], named: bool) -> dict[str, Any]:
    if (rate := request.rate) is not None:
        shape = ("day_of_week", "week_of_month", "month", "events", "daily_noise")
        flat = {} if named else {f"volume.{name}": None for name in shape}
        return flat | {"volume.rate_per_second": rate / hurry(request), "volume.base_daily_volume": None}
    overrides: dict[str, Any] = {}
    if "base_daily_volume" in said:
        overrides |= {"volume.base_daily_volume": request.base_daily_volume, "volume.rate_per_second": None}
    if "include_holiday_patterns" in said and not request.include_holiday_patterns:
        overrides["volume.events"] = None
    if "weekend_multiplier" in said:
        weekend = dict.fromkeys(("saturday", "sunday"), request.weekend_multiplier)
        overrides |= {f"volume.day_of_week.{day}": factor for day, factor in weekend.items()}
    return overrides


def _arrivals(request: LiveRequest, said: set[str], named: bool) -> dict[str, Any]:
    wanted = ("arrival_pattern", "peak_hours", "burst_intensity", "burst_probability")
    overrides = {f"arrivals.{name}": getattr(request, name) for name in wanted if name in said}
    if overrides.get("arrivals.burst_probability") == 0:
        overrides |= {"arrivals.burst_probability": None, "arrivals.burst_intensity": 0.0}
    return overrides if named else overrides | {"arrivals.hourly_profile": None}


def _noise(request: LiveRequest, said: set[str], events: TableContract) -> dict[str, Any]:
    if not {"noise_type", "noise_level"} & said:
        return {}
    if request.noise_type == "none" or request.noise_level == 0:
        return {"noise": None}
    columns = [column.name for column in events.columns if column.is_measurement]
    size: dict[str, Any] = {"noise_level": request.noise_level}
    if request.noise_type == "outliers":
        size = {"share": request.noise_level * OUTLIERS_PER_LEVEL, "size": OUTLIER_SIZE}
    return {"noise": [{"table": events.name, "columns": columns, "noise_type": request.noise_type, **size}]}


def _drift(request: LiveRequest, said: set[str], named: bool) -> dict[str, Any]:
    if not {"drift_type", "drift_strength"} & said:
        return {}
    if request.drift_type == "none" or request.drift_strength == 0:
        return {"drift_type": "none"}
    if named or request.end_date is not None or request.start_time is None:
        return {"drift_type": request.drift_type, "drift_strength": request.drift_strength}
    schedule = SHORT_FORMS[request.drift_type].model_dump(mode="json", by_alias=True)
    first = request.start_time.date()
    for key in POSITIONS:
        if isinstance(schedule.get(key), float):
            schedule[key] = (first + timedelta(round(schedule[key] * DAYS_OF_DRIFT))).isoformat()
    effect = {"psi": request.drift_strength}
    return {"drifts": [{"id": "drift", "kind": "covariate", "schedule": schedule, "effect": effect}]}
