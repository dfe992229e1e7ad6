"""Days and moments as whole numbers: days and microseconds since 1970-01-01, of the simulated clock."""

from datetime import date, datetime, time, timedelta

EPOCH = date(1970, 1, 1)
MICROSECONDS_PER_SECOND = 1_000_000
MICROSECONDS_PER_MINUTE = 60 * MICROSECONDS_PER_SECOND
MICROSECONDS_PER_HOUR = 60 * MICROSECONDS_PER_MINUTE
MICROSECONDS_PER_DAY = 24 * MICROSECONDS_PER_HOUR


def day_number(day: date) -> int:
    """Days since 1970-01-01.

    >>> day_number(date(1970, 1, 3))
    2
    """
    return (day - EPOCH).days


def day_of(number: int) -> date:
    """The day of a number of days since 1970-01-01.

    >>> day_of(2)
    datetime.date(1970, 1, 3)
    """
    return EPOCH + timedelta(int(number))


def microseconds(moment: datetime) -> int:
    """Microseconds since 1970-01-01 of a moment without a time zone.

    >>> microseconds(datetime(1970, 1, 1, 0, 0, 1))
    1000000
    """
    return (moment - datetime.combine(EPOCH, time())) // timedelta(microseconds=1)
