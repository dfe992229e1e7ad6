"""Checks that what is measured on the landed rows is what they say."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ...contracts import TableContract
from ...relations import MEASURED_TABLES
from ...simulation import Simulation
from ...validation.decisions import Finding, logical
from ..check import Check
from ..history import LandedHistory
from ..measurements import measured_tables

MEANING = "What the table says was realised is what the landed rows say; materialize it after new days."
SAME = 1e-9


def checks(simulation: Simulation) -> Iterator[Check]:
    """One of every measured table."""
    for contract in MEASURED_TABLES:
        run = partial(measured_again, contract=contract)
        yield Check(contract.name, "measured_anew", MEANING, run, "landed")


def measured_again(history: LandedHistory, contract: TableContract) -> Finding:
    """What the table says was realised is what the landed rows say."""
    key = ", ".join(contract.primary_key)
    table = history.relations.name_of(contract)
    landed = history.connection.execute(f"FROM {table} ORDER BY {key}").to_arrow_table()
    again = measured_tables(history)[contract.name].sort_by(
        [(name, "ascending") for name in contract.primary_key]
    )
    differing = abs(len(landed) - len(again)) or differing_values(landed, again)
    claim = (
        "every figure is what the landed rows say (if days have landed since, materialize the table again)"
    )
    return logical(differing, claim)


def differing_values(one: pa.Table, other: pa.Table) -> int:
    """Values that differ between tables of one shape; floats by more than a hair."""
    return sum(_differing(one[name], other[name]) for name in one.column_names)


def _differing(one: pa.ChunkedArray, other: pa.ChunkedArray) -> int:
    one, other = one.combine_chunks(), other.combine_chunks().cast(one.type)
    if pa.types.is_list(one.type):
        lengths = (pc.fill_null(pc.list_value_length(side), -1) for side in (one, other))
        unlike = int(pc.sum(pc.not_equal(*lengths)).as_py() or 0)
        return unlike or _differing(*(pa.chunked_array([pc.list_flatten(side)]) for side in (one, other)))
    if pa.types.is_floating(one.type):
        a, b = (side.to_numpy(zero_copy_only=False) for side in (one, other))
        return int((~np.isclose(a, b, rtol=SAME, atol=SAME, equal_nan=True)).sum())
    return sum(a != b for a, b in zip(one.to_pylist(), other.to_pylist(), strict=True))
