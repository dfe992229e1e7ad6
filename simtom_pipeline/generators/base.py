"""What every generator is: tables under contract, arrivals given, one day drawn at a time.

The base draws the arrivals, keeps the record of where each day's expected volume came from, and turns
NumPy columns into Arrow under the contracts. A generator says what the events are. What is drawn is true:
of noise, faults and databases nothing is known here.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from functools import cached_property, lru_cache
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from ..claims import Claim, DeclaredOutcome, DeclaredShares, ProfileMetric
from ..contracts import DATE, DOUBLE, Column, TableContract, ViewContract
from ..moments import MICROSECONDS_PER_DAY, day_number
from ..scenarios.base import GeneratorSettings
from ..scenarios.models import Scenario
from ..scenarios.problems import Refusal
from .arrivals import arrival_process
from .delivery import delivered
from .drift.ledger import DRIFT_LEDGER, Intended, LedgerPart
from .random_streams import RandomStreams

__all__ = ["MICROSECONDS_PER_DAY", "BaseGenerator", "Columns", "Day", "day_number"]

ENGINE_VERSION = 2
"""Version of what is drawn for every generator: arrivals, intensity, noise, faults.

Raised when the rows of a scenario become others by a change of these; `model_version` is the generator's own.
"""
DAY_STRIDE = 10**9
"""Keys of day n (0 is `clock.start`) run from n * DAY_STRIDE + 1: unique without knowing other days."""

Columns = Mapping[str, np.ndarray | pa.Array]

DAILY_INTENSITY = TableContract(
    name="daily_intensity",
    row="one day: where its expected number of events comes from",
    truth=True,
    primary_key=("day",),
    columns=(
        Column("day", DATE, "simulated day"),
        Column("base", DOUBLE, "base volume", "events/day"),
        Column("day_of_week", DOUBLE, "factor of the weekday"),
        Column("week_of_month", DOUBLE, "factor of the week of the month"),
        Column("month", DOUBLE, "factor of the month"),
        Column("event", DOUBLE, "product of the factors of the named events of the day"),
        Column("noise", DOUBLE, "lognormal day factor, mean one"),
        Column("drift", DOUBLE, "factor of drift"),
        Column("flash_sale", DOUBLE, "factor of the flash-sale windows over the day's hours"),
        Column("spillover", DOUBLE, "factor of self-exciting clusters that cross midnight, 1 without"),
        Column("expected_count", DOUBLE, "product of the columns before", "events/day"),
    ),
)


@dataclass(frozen=True)
class Day:
    """One simulated day as a generator sees it.

    Attributes
    ----------
    date : the day.
    index : days since `clock.start`.
    number : days since 1970-01-01, the integer form of the day.
    event_time : sorted event times, shape (n_events,), int64 microseconds since 1970-01-01.
    """

    date: date
    index: int
    event_time: np.ndarray

    @property
    def number(self) -> int:
        return day_number(self.date)

    @property
    def midnight(self) -> int:
        """Start of the day in microseconds since 1970-01-01."""
        return self.number * MICROSECONDS_PER_DAY

    def keys(self, count: int, after: int = 0) -> np.ndarray:
        """`count` primary keys of this day, ascending, the first `after` of the day's left out."""
        return self.keys_from(after) + np.arange(count, dtype=np.int64)

    def keys_from(self, after: int) -> int:
        """The primary key of this day that has `after` others before it."""
        return self.index * DAY_STRIDE + 1 + after

    def filled(self, count: int) -> np.ndarray:
        """The column `day` of `count` rows."""
        return np.full(count, self.number, np.int32)


