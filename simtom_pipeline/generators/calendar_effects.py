"""What the calendar does to demand: weekdays, weeks of the month, months, and named US events.

The simulated clock has no time zone and no daylight saving: every day has 24 hours.
"""

from collections.abc import Callable
from datetime import date, timedelta
from functools import cache
from typing import cast, get_args

import holidays
from dateutil.easter import easter
from dateutil.relativedelta import SU, relativedelta

from ..scenarios.models import EventName, Month, Volume, Weekday, WeekOfMonth

DAYS_PER_WEEK = 7


def day_of_week_factor(volume: Volume, day: date) -> float:
    """Multiplier of the weekday; 1 where the scenario says nothing."""
    return volume.day_of_week.get(get_args(Weekday)[day.weekday()], 1.0)


def week_of_month_factor(volume: Volume, day: date) -> float:
    """Multiplier of the week of the month: days 1-7 are week 1, ..., 29-31 are week 5."""
    week = str((day.day - 1) // DAYS_PER_WEEK + 1)
    return volume.week_of_month.get(cast(WeekOfMonth, week), 1.0)


def month_factor(volume: Volume, day: date) -> float:
    """Multiplier of the month."""
    return volume.month.get(get_args(Month)[day.month - 1], 1.0)


def event_factor(volume: Volume, day: date) -> float:
    """Product of the multipliers of every event the day belongs to."""
    factor = 1.0
    for name in events_on(day):
        factor *= volume.events.get(name, 1.0)
    return factor


def events_on(day: date) -> tuple[EventName, ...]:
    """Names of the events that `day` belongs to."""
    return _events_of_year(day.year).get(day, ())


@cache
def _events_of_year(year: int) -> dict[date, tuple[EventName, ...]]:
    found: dict[date, tuple[EventName, ...]] = {}
    for name, days_of in EVENTS.items():
        # A week around New Year starts in one year and ends in the next: ask the neighbours too.
        for day in {d for y in (year - 1, year, year + 1) for d in days_of(y) if d.year == year}:
            found[day] = (*found.get(day, ()), name)
    return found


def _federal(name: str) -> Callable[[int], list[date]]:
    return lambda year: _us_holidays(year).get_named(name, lookup="exact")


def _fixed(month: int, day: int) -> Callable[[int], list[date]]:
    return lambda year: [date(year, month, day)]


def _after_thanksgiving(first: int, last: int | None = None) -> Callable[[int], list[date]]:
    def days_of(year: int) -> list[date]:
        (thanksgiving,) = _us_holidays(year).get_named("Thanksgiving Day", lookup="exact")
        return _run_of_days(thanksgiving + timedelta(first), (last or first) - first + 1)

    return days_of


def _nth_sunday(month: int, n: int) -> Callable[[int], list[date]]:
    return lambda year: [date(year, month, 1) + relativedelta(weekday=SU(n))]


def _run_of_days(first: date, length: int) -> list[date]:
    return [first + timedelta(n) for n in range(length)]


@cache
def _us_holidays(year: int) -> holidays.HolidayBase:
    return holidays.country_holidays("US", years=year, observed=False)


EVENTS: dict[EventName, Callable[[int], list[date]]] = {
    "new_year_week": lambda year: _run_of_days(date(year, 12, 29), DAYS_PER_WEEK),
    "martin_luther_king_day": _federal("Martin Luther King Jr. Day"),
    "valentines_day": _fixed(2, 14),
    "presidents_day": _federal("Washington's Birthday"),
    "easter_sunday": lambda year: [easter(year)],
    "mothers_day": _nth_sunday(5, 2),
    "memorial_day": _federal("Memorial Day"),
    "fathers_day": _nth_sunday(6, 3),
    "juneteenth": _federal("Juneteenth National Independence Day"),
    "independence_day": _fixed(7, 4),
    "labor_day": _federal("Labor Day"),
    "columbus_day": _federal("Columbus Day"),
    "halloween": _fixed(10, 31),
    "veterans_day": _federal("Veterans Day"),
    "thanksgiving": _federal("Thanksgiving Day"),
    "black_friday": _after_thanksgiving(1),
    "thanksgiving_weekend": _after_thanksgiving(2, 3),
    "cyber_monday": _after_thanksgiving(4),
    "cyber_week": _after_thanksgiving(5, 8),
    "christmas_shopping": lambda year: _run_of_days(date(year, 12, 10), 14),
    "christmas_eve": _fixed(12, 24),
    "christmas_day": _fixed(12, 25),
    "day_after_christmas": _fixed(12, 26),
}
"""Event name -> the days of the event that begins in a year. Events that coincide multiply."""
