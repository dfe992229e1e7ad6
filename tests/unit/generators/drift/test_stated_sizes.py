"""A stated size of drift is had within its tolerance, or it is refused with what can be had."""

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from simtom_pipeline import ScenarioError, load_scenario, simulate_day
from simtom_pipeline.generators.bnpl.drift_domain import LenderDrift
from simtom_pipeline.generators.drift.expectations import expectations
from simtom_pipeline.generators.drift.reachable import WholeNumbers, nearest, nearest_in_bins
from simtom_pipeline.scenarios.models import Scenario
from simtom_pipeline.simulation import make_generator
from simtom_pipeline.validation.drift import Bins, Yardstick, hellinger, psi

OF_NUMBERS, OF_SHARES = 0.2, 1e-3
"""How far a size may be from the stated one, relative to it."""
START, ONSET, A_DAY = date(2024, 1, 1), date(2024, 1, 4), date(2024, 1, 5)
FLAT = "name: flat\nclock: {start: 2024-01-01, end: 2024-01-06}\nvolume: {base_daily_volume: 50}\n"
PRICES = {
    "electronics": {"relative_price": 2},
    "home": {"relative_price": 4},
    "sports": {"relative_price": 0.5},
}
WORLDS: dict[str, dict[str, Any]] = {
    "baseline": {"clock.end": "2024-01-06"},
    "all_equal": {},
    "few_values": {
        "bnpl.catalog": {"product_count": 5, "average_purchase": 2, "categories": PRICES},
        "bnpl.risk_scenarios": {"impulse_purchase": {"time_on_site_median_seconds": 3}},
        "bnpl.devices.device_type": {"mobile": 1.0},
    },
    "some_spread": {
        "bnpl.catalog.categories": {name: {"price_sigma": 0.6} for name in ("home", "beauty")},
        "bnpl.risk_scenarios": {"low_risk_purchase": {"sigma": 0.5, "time_on_site_median_seconds": 20}},
        "bnpl.credit": {"bayes_auc": 0.7, "coefficients": {"income_bracket": 1.0}, "reporting_delay_days": 3},
        "bnpl.population.credit_score_range": {"poor": 0.999, "good": 0.001},
    },
}
VALUES = {
    "device_type": ("mobile", "tablet"),
    "credit_score_range": ("poor", "good", "excellent"),
    "product_category": ("home", "sports"),
}
KINDS = {
    "amount": "covariate",
    "time_on_site_seconds": "covariate",
    **dict.fromkeys(VALUES, "covariate"),
    "will_default": "prior",
    "credit.coefficients.income_bracket": "concept",
    "reporting_delay_days": "label_delay",
}
SIZES = {
    "covariate": ("psi", "ks", "hellinger"),
    "prior": ("default_rate",),
    "concept": ("default_rate", "to"),
    "label_delay": ("mean_ratio", "to"),
}


@pytest.fixture(scope="module", autouse=True)
def flat(tmp_path_factory: pytest.TempPathFactory) -> None:
    FLAT_FILE.append(tmp_path_factory.mktemp("flat") / "flat.yaml")
    FLAT_FILE[0].write_text(FLAT)


FLAT_FILE: list[Path] = []


def world(name: str, *drifts: dict[str, Any], **overrides: Any) -> Scenario:
    source = "baseline" if name == "baseline" else FLAT_FILE[0]
    return load_scenario(source, WORLDS[name] | overrides | {"drifts": list(drifts)})


@st.composite
def drifts(draw: st.DrawFn) -> dict[str, Any]:
    target = draw(st.sampled_from(sorted(KINDS)))
    kind = KINDS[target]
    names = SIZES[kind] + (("mean_ratio",) if target in ("amount", "time_on_site_seconds") else ())
    name = draw(st.sampled_from(names))
    stated = 10 ** draw(st.floats(-4, 0.9))
    effect: dict[str, Any] = {name: stated if name in ("psi", "to", "mean_ratio") else stated / 8}
    if target in VALUES:
        effect["towards"] = draw(st.sampled_from(VALUES[target]))
    elif kind == "covariate" and name != "mean_ratio" and draw(st.booleans()):
        effect["towards"] = "lower"
    schedule = {"kind": "sudden", "at": str(ONSET)}
    return {"id": "d", "kind": kind, "target": target, "schedule": schedule, "effect": effect}


def a_drift(target: str, kind: str = "covariate", **effect: Any) -> dict[str, Any]:
    schedule = {"kind": "sudden", "at": str(ONSET)}
    return {"id": "d", "kind": kind, "target": target, "schedule": schedule, "effect": effect}


