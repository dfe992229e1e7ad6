"""Check of counterfactual twins: the same world but for one cause, and what follows from it."""

from collections.abc import Iterator

from ...generators.drift.ledger import DRIFT_LEDGER
from ...scenarios.models import ALL_DRIFTS, TWIN_MARK
from ...simulation import Simulation
from ...validation.decisions import Finding, Row, Verdict, logical
from ..check import Check
from ..history import LandedHistory
from ..twins import allowed_differences, common_days, compared, differences, landed_twins

MEANING = "Wherever a twin has landed: identical before onset, then only the target and what follows from it."


def checks(simulation: Simulation) -> Iterator[Check]:
    """One, of the ledger that tells what may differ."""
    yield Check(DRIFT_LEDGER.name, "twins", MEANING, twins)


def twins(history: LandedHistory) -> Finding:
    """Wherever a twin has landed: identical before onset, then only the target and what follows from it."""
    name, rows, days = history.name, list[Row](), 0
    landed = landed_twins(history.connection, name)
    for drift_id in landed:
        other = f"{name}{TWIN_MARK}{drift_id}"
        if not (common := common_days(history.connection, name, other)):
            continue
        days += common[0]
        left_out = [p for p in history.expectations.ledger_parts() if drift_id in (p.drift_id, ALL_DRIFTS)]
        allowed = allowed_differences(left_out)
        for found in differences(history.connection, name, other, compared(history.relations.true)):
            onset = allowed.get(f"{found.table}.{found.column}")
            if onset is None or (found.first_day is not None and found.first_day < onset):
                rows.append({
                    "twin": other, "table": found.table, "column": found.column, "values": found.values,
                    "first_day": str(found.first_day), "allowed_from": str(onset or "never"),
                })  # fmt: skip
    if not days:
        return Finding(
            Verdict.PASSED, f"no twin has landed: simtom twin {name} lands one", {"twins": len(landed)}
        )
    claim = f"{len(landed)} twins over {days} days differ after onset only, and only in what follows"
    return logical(sum(int(row["values"]) for row in rows), claim, rows)
