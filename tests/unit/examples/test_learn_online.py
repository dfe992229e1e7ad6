"""The example that learns from the stream: it waits for labels, and what it learns is worth something."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from examples.learn_online import OnlineLender, features, learn
from simtom_pipeline import load_scenario
from simtom_pipeline.simulation import Simulation
from simtom_pipeline.streaming.selection import Selection
from simtom_pipeline.streaming.sources import SimulatedDays
from simtom_pipeline.streaming.stream import Stream

QUICK = {
    "clock.end": "2024-03-20",
    "volume.base_daily_volume": 120,
    "bnpl.population.initial_customers": 400,
    "bnpl.credit.base_default_rate": 0.2,
    "bnpl.credit.charge_off_days": 7,
}


@pytest.fixture(scope="module")
def records() -> list[dict[str, Any]]:
    """A stream as the server sends it, JSON Lines read back."""
    return list(_records())


def _records() -> Iterator[dict[str, Any]]:
    simulation = Simulation(load_scenario("baseline", QUICK))
    selection = Selection(simulation, ("transactions", "outcomes"), labels="as_known")
    clock = simulation.scenario.clock
    last = clock.end + timedelta(40)  # the labels of its last purchases
    for portion in Stream(selection, SimulatedDays(selection), clock.start, last).portions():
        for name, record in zip(portion.names, portion.records(), strict=True):
            yield {"_table": name, **json.loads(record)}


def test_scores_given_before_the_label_was_known_tell_who_defaults(
    records: list[dict[str, Any]], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("examples.learn_online.MIN_LEARNT", 500)
    lender = learn(records)
    assert lender.judged > 500
    assert lender.area.get() > 0.6
    assert "at the end" in capsys.readouterr().out


def test_nothing_is_learnt_from_a_purchase_before_it_matured(records: list[dict[str, Any]]) -> None:
    class Watched(OnlineLender):
        def learn(self, key: int, defaulted: bool) -> None:
            assert matured[key] <= now, key
            assert labels[key] == defaulted
            super().learn(key, defaulted)

    matured = {r["transaction_id"]: r["matured_at"] for r in records if r["_table"] == "outcomes"}
    labels: dict[int, bool] = {}
    now, lender = "", Watched()
    for record in records:
        now = record.get("event_time") or record.get("label_available_at") or now
        if record["_table"] == "label":
            labels[record["transaction_id"]] = record["will_default"]
        lender.take(record)
    assert lender.learnt == sum(not defaulted or matured[key] <= now for key, defaulted in labels.items())


def test_no_feature_is_the_outcome(records: list[dict[str, Any]]) -> None:
    purchase = next(record for record in records if record["_table"] == "transactions")
    assert not {"will_default", "label_available_at", "installment_count"} & set(features(purchase))