@settings(max_examples=25, deadline=None, derandomize=True)
@given(name=st.sampled_from(sorted(WORLDS)), drift=drifts())
@example(name="all_equal", drift=a_drift("amount", psi=0.25))
@example(name="all_equal", drift=a_drift("time_on_site_seconds", ks=0.2))
@example(name="few_values", drift=a_drift("amount", psi=0.25))
@example(name="few_values", drift=a_drift("amount", mean_ratio=1.001))
@example(name="all_equal", drift=a_drift("credit.coefficients.income_bracket", "concept", to=2))
@example(name="baseline", drift=a_drift("amount", psi=0.01))
@example(name="baseline", drift=a_drift("amount", psi=0.005, towards="lower"))
def test_a_stated_size_is_intended_within_its_tolerance_or_refused(name: str, drift: dict[str, Any]) -> None:
    ((size, stated), *_) = drift["effect"].items()
    try:
        scenario = world(name, drift)
    except ScenarioError as error:
        (problem,) = error.problems
        assert problem.key_path.startswith("drifts.0.")
        assert problem.allowed
        return
    generator = make_generator(scenario)
    part = generator.ledger_parts()[0]
    intended, before = generator.intended(part, A_DAY), generator.intended(part, START)
    (after, *_), row = part.rows[0]["after"], part.rows[0]  # type: ignore[misc]
    of_numbers = part.target in ("amount", "time_on_site_seconds")
    if size == "to":
        assert after == pytest.approx(stated)
    elif size == "default_rate":
        assert intended.expected_default_rate == pytest.approx(stated, rel=OF_SHARES)
    elif size == "mean_ratio":
        reached = np.log((intended.intended_mean or 0) / (before.intended_mean or 1))
        assert reached == pytest.approx(np.log(stated), rel=OF_NUMBERS)
    else:
        tolerance = OF_NUMBERS if of_numbers else OF_SHARES
        assert getattr(intended, f"intended_{size}") == pytest.approx(stated, rel=tolerance)
    if part.target == "amount":
        assert_amounts_under_a_factor_are(scenario, row["after"][0], part.bin_edges, intended)  # type: ignore[index]
    if part.target in VALUES:
        shares, reference = np.array(row["after"]), np.array(row["before"])
        assert intended.intended_psi == pytest.approx(psi(shares, reference), rel=1e-6)
        assert intended.intended_hellinger == pytest.approx(hellinger(shares, reference), rel=1e-6)


def assert_amounts_under_a_factor_are(
    scenario: Scenario, factor: float, edges: tuple[float, ...], intended: Any
) -> None:
    """Measured again by the code of the checks, on the reference population's amounts to the cent."""
    cents = expectations(LenderDrift, scenario).population.purchases["amount"]
    landed = np.maximum(np.rint(cents * factor), 4) / 100
    bins = Bins(0, np.array(edges))
    reference = bins.counts(cents / 100) / len(cents) if bins.count else np.empty(0)
    size = Yardstick(bins, cents / 100, reference, of_logarithm=True).size(landed)
    assert intended.intended_mean == pytest.approx(size.mean, rel=1e-9)
    assert (intended.intended_psi, intended.intended_hellinger) == pytest.approx((size.psi, size.hellinger))
    if bins.count:
        assert intended.intended_ks == pytest.approx(size.ks, abs=2e-3)
        assert min(np.abs(landed[:, None] - np.array(edges)).min(axis=0)) > 0.004


@pytest.mark.parametrize("seed", [3, 8])
def test_a_small_size_is_what_lands(seed: int) -> None:
    """Purchase by purchase against the twin, whose chance is the same."""
    volume = {"volume.base_daily_volume": 40_000, "bnpl.population.initial_customers": 40_000}
    scenario = world("baseline", a_drift("amount", psi=0.01), seed=seed, **volume)
    (part,) = make_generator(scenario).ledger_parts()
    bins = Bins(0, np.array(part.bin_edges))
    drifted, twin = (
        bins.counts(
            np.round(np.asarray(simulate_day(s, ONSET)["transactions"]["amount"].cast(pa.float64())), 2)
        )
        for s in (scenario, scenario.without("d"))
    )
    assert psi(drifted / drifted.sum(), twin / twin.sum()) == pytest.approx(0.01, rel=0.2)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10**6),
    distinct=st.sampled_from([1, 2, 5, 60, 2000]),
    name=st.sampled_from(["psi", "ks", "hellinger", "mean_ratio"]),
    wanted=st.floats(0.01, 0.9),
    sign=st.sampled_from([1, -1]),
)
def test_what_is_found_is_the_nearest_that_any_factor_reaches(
    seed: int, distinct: int, name: str, wanted: float, sign: int
) -> None:
    draw = np.random.default_rng(seed)
    values = draw.choice(np.rint(np.exp(draw.normal(4, 1, distinct))) + 1, 3000)
    numbers, _ = WholeNumbers.of(values, 1)
    size, furthest = numbers.size(name), float(np.log(20))
    if name in ("psi", "hellinger"):
        found = nearest_in_bins(numbers, name, wanted, sign, furthest)
    else:
        found = nearest(lambda step: size(sign * step), wanted, furthest)
    every = np.array([size(sign * step) for step in np.linspace(0, furthest, 900)])
    assert abs(found.size - wanted) <= np.abs(every - wanted).min() + 0.02 * wanted
    assert size(sign * found.step) == pytest.approx(found.size, rel=1e-6, abs=1e-7)
    assert found.below is None or found.below <= wanted
    assert found.above is None or found.above >= wanted


