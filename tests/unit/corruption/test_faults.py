"""Noise and faults: the ledger undoes them bit for bit, and each has the rate and the law it declares.

Laws are looked at in the simulated Arrow tables with plain Python, pandas and SciPy; none of the checks of
the package, nor the SQL they ask, takes part.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from itertools import product
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter
from scipy import stats

from simtom_pipeline import load_scenario, simulate_day
from simtom_pipeline.corruption.faults import corrupt_day
from simtom_pipeline.generators.bnpl.tables import TRANSACTIONS
from simtom_pipeline.scenarios.faults import Fault
from simtom_pipeline.scenarios.models import Scenario
from simtom_pipeline.simulation import Simulation
from tests.support.landed import put, simulated

A_DAY = date(2024, 1, 3)
ALPHA = 1e-6
"""Every seed is fixed: a test of a law that holds fails, once and for all, with this probability."""

ONE_DAY: Mapping[str, Any] = {
    "clock": {"start": "2024-01-01", "end": "2024-01-08"},
    "volume.base_daily_volume": 6000,
    "bnpl.population.customer_lifetime_days": 30,
}
EVERY_KIND: tuple[dict[str, Any], ...] = (
    {"kind": "missing", "table": "transactions", "columns": ["risk_level", "amount", "event_time"]},
    {
        "kind": "missing",
        "table": "transactions",
        "columns": ["risk_score"],
        "given": {"column": "amount", "above": 90},
    },
    {"kind": "missing", "table": "transactions", "columns": ["credit_utilization"], "given": {"above": 0.1}},
    {"kind": "missing", "table": "installments", "columns": ["paid_at", "amount_paid", "repayment_method"]},
    {"kind": "duplicate", "table": "transactions"},
    {
        "kind": "duplicate",
        "table": "transactions",
        "columns": ["amount", "customer_id", "event_time", "risk_score"],
    },
    {"kind": "duplicate", "table": "installments", "columns": ["paid_at", "days_past_due"]},
    {"kind": "late", "table": "transactions", "delay": {"kind": "exponential", "mean_hours": 30}},
    {"kind": "late", "table": "transactions", "delay": {"kind": "lognormal", "median_hours": 3, "sigma": 1}},
    {"kind": "out_of_order", "table": "transactions", "places": 3},
    {"kind": "typo", "table": "transactions", "columns": ["purchase_context", "product_id", "amount"]},
    {"kind": "typo", "table": "customers", "columns": ["state"]},
    {
        "kind": "out_of_range",
        "table": "transactions",
        "columns": ["installment_count", "risk_score", "amount"],
        "low": -7,
        "high": -1,
    },
    {"kind": "unit_change", "table": "transactions", "columns": ["amount", "time_on_site_seconds"]},
    {"kind": "unit_change", "table": "installments", "columns": ["amount_due"], "factor": 0.01},
    {"kind": "stuck", "table": "transactions", "columns": ["risk_score", "device_id", "event_time"]},
    {"kind": "stuck", "table": "customers", "columns": ["birth_date"], "stretch_minutes": 600},
    {
        "kind": "new_category",
        "table": "transactions",
        "columns": ["checkout_speed"],
        "category": "O'Clock \u2764",
    },
    {"kind": "truncated", "table": "customers", "columns": ["income_bracket"], "length": 3},
    {"kind": "dropped_day", "table": "outcomes"},
    {"kind": "dropped_day"},
)
NOISE = (
    {
        "table": "transactions",
        "columns": ["time_on_site_seconds"],
        "noise_type": "gaussian",
        "noise_level": 0.1,
    },
    {"table": "transactions", "columns": ["risk_score"], "noise_type": "uniform", "noise_level": 0.2},
    {"table": "transactions", "columns": ["amount"], "noise_type": "outliers", "share": 0.1, "size": 8},
)


def fault(kind: str, **said: Any) -> dict[str, Any]:
    """A fault of transactions, unless another table is named."""
    table = {} if kind == "dropped_day" else {"table": "transactions"}
    return {"id": f"a_{kind}", "kind": kind, **table, **said}


def spoilt(*faults: dict[str, Any], noise: Sequence[dict[str, Any]] = (), **more: Any) -> Scenario:
    """A scenario with these faults."""
    return load_scenario("baseline", {**ONE_DAY, "faults": list(faults), "noise": list(noise), **more})


def days_of(scenario: Scenario, table: str, days: Sequence[date] = (A_DAY,)) -> pd.DataFrame:
    """Some days of a simulated table."""
    frames = pa.concat_tables([simulate_day(scenario, day)[table] for day in days]).to_pandas()
    return frames.astype({name: float for name in frames if _is_decimal(frames[name])})


def _is_decimal(values: "pd.Series[Any]") -> bool:
    known = values.dropna()
    return values.dtype == object and len(known) > 0 and type(known.iloc[0]).__name__ == "Decimal"


def both(
    scenario: Scenario, table: str = "transactions", key: str = "transaction_id"
) -> tuple[pd.DataFrame, ...]:
    """The clean and the landed rows of a day, and the day's ledger, the first two by key."""
    clean = days_of(scenario.without("faults"), table).set_index(key)
    return clean, days_of(scenario, table).set_index(key), days_of(scenario, "fault_ledger")


