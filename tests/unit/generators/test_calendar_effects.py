"""The calendar against dates known from almanacs, ten years of them."""

from datetime import date, timedelta

import pytest

from simtom_pipeline.generators.calendar_effects import (
    EVENTS,
    event_factor,
    events_on,
    week_of_month_factor,
)
from simtom_pipeline.scenarios.models import Volume

# year: Thanksgiving, Easter Sunday, Mother's Day, Father's Day, Memorial Day, Labor Day, MLK Day,
# Presidents' Day, Columbus Day
KNOWN = {
    2016: ("11-24", "03-27", "05-08", "06-19", "05-30", "09-05", "01-18", "02-15", "10-10"),
    2017: ("11-23", "04-16", "05-14", "06-18", "05-29", "09-04", "01-16", "02-20", "10-09"),
    2018: ("11-22", "04-01", "05-13", "06-17", "05-28", "09-03", "01-15", "02-19", "10-08"),
    2019: ("11-28", "04-21", "05-12", "06-16", "05-27", "09-02", "01-21", "02-18", "10-14"),
    2020: ("11-26", "04-12", "05-10", "06-21", "05-25", "09-07", "01-20", "02-17", "10-12"),
    2021: ("11-25", "04-04", "05-09", "06-20", "05-31", "09-06", "01-18", "02-15", "10-11"),
    2022: ("11-24", "04-17", "05-08", "06-19", "05-30", "09-05", "01-17", "02-21", "10-10"),
    2023: ("11-23", "04-09", "05-14", "06-18", "05-29", "09-04", "01-16", "02-20", "10-09"),
    2024: ("11-28", "03-31", "05-12", "06-16", "05-27", "09-02", "01-15", "02-19", "10-14"),
    2025: ("11-27", "04-20", "05-11", "06-15", "05-26", "09-01", "01-20", "02-17", "10-13"),
}
NAMES = (
    "thanksgiving", "easter_sunday", "mothers_day", "fathers_day", "memorial_day", "labor_day",
    "martin_luther_king_day", "presidents_day", "columbus_day",
)  # fmt: skip


def days_of(event: str, year: int) -> list[date]:
    days = (date(year, 1, 1) + timedelta(n) for n in range(366))
    return [day for day in days if day.year == year and event in events_on(day)]


@pytest.mark.parametrize("year", KNOWN)
def test_moving_holidays_fall_on_their_known_dates(year: int) -> None:
    for name, known in zip(NAMES, KNOWN[year], strict=True):
        assert days_of(name, year) == [date.fromisoformat(f"{year}-{known}")], name


@pytest.mark.parametrize("year", KNOWN)
def test_shopping_days_follow_thanksgiving(year: int) -> None:
    (thanksgiving,) = days_of("thanksgiving", year)
    assert days_of("black_friday", year) == [thanksgiving + timedelta(1)]
    assert days_of("thanksgiving_weekend", year) == [thanksgiving + timedelta(n) for n in (2, 3)]
    (cyber_monday,) = days_of("cyber_monday", year)
    assert cyber_monday == thanksgiving + timedelta(4)
    assert cyber_monday.weekday() == 0


@pytest.mark.parametrize("year", KNOWN)
def test_fixed_days_do_not_move(year: int) -> None:
    fixed = {
        "valentines_day": (2, 14), "juneteenth": (6, 19), "independence_day": (7, 4), "halloween": (10, 31),
        "veterans_day": (11, 11), "christmas_eve": (12, 24), "christmas_day": (12, 25),
        "day_after_christmas": (12, 26),
    }  # fmt: skip
    for name, (month, day) in fixed.items():
        expected = [] if name == "juneteenth" and year < 2021 else [date(year, month, day)]
        assert days_of(name, year) == expected, name


@pytest.mark.parametrize("year", KNOWN)
def test_new_years_week_belongs_to_both_years(year: int) -> None:
    january = [date(year, 1, n) for n in (1, 2, 3, 4)]
    december = [date(year, 12, n) for n in (29, 30, 31)]
    assert days_of("new_year_week", year) == january + december


def test_every_event_that_a_scenario_may_name_has_days() -> None:
    from typing import get_args

    from simtom_pipeline.scenarios.models import EventName

    assert set(EVENTS) == set(get_args(EventName))
    assert all(days_of(name, 2024) for name in EVENTS)


def test_coinciding_events_multiply() -> None:
    volume = Volume(base_daily_volume=1.0, events={"fathers_day": 2.0, "juneteenth": 3.0})
    both = date(2022, 6, 19)
    assert set(events_on(both)) == {"fathers_day", "juneteenth"}
    assert event_factor(volume, both) == 6.0
    assert event_factor(volume, both + timedelta(1)) == 1.0


def test_weeks_of_the_month_are_seven_days_from_the_first() -> None:
    volume = Volume(base_daily_volume=1.0, week_of_month={str(n): float(n) for n in range(1, 6)})
    weeks = [week_of_month_factor(volume, date(2024, 3, day)) for day in range(1, 32)]
    assert weeks == [1.0] * 7 + [2.0] * 7 + [3.0] * 7 + [4.0] * 7 + [5.0] * 3