@settings(max_examples=30, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6), distinct=st.sampled_from([1, 2, 3, 30, 3000]))
def test_bins_are_never_empty_and_nothing_lies_on_an_edge(seed: int, distinct: int) -> None:
    draw = np.random.default_rng(seed)
    weight = draw.dirichlet(np.full(distinct, 0.5))
    values = draw.choice(draw.integers(1, 5000, distinct), 4000, p=weight)
    numbers, _ = WholeNumbers.of(values.astype(float), 1)
    assert len(numbers.edges) <= 9
    assert numbers.shares().min() > 0
    counts = Bins(0, numbers.edges).counts(values) if len(numbers.edges) else np.array([len(values)])
    assert numbers.shares() == pytest.approx(counts / len(values))
    assert np.all(numbers.edges % 1 == 0.5)


TWO = {
    "credit_score_range": "excellent",
    "income_bracket": "<25k",
    "address_stability": "new",
    "state": "TX",
    "device_type": "desktop",
}


@pytest.mark.parametrize(
    ("one", "other", "refused"),
    [
        ("credit_score_range", "income_bracket", True),
        ("credit_score_range", "address_stability", True),
        ("income_bracket", "address_stability", False),
        ("credit_score_range", "state", False),
        ("device_type", "state", False),
    ],
)
@pytest.mark.parametrize("overlap", [True, False])
def test_shares_are_the_stated_ones_under_two_drifts_or_the_two_are_refused(
    one: str, other: str, refused: bool, overlap: bool
) -> None:
    """Simulated, each has its own shares; correlated attributes may drift one after the other."""
    late = "2024-01-04" if overlap else "2024-01-05"
    windows = (("2024-01-03", "2024-01-04"), (late, "2024-01-06"))
    pair = [
        a_drift(target, psi=0.25, towards=TWO[target])
        | {"id": target, "schedule": {"kind": "pulse", "from": first, "to": last}}
        for target, (first, last) in zip((one, other), windows, strict=True)
    ]
    if refused and overlap:
        with pytest.raises(ScenarioError, match=rf"drifts\.1\.target: found '{other}'.*with {one}"):
            world("baseline", *pair)
        return
    generator = make_generator(world("baseline", *pair))
    for part, day in zip(generator.ledger_parts(), (date(2024, 1, 4), A_DAY), strict=True):
        assert generator.intended(part, day).intended_shares == part.rows[0]["after"]


def test_customers_of_a_band_buy_as_much_more_often_as_its_share_grows() -> None:
    """What the page of credit_tightening says."""
    shares = {"poor": 0.25, "fair": 0.20, "good": 0.35, "excellent": 0.20}
    volume = {"volume.base_daily_volume": 12_000, "bnpl.population.initial_customers": 20_000}
    scenario = world("baseline", a_drift("credit_score_range", shares=shares), **volume)
    days = [date(2024, 1, day) for day in range(1, 5)]
    counts = []
    for one in (scenario, scenario.without("d")):
        tables = [make_generator(one).true_day(day) for day in days]
        customers = pa.concat_tables(
            [t["customers"].select(["customer_id", "credit_score_range"]) for t in tables]
        )
        band = dict(zip(*(customers[c].to_pylist() for c in customers.column_names), strict=True))
        bought = tables[-1]["transactions"]
        repeat = [
            band[customer]
            for customer, first in zip(
                bought["customer_id"].to_pylist(), bought["is_first_purchase"].to_pylist(), strict=True
            )
            if not first
        ]
        counts.append({value: repeat.count(value) for value in shares})
    assert sum(counts[0].values()) == sum(counts[1].values())
    stated = scenario.bnpl.population.credit_score_range
    for value, share in shares.items():
        assert counts[0][value] / counts[1][value] == pytest.approx(share / stated[value], rel=0.08)