def hits_of(ledger: pd.DataFrame, column: str) -> pd.DataFrame:
    """Entries of a column, by the only value of their key."""
    own = ledger[ledger.column_name == column]
    return own.set_index(own.key.str[0])


def fits_rate(hits: int, eligible: int, rate: float) -> bool:
    """Whether a count is one of a binomial distribution."""
    return bool(stats.binomtest(hits, eligible, rate).pvalue > ALPHA)


# the inverse -------------------------------------------------------------------------------------------


Simulate = Callable[[Scenario, date], dict[str, pa.Table]]


def undone_is_clean(scenario: Scenario, simulate: Simulate = simulate_day) -> None:
    """Land it, apply the ledger backwards, and compare with the clean twin, value by value."""
    days, twin = scenario.clock.days(), Simulation(scenario.without("faults"))
    with duckdb.connect() as connection:
        put(connection, scenario, simulated(scenario, days, simulate))
        for contract in Simulation(scenario).relations.measured:
            clean = pa.concat_tables([twin.simulate_day(day)[contract.name] for day in days])
            clean_types = [field.type for field in clean.schema]
            assert clean_types == [field.type for field in twin.simulate_day(days[0])[contract.name].schema]
            key = ", ".join(contract.primary_key)
            undone = connection.execute(
                f"FROM {scenario.name}_truth.clean_{contract.name} ORDER BY {key}"
            ).to_arrow_table()
            clean = clean.sort_by([(name, "ascending") for name in contract.primary_key])
            for name in contract.column_names:
                assert undone[name].to_pylist() == clean[name].to_pylist(), (contract.name, name)


@settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_the_ledger_applied_backwards_is_the_clean_twin_with_every_kind_of_fault_at_once(
    data: st.DataObject,
) -> None:
    """In any order, at any rate, on any seed, with and without noise under the faults."""
    order = data.draw(st.permutations(range(len(EVERY_KIND))))
    rates = st.sampled_from([0.02, 0.2, 0.7, 1.0])
    faults = [
        {
            **EVERY_KIND[n],
            "id": f"f{n}",
            "rate": 0.2 if EVERY_KIND[n]["kind"] == "dropped_day" else data.draw(rates),
        }
        for n in order
    ]
    scenario = load_scenario(
        "baseline",
        {
            "seed": data.draw(st.integers(0, 2**32)),
            "clock": {"start": "2024-01-01", "end": "2024-01-03"},
            "volume.base_daily_volume": data.draw(st.sampled_from([1, 8, 60])),
            "bnpl.population.customer_lifetime_days": 20,
            "noise": list(NOISE) if data.draw(st.booleans()) else [],
            "faults": faults,
        },
    )
    undone_is_clean(scenario)


def test_a_ledger_that_lacks_an_entry_does_not_undo_the_faults() -> None:
    """The property above can fail: one entry too few a day is noticed."""
    scenario = spoilt(fault("missing", columns=["amount"], rate=0.1))
    ledger = simulate_day(scenario, A_DAY)["fault_ledger"]
    assert len(ledger) > 100

    def forgetful(scenario: Scenario, day: date) -> dict[str, pa.Table]:
        tables = simulate_day(scenario, day)
        return {**tables, "fault_ledger": tables["fault_ledger"].slice(1)}

    with pytest.raises(AssertionError, match="amount"):
        undone_is_clean(scenario, forgetful)


