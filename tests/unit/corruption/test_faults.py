"""The fault ledger undoes what faults did, a value is corrupted once, and faults leave each other alone."""

from collections.abc import Callable, Sequence
from datetime import date
from itertools import product
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from simtom_pipeline import load_scenario, simulate_day
from simtom_pipeline.corruption.faults import corrupt_day
from simtom_pipeline.scenarios.faults import Fault
from simtom_pipeline.scenarios.models import Scenario
from simtom_pipeline.simulation import Simulation
from tests.support.faults import A_DAY, EVERY_KIND, NOISE, RIVALS, both, corrupted, days_of, fault, hits_of
from tests.support.landed import put_rows, simulated

Simulate = Callable[[Scenario, date], dict[str, pa.Table]]


def undone_is_clean(scenario: Scenario, simulate: Simulate = simulate_day) -> None:
    """Land it, apply the ledger backwards, and compare with the clean twin, value by value."""
    days, clean_twin = scenario.clock.days(), simulated(scenario.without("faults"))
    with duckdb.connect() as connection:
        put_rows(connection, scenario, simulated(scenario, days, simulate))
        for contract in Simulation(scenario).relations.measured:
            clean = clean_twin[contract.name]
            key = ", ".join(contract.primary_key)
            undone = connection.execute(
                f"FROM {scenario.name}_truth.clean_{contract.name} ORDER BY {key}"
            ).to_arrow_table()
            clean = clean.sort_by([(name, "ascending") for name in contract.primary_key])
            for name in contract.column_names:
                assert undone[name].to_pylist() == clean[name].to_pylist(), (contract.name, name)


SEEDS = (0, 2**32)


@settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_the_ledger_applied_backwards_is_the_clean_twin_with_every_kind_of_fault_at_once(
    data: st.DataObject,
) -> None:
    """In any order, at any rate, on more than one seed, with and without noise under the faults."""
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
            "seed": data.draw(st.sampled_from(SEEDS)),
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
    scenario = corrupted(
        fault("missing", columns=["amount"], rate=0.1),
        **{"clock.end": f"{A_DAY}", "volume.base_daily_volume": 300},
    )
    ledger = simulate_day(scenario, A_DAY)["fault_ledger"]
    assert len(ledger) > 10

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
        return corrupted(*faults, noise=NOISE)


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


def test_a_value_is_corrupted_at_most_once(all_at_once: Scenario) -> None:
    ledger = days_of(all_at_once, "fault_ledger")
    places = list(zip(ledger.table_name, ledger.key.map(tuple), ledger.column_name, strict=True))
    assert len(set(places)) == len(places) > 1000


def test_every_kind_of_fault_occurs_and_types_are_those_of_the_contracts(all_at_once: Scenario) -> None:
    tables = simulate_day(all_at_once, A_DAY)
    contracts = Simulation(all_at_once).relations.simulated
    assert {c.name: tables[c.name].schema for c in contracts} == {c.name: c.schema for c in contracts}
    kinds = {one["kind"] for one in EVERY_KIND} - {"dropped_day"}
    assert set(tables["fault_ledger"]["kind"].to_pylist()) == kinds


def test_a_corrupted_day_alone_is_the_day_in_a_range(all_at_once: Scenario) -> None:
    in_range = [Simulation(all_at_once).simulate_day(d) for d in all_at_once.clock.days()[:3]][2]
    alone = Simulation(all_at_once).simulate_day(A_DAY)
    assert all(alone[name].equals(in_range[name]) for name in alone)


def test_another_fault_changes_nothing_about_the_hits_of_a_fault() -> None:
    one = fault("typo", columns=["purchase_context"], rate=0.1)
    other = fault("missing", columns=["risk_level"], rate=0.3)
    alone, beside = (days_of(corrupted(*faults), "fault_ledger") for faults in ((one,), (other, one)))
    pd.testing.assert_frame_equal(hits_of(alone, "purchase_context"), hits_of(beside, "purchase_context"))


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
    world = corrupted(**{"volume.base_daily_volume": 150})
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
