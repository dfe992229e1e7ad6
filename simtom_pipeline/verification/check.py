"""A check: one claim about a table of a landed history, and how it is found out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ..validation.decisions import Finding
from .history import LandedHistory

Sees = Literal["record", "landed", "true"]
"""What a check looks at: the record of landing, rows as they landed, or rows before noise and faults."""


@dataclass(frozen=True)
class Check:
    """One claim about a table.

    Attributes
    ----------
    table, name : the table and what the check is called; together they identify it.
    meaning : the claim in words.
    run : finds out, given the history with the rows that the check sees.
    sees : which rows those are.
    family : the family of statistical tests it belongs to; all families of a scenario share the family-wise
        error. Empty for a claim that chance cannot break.
    """

    table: str
    name: str
    meaning: str
    run: Callable[[LandedHistory], Finding]
    sees: Sees = "true"
    family: str = ""
