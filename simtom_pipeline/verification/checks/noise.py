"""Checks of noise: undone, it leaves what was drawn; measured values differ from true ones as declared."""

from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil

import numpy as np

from ...contracts import Column, TableContract
from ...corruption.ledgers import NOISE_LEDGER
from ...relations import named
from ...scenarios.faults import GaussianNoise, Noise, Outliers, UniformNoise
from ...simulation import Simulation
from ...sql import quoted, text
from ...validation.decisions import Finding
from ...validation.faults import MAX_ROWS, law_p, rate_p, spread_between
from ...validation.laws import Normal, Uniform
from ..as_simulated import as_simulated
from ..by_day import by_day
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
    drawn, claim = Simulation(history.scenario), "with faults and noise undone, are the true ones"
    with as_simulated(history) as true:
        found = same_rows(true, contracts, drawn.true_day, claim)
    drawn.forget()
    return found


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
    with _values(history, contract, name) as values:
        judge = _judge(history, values, noise, column)
        where = f"SELECT count(*) FROM {values} WHERE stands IS NULL AND measured_value IS"
        wrong = history.count(f"{where} NOT NULL")
        n = impossible = 0 if column.nullable else history.count(f"{where} NULL")
        for _, of in by_day(history.connection, values, VALUES, order=contract.primary_key):
            landed, true, measured = (np.asarray(of[one], float) for one in VALUES)
            n += len(landed)
            wrong += int((np.abs(measured - landed) > 1e-9 * np.abs(landed)).sum())
            impossible += int((~_can_be(column, measured)).sum())
            judge.look_at(true, measured)
    for about, violations in (
        ("what was measured is what stands before any fault", wrong),
        ("what was measured has the column's decimals, and lies in its range", impossible),
    ):
        yield Statement(noise.noise_type, noise.table, name, about, n, 0, violations, violations=violations)
    yield from judge.statements()


VALUES = ("landed", "true_value", "measured_value")


@contextmanager
def _values(history: LandedHistory, contract: TableContract, name: str) -> Iterator[str]:
    """Relation of what stands before any fault, the true value and the measured one, by day and key.

    `landed` is what stands or, where that is NULL though something was measured, what was measured.
    """
    key, made = key_of(contract), quoted("temp", "main", "simtom_noise")
    history.connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {made} AS SELECT day, {key}, CAST({quoted(name)} AS DOUBLE) AS stands,"
        " if(true_value IS NULL, stands, true_value) AS true_value,"
        " if(true_value IS NULL, stands, measured_value) AS measured_value,"
        " coalesce(stands, measured_value) AS landed"
        f" FROM {rows_without_faults(history, contract.name)}"
        f" LEFT JOIN (SELECT {key_in_ledger(contract)}, true_value, measured_value"
        f" FROM {history.relations.name_of(NOISE_LEDGER)}"
        f" WHERE table_name = {text(contract.name)} AND column_name = {text(name)}) USING ({key})"
    )
    try:
        yield made
    finally:
        history.connection.execute(f"DROP TABLE {made}")


def _judge(history: LandedHistory, values: str, noise: Noise, column: Column) -> "_Errors | _Outliers":
    """What looks at the values of a column."""
    if isinstance(noise, Outliers):
        return _Outliers(noise, column)
    told = history.count(
        f"SELECT count(*) FROM {values} WHERE abs(true_value) * $level >= $least",
        {"level": noise.noise_level, "least": _least(column)},
    )
    return _Errors(noise, column, ceil(told / MAX_ROWS))


def _least(column: Column) -> float:
    """Standard deviation from which on noise can be told from rounding."""
    return max(MIN_STEPS * column.step, float(np.finfo(float).tiny))


class _Errors:
    """Relative errors that have a law, looked at portion by portion; every `step`-th is judged."""

    def __init__(self, noise: GaussianNoise | UniformNoise, column: Column, step: int) -> None:
        level = noise.noise_level
        self._noise, self._column, self._step = noise, column, max(step, 1)
        self._law = Normal(level) if isinstance(noise, GaussianNoise) else Uniform(-level, level)
        self._random = np.random.default_rng(0)
        self._n, self._sum, self._squares = 0, 0.0, 0.0
        self._chances: list[np.ndarray] = []

    def look_at(self, true: np.ndarray, measured: np.ndarray) -> None:
        """More values, shapes (n,)."""
        told = np.abs(true) * self._noise.noise_level >= _least(self._column)
        true, measured = true[told], measured[told]
        chance = spread_between(*_chances(self._column, self._law, true, measured), self._random)
        self._chances.append(chance[-self._n % self._step :: self._step])
        error = measured / true - 1
        self._n, self._sum = self._n + len(error), self._sum + float(error.sum())
        self._squares += float((error**2).sum())

    def statements(self) -> Iterator[Statement]:
        """What they come to."""
        mean = self._sum / max(self._n, 1)
        spread = max(self._squares / max(self._n, 1) - mean**2, 0.0) ** 0.5
        yield Statement(
            self._noise.noise_type, self._noise.table, self._column.name,
            "distribution of the relative error: spread", self._n, self._law.standard_deviation, spread,
            p_value=law_p(np.concatenate([*self._chances, np.empty(0)]), lambda chance: chance),
        )  # fmt: skip


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
    column: Column, law: Normal | Uniform, true: np.ndarray, measured: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Chances that the error is below, and not above, all errors that are measured like that; shapes (n,).

    Rounding hides where in a step the error was, a bound of the range how far beyond it.
    """
    (low, high), half = _bounds(column), column.step / 2
    first = np.where(measured <= low, -np.inf, measured - half)
    last = np.where(measured >= high, np.inf, measured + half)
    return law.cdf(first / true - 1), law.cdf(last / true - 1)


class _Outliers:
    """Outliers, as far as the column's range lets them be seen, looked at portion by portion."""

    def __init__(self, noise: Outliers, column: Column) -> None:
        self._noise, self._column = noise, column
        self._n = self._hits = self._outliers = self._off = 0

    def look_at(self, true: np.ndarray, measured: np.ndarray) -> None:
        """More values, shapes (n,)."""
        step = self._column.step
        expected, is_off = np.clip(true * self._noise.size, *_bounds(self._column)), measured != true
        told = np.abs(expected - true) >= max(step, np.finfo(float).tiny)
        beside = np.abs(measured - expected)[is_off]
        self._n, self._hits = self._n + int(told.sum()), self._hits + int((told & is_off).sum())
        self._outliers += int(is_off.sum())
        self._off += int((beside > step / 2 + 1e-9 * np.abs(expected[is_off])).sum())

    def statements(self) -> Iterator[Statement]:
        """What they come to."""
        noise, name, n, hits = self._noise, self._column.name, self._n, self._hits
        yield Statement(
            noise.noise_type, noise.table, name, "values that are outliers", n, n * noise.share, hits,
            p_value=rate_p([hits], [n], [noise.share]),
        )  # fmt: skip
        about = "an outlier is size times the true value, or the end of the range"
        yield Statement(
            noise.noise_type, noise.table, name, about, self._outliers, 0, self._off, violations=self._off
        )
