"""Noise on measurements: its law, its bounds, its ledger, and that outcomes do not know of it."""

from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from scipy import stats

from simtom_pipeline import simulate_day
from tests.support.faults import (
    A_DAY,
    ALPHA,
    MEASURED,
    NOISE,
    STRONG,
    corrupted,
    days_of,
    fault,
    fits_rate,
    hits_of,
)


def test_noise_comes_after_the_outcome_was_drawn() -> None:
    noisy, clean = corrupted(noise=NOISE), corrupted()
    dirty, true = simulate_day(noisy, A_DAY), simulate_day(clean, A_DAY)
    for name in true:
        if name != "transactions":
            assert dirty[name].equals(true[name]), name
    columns = {"time_on_site_seconds", "risk_score", "amount"}
    for name in true["transactions"].column_names:
        same = dirty["transactions"][name].to_pylist() == true["transactions"][name].to_pylist()
        assert same == (name not in columns), name


@pytest.mark.parametrize(
    ("noise_type", "law"), [("gaussian", stats.norm(0, 0.1)), ("uniform", stats.uniform(-0.1, 0.2))]
)
@pytest.mark.parametrize("column", ["credit_utilization", "amount"])
def test_relative_errors_have_the_stated_law(noise_type: str, law: Any, column: str) -> None:
    entry = {"table": "transactions", "columns": [column], "noise_type": noise_type, "noise_level": 0.1}
    measured, true = (days_of(s, "transactions")[column] for s in (corrupted(noise=[entry]), corrupted()))
    enough = true > (10 if column == "amount" else 0)
    error = (measured / true - 1)[enough]
    assert len(error) > 1000
    assert stats.kstest(error, law.cdf).pvalue > ALPHA
    assert abs(stats.spearmanr(error, true[enough]).statistic) < 0.1


@pytest.mark.parametrize("said", STRONG, ids=lambda said: said["noise_type"])
def test_a_measured_value_has_the_columns_decimals_and_stays_in_its_range(said: dict[str, Any]) -> None:
    """However strong the noise; what would be beyond the range is its end, and the ledger has that value."""
    names = [column.name for column in MEASURED]
    scenario = corrupted(noise=[{"table": "transactions", "columns": names, **said}])
    tables = simulate_day(scenario, A_DAY)
    ledger = days_of(scenario, "noise_ledger")
    assert set(ledger.column_name) == set(names)
    for column in MEASURED:
        told = hits_of(ledger, column.name).measured_value.map(repr).map(Decimal)
        values = [Decimal(str(value)) for value in tables["transactions"][column.name].to_pylist()]
        for value in (*values, *told):
            assert value == round(value, {"amount": 2}.get(column.name, column.decimals or 0))
            assert value >= Decimal(str(column.low))
            assert column.high is None or value <= Decimal(str(column.high))
        end = {"gaussian": column.low, "outliers": column.high}.get(said["noise_type"])
        assert end is None or values.count(Decimal(str(end))) > 20, column.name


def test_a_number_that_a_fault_makes_has_the_columns_decimals() -> None:
    out = fault("out_of_range", columns=["risk_score"], rate=0.5, low=-7.00005, high=-0.00005)
    cut = fault("unit_change", columns=["credit_utilization"], rate=0.5, factor=0.01)
    landed = days_of(corrupted(out, cut), "transactions")
    for name in ("risk_score", "credit_utilization"):
        assert all(value == round(value, 4) for value in map(Decimal, map(repr, landed[name].tolist())))
    assert landed.risk_score.min() == pytest.approx(-7, abs=0.02)
    assert -0.02 < landed.risk_score[landed.risk_score < 0].max() <= -0.0001


def test_outliers_have_the_stated_share_and_size_and_the_other_values_are_right() -> None:
    entry = {
        "table": "transactions",
        "columns": ["amount"],
        "noise_type": "outliers",
        "share": 0.05,
        "size": 20,
    }
    measured, true = (days_of(s, "transactions").amount for s in (corrupted(noise=[entry]), corrupted()))
    off = measured != true
    assert fits_rate(int(off.sum()), len(true), 0.05)
    assert np.allclose(measured[off], 20 * true[off])


def test_the_noise_ledger_holds_every_true_value() -> None:
    measured, true = (
        days_of(s, "transactions").set_index("transaction_id") for s in (corrupted(noise=NOISE), corrupted())
    )
    ledger = days_of(corrupted(noise=NOISE), "noise_ledger")
    for name in ("time_on_site_seconds", "risk_score", "amount"):
        entries = hits_of(ledger, name)
        off = measured.index[measured[name] != true[name]]
        assert set(entries.index) == set(off)
        assert np.allclose(entries.true_value, true.loc[entries.index, name], rtol=1e-12)
        assert np.allclose(entries.measured_value, measured.loc[entries.index, name], rtol=1e-12)
