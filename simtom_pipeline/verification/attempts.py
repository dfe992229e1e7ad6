"""A check that cannot be worked out on what it finds has failed: that too is a result, and no crash."""

import duckdb

from ..validation.decisions import Finding, Verdict
from .check import Check
from .history import LandedHistory

BROUGHT_ABOUT_BY_DATA = (duckdb.Error, ArithmeticError, LookupError, TypeError, ValueError)
NOT_BY_DATA = (
    duckdb.ConnectionException,
    duckdb.FatalException,
    duckdb.InterruptException,
    duckdb.IOException,
    duckdb.OutOfMemoryException,
)
"""The machine's doing: such a run has to end, for nobody knows what its other checks would say."""


def attempted(check: Check, history: LandedHistory) -> Finding:
    """What a check finds; a failure that names the error where the data let it find nothing."""
    try:
        return check.run(history)
    except NOT_BY_DATA:
        raise
    except BROUGHT_ABOUT_BY_DATA as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        return Finding(
            Verdict.FAILED, f"cannot be worked out on what has landed ({reason})", {"error": reason}
        )
