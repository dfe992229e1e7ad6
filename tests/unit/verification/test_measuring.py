"""What is measured on landed rows, day after day, against whole arrays of them."""

from collections.abc import Mapping, Sequence
from datetime import date
from types import SimpleNamespace
from typing import Any

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from simtom_pipeline.validation.drift import Bins, Yardstick
from simtom_pipeline.verification import by_day as portions
from simtom_pipeline.verification import measurements, queries
from simtom_pipeline.verification.checks import drift
from simtom_pipeline.verification.history import LandedHistory
from simtom_pipeline.verification.measurements import realised_rates, realised_sizes, yardstick_of
from simtom_pipeline.verification.queries import LedgerEntry
from tests.support.tosses import day as day_of
from tests.support.tosses import drawn, landed_tosses, table

PORTIONS = [1, 7, 10**9]
COLOURS = ("red", "it's green", "blue")
SHARES = (0.5, 0.3, 0.2)


def entry(**said: Any) -> LedgerEntry:
    """Of a number in three bins, measured over days 0 to 2; of a category, if those are said."""
    values: dict[str, Any] = {
        "kind": "covariate",
        "schedule": "sudden",
        "schedule_from": day_of(3),
        "schedule_to": None,
        "width_days": None,
        "period_days": None,
        "onset": day_of(3),
        "before": (),
        "after": (),
        "measured_from": "{schema}.sales t",
        "measured_as": "t.price",
        "categories": (),
        "bin_edges": (1.0, 4.0),
        "reference_shares": SHARES,
        "reference_from": day_of(0),
        "reference_to": day_of(2),
        "causal_descendants": (),
    }
    return LedgerEntry(**values | said)


def sold(connection: duckdb.DuckDBPyConnection, **columns: Sequence[Any] | np.ndarray) -> LandedHistory:
    """A history with a table of sales: day, and other columns."""
    connection.execute('CREATE SCHEMA IF NOT EXISTS "sh op"')
    table(connection, '"sh op".sales', columns)
    return LandedHistory(SimpleNamespace(scenario=SimpleNamespace(name="sh op")), connection)


