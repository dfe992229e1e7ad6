"""A finding as Dagster records it: here, and nowhere else, its values become what Dagster can write.

Its event log takes plain Python only: a NumPy number among them stops the run. Its UI reads a table's rows
as JSON, which knows neither NaN nor infinity.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from math import isfinite

import dagster as dg
import numpy as np

from ..validation.decisions import Finding, Verdict

ROWS_SHOWN = 50

Plain = str | int | float | bool | None


def check_result(key: dg.AssetKey, name: str, finding: Finding) -> dg.AssetCheckResult:
    """The result of a check; a failure is an error, what cannot be told a warning."""
    metadata: dict[str, dg.MetadataValue] = {
        "verdict": dg.MetadataValue.text(finding.verdict.value),
        **{label: _figure(plain(value)) for label, value in finding.figures.items()},
    }
    if finding.rows:
        metadata["rows"] = dg.MetadataValue.table(_records(finding.rows[:ROWS_SHOWN]))
    failed = finding.verdict is Verdict.FAILED
    return dg.AssetCheckResult(
        passed=finding.verdict is Verdict.PASSED,
        asset_key=key,
        check_name=name,
        severity=dg.AssetCheckSeverity.ERROR if failed else dg.AssetCheckSeverity.WARN,
        description=finding.summary,
        metadata=metadata,
    )


def plain(value: object) -> Plain:
    """The same value as plain Python: a number, yes or no, nothing, or text for all else."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value)
    return float(value) if isinstance(value, (float, Decimal)) else str(value)


def _figure(value: Plain) -> dg.MetadataValue:
    match value:
        case None:
            return dg.MetadataValue.null()
        case bool():
            return dg.MetadataValue.bool(value)
        case int():
            return dg.MetadataValue.int(value)
        case float():
            return dg.MetadataValue.float(value)
    return dg.MetadataValue.text(value)


def _records(rows: Sequence[Mapping[str, object]]) -> list[dg.TableRecord]:
    """Rows that all have the same fields, which Dagster demands."""
    fields = list(dict.fromkeys(name for row in rows for name in row))
    return [dg.TableRecord({name: _in_json(plain(row.get(name))) for name in fields}) for row in rows]


def _in_json(value: Plain) -> Plain:
    return str(value) if isinstance(value, float) and not isfinite(value) else value