@pytest.fixture(scope="module")
def all_at_once() -> Scenario:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIMTOM_HOME", "/nonexistent")
        faults = [
            {**f, "id": f"f{n}", "rate": 0.05} for n, f in enumerate(EVERY_KIND) if f["kind"] != "dropped_day"
        ]
        return spoilt(*faults, noise=NOISE)


def test_rows_that_no_fault_hit_are_the_clean_twins(all_at_once: Scenario) -> None:
    ledger = days_of(all_at_once, "fault_ledger")
    for table, key in (("transactions", ["transaction_id"]), ("customers", ["customer_id"])):
        clean, landed = (days_of(s, table) for s in (all_at_once.without("faults"), all_at_once))
        hit = set(ledger[ledger.table_name == table].key.str[0])
        untouched = landed[~landed[key[0]].isin(hit)].reset_index(drop=True)
        expected = clean[~clean[key[0]].isin(hit)].reset_index(drop=True)
        assert len(untouched) > 100 or table == "customers"
        for name in clean:
            assert list(map(str, untouched[name])) == list(map(str, expected[name])), name


def test_values_that_the_ledger_does_not_name_are_the_clean_twins(all_at_once: Scenario) -> None:
    """Cell by cell, also in rows that were hit elsewhere."""
    clean, landed, ledger = both(all_at_once)
    first = landed[~landed.index.duplicated()]
    ledger = ledger[(ledger.table_name == "transactions") & (ledger.kind != "duplicate")]
    assert set(first.index) == set(clean.index)
    for name in clean:
        hit = set(ledger[ledger.column_name == name].key.str[0])
        keys = [key for key in clean.index if key not in hit]
        assert list(map(str, first.loc[keys, name])) == list(map(str, clean.loc[keys, name])), name
        changed = [key for key in clean.index if key in hit]
        assert all(
            str(a) != str(b) for a, b in zip(first.loc[changed, name], clean.loc[changed, name], strict=True)
        )


def test_tables_that_no_fault_hits_and_the_truth_are_untouched(all_at_once: Scenario) -> None:
    dirty, clean = (simulate_day(s, A_DAY) for s in (all_at_once, all_at_once.without("faults")))
    for name in ("devices", "payment_methods", "products", "outcomes", "default_risk", "daily_intensity"):
        assert dirty[name].equals(clean[name]), name


def test_a_value_is_spoilt_at_most_once(all_at_once: Scenario) -> None:
    ledger = days_of(all_at_once, "fault_ledger")
    places = list(zip(ledger.table_name, ledger.key.map(tuple), ledger.column_name, strict=True))
    assert len(set(places)) == len(places) > 1000


def test_every_kind_of_fault_occurs_and_types_are_those_of_the_contracts(all_at_once: Scenario) -> None:
    tables = simulate_day(all_at_once, A_DAY)
    contracts = Simulation(all_at_once).relations.simulated
    assert {c.name: tables[c.name].schema for c in contracts} == {c.name: c.schema for c in contracts}
    kinds = {one["kind"] for one in EVERY_KIND} - {"dropped_day"}
    assert set(tables["fault_ledger"]["kind"].to_pylist()) == kinds


def test_a_spoilt_day_alone_is_the_day_in_a_range(all_at_once: Scenario) -> None:
    in_range = [Simulation(all_at_once).simulate_day(d) for d in all_at_once.clock.days()[:3]][2]
    alone = Simulation(all_at_once).simulate_day(A_DAY)
    assert all(alone[name].equals(in_range[name]) for name in alone)


def test_another_fault_changes_nothing_about_the_hits_of_a_fault() -> None:
    one = fault("typo", columns=["purchase_context"], rate=0.1)
    other = fault("missing", columns=["risk_level"], rate=0.3)
    alone, beside = (days_of(spoilt(*faults), "fault_ledger") for faults in ((one,), (other, one)))
    pd.testing.assert_frame_equal(hits_of(alone, "purchase_context"), hits_of(beside, "purchase_context"))


