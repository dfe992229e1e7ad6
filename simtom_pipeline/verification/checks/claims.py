"""Checks of what a generator claims of its tables without exception."""

from collections.abc import Iterator
from functools import partial

from ...claims import Claim
from ...simulation import Simulation
from ...validation.decisions import Finding, logical
from .. import queries
from ..check import Check
from ..history import LandedHistory


def checks(simulation: Simulation) -> Iterator[Check]:
    """One of every claim."""
    for claim in simulation.generator.claims():
        yield Check(claim.table, claim.name, f"{claim.meaning}.", partial(claim_holds, claim=claim))


def claim_holds(history: LandedHistory, claim: Claim) -> Finding:
    """No row contradicts the claim."""
    return logical(queries.violations(history.connection, history.name, claim), claim.meaning)
