"""The replay clock: a sensor that lands each day once its last moment has been delivered.

What is due follows from the scenario's clock and the time; what was tried, from the runs that Dagster keeps;
what has landed, from Dagster and the file. The cursor adds what none of them tells: which days have had their
turn, so that a day that is removed afterwards stays away. Every answer can thus be worked out again, and one
that was lost with the daemon is.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from itertools import takewhile
from types import MappingProxyType
from typing import TYPE_CHECKING

import dagster as dg
import numpy as np
from pydantic import BaseModel, ConfigDict, NaiveDatetime, ValidationError

from ..generators.delivery import delivered
from ..landing.records import AnotherWorldError
from ..moments import MICROSECONDS_PER_DAY, day_number, microseconds
from ..scenarios.models import Clock
from ..simulation import Simulation
from .missing_days import MissingDays, open_days
from .partitions import range_tags

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

MAX_ATTEMPTS = 3
"""Failed or cancelled runs after which the clock gives a day up."""

SECONDS_BETWEEN_TICKS = 3
"""Less than the five after which Dagster's daemon looks at its sensors again: with five it skips many."""

REPLAY_TAG = "simtom/replay_clock"
"""Tag of the runs that the clock requests; its value is the world's digest, as in the cursor."""

FAILED = (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)
UNITS = ((86_400, "days"), (3600, "h"), (60, "min"), (1, "s"))


