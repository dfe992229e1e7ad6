"""The invariants everything rests on, each by its name; I5 is argued in test_random_streams.py."""

import os
import random
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import date, timedelta
from functools import cache
from hashlib import sha256
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simtom_pipeline import load_scenario, simulate_day
from simtom_pipeline.generators.base import ENGINE_VERSION
from simtom_pipeline.generators.bnpl.tables import INSTALLMENTS, OUTCOMES
from simtom_pipeline.generators.random_streams import RandomStreams
from simtom_pipeline.scenarios.models import Scenario
from simtom_pipeline.simulation import Simulation, registry
from tests.support.digests import digest

SMALL = {"volume.base_daily_volume": 60, "bnpl.population.customer_lifetime_days": 8}
PATTERNS = ("uniform", "poisson", "nhpp", "burst", "hawkes")


def small(pattern: str = "nhpp", **overrides: Any) -> Scenario:
    return load_scenario("baseline", {**SMALL, "arrivals.arrival_pattern": pattern, **overrides})


def alone(scenario: Scenario, day: date) -> dict[str, pa.Table]:
    return Simulation(scenario).simulate_day(day)


@cache
def drawn(pattern: str, n: int) -> dict[str, pa.Table]:
    """The n-th day of a small scenario, as it is drawn alone."""
    scenario = small(pattern)
    return alone(scenario, scenario.clock.start + timedelta(n))


def same(one: dict[str, pa.Table], other: dict[str, pa.Table]) -> bool:
    return one.keys() == other.keys() and all(one[name].equals(other[name]) for name in one)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_i1_a_day_alone_is_the_day_in_a_range(pattern: str) -> None:
    """Lifetimes of eight days make the population forget, so that its memory is exercised too."""
    scenario = small(pattern)
    in_range = [simulate_day(scenario, day) for day in scenario.clock.days()[:31]]
    for n in (0, 1, 16, 30):
        assert same(in_range[n], drawn(pattern, n)), n


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(range(0, 40, 5)), pattern=st.sampled_from(PATTERNS))
def test_i1_order_does_not_matter(order: list[int], pattern: str) -> None:
    scenario = small(pattern)
    simulation = Simulation(scenario)
    shuffled = {n: simulation.simulate_day(scenario.clock.start + timedelta(n)) for n in order}
    assert all(same(shuffled[n], one) for n, one in in_order(pattern).items())


@cache
def in_order(pattern: str) -> dict[int, dict[str, pa.Table]]:
    """Every fifth day of forty, each after those before it."""
    scenario, simulation = small(pattern), Simulation(small(pattern))
    return {n: simulation.simulate_day(scenario.clock.start + timedelta(n)) for n in range(0, 40, 5)}


def test_i1_worker_processes_and_threads_draw_the_same_day() -> None:
    scenario = small("hawkes")
    days = scenario.clock.days()[:12]
    with ProcessPoolExecutor(2) as pool:
        elsewhere = list(pool.map(simulate_day, [scenario] * len(days), random.Random(1).sample(days, 12)))
    here = [simulate_day(scenario, day) for day in random.Random(1).sample(days, 12)]
    assert all(same(one, other) for one, other in zip(here, elsewhere, strict=True))


PRINT_DIGEST = """
from datetime import date
from simtom_pipeline import load_scenario, simulate_day
from tests.support.digests import digest
scenario = load_scenario("baseline", {"volume.base_daily_volume": 60})
print(digest(simulate_day(scenario, date(2024, 1, 20))))
"""


def test_i1_the_hash_seed_of_the_process_does_not_matter() -> None:
    def printed(hash_seed: str) -> str:
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        command = [sys.executable, "-c", PRINT_DIGEST]
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout

    here = digest(
        simulate_day(load_scenario("baseline", {"volume.base_daily_volume": 60}), date(2024, 1, 20))
    )
    assert [printed("0"), printed("4242")] == [f"{here}\n"] * 2


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("end", ["2024-02-29", "2031-07-01"])
def test_i2_another_end_changes_no_earlier_row(pattern: str, end: str) -> None:
    longer = small(pattern, **{"clock.end": end})
    for n in (0, 17, 45):
        assert same(drawn(pattern, n), alone(longer, longer.clock.start + timedelta(n)))


def test_i2_a_later_flash_sale_changes_no_earlier_row() -> None:
    sale = {"start": "2024-02-01", "duration_minutes": 60, "multiplier": 9}
    days, later = small().clock.days(), small(**{"arrivals.flash_sales": [sale]})
    assert all(same(drawn("nhpp", n), alone(later, days[n])) for n in (0, 18, 30))
    assert days[31] == date(2024, 2, 1)
    assert not same(drawn("nhpp", 31), alone(later, days[31]))