ON_ONE_WORD: tuple[dict[str, Any], ...] = (
    {"kind": "missing"},
    {"kind": "typo"},
    {"kind": "new_category", "category": "odd"},
    {"kind": "truncated", "length": 3},
    {"kind": "stuck", "stretch_minutes": 120},
    {"kind": "duplicate"},
)
ON_ONE_NUMBER: tuple[dict[str, Any], ...] = (
    {"kind": "missing", "given": {"above": 60}},
    {"kind": "typo"},
    {"kind": "out_of_range", "low": -9, "high": -2},
    {"kind": "unit_change"},
    {"kind": "stuck"},
    {"kind": "duplicate"},
)
ON_ONE_ARRIVAL: tuple[dict[str, Any], ...] = (
    {"kind": "late", "delay": {"kind": "exponential", "mean_hours": 5}},
    {"kind": "out_of_order", "places": 2},
)
RIVALS = (
    [{"columns": ("risk_level",), **one} for one in ON_ONE_WORD],
    [{"columns": ("amount",), **one} for one in ON_ONE_NUMBER],
    ON_ONE_ARRIVAL,
)


Place = tuple[str, str]
"""Key and column of an entry."""


def places(ledger: pd.DataFrame, fault_id: str) -> dict[Place, tuple[Any, Any]]:
    """What a fault did, by place."""
    own = ledger[ledger.fault_id == fault_id]
    where = zip(own.key.map(str), own.column_name, strict=True)
    return dict(zip(where, zip(own.original_value, own.spoilt_value, strict=True), strict=True))


@pytest.mark.parametrize("rivals", RIVALS, ids=["word", "number", "arrival"])
def test_of_two_faults_on_one_value_the_first_named_has_all_that_it_has_alone(
    rivals: Sequence[dict[str, Any]],
) -> None:
    """Every pair of kinds in both orders, a kind with itself too; the second has what is left to it."""
    world = spoilt(**{"volume.base_daily_volume": 150})
    simulation, parse = Simulation(world), TypeAdapter(Fault).validate_python
    clean, streams = simulation.true_day(A_DAY), simulation.generator.streams

    def told(**said: dict[str, Any]) -> pd.DataFrame:
        """The ledger of faults, named by their ids."""
        named = [fault(**{"rate": 0.7, **one, "id": name}) for name, one in said.items()]
        scenario = world.model_copy(update={"faults": tuple(map(parse, named))})
        landed = corrupt_day(scenario, Simulation(scenario).relations.simulated, clean, streams, A_DAY)
        return landed["fault_ledger"].to_pandas()

    for one, other in product(rivals, repeat=2):
        first, second = places(told(first=one), "first"), places(told(second=other), "second")
        together = told(first=one, second=other)
        assert min(len(first), len(second)) > 20
        assert places(together, "first") == first, (one, other)
        doubled = {key for key, column in first if column == "(row)" and other["kind"] == "duplicate"}
        left = {
            place: became
            for place, became in second.items()
            if place not in first and place[0] not in doubled
        }
        assert places(together, "second") == left, (one, other)


# laws --------------------------------------------------------------------------------------------------


def test_missing_completely_at_random() -> None:
    clean, landed, ledger = both(spoilt(fault("missing", columns=["risk_level", "risk_score"], rate=0.2)))
    for name in ("risk_level", "risk_score"):
        lost = landed[name].isna()
        assert fits_rate(int(lost.sum()), len(clean), 0.2)
        assert set(hits_of(ledger, name).index) == set(landed.index[lost])
        # Whether a value is lost tells nothing about it, nor about the amount.
        assert stats.ks_2samp(clean.amount[lost], clean.amount[~lost]).pvalue > ALPHA
    both_lost = landed.risk_level.isna() & landed.risk_score.isna()
    assert fits_rate(int(both_lost.sum()), len(clean), 0.04)


def test_missing_given_another_column() -> None:
    given = {"column": "purchase_context", "values": ["rushed", "impulse"]}
    clean, landed, _ = both(spoilt(fault("missing", columns=["risk_score"], rate=0.3, given=given)))
    can = clean.purchase_context.isin(["rushed", "impulse"])
    lost = landed.risk_score.isna()
    assert not lost[~can].any()
    assert fits_rate(int(lost[can].sum()), int(can.sum()), 0.3)


