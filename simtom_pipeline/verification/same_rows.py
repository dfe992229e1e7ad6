"""Whether a sample of landed days has the rows that are simulated, before faults or before noise."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date

import pyarrow as pa

from ..contracts import TableContract
from ..corruption.inverse import CLEAN_MARK
from ..validation.decisions import Finding, Row, logical
from . import queries
from .history import LandedHistory


def same_rows(
    history: LandedHistory,
    contracts: Sequence[TableContract],
    simulate: Callable[[date], Mapping[str, pa.Table]],
    claim: str,
) -> Finding:
    """A finding over a sample of days; a table that is called clean is compared with the one it restores."""
    sample = queries.spread_over(history.days, history.scenario.checks.replay_days)
    rows: list[Row] = []
    for day in sample:
        simulated = simulate(day)
        for contract in contracts:
            name = contract.name.removeprefix(CLEAN_MARK)
            differing = queries.differing_rows(
                history.connection, history.name, contract, day, simulated[name]
            ).rows
            if differing:
                rows.append({"table": name, "day": str(day), "rows": differing})
    return logical(sum(int(row["rows"]) for row in rows), f"{len(sample)} landed days, {claim}", rows)
