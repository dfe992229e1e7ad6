"""The rows of `drift_ledger`: what was declared of each target, movement by movement."""

from importlib.metadata import version

import numpy as np

from ...scenarios.drifts import Gradual, Linear, Pulse, Seasonal
from ...scenarios.models import Scenario
from .ledger import Numbers, ReferenceWindow
from .resolution import ResolvedDrift
from .schedule import ScheduleCurve
from .solver import DriftPart


def ledger_row(
    scenario: Scenario,
    window: ReferenceWindow,
    drift: ResolvedDrift,
    part: DriftPart,
    number: int,
    edges: Numbers,
    shares: Numbers,
    descendants: tuple[str, ...],
) -> dict[str, object]:
    """Movement `number`, from 0 on, of one target; its bins are between `edges` and have these `shares`."""
    phase, measured = drift.curve.phases[number], part.target.measured
    back = phase.target == 0
    return {
        "drift_id": drift.id,
        "target": part.target.name,
        "phase": number + 1,
        "is_reversion": back,
        "kind": drift.drift.kind,
        **_schedule_columns(drift.curve),
        "onset": phase.onset,
        "settled": phase.settled,
        "before": part.after if back else part.before,
        "after": part.before if back else part.after,
        "measured_from": measured.from_sql if measured else None,
        "measured_as": measured.expression if measured else None,
        "categories": measured.values if measured and measured.values else None,
        "bin_edges": edges or None,
        "reference_shares": shares or None,
        "reference_from": window.first,
        "reference_to": window.last,
        "causal_descendants": descendants,
        "scenario_digest": scenario.digest,
        "versions": f"simtom_pipeline {version('simtom-pipeline')}, numpy {np.__version__}",
    }


def _schedule_columns(curve: ScheduleCurve) -> dict[str, object]:
    """What the schedule says, its positions as days."""
    schedule = curve.schedule
    first = schedule.from_ if isinstance(schedule, (Linear, Pulse)) else schedule.at
    last = schedule.to if isinstance(schedule, (Linear, Pulse)) else None
    return {
        "schedule": schedule.kind,
        "schedule_from": curve.position(first),
        "schedule_to": None if last is None else curve.position(last),
        "width_days": schedule.width_days if isinstance(schedule, Gradual) else None,
        "period_days": schedule.period_days if isinstance(schedule, Seasonal) else None,
    }