@pytest.mark.parametrize(("bound", "holds"), [("above", np.greater), ("below", np.less)])
def test_missing_by_its_own_value(bound: str, holds: Any) -> None:
    said = fault("missing", columns=["amount"], rate=0.4, given={bound: 100})
    clean, landed, _ = both(spoilt(said))
    can = holds(clean.amount, 100)
    lost = landed.amount.isna()
    assert not lost[~can].any()
    assert fits_rate(int(lost[can].sum()), int(can.sum()), 0.4)


def test_exact_duplicates_are_the_same_row_twice() -> None:
    clean, landed, ledger = both(spoilt(fault("duplicate", rate=0.1)))
    doubled = landed.index[landed.index.duplicated()]
    assert landed.index.value_counts().max() == 2
    assert fits_rate(len(doubled), len(clean), 0.1)
    assert set(hits_of(ledger, "(row)").index) == set(doubled)
    for _, pair in landed.loc[doubled].astype(str).groupby(level=0):
        assert (pair.iloc[0] == pair.iloc[1]).all()


def test_changed_duplicates_have_another_rows_value_in_the_named_columns_only() -> None:
    clean, landed, ledger = both(spoilt(fault("duplicate", rate=0.1, columns=["amount"])))
    doubled = landed.index[landed.index.duplicated()]
    assert fits_rate(len(doubled), len(clean), 0.1)
    changed = hits_of(ledger, "amount")
    assert 0.8 < len(changed) / len(doubled) <= 1
    copies = landed[landed.index.duplicated()]
    assert (copies.loc[changed.index, "amount"] == changed.spoilt_value.astype(float)).all()
    assert copies.amount.isin(clean.amount).all()
    same = [name for name in clean if name != "amount"]
    assert copies[same].astype(str).equals(clean.loc[copies.index, same].astype(str))


DELAYS: list[tuple[dict[str, Any], Any]] = [
    ({"kind": "exponential", "mean_hours": 5}, stats.expon(scale=5)),
    ({"kind": "lognormal", "median_hours": 12, "sigma": 0.7}, stats.lognorm(0.7, scale=12)),
    ({"kind": "uniform", "low_hours": 1, "high_hours": 26}, stats.uniform(1, 25)),
]


@pytest.mark.parametrize(("delay", "law"), DELAYS)
def test_late_rows_arrive_after_a_delay_of_the_stated_law(delay: dict[str, Any], law: Any) -> None:
    clean, landed, _ = both(spoilt(fault("late", rate=0.3, delay=delay)))
    assert (clean.ingested_at == clean.event_time).all()
    hours = (landed.ingested_at - landed.event_time) / pd.Timedelta(hours=1)
    assert (hours >= 0).all()
    late = hours[hours > 0]
    assert fits_rate(len(late), len(clean), 0.3)
    assert stats.kstest(late, law.cdf).pvalue > ALPHA


def test_no_delay_is_longer_than_ten_years_however_wide_its_law() -> None:
    delay = {"kind": "lognormal", "median_hours": 8784, "sigma": 3}
    _, landed, _ = both(spoilt(fault("late", rate=1, delay=delay)))
    hours = (landed.ingested_at - landed.event_time) / pd.Timedelta(hours=1)
    law, longest = stats.lognorm(3, scale=8784), 10 * 365.25 * 24
    assert hours.max() <= longest
    assert stats.kstest(hours, lambda value: law.cdf(value) / law.cdf(longest)).pvalue > ALPHA


def test_rows_out_of_order_arrive_just_after_the_row_that_happened_later() -> None:
    clean, landed, _ = both(spoilt(fault("out_of_order", rate=0.25, places=3)))
    assert landed.event_time.is_monotonic_increasing
    moved = np.flatnonzero(landed.ingested_at != landed.event_time)
    assert fits_rate(len(moved), len(clean) - 1, 0.25)
    later = np.minimum(moved + 3, len(clean) - 1)
    expected = clean.event_time.iloc[later].to_numpy() + np.timedelta64(1, "us")
    assert (landed.ingested_at.iloc[moved].to_numpy() == expected).all()
    assert not landed.ingested_at.is_monotonic_increasing


