"""Statements about noise and faults, and how several of them are judged together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..validation.decisions import Finding, Row, Verdict, holm, worst


@dataclass(frozen=True)
class Statement:
    """One statement about a fault or noise on a column: violations where it is logical, else a p-value."""

    fault: str
    table: str
    column: str
    about: str
    n: int
    expected: float
    found: float
    violations: int = 0
    p_value: float = 1.0


def judged(statements: Sequence[Statement], alpha: float, what: str) -> Finding:
    """A finding of statements, by the method of Holm; `what` each is about heads its column."""
    adjusted = holm([statement.p_value for statement in statements]) if statements else np.empty(0)
    rows: list[Row] = []
    verdicts = []
    for statement, p in zip(statements, adjusted, strict=True):
        verdict = Verdict.FAILED if statement.violations or not p >= alpha else Verdict.PASSED
        verdicts.append(verdict)
        rows.append({
            what: statement.fault, "table": statement.table, "column": statement.column,
            "statement": statement.about, "n": statement.n, "expected": float(statement.expected),
            "found": float(statement.found), "violations": statement.violations, "adjusted_p": float(p),
            "verdict": verdict.value,
        })  # fmt: skip
    failed = sum(verdict is Verdict.FAILED for verdict in verdicts)
    summary = f"{failed} of {len(rows)} statements about what was corrupted are not met"
    return Finding(worst(verdicts), summary, {"statements": len(rows), "failed": failed}, tuple(rows))
