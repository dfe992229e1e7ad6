"""What each kind of fault does to values, against pandas and SciPy on the Arrow tables."""

from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from simtom_pipeline import simulate_day
from tests.support.faults import A_DAY, ALPHA, both, corrupted, days_of, fault, fits_rate, hits_of


def test_missing_completely_at_random() -> None:
    clean, landed, ledger = both(corrupted(fault("missing", columns=["risk_level", "risk_score"], rate=0.2)))
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
    clean, landed, _ = both(corrupted(fault("missing", columns=["risk_score"], rate=0.3, given=given)))
    can = clean.purchase_context.isin(["rushed", "impulse"])
    lost = landed.risk_score.isna()
    assert not lost[~can].any()
    assert fits_rate(int(lost[can].sum()), int(can.sum()), 0.3)


@pytest.mark.parametrize(("bound", "holds"), [("above", np.greater), ("below", np.less)])
def test_missing_by_its_own_value(bound: str, holds: Any) -> None:
    said = fault("missing", columns=["amount"], rate=0.4, given={bound: 100})
    clean, landed, _ = both(corrupted(said))
    can = holds(clean.amount, 100)
    lost = landed.amount.isna()
    assert not lost[~can].any()
    assert fits_rate(int(lost[can].sum()), int(can.sum()), 0.4)


def test_exact_duplicates_are_the_same_row_twice() -> None:
    clean, landed, ledger = both(corrupted(fault("duplicate", rate=0.1)))
    doubled = landed.index[landed.index.duplicated()]
    assert landed.index.value_counts().max() == 2
    assert fits_rate(len(doubled), len(clean), 0.1)
    assert set(hits_of(ledger, "(row)").index) == set(doubled)
    for _, pair in landed.loc[doubled].astype(str).groupby(level=0):
        assert (pair.iloc[0] == pair.iloc[1]).all()


def test_changed_duplicates_have_another_rows_value_in_the_named_columns_only() -> None:
    clean, landed, ledger = both(corrupted(fault("duplicate", rate=0.1, columns=["amount"])))
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
    clean, landed, _ = both(corrupted(fault("late", rate=0.3, delay=delay)))
    assert (clean.ingested_at == clean.event_time).all()
    hours = (landed.ingested_at - landed.event_time) / pd.Timedelta(hours=1)
    assert (hours >= 0).all()
    late = hours[hours > 0]
    assert fits_rate(len(late), len(clean), 0.3)
    assert stats.kstest(late, law.cdf).pvalue > ALPHA


def test_no_delay_is_longer_than_ten_years_however_wide_its_law() -> None:
    delay = {"kind": "lognormal", "median_hours": 8784, "sigma": 3}
    _, landed, _ = both(corrupted(fault("late", rate=1, delay=delay)))
    hours = (landed.ingested_at - landed.event_time) / pd.Timedelta(hours=1)
    law, longest = stats.lognorm(3, scale=8784), 10 * 365.25 * 24
    assert hours.max() <= longest
    assert stats.kstest(hours, lambda value: law.cdf(value) / law.cdf(longest)).pvalue > ALPHA


def test_rows_out_of_order_arrive_just_after_the_row_that_happened_later() -> None:
    clean, landed, _ = both(corrupted(fault("out_of_order", rate=0.25, places=3)))
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
    _, landed, ledger = both(corrupted(fault("typo", columns=["risk_scenario"], rate=0.2)))
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
    _, landed, ledger = both(corrupted(fault("typo", columns=[column], rate=0.3)))
    entries = hits_of(ledger, column)
    assert fits_rate(len(entries), len(landed), 0.3)
    for original, became in zip(entries.original_value, entries.spoilt_value, strict=True):
        assert len(original) == len(became)
        assert sum(a != b for a, b in zip(original, became, strict=True)) == 1
    digits = np.array([int(d) for text in entries.spoilt_value for d in text if d != "."])
    assert set(digits) >= set(range(1, 10))


@pytest.mark.parametrize("column", ["installment_count", "amount", "risk_score"])
def test_values_out_of_range_are_uniform_over_the_stated_range(column: str) -> None:
    clean, landed, _ = both(corrupted(fault("out_of_range", columns=[column], rate=0.2, low=-9, high=-2)))
    out = landed[column][landed[column] < 0]
    assert fits_rate(len(out), len(clean), 0.2)
    assert out.between(-9, -2).all()
    if column == "installment_count":
        assert stats.chisquare(np.bincount(out.astype(int) + 9, minlength=8)).pvalue > ALPHA
    else:
        assert stats.kstest(out, stats.uniform(-9, 7.001).cdf).pvalue > ALPHA


def test_from_a_date_on_every_amount_is_in_cents() -> None:
    scenario = corrupted(
        fault("unit_change", columns=["amount"], schedule={"kind": "sudden", "at": "2024-01-04"})
    )
    for day, factor in ((A_DAY, 1), (A_DAY + timedelta(1), 100), (A_DAY + timedelta(4), 100)):
        landed, clean = (days_of(s, "transactions", [day]) for s in (scenario, scenario.without("faults")))
        assert np.allclose(landed.amount, clean.amount * factor, rtol=1e-12)


def test_a_stuck_signal_repeats_the_first_value_of_its_stretch() -> None:
    said = fault("stuck", columns=["risk_score"], rate=0.3, stretch_minutes=30)
    scenario = corrupted(said)
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
    clean, landed, _ = both(corrupted(new, cut))
    assert fits_rate(int((landed.checkout_speed == "one_click").sum()), len(clean), 0.1)
    long = clean.purchase_context.astype(str).str.len() > 6
    short = landed.purchase_context != clean.purchase_context.astype(str)
    assert not short[~long].any()
    assert fits_rate(int(short.sum()), int(long.sum()), 0.2)
    assert (landed.purchase_context[short] == "impuls").all()


def test_days_are_dropped_whole_and_one_draw_decides_for_every_table() -> None:
    clock = {"start": "2024-01-01", "end": "2024-07-18"}
    scenario = corrupted(
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
    scenario = corrupted(
        fault("missing", columns=["risk_level"], rate=0.5, schedule=schedule),
        **{"volume.base_daily_volume": 2000},
    )
    for day, weight in zip(scenario.clock.days(), weights, strict=True):
        lost = days_of(scenario, "transactions", [day]).risk_level.isna()
        assert fits_rate(int(lost.sum()), len(lost), 0.5 * weight), day
