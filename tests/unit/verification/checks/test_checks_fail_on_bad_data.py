"""Every check fails on data that is wrong in its way, and passes on what was simulated."""

import pytest

from simtom_pipeline.verification.history import LandedHistory
from tests.support.bad_data import (
    CORRUPTED,
    FAILED,
    PASSED,
    RECODED,
    REFERENCES,
    Corruption,
    all_checks,
    findings,
)


@pytest.mark.parametrize("corruption", CORRUPTED, ids=str)
def test_a_check_fails_on_data_that_is_wrong_in_its_way(
    landed: LandedHistory, corruption: Corruption
) -> None:
    """And names the day or the share, and blames no other table."""
    landed.connection.execute(corruption.sql)
    found = findings(landed, corruption.check)
    rows = found[corruption.table].rows
    assert found[corruption.table].verdict is FAILED
    if corruption.day:
        assert [row["day"] for row in rows] == [corruption.day]
    if corruption.share:
        assert {row["shares"]: row["verdict"] for row in rows}[corruption.share] == "failed"
    if corruption.alone:
        assert {other.verdict for table, other in found.items() if table != corruption.table} <= {PASSED}


def test_no_declared_share_is_left_that_was_never_seen_to_fail(landed: LandedHistory) -> None:
    declared = {(d.table, d.label or d.expression) for d in landed.expectations.declared_shares()}
    assert {(corruption.table, corruption.share) for corruption in RECODED} == declared


def test_no_reference_is_left_that_was_never_seen_to_fail(landed: LandedHistory) -> None:
    declared = {(c.name, key.parent) for c in landed.relations.tables for key in c.foreign_keys}
    assert set(REFERENCES) == declared


def test_what_was_simulated_passes_every_check(landed: LandedHistory) -> None:
    too_few = {"daily_volume", "outcome_rate", "bayes_auc"}
    for check in {check for check, _ in all_checks(landed)} - too_few:
        verdicts = {table: found.verdict for table, found in findings(landed, check).items()}
        assert verdicts == dict.fromkeys(verdicts, PASSED), check