def replay_clock_sensor(
    simulation: Simulation, job: "UnresolvedAssetJobDefinition", missing: MissingDays
) -> dg.SensorDefinition:
    """Requests the days of a scenario as they fall due, in one run over all that have."""
    clock = ReplayClock(simulation, missing)

    @dg.sensor(
        name=f"{simulation.scenario.name}_replay_clock",
        job=job,
        minimum_interval_seconds=SECONDS_BETWEEN_TICKS,
        default_status=dg.DefaultSensorStatus.STOPPED,
        description="Requests each day when its end is delivered: clock.epoch and clock.time_compression say"
        " when, in UTC. Reset the cursor to let days that were removed land again.",
    )
    def replay_clock(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        return clock.tick(context.instance, context.cursor, datetime.now(UTC).replace(tzinfo=None))

    return replay_clock


class Cursor(BaseModel):
    """How far the clock has come, as the UI shows it.

    Attributes
    ----------
    requested_until : instant of the simulated clock; every day that ends by then has had its turn.
    last_request : first and last day of the latest request.
    world : digest of the world that the days are of, 16 hexadecimal digits; another one begins anew.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    requested_until: NaiveDatetime
    last_request: tuple[date, date] | None = None
    world: str

    def past(self, day: date) -> "Cursor":
        """At the end of a day, or where it is if that is later."""
        return self.model_copy(update={"requested_until": max(self.requested_until, _midnight_after(day))})

    def is_before(self, day: date) -> bool:
        """Whether a day has not had its turn."""
        return self.requested_until < _midnight_after(day)


def falls_due(clock: Clock, day: date) -> int:
    """When the end of a day is delivered, in microseconds since 1970-01-01, UTC."""
    midnight = (day_number(day) + 1) * MICROSECONDS_PER_DAY
    return int(delivered(clock, np.array([midnight]))[0])


@dataclass(frozen=True)
class ReplayClock:
    """Decides what to request of a scenario, given the time and what has become of earlier requests.

    Attributes
    ----------
    missing : which of the scenario's days have not landed.
    """

    simulation: Simulation
    missing: MissingDays

    @cached_property
    def _clock(self) -> Clock:
        return self.simulation.scenario.clock

    @cached_property
    def _world(self) -> str:
        return self.simulation.world.digest[:16]

    def tick(self, instance: dg.DagsterInstance, cursor: str | None, now: datetime) -> dg.SensorResult:
        """A run to request, or why there is none, and the cursor after it.

        Parameters
        ----------
        cursor : as the last tick left it; None at first, and after it was reset.
        now : UTC, without a time zone.
        """
        try:
            at = self._read(cursor)
        except ValidationError:
            return dg.SensorResult(
                skip_reason=f"the cursor is none of this clock: {cursor!r}; reset it", cursor=cursor
            )
        if reason := self.missing.reason_to_wait(instance):
            return dg.SensorResult(skip_reason=f"waiting: {reason}", cursor=cursor)
        at = self._without_a_lost_request(instance, at)
        due = list(
            takewhile(lambda day: falls_due(self._clock, day) <= microseconds(now), self._clock.days())
        )
        failures = self._failures(instance)
        candidates = [
            day for day in due if failures[day] < MAX_ATTEMPTS and (at.is_before(day) or failures[day])
        ]
        try:
            wanted = self._missing_of(instance, candidates, at)
        except AnotherWorldError as error:
            return dg.SensorResult(skip_reason=str(error), cursor=cursor)
        if wanted:
            stretch = first_stretch(wanted, failures)
            return self._request(stretch, at.past(stretch[-1]))
        reason = self._next_day(due, now) + self._given_up(instance, failures)
        at = at.past(due[-1]) if due else at
        return dg.SensorResult(skip_reason=reason, cursor=at.model_dump_json())

    def _read(self, cursor: str | None) -> Cursor:
        """The cursor, or a new one at the start of the clock if there is none of this world."""
        found = Cursor.model_validate_json(cursor) if cursor else None
        if found is None or found.world != self._world:
            return Cursor(requested_until=datetime.combine(self._clock.start, time()), world=self._world)
        return found

    def _without_a_lost_request(self, instance: dg.DagsterInstance, at: Cursor) -> Cursor:
        """Before a request that Dagster could not make a run of, even when it tried again."""
        if at.last_request is None:
            return at
        first, last = at.last_request
        if instance.get_runs_count(self._runs(range_tags(str(first), str(last)))):
            return at
        until = min(at.requested_until, datetime.combine(first, time()))
        return at.model_copy(update={"requested_until": until})

    def _runs(
        self, days: Mapping[str, str] = MappingProxyType({}), statuses: Sequence[dg.DagsterRunStatus] = ()
    ) -> dg.RunsFilter:
        """The clock's own runs, all or those with tags of a range, or of some statuses."""
        tags = {REPLAY_TAG: self._world, **days}
        return dg.RunsFilter(job_name=self.missing.job_name, tags=tags, statuses=statuses)

    def _failures(self, instance: dg.DagsterInstance) -> Counter[date]:
        """How many of the clock's runs of a day have failed or were cancelled since one succeeded."""
        failures, closed = Counter[date](), set[date]()
        if not instance.get_runs_count(self._runs(statuses=FAILED)):
            return failures
        for run in instance.get_runs(self._runs()):  # the latest comes first
            days = set(_days_of(run))
            if run.status in FAILED:
                failures.update(days - closed)
            else:
                closed |= days
        return failures

    def _missing_of(self, instance: dg.DagsterInstance, candidates: Sequence[date], at: Cursor) -> list[date]:
        """Those that have not landed.

        An open file keeps writers away: it is looked at where a day has its turn, not again and again for
        days that failed.
        """
        if any(at.is_before(day) for day in candidates):
            missing = self.missing.days(instance)
        else:
            missing = self._unknown_to_dagster(instance) if candidates else []
        return [day for day in candidates if day.isoformat() in missing]

    def _unknown_to_dagster(self, instance: dg.DagsterInstance) -> list[str]:
        return open_days(instance, self.missing.daily, self.missing.partitions, landed=None)

    def _request(self, days: Sequence[date], at: Cursor) -> dg.SensorResult:
        first, last = days[0], days[-1]
        tags = range_tags(str(first), str(last)) | {REPLAY_TAG: self._world}
        at = at.model_copy(update={"last_request": (first, last)})
        return dg.SensorResult(run_requests=[dg.RunRequest(tags=tags)], cursor=at.model_dump_json())

    def _next_day(self, due: Sequence[date], now: datetime) -> str:
        """When the day after the due ones falls due, in words."""
        if len(due) == len(self._clock.days()):
            return f"the clock has ended on {self._clock.end}"
        day = self._clock.start + timedelta(len(due))
        at = falls_due(self._clock, day)
        shown = str(np.datetime64(at, "us").astype("datetime64[s]")).replace("T", " ")
        return f"next day {day} falls due at {shown} UTC (in {in_words(at - microseconds(now))})"

    def _given_up(self, instance: dg.DagsterInstance, failures: Counter[date]) -> str:
        """Which days are not asked for again, in words; none of them has been landed by somebody else."""
        days = {day.isoformat() for day, count in failures.items() if count >= MAX_ATTEMPTS}
        if days:
            days &= set(self._unknown_to_dagster(instance))
        if not days:
            return ""
        return f"; given up after {MAX_ATTEMPTS} runs that did not succeed: {', '.join(sorted(days))}"


def first_stretch(days: Sequence[date], failures: Counter[date]) -> list[date]:
    """The first of them that follow each other and have failed equally often.

    A run over a range lands all of it, so that days between have to be missing too; and it fails as a whole,
    so that a day that fails again must not take new ones with it.
    """
    stretch = [days[0]]
    for day in days[1:]:
        if day != stretch[-1] + timedelta(1) or failures[day] != failures[stretch[0]]:
            break
        stretch.append(day)
    return stretch


def in_words(microseconds: int) -> str:
    """A length of time in its largest unit, rounded up.

    >>> in_words(150_000_000), in_words(1), in_words(2 * 86_400_000_000)
    ('3 min', '1 s', '2 days')
    """
    seconds = -(-microseconds // 1_000_000)
    size, unit = next((size, unit) for size, unit in UNITS if seconds >= size)
    return f"{-(-seconds // size)} {unit}"


def _days_of(run: dg.DagsterRun) -> list[date]:
    first, last = (date.fromisoformat(run.tags[tag]) for tag in range_tags("", ""))
    return [first + timedelta(n) for n in range((last - first).days + 1)]


def _midnight_after(day: date) -> datetime:
    return datetime.combine(day + timedelta(1), time())
