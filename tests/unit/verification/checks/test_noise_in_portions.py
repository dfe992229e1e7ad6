"""Noise is judged portion by portion: what comes of it is what all values at once would have said."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter
from scipy import stats

from simtom_pipeline import load_scenario
from simtom_pipeline.contracts import BIGINT, DOUBLE, MONEY, Column
from simtom_pipeline.scenarios.faults import Noise
from simtom_pipeline.scenarios.models import Scenario
from simtom_pipeline.validation import faults
from simtom_pipeline.verification import by_day as portions
from simtom_pipeline.verification.checks import noise
from simtom_pipeline.verification.history import LandedHistory
from simtom_pipeline.verification.statements import Statement
from tests.support.bad_data import copied, findings
from tests.support.faults import NOISE
from tests.support.landed import land_and_measure

SCORE = Column("score", DOUBLE, "a score", low=0, high=1, decimals=4)
LENGTH = Column("length", DOUBLE, "as it is")
PRICE = Column("price", MONEY, "a price", low=0.01)
COUNT = Column("count", BIGINT, "so many", low=0)
COLUMNS = [SCORE, LENGTH, PRICE, COUNT]


def stated(noise_type: str, **said: float) -> Noise:
    values = {"table": "sales", "columns": ["any"], "noise_type": noise_type, **said}
    found: Noise = TypeAdapter(Noise).validate_python(values, strict=False)
    return found


GAUSSIAN, UNIFORM = stated("gaussian", noise_level=0.1), stated("uniform", noise_level=0.2)
OUTLIERS = stated("outliers", share=0.1, size=8.0)


def measured(column: Column, of: Noise, n: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """True values, some of them zero or next to it, and measured ones as the column holds them."""
    random = np.random.default_rng(seed)
    true = column.nearest(random.lognormal(-1 if column is SCORE else 3, 2, n) * (random.random(n) < 0.9))
    error = {
        "gaussian": lambda: random.normal(0, 0.1, n),
        "uniform": lambda: random.uniform(-0.2, 0.2, n),
        "outliers": lambda: np.where(random.random(n) < 0.1, 7.0, 0.0),
    }[of.noise_type]()
    kept = true / 100 if column.type.is_money else true
    noisy = column.nearest(true * (1 + error))
    return kept.astype(float), noisy / 100 if column.type.is_money else noisy.astype(float)


def cut(n: int, sizes: Sequence[int]) -> Iterator[slice]:
    """Portions of those sizes again and again."""
    first = number = 0
    while first < n:
        size = sizes[number % len(sizes)]
        yield slice(first, first + size)
        first, number = first + size, number + 1


def said(judge: Any, true: np.ndarray, seen: np.ndarray, sizes: Sequence[int]) -> list[Statement]:
    for some in cut(len(true), sizes):
        judge.look_at(true[some], seen[some])
    return list(judge.statements())


def law_of(
    column: Column, of: Noise, true: np.ndarray, seen: np.ndarray, most: int
) -> tuple[int, float, float]:
    """Rows, spread and p-value, by the words of the check, all at once."""
    told = np.abs(true) * of.noise_level >= max(10 * column.step, 1e-300)
    true, seen = true[told], seen[told]
    law = stats.norm(0, 0.1) if of.noise_type == "gaussian" else stats.uniform(-0.2, 0.4)
    low = -np.inf if column.low is None else column.low
    high = np.inf if column.high is None else column.high
    first = law.cdf(np.where(seen <= low, -np.inf, seen - column.step / 2) / true - 1)
    last = law.cdf(np.where(seen >= high, np.inf, seen + column.step / 2) / true - 1)
    chance = first + (last - first) * np.random.default_rng(0).random(len(true))
    judged = chance[:: max(ceil(len(chance) / most), 1)]
    gap = stats.kstest(judged, "uniform").statistic if len(judged) else 0.0
    p_value = min(2 * float(stats.ksone.sf(gap, max(len(judged), 1))), 1.0)
    return len(true), float(np.std(seen / true - 1)) if len(true) else 0.0, p_value


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    column=st.sampled_from(COLUMNS),
    of=st.sampled_from([GAUSSIAN, UNIFORM]),
    n=st.integers(0, 300),
    sizes=st.lists(st.integers(1, 90), min_size=1, max_size=4),
    most=st.sampled_from([7, 50, 20_000]),
)
def test_errors_have_the_law_that_all_of_them_have(
    column: Column, of: Noise, n: int, sizes: list[int], most: int
) -> None:
    """Of more than so many, every so-and-so-many-th is judged: the same ones, however they are cut."""
    true, seen = measured(column, of, n)
    rows, spread, p_value = law_of(column, of, true, seen, most)
    (found,) = said(noise._Errors(of, column, ceil(rows / most)), true, seen, sizes)
    assert found.n == rows
    assert found.found == pytest.approx(spread, rel=1e-9, abs=1e-12)
    assert found.p_value == pytest.approx(p_value, rel=1e-9)


def test_errors_of_another_law_are_found_in_any_portions() -> None:
    true, seen = measured(LENGTH, UNIFORM, 5000)
    for sizes in ([5000], [7, 300]):
        (found,) = said(noise._Errors(GAUSSIAN, LENGTH, 1), true, seen, sizes)
        assert found.p_value is not None
        assert found.p_value < 1e-6


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    column=st.sampled_from(COLUMNS),
    n=st.integers(0, 300),
    sizes=st.lists(st.integers(1, 90), min_size=1, max_size=4),
    spoilt=st.integers(0, 3),
)
def test_outliers_are_counted_in_any_portions(column: Column, n: int, sizes: list[int], spoilt: int) -> None:
    true, seen = measured(column, OUTLIERS, n)
    seen[:spoilt] = true[:spoilt] + 3 * max(column.step, 0.01)
    frame = pd.DataFrame({"true": true, "seen": seen})
    frame["stated"] = (8 * frame.true).clip(column.low, column.high)
    tells = (frame.stated - frame.true).abs() >= max(column.step, 1e-300)
    off = frame.seen != frame.true
    other = off & ((frame.seen - frame.stated).abs() > column.step / 2 + 1e-9 * frame.stated.abs())
    share, size = said(noise._Outliers(OUTLIERS, column), true, seen, sizes)
    assert (share.n, share.expected, share.found) == (tells.sum(), 0.1 * tells.sum(), (tells & off).sum())
    assert share.p_value == pytest.approx(faults.rate_p([(tells & off).sum()], [tells.sum()], [0.1]))
    assert (size.n, size.violations) == (off.sum(), other.sum())


SMALL: Mapping[str, Any] = {
    "volume.base_daily_volume": 60,
    "clock": {"start": "2024-01-01", "end": "2024-01-12"},
    "bnpl.population.customer_lifetime_days": 30,
    "noise": list(NOISE),
}


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> tuple[Scenario, Path]:
    folder = tmp_path_factory.mktemp("noisy")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIMTOM_HOME", str(folder))
        scenario = load_scenario("baseline", SMALL)
        return scenario, land_and_measure(scenario, folder / "noisy.duckdb")


@pytest.fixture
def landed(original: tuple[Scenario, Path], tmp_path: Path) -> Iterator[LandedHistory]:
    with copied(*original, tmp_path) as landed:
        yield landed


def statements(landed: LandedHistory) -> list[dict[str, Any]]:
    (found,) = findings(landed, "noise_as_declared").values()
    return [dict(row) for row in found.rows]


def test_a_check_says_the_same_whatever_fits_into_memory(
    landed: LandedHistory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(noise, "MAX_ROWS", 100)
    every = []
    for at_once in (1, 7, 10**9):
        monkeypatch.setattr(portions, "ROWS_AT_ONCE", at_once)
        every.append(statements(landed))
    assert len(every[0]) == 11
    for row, *others in zip(*every, strict=True):
        for other in others:
            figures = {name: value for name, value in row.items() if isinstance(value, float)}
            assert {name: other[name] for name in figures} == pytest.approx(figures, rel=1e-9)
            assert {**other, **figures} == row


def test_so_many_are_judged_as_may_be_though_some_cannot_be_told(
    landed: LandedHistory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows whose noise is lost in rounding do not make the others fewer."""
    table = landed.relations.table("transactions")
    of = next(one for one in landed.scenario.noise if one.columns == ("time_on_site_seconds",))
    with noise._values(landed, table, "time_on_site_seconds") as values:
        landed.connection.execute(f"UPDATE {values} SET true_value = 0 WHERE transaction_id % 2 = 0")
        ((told,),) = landed.connection.execute(
            f"SELECT count(*) FROM {values} WHERE abs(true_value) * 0.1 >= 10"
        ).fetchall()
        monkeypatch.setattr(noise, "MAX_ROWS", told - 1)
        assert noise._judge(landed, values, of, table.column("time_on_site_seconds"))._step == 2
        monkeypatch.setattr(noise, "MAX_ROWS", told)
        assert noise._judge(landed, values, of, table.column("time_on_site_seconds"))._step == 1


