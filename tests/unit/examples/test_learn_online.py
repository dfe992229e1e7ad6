"""The example that learns from the stream: it waits for labels, and what it learns is worth something."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from examples.learn_online import OnlineLender, features, learn, moment
from simtom_pipeline import load_scenario
from simtom_pipeline.simulation import Simulation
from simtom_pipeline.streaming.selection import Selection
from simtom_pipeline.streaming.sources import SimulatedDays
from simtom_pipeline.streaming.stream import Stream

QUICK = {
    "clock.end": "2024-03-31",
    "volume.base_daily_volume": 80,
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


def test_it_learns_from_what_matured_and_its_scores_tell_who_defaults(
    records: list[dict[str, Any]], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Watched(OnlineLender):
        now = ""

        def take(self, record: dict[str, Any]) -> None:
            self.now = moment(record) or self.now
            if record["_table"] == "label":
                labels[record["transaction_id"]] = record["will_default"]
            super().take(record)

        def learn(self, key: int, defaulted: bool) -> None:
            assert matured[key] <= self.now, key
            assert labels[key] == defaulted
            super().learn(key, defaulted)

    matured = {r["transaction_id"]: r["matured_at"] for r in records if r["_table"] == "outcomes"}
    labels: dict[int, bool] = {}
    monkeypatch.setattr("examples.learn_online.MIN_LEARNT", 500)
    monkeypatch.setattr("examples.learn_online.OnlineLender", Watched)
    lender = learn(records)
    assert isinstance(lender, Watched)
    assert lender.learnt == sum(not bad or matured[key] <= lender.now for key, bad in labels.items())
    assert lender.judged > 500
    assert lender.area.get() > 0.6
    assert "at the end" in capsys.readouterr().out


def test_no_feature_is_the_outcome(records: list[dict[str, Any]]) -> None:
    purchase = next(record for record in records if record["_table"] == "transactions")
    assert not {"will_default", "label_available_at", "installment_count"} & set(features(purchase))