def edits(one: str, other: str) -> int:
    """Edit distance with swaps of neighbours (optimal string alignment)."""
    d = np.zeros((len(one) + 1, len(other) + 1), int)
    d[:, 0], d[0, :] = range(len(one) + 1), range(len(other) + 1)
    for i, a in enumerate(one, 1):
        for j, b in enumerate(other, 1):
            d[i, j] = min(d[i - 1, j] + 1, d[i, j - 1] + 1, d[i - 1, j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                d[i, j] = min(d[i, j], d[i - 2, j - 2] + 1)
    return int(d[-1, -1])


def test_misspelt_words_are_one_slip_away() -> None:
    _, landed, ledger = both(spoilt(fault("typo", columns=["risk_scenario"], rate=0.2)))
    entries = hits_of(ledger, "risk_scenario")
    assert fits_rate(len(entries), len(landed), 0.2)
    assert (landed.risk_scenario[entries.index] == entries.spoilt_value).all()
    pairs = set(zip(entries.original_value, entries.spoilt_value, strict=True))
    assert len(pairs) > 40
    assert all(edits(*pair) == 1 for pair in pairs)
    dropped = sum(len(a) > len(b) for a, b in zip(entries.original_value, entries.spoilt_value, strict=True))
    assert 0.44 < dropped / len(entries) < 0.6  # half of them, and where two neighbours are equal


@pytest.mark.parametrize("column", ["product_id", "first_payment_amount", "installment_count"])
def test_mistyped_numbers_have_one_wrong_digit(column: str) -> None:
    _, landed, ledger = both(spoilt(fault("typo", columns=[column], rate=0.3)))
    entries = hits_of(ledger, column)
    assert fits_rate(len(entries), len(landed), 0.3)
    for original, became in zip(entries.original_value, entries.spoilt_value, strict=True):
        assert len(original) == len(became)
        assert sum(a != b for a, b in zip(original, became, strict=True)) == 1
    digits = np.array([int(d) for text in entries.spoilt_value for d in text if d != "."])
    assert set(digits) >= set(range(1, 10))


@pytest.mark.parametrize("column", ["installment_count", "amount", "risk_score"])
def test_values_out_of_range_are_uniform_over_the_stated_range(column: str) -> None:
    clean, landed, _ = both(spoilt(fault("out_of_range", columns=[column], rate=0.2, low=-9, high=-2)))
    out = landed[column][landed[column] < 0]
    assert fits_rate(len(out), len(clean), 0.2)
    assert out.between(-9, -2).all()
    if column == "installment_count":
        assert stats.chisquare(np.bincount(out.astype(int) + 9, minlength=8)).pvalue > ALPHA
    else:
        assert stats.kstest(out, stats.uniform(-9, 7.001).cdf).pvalue > ALPHA


def test_from_a_date_on_every_amount_is_in_cents() -> None:
    scenario = spoilt(
        fault("unit_change", columns=["amount"], schedule={"kind": "sudden", "at": "2024-01-04"})
    )
    for day, factor in ((A_DAY, 1), (A_DAY + timedelta(1), 100), (A_DAY + timedelta(4), 100)):
        landed, clean = (days_of(s, "transactions", [day]) for s in (scenario, scenario.without("faults")))
        assert np.allclose(landed.amount, clean.amount * factor, rtol=1e-12)


def test_a_stuck_signal_repeats_the_first_value_of_its_stretch() -> None:
    said = fault("stuck", columns=["risk_score"], rate=0.3, stretch_minutes=30)
    scenario = spoilt(said)
    stuck, eligible = 0, 0
    for day in scenario.clock.days():
        clean, landed = (days_of(s, "transactions", [day]) for s in (scenario.without("faults"), scenario))
        minutes = (clean.event_time - pd.Timestamp(day)) / pd.Timedelta(minutes=1)
        for stretch in np.unique(minutes // 30):
            own = (minutes // 30 == stretch).to_numpy()
            if clean.risk_score[own].nunique() < 2:
                continue
            eligible += 1
            if (landed.risk_score[own] != clean.risk_score[own]).any():
                stuck += 1
                assert (landed.risk_score[own] == clean.risk_score[own].iloc[0]).all()
    assert eligible > 300
    assert fits_rate(stuck, eligible, 0.3)


def test_new_categories_and_cut_off_text() -> None:
    new = fault("new_category", columns=["checkout_speed"], rate=0.1, category="one_click")
    cut = fault("truncated", columns=["purchase_context"], rate=0.2, length=6)
    clean, landed, _ = both(spoilt(new, cut))
    assert fits_rate(int((landed.checkout_speed == "one_click").sum()), len(clean), 0.1)
    long = clean.purchase_context.astype(str).str.len() > 6
    short = landed.purchase_context != clean.purchase_context.astype(str)
    assert not short[~long].any()
    assert fits_rate(int(short.sum()), int(long.sum()), 0.2)
    assert (landed.purchase_context[short] == "impuls").all()


def test_days_are_dropped_whole_and_one_draw_decides_for_every_table() -> None:
    clock = {"start": "2024-01-01", "end": "2024-07-18"}
    scenario = spoilt(
        fault("dropped_day", id="all", rate=0.3),
        fault("dropped_day", id="some", rate=0.2, table="outcomes"),
        **{"clock": clock, "volume.base_daily_volume": 4},
    )
    lost = {"transactions": 0, "outcomes": 0}
    for day in scenario.clock.days():
        landed, clean = (simulate_day(s, day) for s in (scenario, scenario.without("faults")))
        there = {name for name in lost if len(clean[name]) > 0}
        gone = {name for name in there if len(landed[name]) == 0}
        assert all(len(landed[name]) in (0, len(clean[name])) for name in lost)
        assert "transactions" not in gone or gone == there
        for name in gone:
            lost[name] += 1
        assert len(landed["daily_intensity"]) == 1
    assert fits_rate(lost["transactions"], 200, 0.3)
    assert fits_rate(lost["outcomes"], 200, 1 - 0.7 * 0.8)


@pytest.mark.parametrize(
    ("schedule", "weights"),
    [
        ({"kind": "sudden", "at": 0.5}, [0] * 4 + [1] * 4),
        ({"kind": "linear", "from": "2024-01-01", "to": "2024-01-05"}, [0, 0.25, 0.5, 0.75, 1, 1, 1, 1]),
        ({"kind": "pulse", "from": "2024-01-03", "to": "2024-01-04"}, [0, 0, 1, 1, 0, 0, 0, 0]),
        ({"kind": "seasonal", "at": "2024-01-01", "period_days": 4}, [0, 0.5, 1, 0.5, 0, 0.5, 1, 0.5]),
        ({"kind": "gradual", "at": "2024-01-04", "width_days": 2},
         [1 / (1 + np.exp(-2 * d)) if abs(d) < 4 else d > 0 for d in range(-3, 5)]),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else "",
)  # fmt: skip
def test_a_fault_follows_its_schedule(schedule: dict[str, Any], weights: list[float]) -> None:
    scenario = spoilt(
        fault("missing", columns=["risk_level"], rate=0.5, schedule=schedule),
        **{"volume.base_daily_volume": 2000},
    )
    for day, weight in zip(scenario.clock.days(), weights, strict=True):
        lost = days_of(scenario, "transactions", [day]).risk_level.isna()
        assert fits_rate(int(lost.sum()), len(lost), 0.5 * weight), day


# noise -------------------------------------------------------------------------------------------------


def test_noise_comes_after_the_outcome_was_drawn() -> None:
    noisy, clean = spoilt(noise=NOISE), spoilt()
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
    measured, true = (days_of(s, "transactions")[column] for s in (spoilt(noise=[entry]), spoilt()))
    enough = true > (10 if column == "amount" else 0)
    error = (measured / true - 1)[enough]
    assert len(error) > 1000
    assert stats.kstest(error, law.cdf).pvalue > ALPHA
    assert abs(stats.spearmanr(error, true[enough]).statistic) < 0.1


STRONG: tuple[dict[str, Any], ...] = (
    {"noise_type": "gaussian", "noise_level": 1.0},
    {"noise_type": "uniform", "noise_level": 1.0},
    {"noise_type": "outliers", "share": 0.5, "size": 60},
)
MEASURED = [column for column in TRANSACTIONS.columns if column.is_measurement]


@pytest.mark.parametrize("said", STRONG, ids=lambda said: said["noise_type"])
def test_a_measured_value_has_the_columns_decimals_and_stays_in_its_range(said: dict[str, Any]) -> None:
    """However strong the noise; what would be beyond the range is its end, and the ledger has that value."""
    names = [column.name for column in MEASURED]
    scenario = spoilt(noise=[{"table": "transactions", "columns": names, **said}])
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
    landed = days_of(spoilt(out, cut), "transactions")
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
    measured, true = (days_of(s, "transactions").amount for s in (spoilt(noise=[entry]), spoilt()))
    off = measured != true
    assert fits_rate(int(off.sum()), len(true), 0.05)
    assert np.allclose(measured[off], 20 * true[off])


def test_the_noise_ledger_holds_every_true_value() -> None:
    measured, true = (
        days_of(s, "transactions").set_index("transaction_id") for s in (spoilt(noise=NOISE), spoilt())
    )
    ledger = days_of(spoilt(noise=NOISE), "noise_ledger")
    for name in ("time_on_site_seconds", "risk_score", "amount"):
        entries = hits_of(ledger, name)
        off = measured.index[measured[name] != true[name]]
        assert set(entries.index) == set(off)
        assert np.allclose(entries.true_value, true.loc[entries.index, name], rtol=1e-12)
        assert np.allclose(entries.measured_value, measured.loc[entries.index, name], rtol=1e-12)


# what had arrived --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def with_late_rows() -> "Any":
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIMTOM_HOME", "/nonexistent")
        scenario = spoilt(
            fault("late", rate=0.5, delay={"kind": "exponential", "mean_hours": 40}),
            **{"volume.base_daily_volume": 150, "bnpl.credit.charge_off_days": 14},
        )
    connection = duckdb.connect()
    put(connection, scenario)
    return connection


@pytest.mark.parametrize("moment", ["2024-01-04 12:00:00", "2024-01-08 00:00:00", "2024-03-20 00:00:00"])
def test_as_of_macros_show_what_had_arrived(with_late_rows: duckdb.DuckDBPyConnection, moment: str) -> None:
    ask = lambda sql: with_late_rows.execute(sql).fetchall()  # noqa: E731
    arrived = {
        k for (k,) in ask(f"SELECT transaction_id FROM baseline.transactions WHERE ingested_at <= '{moment}'")
    }
    happened = {
        k for (k,) in ask(f"SELECT transaction_id FROM baseline.transactions WHERE event_time <= '{moment}'")
    }
    labelled = {
        k for (k,) in ask(f"SELECT transaction_id FROM baseline.outcomes WHERE matured_at <= '{moment}'")
    }
    known = {
        k
        for (k,) in ask(
            f"SELECT transaction_id FROM baseline.outcomes WHERE label_available_at <= '{moment}'"
        )
    }
    shown = {
        macro: [k for (k,) in ask(f"SELECT transaction_id FROM baseline.{macro}('{moment}')")]
        for macro in ("monitoring", "monitoring_target", "training_set", "labels_asof")
    }
    assert sorted(arrived) == sorted(shown["monitoring"])
    assert sorted(arrived & labelled) == sorted(shown["monitoring_target"]) == sorted(shown["training_set"])
    assert sorted(arrived & known) == sorted(shown["labels_asof"])
    if moment < "2024-01-09":
        assert arrived < happened


def test_a_history_knows_a_purchase_only_once_it_has_arrived(
    with_late_rows: duckdb.DuckDBPyConnection,
) -> None:
    """Counted anew in Python, purchase by purchase."""
    bought = with_late_rows.execute("FROM baseline.transactions").df().sort_values("event_time")
    told = with_late_rows.execute("FROM baseline.customer_history").df().set_index("transaction_id")
    assert len(told) == len(bought)
    waiting = 0
    for _, own in bought.groupby("customer_id"):
        for _, row in own.iterrows():
            known = own[own.ingested_at < row.event_time]
            seen = told.loc[row.transaction_id]
            assert seen.purchases_so_far == len(known)
            waiting += len(own[own.event_time < row.event_time]) - len(known)
            since = (row.event_time - known.event_time.max()) / pd.Timedelta(days=1) if len(known) else np.nan
            assert np.isclose(seen.days_since_last_purchase, since, equal_nan=True, atol=1e-9)
    assert waiting > 50
