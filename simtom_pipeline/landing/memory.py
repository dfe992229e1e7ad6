"""How much memory a run should stay within: $SIMTOM_MEMORY, of which the database gets a fifth.

The rest is for what does not grow with the history: Python, the customers of one day, a batch of days.
"""

import os
import sys

from pydantic import ByteSize, TypeAdapter, ValidationError

from .storage import LandingError

VARIABLE = "SIMTOM_MEMORY"
DEFAULT, LEAST = "1.5GB", "750MB"
SHARES = 5
DISK = "max_temp_directory_size"
"""What the database names where it is the disk that it has no more room on."""
OF_A_THREAD = 125_000_000
"""Bytes that each of the database's threads should have: its makers' advice."""


def budget() -> ByteSize:
    """Memory that a run should stay within.

    Raises
    ------
    LandingError : $SIMTOM_MEMORY is no size, or too small a one.
    """
    said = os.environ.get(VARIABLE) or DEFAULT
    try:
        size = TypeAdapter(ByteSize).validate_python(said)
    except ValidationError:
        size = ByteSize(0)
    if size < TypeAdapter(ByteSize).validate_python(LEAST):
        raise LandingError(
            f"{VARIABLE}={said}: allowed is a size of {LEAST} or more, such as {DEFAULT} or 4GB."
        )
    return size


def of_database() -> int:
    """Bytes that the database may take: what it does not have room for it puts on disk.

    Raises
    ------
    LandingError : as `budget`.
    """
    return min(budget() // SHARES, sys.maxsize)


def threads_of_database() -> int:
    """How many threads that is enough for.

    Raises
    ------
    LandingError : as `budget`.
    """
    return max(of_database() // OF_A_THREAD, 1)


def refusal(error: Exception) -> str:
    """What to say where the database could do with no less, or had no more room on disk for the rest."""
    share = ByteSize(of_database()).human_readable(decimal=True)
    of_disk = DISK in str(error)
    aside = ", and there is no more room on disk for what it put aside" if of_disk else ""
    return (
        f"The database needs more than the {share} it may take, a fifth of {VARIABLE}"
        f" ({os.environ.get(VARIABLE) or DEFAULT}){aside}. Set {VARIABLE} to more, such as 4GB"
        f"{', or make room on disk' if of_disk else ''}, and run again. ({str(error).splitlines()[0]})"
    )