class BaseGenerator(ABC):
    """A domain's history as a pure function of (scenario, day).

    A subclass declares `tables`, `event_table` and, if it has parameters, `settings_model`; it draws a
    day in `draw_day`. It must draw from `self.streams`, one stream a variable, and keep no state that
    a day's result depends on.

    Parameters
    ----------
    scenario : as `load_scenario` returns it; its generator's own section is `self.settings`.

    Raises
    ------
    ValueError : by `true_day`, for a day outside the clock, or a table that is not as its contract says.

    Examples
    --------
    Visits to a page, each of a length of its own:

    >>> import numpy as np
    >>> from simtom_pipeline.contracts import BIGINT, DATE, DOUBLE, TIMESTAMP, Column, TableContract
    >>> VISITS = TableContract(
    ...     name="visits",
    ...     row="one visit",
    ...     primary_key=("visit_id",),
    ...     dated_by="event_time",
    ...     columns=(
    ...         Column("visit_id", BIGINT, "key"),
    ...         Column("day", DATE, "simulated day"),
    ...         Column("event_time", TIMESTAMP, "when it began"),
    ...         Column("seconds", DOUBLE, "how long it lasted", "seconds"),
    ...     ),
    ... )
    >>> class Visits(BaseGenerator):
    ...     name, tables, event_table = "visits", (VISITS,), "visits"
    ...
    ...     def draw_day(self, day):
    ...         n = len(day.event_time)
    ...         seconds = -60 * np.log(self.streams.uniform("visits.seconds", day.date, n))
    ...         columns = {"visit_id": day.keys(n), "day": day.filled(n), "event_time": day.event_time}
    ...         return {"visits": {**columns, "seconds": seconds}}
    >>> from datetime import date
    >>> from simtom_pipeline import load_scenario
    >>> scenario = load_scenario("poisson_arrivals", {"volume.base_daily_volume": 20})
    >>> Visits(scenario).true_day(date(2024, 1, 1))["visits"].column_names
    ['visit_id', 'day', 'event_time', 'seconds']
    """

    name: ClassVar[str]
    settings_model: ClassVar[type[GeneratorSettings]] = GeneratorSettings
    tables: ClassVar[tuple[TableContract, ...]]
    views: ClassVar[tuple[ViewContract, ...]] = ()
    event_table: ClassVar[str]
    """The table whose rows are the arrivals: one row an event, dated by `event_time`."""
    record_view: ClassVar[str] = ""
    """The view that is an event as a flat record, with `_timestamp`, `_record_id`, `_generator`; if any."""
    live_overrides: ClassVar[Mapping[str, Any]] = {}
    """What a live stream that names no scenario changes of one, by dotted key, so that it begins at once."""
    model_version: ClassVar[int] = 1
    """Raised when the generator draws other rows: what an earlier version landed is then another world."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.settings: Any = scenario.settings
        self.streams = RandomStreams(scenario.seed)
        self.arrivals = arrival_process(scenario, self.volume_factor)
        self._times = lru_cache(maxsize=2)(self.arrivals.times)

    @abstractmethod
    def draw_day(self, day: Day) -> Mapping[str, Columns]:
        """Columns of every daily table, by table name; see `ColumnType.array` for representations."""

    def draw_constants(self) -> Mapping[str, Columns]:
        """Columns of the tables that do not depend on the day."""
        return {}

    def forget(self) -> None:
        """Let go of what is remembered from one day to the next; no result depends on it."""
        self._times.cache_clear()

    def volume_factor(self, day: date) -> float:
        """What drift does to the expected number of events of a day."""
        return 1.0

    def earlier_rows(self) -> int:
        """How many rows of one table the first day has of what was there before it."""
        return 0

    def ledger_parts(self) -> Sequence[LedgerPart]:
        """Every target of every declared drift."""
        return ()

    def intended(self, part: LedgerPart, day: date) -> Intended:
        """What the scenario intends for a target of `ledger_parts` on a day."""
        raise NotImplementedError(f"{type(self).__name__} has no target that drifts")

    @property
    def profile_from(self) -> str:
        """Relation of `daily_profile`, with the event table as t; `{schema}` is the quoted schema."""
        return f"{{schema}}.{self.event_table} t"

    def profile_metrics(self) -> Sequence[ProfileMetric]:
        """What `daily_profile` says of every day; `profile_expected` has the same names."""
        return [ProfileMetric("events", "count(*)")]

    def profile_expected(self, day: date) -> Mapping[str, float]:
        """Expected value of each metric on a day."""
        return {"events": self.arrivals.expected_count(day)}

    def declared_shares(self) -> Sequence[DeclaredShares]:
        """The shares that the scenario states and the landed tables must show."""
        return ()

    @classmethod
    def refused(cls, scenario: Scenario) -> Sequence[Refusal]:
        """What a valid scenario states that this generator cannot bring about."""
        return (
            [Refusal(("drifts",), "drifts", f"none: {cls.name} has no target")] if scenario.all_drifts else []
        )

    def claims(self) -> Sequence[Claim]:
        """Statements about the landed tables that allow no exception."""
        return ()

    def declared_outcomes(self) -> Sequence[DeclaredOutcome]:
        """Outcomes that were drawn with a probability that the truth tables hold."""
        return ()

    @classmethod
    def true_tables(cls) -> tuple[TableContract, ...]:
        """Every table as it is drawn, the truth included."""
        return (*cls.tables, DAILY_INTENSITY, DRIFT_LEDGER)

    def true_day(self, when: date) -> dict[str, pa.Table]:
        """Every table's rows of one day as they are drawn, in the schema of its contract.

        Raises
        ------
        ValueError : the day is outside the scenario's clock, or a table is not as its contract says.
        """
        clock = self.scenario.clock
        if not clock.start <= when <= clock.end:
            raise ValueError(
                f"{when} is outside the clock of {self.scenario.name} ({clock.start} to {clock.end})"
            )
        drawn = {**self.draw_day(self.day(when)), DAILY_INTENSITY.name: self._daily_intensity(when)}
        daily = [contract for contract in self.true_tables() if contract.daily]
        for contract in daily:
            if np.any(drawn[contract.name]["day"] != day_number(when)):
                raise ValueError(
                    f"generator {self.name}: table {contract.name} has rows of another day than {when}"
                )
        tables = {contract.name: contract.table(drawn[contract.name]) for contract in daily}
        return {c.name: tables.get(c.name, self._constants.get(c.name)) for c in self.true_tables()}

    def constants(self) -> dict[str, pa.Table]:
        """The tables that do not depend on the day."""
        return dict(self._constants)

    @cached_property
    def _constants(self) -> dict[str, pa.Table]:
        drawn = {**self.draw_constants(), DRIFT_LEDGER.name: self._drift_ledger()}
        return {c.name: c.table(drawn[c.name]) for c in self.true_tables() if not c.daily}

    def _drift_ledger(self) -> Columns:
        rows = [row for part in self.ledger_parts() for row in part.rows]
        return {
            column.name: pa.array([row[column.name] for row in rows], column.type.arrow)
            for column in DRIFT_LEDGER.columns
        }

    def day(self, when: date) -> Day:
        """The arrivals of a day."""
        seconds = self._times(when)
        since_midnight = np.minimum((seconds * 1e6).astype(np.int64), MICROSECONDS_PER_DAY - 1)
        index = (when - self.scenario.clock.start).days
        return Day(when, index, day_number(when) * MICROSECONDS_PER_DAY + since_midnight)

    def delivered_at(self, event_time: np.ndarray) -> np.ndarray:
        """Delivered time of simulated moments, both int64 microseconds since 1970-01-01."""
        return delivered(self.scenario.clock, event_time)

    def _daily_intensity(self, when: date) -> Columns:
        row = asdict(self.arrivals.factors(when)) | {
            "flash_sale": self.arrivals.flash_sale(when),
            "spillover": self.arrivals.spillover(when),
            "expected_count": self.arrivals.expected_count(when),
        }
        return {"day": np.array([day_number(when)])} | {name: np.array([v]) for name, v in row.items()}
