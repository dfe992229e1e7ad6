"""Whatever a check finds, Dagster can write it, a browser can read it, and the run goes on."""

import json
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import dagster as dg
import duckdb
import numpy as np
import pytest
from dagster_shared.serdes import deserialize_value, serialize_value
from hypothesis import given, settings
from hypothesis import strategies as st

from simtom_pipeline import load_scenario
from simtom_pipeline.assets.check_results import check_result, plain
from simtom_pipeline.simulation import Simulation
from simtom_pipeline.validation.decisions import Finding, Verdict
from simtom_pipeline.verification.attempts import attempted
from simtom_pipeline.verification.check import Check
from simtom_pipeline.verification.checks.volume import RareDay, verdict_of_days
from simtom_pipeline.verification.history import LandedHistory

KEY = dg.AssetKey(["a", "table"])
VALUES: list[tuple[Any, Any]] = [
    (np.float64(0.25), 0.25), (np.float32(0.5), 0.5), (np.int64(-7), -7), (np.uint8(7), 7),
    (np.bool_(True), True), (np.str_("x"), "x"), (np.datetime64("2024-02-29"), "2024-02-29"),
    (True, True), (None, None), (3, 3), (2**70, 2**70), (Verdict.FAILED, "failed"),
    (Decimal("12.30"), 12.3), (date(2024, 2, 29), "2024-02-29"),
    (datetime(2024, 2, 29, 1), "2024-02-29 01:00:00"), ([1, 2], "[1, 2]"), (np.float64("-inf"), -np.inf),
]  # fmt: skip


@pytest.mark.parametrize(("value", "same"), VALUES, ids=lambda value: type(value).__name__)
def test_a_value_becomes_the_same_in_plain_python(value: Any, same: Any) -> None:
    assert plain(value) == same
    assert type(plain(value)) is type(same)


of_any_kind = st.one_of(
    st.sampled_from([value for value, _ in VALUES]), st.floats(), st.integers(), st.text(), st.booleans()
)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(figures=st.dictionaries(st.text("abc", min_size=1), of_any_kind, max_size=3),
       rows=st.lists(st.dictionaries(st.sampled_from("xyz"), of_any_kind), max_size=4))  # fmt: skip
def test_any_finding_can_be_written_and_read(figures: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    """Also one whose rows do not all have the same fields."""
    result = check_result(KEY, "check", Finding(Verdict.FAILED, "why", figures, tuple(rows)))
    assert (result.passed, result.severity) == (False, dg.AssetCheckSeverity.ERROR)
    for value in result.metadata.values():
        written = serialize_value(value)
        assert serialize_value(deserialize_value(written)) == written
    if rows:
        records = result.metadata["rows"].value.records
        assert len(records) == len(rows)
        for record, row in zip(records, rows, strict=True):
            assert set(row) <= set(record.data)
            json.dumps(dict(record.data), allow_nan=False)


def found(run: Callable[[LandedHistory], Finding]) -> Finding:
    """What a check finds that works something out on an empty history."""
    with duckdb.connect() as connection:
        history = LandedHistory(Simulation(load_scenario("baseline")), connection)
        return attempted(Check("a_table", "check", "a claim", run), history)


@pytest.mark.parametrize("sql", ["CAST('x' AS DATE)", "'infinity'::TIMESTAMP - '-infinity'::TIMESTAMP"])
def test_what_the_data_make_impossible_to_work_out_has_failed(sql: str) -> None:
    finding = found(lambda history: Finding(Verdict.PASSED, str(history.count(f"SELECT {sql}"))))
    assert finding.verdict is Verdict.FAILED
    assert "cannot be worked out" in finding.summary


def test_a_calculation_without_a_result_has_failed() -> None:
    finding = found(lambda _: Finding(Verdict.PASSED, str(1 // 0)))
    assert str(finding.figures["error"]).startswith("ZeroDivision")


@pytest.mark.parametrize("error", [duckdb.IOException("the disk is full"), RuntimeError("a mistake")])
def test_what_is_no_fault_of_the_data_ends_the_run(error: Exception) -> None:
    def breaks(history: LandedHistory) -> Finding:
        raise error

    with pytest.raises(type(error)):
        found(breaks)


def rare(p_value: float, count: int = 50, simulated: int = 50) -> RareDay:
    return RareDay(date(2024, 2, 7), count, 90.0, p_value, simulated)


@pytest.mark.parametrize(
    ("days", "verdict"),
    [
        ([], Verdict.PASSED),
        ([rare(4e-6)], Verdict.INCONCLUSIVE),
        ([rare(4e-6), rare(4e-6)], Verdict.FAILED),
        ([rare(1e-9)], Verdict.FAILED),
        ([rare(4e-6, simulated=51)], Verdict.FAILED),
        ([rare(0.0)], Verdict.FAILED),
    ],
    ids=["none", "one as drawn", "two as drawn", "one as rare as two", "one not as drawn", "impossible"],
)  # fmt: skip
def test_one_rare_day_is_chance_if_it_was_drawn_and_two_are_not(
    days: list[RareDay], verdict: Verdict
) -> None:
    assert verdict_of_days(days, 0.001, 182) is verdict
