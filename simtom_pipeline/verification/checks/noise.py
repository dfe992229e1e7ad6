"""Checks of noise: undone, it leaves what was drawn; measured values differ from true ones as declared."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy import stats

from ...contracts import Column, TableContract
from ...corruption.ledgers import NOISE_LEDGER
from ...relations import named
from ...scenarios.faults import GaussianNoise, Noise, Outliers
from ...simulation import Simulation
from ...sql import quoted
from ...validation.decisions import Finding
from ...validation.faults import law_p, rate_p, spread_between
from ..as_simulated import as_simulated
from ..check import Check
from ..corrupted_history import key_in_ledger, key_of, rows_without_faults
from ..history import LandedHistory
from ..same_rows import same_rows
from ..statements import Statement, judged

UNDONE = "With faults and noise undone, a sample of landed days is what the world was drawn with."
DECLARED = "Measured values differ from the true ones by the declared law; no other column has noise."


def checks(simulation: Simulation) -> Iterator[Check]:
    """Two, of a scenario with noise."""
    if simulation.scenario.noise:
        yield Check(NOISE_LEDGER.name, "noise_undone", UNDONE, noise_undone, "landed")
        yield Check(
            NOISE_LEDGER.name, "noise_as_declared", DECLARED, noise_as_declared, "landed", family="noise"
        )


def noise_undone(history: LandedHistory) -> Finding:
    """With faults and noise undone, a sample of landed days is what the world was drawn with."""
    noisy = {noise.table for noise in history.scenario.noise}
    contracts = [contract for contract in history.relations.true if contract.name in noisy]
    true_day = Simulation(history.scenario).true_day
    with as_simulated(history) as true:
        return same_rows(true, contracts, true_day, "with faults and noise undone, are the true ones")


def noise_as_declared(history: LandedHistory) -> Finding:
    """Measured values differ from the true ones by the declared law; no other column has noise."""
    places = {
        f"{noise.noise_type}/{noise.table}/{column}"
        for noise in history.scenario.noise
        for column in noise.columns
    }
    ledger = history.relations.name_of(NOISE_LEDGER)
    stray = history.count(
        f"SELECT count(*) FROM {ledger}"
        " WHERE NOT list_contains($places, concat_ws('/', noise_type, table_name, column_name))",
        {"places": sorted(places)},
    )
    statements = [Statement("", "", "", "noise that is not declared", stray, 0, stray, violations=stray)]
    for noise in history.scenario.noise:
        for name in noise.columns:
            statements += _noise_statements(history, noise, name)
    return judged(statements, history.alpha, "noise")


MIN_STEPS = 10.0
"""Noise is judged where its standard deviation is so many of the steps that values are rounded to."""


def _noise_statements(history: LandedHistory, noise: Noise, name: str) -> Iterator[Statement]:
    contract = named(history.relations.true, noise.table)
    column = contract.column(name)
    landed, true, measured = _values(history, contract, name)
    wrong = int((np.abs(measured - landed) > 1e-9 * np.abs(landed)).sum())
    impossible = int((~_can_be(column, measured)).sum())
    for about, violations in (
        ("what was measured is what stands before any fault", wrong),
        ("what was measured has the column's decimals, and lies in its range", impossible),
    ):
        yield Statement(
            noise.noise_type, noise.table, name, about, len(landed), 0, violations, violations=violations
        )
    if isinstance(noise, Outliers):
        yield from _outlier_statements(noise, column, true, measured)
        return
    told = np.abs(true) * noise.noise_level >= max(MIN_STEPS * column.step, np.finfo(float).tiny)
    true, measured, level = true[told], measured[told], noise.noise_level
    law = stats.norm(0, level) if isinstance(noise, GaussianNoise) else stats.uniform(-level, 2 * level)
    yield Statement(
        noise.noise_type, noise.table, name, "distribution of the relative error: spread", len(true),
        float(law.std()), float((measured / true - 1).std()) if len(true) else 0.0,
        p_value=law_p(spread_between(*_chances(column, law, true, measured)), lambda chance: chance),
    )  # fmt: skip


def _values(history: LandedHistory, contract: TableContract, name: str) -> tuple[np.ndarray, ...]:
    """What stands before any fault, the true value and the measured one, by key, shapes (n,)."""
    keys = key_in_ledger(contract)
    found = history.connection.execute(
        f"SELECT CAST({quoted(name)} AS DOUBLE) AS landed, true_value, measured_value"
        f" FROM {rows_without_faults(history, contract.name)}"
        f" LEFT JOIN (SELECT {keys}, true_value, measured_value"
        f" FROM {history.relations.name_of(NOISE_LEDGER)}"
        f" WHERE table_name = '{contract.name}' AND column_name = '{name}') USING ({key_of(contract)})"
        f" ORDER BY {key_of(contract)}"
    ).fetchnumpy()
    landed = np.asarray(found["landed"], float)
    in_ledger = ~np.ma.getmaskarray(np.ma.asarray(found["true_value"]))
    true, measured = (
        np.where(in_ledger, np.ma.filled(found[value], 0.0), landed)
        for value in ("true_value", "measured_value")
    )
    return landed, true, measured


def _bounds(column: Column) -> tuple[float, float]:
    low, high = column.low, column.high
    return -np.inf if low is None else low, np.inf if high is None else high


def _can_be(column: Column, values: np.ndarray) -> np.ndarray:
    """Which values have the decimals of the column and lie in its range, shape (n,)."""
    low, high = _bounds(column)
    steps = values / (column.step or 1.0)
    whole = np.abs(steps - np.rint(steps)) <= 1e-9 * np.maximum(np.abs(steps), 1) if column.step else True
    return whole & (values >= low) & (values <= high)


def _chances(
    column: Column, law: Any, true: np.ndarray, measured: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Chances that the error is below, and not above, all errors that are measured like that; shapes (n,).

    Rounding hides where in a step the error was, a bound of the range how far beyond it.
    """
    (low, high), half = _bounds(column), column.step / 2
    first = np.where(measured <= low, -np.inf, measured - half)
    last = np.where(measured >= high, np.inf, measured + half)
    return law.cdf(first / true - 1), law.cdf(last / true - 1)


def _outlier_statements(
    noise: Outliers, column: Column, true: np.ndarray, measured: np.ndarray
) -> Iterator[Statement]:
    """Outliers, as far as the column's range lets them be seen."""
    expected, is_off = np.clip(true * noise.size, *_bounds(column)), measured != true
    told = np.abs(expected - true) >= max(column.step, np.finfo(float).tiny)
    n, hits = int(told.sum()), int((told & is_off).sum())
    yield Statement(
        noise.noise_type, noise.table, column.name, "values that are outliers", n, n * noise.share, hits,
        p_value=rate_p([hits], [n], [noise.share]),
    )  # fmt: skip
    beside = np.abs(measured - expected)[is_off]
    off = int((beside > column.step / 2 + 1e-9 * np.abs(expected[is_off])).sum())
    about = "an outlier is size times the true value, or the end of the range"
    yield Statement(
        noise.noise_type, noise.table, column.name, about, int(is_off.sum()), 0, off, violations=off
    )
