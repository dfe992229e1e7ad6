"""Checks of keys and days: what identifies a row, what dates it, what it points to."""

from collections.abc import Iterator
from functools import partial

from ...contracts import TableContract
from ...simulation import Simulation
from ...validation.decisions import Finding, Verdict, logical
from .. import queries
from ..check import Check
from ..history import LandedHistory


def checks(simulation: Simulation) -> Iterator[Check]:
    """Of every table its key; where it says so, what dates its rows and what they point to."""
    for contract in simulation.relations.tables:
        yield Check(contract.name, "primary_key", KEY, partial(primary_key, contract=contract))
        if contract.daily and contract.dated_by is not None:
            yield Check(
                contract.name, "day_boundaries", BOUNDARIES, partial(day_boundaries, contract=contract)
            )
        if contract.foreign_keys:
            run = partial(temporal_integrity, contract=contract)
            yield Check(contract.name, "temporal_integrity", INTEGRITY, run)


KEY = "No two rows have the same key."
BOUNDARIES = "Every row is dated within its day, every day within the clock."
INTEGRITY = "What a row points to exists, and existed at the time."


def primary_key(history: LandedHistory, contract: TableContract) -> Finding:
    """No two rows have the same key."""
    violations = queries.key_violations(history.connection, history.name, contract)
    return logical(violations, f"{', '.join(contract.primary_key)} identifies a row")


def day_boundaries(history: LandedHistory, contract: TableContract) -> Finding:
    """Every row is dated within its day, every day within the clock."""
    bad_days = queries.boundary_violations(history.connection, history.scenario, contract)
    violations = sum(int(row["rows"]) for row in bad_days)
    return logical(violations, f"{contract.dated_by} lies within day", bad_days)


def temporal_integrity(history: LandedHistory, contract: TableContract) -> Finding:
    """What a row points to exists, and existed at the time."""
    complete = queries.complete_until(history.scenario, history.days)
    wrong, unknown = 0, 0
    for key in contract.foreign_keys:
        parent = history.relations.table(key.parent)
        found = queries.reference_violations(
            history.connection, history.name, contract, key, parent, complete
        )
        wrong, unknown = wrong + found[0], unknown + found[1]
    finding = logical(wrong, "every reference exists and is not younger than the row")
    if finding.verdict is Verdict.FAILED or unknown == 0:
        return finding
    start = history.scenario.clock.start
    return Finding(
        Verdict.INCONCLUSIVE,
        f"{unknown} references point to rows of days that have not landed: land every day from {start} on",
        {"violations": 0, "not_yet_verifiable": unknown},
    )