def changed_columns(one: dict[str, pa.Table], other: dict[str, pa.Table]) -> set[tuple[str, str]]:
    return {
        (name, column)
        for name in one
        for column in one[name].column_names
        if not one[name][column].equals(other[name][column])
    }


RISK = {
    ("default_risk", c)
    for c in ("default_probability", "default_probability_given_signals", "arrears_probability")
}
PAID = {
    ("installments", c)
    for c in ("paid_at", "amount_paid", "partial_amount", "partial_paid_at", "days_past_due", "late_fee")
}
FATE = (
    PAID
    | {("installments", "repayment_method")}
    | {("outcomes", c) for c in ("will_default", "days_to_first_missed_payment", "label_available_at")}
)


@pytest.mark.parametrize(
    ("override", "descendants"),
    [
        (
            {"bnpl.payment_methods.payment_provider": {"klarna": 0.1, "sezzle": 0.488}},
            {("payment_methods", "payment_provider")},
        ),
        ({"bnpl.devices.device_os.desktop": {"Windows": 0.4, "macOS": 0.56}}, {("devices", "device_os")}),
        (
            {"bnpl.catalog.longer_plan_share": 0.9},
            {("transactions", "installment_count"), ("outcomes", "label_available_at")}
            | {("outcomes", "matured_at")}
            | {("installments", column) for column in INSTALLMENTS.column_names},
        ),
        (
            {"bnpl.economic_stress_factor": 0.7},
            {("transactions", c) for c in ("economic_stress_factor", "risk_score", "risk_level")}
            | RISK
            | FATE,
        ),
        ({"bnpl.credit.base_default_rate": 0.05}, RISK | FATE),
        (
            {"bnpl.credit.arrears.rate": 0.2},
            {("default_risk", "arrears_probability")}
            | {("installments", c) for c in ("paid_at", "days_past_due", "late_fee")}
            | {("installments", c) for c in ("partial_amount", "partial_paid_at")},
        ),
        (
            {"bnpl.credit.charge_off_days": 180},
            {("installments", c) for c in ("paid_at", "partial_paid_at", "days_past_due")}
            | {("outcomes", c) for c in ("label_available_at", "matured_at")},
        ),
        ({"bnpl.credit.late_fee": 5.0}, {("installments", "late_fee")}),
        (
            {"bnpl.credit.repayment_method": {"debit_card": 1.0, "credit_card": 0, "bank_account": 0}},
            {("installments", "repayment_method")},
        ),
        (
            {"clock.time_compression": 1440.0},
            {("transactions", "delivered_at")},
        ),
    ],
)
def test_i3_twins_differ_only_in_the_target_and_its_descendants(
    override: dict[str, Any], descendants: set[tuple[str, str]]
) -> None:
    twin, found = small(**override), set[tuple[str, str]]()
    for n in range(0, 30, 7):
        found |= changed_columns(drawn("nhpp", n), alone(twin, small().clock.start + timedelta(n)))
    assert found == descendants


