"""Checks that days simulated again are the rows that landed."""

from collections.abc import Iterator
from functools import partial

from ...simulation import Simulation
from ...validation.decisions import Finding, logical
from .. import queries
from ..check import Check
from ..history import LandedHistory, once

MEANING = "A sample of landed days, simulated again, is the same rows."


def checks(simulation: Simulation) -> Iterator[Check]:
    """One of every simulated table."""
    for contract in simulation.relations.simulated:
        yield Check(contract.name, "replay", MEANING, partial(replay, table=contract.name), "landed")


def replay(history: LandedHistory, table: str) -> Finding:
    """A sample of landed days, simulated again, is the same rows."""
    return replay_by_table(history)[table]


@once
def replay_by_table(history: LandedHistory) -> dict[str, Finding]:
    """Finding by table: a sample of landed days, simulated again, is the same rows."""
    sample = queries.spread_over(history.days, history.scenario.checks.replay_days)
    afresh = Simulation(history.scenario)
    simulated = {contract.name: contract for contract in history.relations.simulated}
    differing: dict[str, list[queries.Row]] = {name: [] for name in simulated}
    for day in sample:
        tables = afresh.simulate_day(day)
        for name, contract in simulated.items():
            count = queries.differing_rows(
                history.connection,
                history.name,
                contract,
                day if contract.daily else None,
                tables[name],
            ).rows
            if count:
                differing[name].append({"day": str(day), "rows": count})
    afresh.forget()
    claim = f"{len(sample)} landed days, simulated again, are the same rows"
    return {
        name: logical(sum(int(row["rows"]) for row in rows), claim, rows) for name, rows in differing.items()
    }