def test_true_and_measured_values_are_those_of_the_ledger_or_what_landed(landed: LandedHistory) -> None:
    table = landed.relations.table("transactions")
    ledger = landed.connection.execute("FROM baseline_truth.noise_ledger").df()
    ledger = ledger[ledger.column_name == "amount"]
    ledger = ledger.set_index(ledger.key.map(lambda key: key[0]))
    events = landed.connection.execute("FROM baseline.transactions").df().set_index("transaction_id")
    assert 0 < len(ledger) < len(events)
    with noise._values(landed, table, "amount") as values:
        found = landed.connection.execute(f"FROM {values}").df().set_index("transaction_id")
    assert len(found) == len(events)
    assert (found.landed == events.amount.reindex(found.index)).all()
    untouched = events.amount.drop(ledger.index)
    assert (found.true_value.reindex(untouched.index) == untouched).all()
    assert (found.measured_value.reindex(untouched.index) == untouched).all()
    assert (found.true_value.reindex(ledger.index) == ledger.true_value).all()
    assert (found.measured_value.reindex(ledger.index) == ledger.measured_value).all()


def temporary(landed: LandedHistory) -> set[str]:
    found = landed.connection.execute("SELECT table_name FROM duckdb_tables() WHERE temporary").fetchall()
    return {name for (name,) in found}


def test_a_check_leaves_no_rows_of_its_own_behind(
    landed: LandedHistory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor where it fails midway."""
    assert statements(landed)
    assert temporary(landed) == set()
    monkeypatch.setattr(noise, "by_day", lambda *_, **__: 1 / 0)
    (found,) = findings(landed, "noise_as_declared").values()
    assert "ZeroDivisionError" in found.summary
    assert temporary(landed) == set()
    assert asdict(found)["verdict"] == "failed"