def test_i4_a_draw_more_or_less_in_one_stream_changes_no_other_column(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each stream in turn is replaced by another; only columns that it decides may change."""
    paid = {column for _, column in PAID}
    fate = {column for _, column in FATE}
    risk = {column for _, column in RISK}
    decides = {
        "transaction.discount": {"amount", "first_payment_amount", "credit_utilization", "installment_count"}
        | risk
        | {*INSTALLMENTS.column_names, *OUTCOMES.column_names},
        "customer.frailty": risk - {"default_probability_given_signals"} | fate | {"frailty"},
        "repayment.default": fate,
        "repayment.first_missed": fate - {"will_default"},
        "repayment.arrears": paid | {"repayment_method"},
        "repayment.arrears_start": paid,
        "repayment.arrears_days": {"paid_at", "partial_paid_at", "days_past_due", "late_fee"},
        "repayment.pays_ahead": {"paid_at"},
        "repayment.method": {"repayment_method"},
        "repayment.partial": {"amount_paid", "partial_amount", "partial_paid_at", "repayment_method"},
        "repayment.partial_wait": {"partial_paid_at"},
        "transaction.cart_abandonment": {"cart_abandonment_count"},
        "transaction.checkout_speed": {"checkout_speed"},
        "transaction.time_on_site": {"time_on_site_seconds"},
        "transaction.installment_count": {
            "installment_count",
            *INSTALLMENTS.column_names,
            "label_available_at",
            "matured_at",
            "days_to_first_missed_payment",
        },
        "customer.state": {"state"},
        "device.os": {"device_os"},
        "account.provider": {"payment_provider"},
    }
    often = {"bnpl.credit.base_default_rate": 0.3, "bnpl.credit.arrears.rate": 0.3}
    scenario, day = small(**often), date(2024, 1, 20)
    original = RandomStreams.generator
    before = alone(scenario, day)
    for stream, columns in decides.items():

        def other(
            self: RandomStreams, name: str, day: date | None, stream: str = stream
        ) -> np.random.Generator:
            return original(self, name + ("/other" if name == stream else ""), day)

        monkeypatch.setattr(RandomStreams, "generator", other)
        after = alone(scenario, day)
        found = {column for _, column in changed_columns(before, after)}
        assert found, stream
        assert found <= columns, stream


def test_i6_neither_clock_nor_global_random_state_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    scenario, day = small("burst"), date(2024, 1, 9)
    expected = alone(scenario, day)

    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("read the wall clock or global random state")

    for module, names in (
        (time, ("time", "time_ns", "localtime", "gmtime")),
        (np.random, ("random", "rand", "seed", "default_rng", "normal")),
        (random, ("random", "seed", "randint")),
    ):
        for name in names:
            monkeypatch.setattr(module, name, forbidden)
    assert same(alone(scenario, day), expected)


def test_scenarios_that_differ_in_anything_are_not_taken_for_each_other() -> None:
    scenario = small()
    other = scenario.model_copy(update={"seed": 7})
    assert scenario != other
    assert not same(simulate_day(scenario, date(2024, 1, 3)), simulate_day(other, date(2024, 1, 3)))


GOLDEN = {
    "baseline": ("2024-01-20", "2da5551a9fef95be"),
    "bursty": ("2024-01-20", "4a1ce21b8123b9e7"),
    "flash_sale": ("2024-03-14", "742b04aca7253784"),
    "holiday_season": ("2024-12-04", "c0720fc49492b610"),
    "poisson_arrivals": ("2024-01-20", "8d727d469eb54375"),
    "self_exciting": ("2024-01-20", "096c43a1c7db3065"),
    "uniform_arrivals": ("2024-01-20", "4cbda8577d2d3853"),
}
"""One day of each built-in scenario and its digest. A change here changes everybody's data: it is made on
purpose, and the changelog says so."""


GOLDEN_OF_WHAT_CHANGES = {
    "covariate_shift": ("2024-10-02", "4307ba2fccd5b505"),
    "dirty_feed": ("2024-09-10", "4f7973e225fdd00d"),
    "late_labels_and_events": ("2024-11-29", "623bf03d6f61a23b"),
    "prior_shift": ("2024-08-02", "74cd6f5feb0674a9"),
    "recession": ("2024-10-01", "168c740e33335d90"),
}
"""The same of scenarios with drift, noise and faults, at a small volume and without the ledger's versions."""
FEW = {"volume.base_daily_volume": 100, "bnpl.population.initial_customers": 100}
DRAWN_BY = (2, 2)
"""Versions of the lender's model and of the engine that draw these days. A file refuses days of another
version beside its own: when golden days change, one is raised, and with it the sum of all digests below."""
SUM_OF_GOLDEN = "15743a4f26f9437c"


@pytest.mark.parametrize("name", GOLDEN)
def test_the_golden_day_is_the_day_of_the_last_release(name: str) -> None:
    day, expected = GOLDEN[name]
    assert digest(alone(load_scenario(name), date.fromisoformat(day))) == expected


@pytest.mark.parametrize("name", GOLDEN_OF_WHAT_CHANGES)
def test_the_golden_day_of_a_changing_world_is_that_of_the_last_release(name: str) -> None:
    day, expected = GOLDEN_OF_WHAT_CHANGES[name]
    tables = alone(load_scenario(name, FEW), date.fromisoformat(day))
    assert digest({table: rows for table, rows in tables.items() if table != "drift_ledger"}) == expected


def test_golden_days_change_only_with_the_version_of_what_draws_them() -> None:
    versions = registry().generator("bnpl").model_version, ENGINE_VERSION
    golden = sorted((GOLDEN | GOLDEN_OF_WHAT_CHANGES).items())
    assert (versions, sha256(str(golden).encode()).hexdigest()[:16]) == (DRAWN_BY, SUM_OF_GOLDEN)
