"""Checks of declared shares: values occur as often as the scenario states."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import partial

from ...claims import DeclaredShares
from ...simulation import Simulation
from ...validation.decisions import Finding, Verdict, exactness, holm, worst
from ...validation.shares import compare_shares
from .. import queries
from ..check import Check
from ..history import LandedHistory, once


def checks(simulation: Simulation) -> Iterator[Check]:
    """One of every table with declared shares; they are one family."""
    declared = simulation.generator.declared_shares()
    for table in dict.fromkeys(one.table for one in declared):
        run = partial(declared_shares, table=table)
        yield Check(table, "declared_shares", "Values occur as often as declared.", run, family="shares")


def declared_shares(history: LandedHistory, table: str) -> Finding:
    """Values occur as often as declared."""
    return shares_by_table(history)[table]


@once
def shares_by_table(history: LandedHistory) -> dict[str, Finding]:
    """Finding by table; the family over which Holm's bound holds is every declaration of the scenario."""
    declarations = history.expectations.declared_shares()
    tolerances, name = history.scenario.checks, history.name
    tests = [
        compare_shares(
            queries.counts_per_value(history.connection, name, history.relations.table(d.table), d),
            _expected_shares(history, d),
        )
        for d in declarations
    ]
    adjusted = holm([test.p_value for test in tests])
    findings = {}
    for table in dict.fromkeys(d.table for d in declarations):
        own = [n for n, d in enumerate(declarations) if d.table == table]
        verdicts = [
            Verdict.FAILED
            if tests[n].impossible
            else exactness(adjusted[n], tests[n].total_variation, tolerances.share_tolerance, history.alpha)
            for n in own
        ]
        rows = tuple(
            {
                "shares": declarations[n].label or declarations[n].expression,
                "n": tests[n].n,
                "total_variation": round(tests[n].total_variation, 6),
                "impossible": tests[n].impossible,
                "adjusted_p": float(adjusted[n]),
                "verdict": verdict.value,
            }
            for n, verdict in zip(own, verdicts, strict=True)
        )
        failed = sum(verdict is Verdict.FAILED for verdict in verdicts)
        figures = {"declared": len(own), "failed": failed, "tolerance": tolerances.share_tolerance}
        findings[table] = Finding(
            worst(verdicts), f"{failed} of {len(own)} declared shares are not met", figures, rows
        )
    return findings


def _expected_shares(history: LandedHistory, declared: DeclaredShares) -> Mapping[str, float]:
    """The declared shares; where they drift, those of the landed rows' days together."""
    if declared.drifting is None:
        return declared.shares
    contract = history.relations.table(declared.table)
    rows = queries.rows_per_day(history.connection, history.name, contract, declared.where)
    total = max(sum(rows.values()), 1)
    mixed: dict[str, float] = defaultdict(float)
    for day, count in rows.items():
        for value, share in declared.drifting(day).items():
            mixed[value] += share * count / total
    return mixed or declared.shares