def prices(n: int = 400, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Days 0 to 5 and prices with many ties, shapes (n,)."""
    random = np.random.default_rng(seed)
    return random.integers(0, 6, n), np.round(random.lognormal(0.5, 1, n), 1)


@pytest.fixture
def connection() -> Any:
    with duckdb.connect() as connection:
        yield connection


Made = tuple[Bins, np.ndarray, np.ndarray, bool]


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> None:
    """A yardstick is what it would have been made of."""
    monkeypatch.setattr(measurements, "Yardstick", lambda *made: made)


@pytest.mark.usefixtures("made")
def test_a_yardstick_is_made_of_the_days_of_its_window(connection: duckdb.DuckDBPyConnection) -> None:
    days, values = prices()
    history = sold(connection, day=[day_of(n) for n in days], price=values)
    bins, window, stated, of_logarithm = made_of(history, entry(), of_logarithm=True)
    np.testing.assert_array_equal(window, np.sort(values[days <= 2]))
    assert (bins.categories, list(bins.edges), tuple(stated)) == (0, [1.0, 4.0], SHARES)
    assert of_logarithm
    assert not made_of(history, entry())[3]


def made_of(history: LandedHistory, of: LedgerEntry, of_logarithm: bool = False) -> Made:
    found: Any = yardstick_of(history, of, of_logarithm)
    return found


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize(
    "said",
    [{"reference_to": None}, {"reference_from": day_of(90), "reference_to": day_of(99)}],
    ids=["no window", "nothing landed in it"],
)
def test_a_window_may_be_empty(connection: duckdb.DuckDBPyConnection, said: Mapping[str, Any]) -> None:
    days, values = prices()
    history = sold(connection, day=[day_of(n) for n in days], price=values)
    assert len(made_of(history, entry(**said))[1]) == 0


@pytest.mark.usefixtures("made")
@settings(max_examples=40, deadline=None, derandomize=True)
@given(n=st.integers(1, 400), most=st.integers(2, 60), ties=st.booleans())
def test_a_long_window_is_thinned_by_as_much_as_is_said(n: int, most: int, ties: bool) -> None:
    """No share of what is below a value is off by more than 1 in `most`, no bin by more than twice that."""
    values = np.random.default_rng(n).integers(0, n // 5 + 1 if ties else 10 * n, n).astype(float)
    with duckdb.connect() as connection, pytest.MonkeyPatch.context() as patch:
        patch.setattr(measurements, "MAX_WINDOW", most)
        history = sold(connection, day=[day_of(0)] * n, price=values)
        window = made_of(history, entry())[1]
    assert len(window) <= most
    assert len(window) == n or n >= most
    at = np.r_[-1, np.unique(values)]
    off = np.searchsorted(window, at, "right") / len(window)
    off -= np.searchsorted(np.sort(values), at, "right") / n
    assert np.abs(off).max() <= 1 / most + 1e-12
    assert np.ptp(off) <= 2 / most + 1e-12


@pytest.fixture(params=PORTIONS)
def rows_at_once(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portions, "ROWS_AT_ONCE", request.param)


def sizes(
    history: LandedHistory,
    of: LedgerEntry | None,
    monkeypatch: pytest.MonkeyPatch,
    of_logarithm: bool = False,
) -> dict[date, tuple[int, measurements.Size]]:
    monkeypatch.setattr(queries, "ledger_entry", lambda *_: of)
    part: Any = SimpleNamespace(drift_id="a", target="b", measured=SimpleNamespace(of_logarithm=of_logarithm))
    return realised_sizes(history, part, {day_of(0): 3, day_of(4): 2})


@pytest.mark.usefixtures("rows_at_once")
@pytest.mark.parametrize("edges", [(1.0, 4.0), ()], ids=["bins", "no bins"])
@pytest.mark.parametrize("of_logarithm", [True, False])
def test_each_day_has_the_size_of_its_values(
    connection: duckdb.DuckDBPyConnection,
    monkeypatch: pytest.MonkeyPatch,
    edges: tuple[float, ...],
    of_logarithm: bool,
) -> None:
    days, values = prices()
    days[days == 4] = 5
    history = sold(connection, day=[day_of(n) for n in days], price=values)
    yardstick = Yardstick(Bins(0, np.array(edges)), values[days <= 2], np.array(SHARES), of_logarithm)
    true = {day_of(n): (int((days == n).sum()), yardstick.size(values[days == n])) for n in (0, 1, 2, 3, 5)}
    assert_same_sizes(sizes(history, entry(bin_edges=edges), monkeypatch, of_logarithm), true)


def assert_same_sizes(
    found: Mapping[date, tuple[int, measurements.Size]], true: Mapping[date, tuple[int, measurements.Size]]
) -> None:
    assert list(found) == sorted(true)
    for when, (rows, size) in true.items():
        assert found[when][0] == rows
        for name, value in vars(size).items():
            same = value if value is None else pytest.approx(value, rel=1e-12, abs=1e-12)
            assert getattr(found[when][1], name) == same, name


@pytest.mark.usefixtures("rows_at_once")
def test_a_category_is_its_place_among_those_of_the_ledger(
    connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever else there is, and NULL, is of none of them: such a row counts nowhere, not as the first."""
    days, _ = prices()
    code = np.random.default_rng(4).integers(0, 5, len(days))
    words = [*COLOURS, "unknown", None]
    history = sold(connection, day=[day_of(n) for n in days], colour=[words[n] for n in code])
    of = entry(categories=COLOURS, bin_edges=(), measured_as="t.colour")
    known = code < 3
    yardstick = Yardstick(Bins(3, np.empty(0)), code[known & (days <= 2)], np.array(SHARES), False)
    true = {
        day_of(n): (int((known & (days == n)).sum()), yardstick.size(code[known & (days == n)]))
        for n in range(6)
    }
    assert_same_sizes(sizes(history, of, monkeypatch), true)


def test_where_nothing_is_measured_the_size_is_the_count(
    connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = sold(connection, day=[day_of(0)], price=[1.0])
    found = sizes(history, entry(measured_from=None), monkeypatch)
    assert {when: (rows, size.mean, size.psi) for when, (rows, size) in found.items()} == {
        day_of(0): (3, 3.0, None),
        day_of(4): (2, 2.0, None),
    }
    assert sizes(history, None, monkeypatch) == {}


@pytest.mark.usefixtures("rows_at_once")
def test_each_day_has_the_rate_and_the_auc_of_its_draws(connection: duckdb.DuckDBPyConnection) -> None:
    """Of those that have an outcome and a probability; too few have no AUC, none have no rate."""
    random = np.random.default_rng(6)
    days = np.r_[random.integers(0, 3, 100), [3, 3, 3], [4, 4], [5] * 4]
    probability = np.round(random.random(len(days)), 1)
    outcome = (random.random(len(days)) < probability).astype(float)
    outcome[-9:] = [1, 0, 0, 1, 1, 1, 0, 1, 0]
    outcome[[5, -4]], probability[[6, -3]] = np.nan, np.nan
    outcomes, probabilities = list(outcome), list(probability)
    outcomes[7] = outcomes[-2] = probabilities[8] = probabilities[-1] = None
    draws = drawn(connection, outcomes, probabilities, days=days)
    history = landed_tosses(connection, np.empty(0), np.empty(0))
    history.memory["draws", "results", "heads"] = draws
    found = realised_rates(history, "heads")
    known = np.array([v is not None and v == v for v in outcomes])
    known &= np.array([v is not None and v == v for v in probabilities])
    assert list(found) == [day_of(n) for n in range(5)]
    for n in range(5):
        some = known & (days == n)
        assert found[day_of(n)][0] == pytest.approx(outcome[some].mean(), abs=1e-12)
        if n < 3:
            assert found[day_of(n)][1] == pytest.approx(roc_auc_score(outcome[some], probability[some]))
        else:
            assert found[day_of(n)][1] is None


def test_an_outcome_that_is_not_declared_has_no_rates(connection: duckdb.DuckDBPyConnection) -> None:
    history = landed_tosses(connection, np.ones(3), np.full(3, 0.5))
    assert realised_rates(history, "tails") == {}


@pytest.mark.usefixtures("rows_at_once")
def test_a_block_of_days_has_the_mean_the_spread_and_the_counts_of_all_its_values(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    """Though only sums of each day are kept; also where the mean is a million times the spread."""
    days, values = prices()
    values = values + 1e6
    bins = Bins(0, np.array([1e6 + 1, 1e6 + 4]))
    history = sold(connection, day=[day_of(n) for n in days], price=values)
    measured = drift._measured(history, entry(), bins)
    assert list(measured) == [day_of(n) for n in range(6)]
    for block in ([0], [1, 2], [0, 3, 5], range(6)):
        some = values[np.isin(days, block)]
        of = [measured[day_of(n)] for n in block]
        mean, deviation = drift._mean_and_deviation(of)
        assert mean == pytest.approx(some.mean(), rel=1e-14)
        assert deviation == pytest.approx(some.std(), rel=1e-9)
        assert sum(day.rows for day in of) == len(some)
        np.testing.assert_array_equal(np.sum([day.counts for day in of], axis=0), bins.counts(some))


def test_of_a_target_without_bins_no_counts_are_kept(connection: duckdb.DuckDBPyConnection) -> None:
    history = sold(connection, day=[day_of(0)] * 3, price=[1.0, 2.0, None])
    (of,) = drift._measured(history, entry(bin_edges=()), Bins(0, np.empty(0))).values()
    assert (of.rows, of.mean, of.variance, len(of.counts)) == (2, 1.5, 0.25, 0)


@pytest.mark.parametrize(("edges", "what"), [((1.0, 4.0), "PSI"), ((), "mean")])
def test_of_days_whose_rows_are_gone_no_size_is_told(
    connection: duckdb.DuckDBPyConnection, edges: tuple[float, ...], what: str
) -> None:
    """The ledger still has them."""
    days, values = prices()
    history = sold(connection, day=[day_of(n) for n in days % 3], price=values)
    of = entry(bin_edges=edges)
    ledger = [{"day": day_of(n), "rows": 30_000, "w": float(n > 2)} for n in range(6)]
    part: Any = SimpleNamespace(drift_id="a", target="b")
    found = list(drift._sizes(history, part, of, ledger))
    assert [(row["statement"], row["days"], row["n"], str(verdict)) for row, verdict in found] == [
        (what, f"{day_of(n)} to {day_of(n)}", 0, "inconclusive") for n in (3, 4, 5)
    ]
