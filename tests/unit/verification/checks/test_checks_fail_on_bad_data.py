"""Every check fails on data that is wrong in its way, and passes on what was simulated."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from simtom_pipeline.scenarios.models import Scenario
from simtom_pipeline.verification.history import LandedHistory
from tests.support.bad_data import (
    CORRUPTED,
    FAILED,
    PASSED,
    RECODED,
    REFERENCES,
    Corruption,
    all_checks,
    copied,
    findings,
    rolled_back,
)


@pytest.fixture(scope="module")
def copy(
    originals: dict[str, tuple[Scenario, Path]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LandedHistory]:
    with copied(*originals["small"], tmp_path_factory.mktemp("copy")) as landed:
        yield landed


@pytest.fixture
def corrupted(
    corruption: Corruption, request: pytest.FixtureRequest, copy: LandedHistory
) -> Iterator[LandedHistory]:
    """What landed, made wrong and put right again; `leakage` cannot run in a transaction: it has a copy."""
    if corruption.check == "leakage":
        landed = request.getfixturevalue("landed")
        landed.connection.execute(corruption.sql)
        yield landed
        return
    with rolled_back(copy) as landed:
        landed.connection.execute(corruption.sql)
        yield landed


@pytest.mark.parametrize("corruption", CORRUPTED, ids=str)
def test_a_check_fails_on_data_that_is_wrong_in_its_way(
    corrupted: LandedHistory, corruption: Corruption
) -> None:
    """And names the day or the share, and blames no other table."""
    found = findings(corrupted, corruption.check)
    assert not any("error" in one.figures for one in found.values())
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
