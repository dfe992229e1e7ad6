"""Learn default as it happens: a model that is fed from the live stream, whose labels arrive months late.

Every purchase is scored when it arrives, with what was known then, and kept until its label can be learnt
from. A default is known before its cohort is: who learns each label at once sees nothing but defaults for a
month. So the model waits until a purchase has matured, as the training sets of this project do. Judged are
the scores given at the time, of purchases that came once there was something to score them with (prequential
evaluation with delayed labels).

    simtom serve                       # in one terminal
    python examples/learn_online.py    # in another; pip install river
"""

import argparse
import heapq
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import log1p
from typing import Any
from urllib.request import Request, urlopen

from river import compose, linear_model, metrics, optim, preprocessing

ADDRESS = (
    "http://127.0.0.1:8000/scenarios/baseline/stream?tables=transactions,outcomes&labels=as_known&speed=max"
)
NUMBERS = ("risk_score", "credit_utilization", "economic_stress_factor", "cart_abandonment_count")
LONG_TAILED = ("amount", "price_comparison_time", "time_on_site_seconds", "customer_tenure_days")
"""Numbers whose logarithm is taken: one purchase of 5,000 USD must not outweigh a hundred of 50."""
WORDS = ("risk_scenario", "checkout_speed", "customer_age_bracket", "is_first_purchase", "device_is_trusted")
MIN_LEARNT = 2_000
"""Labels learnt before scores are judged."""
LABELS_PER_LINE = 20_000


def records(address: str) -> Iterator[dict[str, Any]]:
    """Records of a stream as they come, each a JSON object on a line of its own."""
    with urlopen(Request(address, headers={"Accept": "application/x-ndjson"})) as answer:
        for line in answer:
            yield json.loads(line)


def model() -> compose.Pipeline:
    """A logistic regression over scaled numbers and words, learnt by stochastic gradient descent."""
    numbers = compose.Select(*NUMBERS, *LONG_TAILED) | preprocessing.StandardScaler()
    words = compose.Select(*WORDS) | preprocessing.OneHotEncoder()
    return (numbers + words) | linear_model.LogisticRegression(optimizer=optim.SGD(0.005))


def features(purchase: Mapping[str, Any]) -> dict[str, Any]:
    """What was known of a purchase at the checkout."""
    logarithms = {name: log1p(purchase[name]) for name in LONG_TAILED}
    return {name: purchase[name] for name in (*NUMBERS, *WORDS)} | logarithms


def moment(record: Mapping[str, Any]) -> str:
    """When a record came, as far as it says so itself: of a purchase or a label."""
    return record.get("event_time") or record.get("label_available_at") or ""


@dataclass
class OnlineLender:
    """Scores purchases, waits for their labels, learns from those that have matured.

    Attributes
    ----------
    scored : by purchase: its features, its score, and whether the score is to be judged.
    defaults : purchases known to default that have not matured, by the moment they will have.
    """

    learner: compose.Pipeline = field(default_factory=model)
    area: metrics.ROCAUC = field(default_factory=lambda: metrics.ROCAUC(n_thresholds=1000))
    scored: dict[int, tuple[dict[str, Any], float, bool]] = field(default_factory=dict)
    matures_at: dict[int, str] = field(default_factory=dict)
    defaults: list[tuple[str, int]] = field(default_factory=list)
    learnt: int = 0
    judged: int = 0

    def take(self, record: dict[str, Any]) -> None:
        """One record of the stream."""
        key = record["transaction_id"]
        self.learn_matured(moment(record))
        match record["_table"]:
            case "transactions":
                known = features(record)
                score = self.learner.predict_proba_one(known).get(True, 0.0)
                self.scored[key] = known, score, self.learnt >= MIN_LEARNT
            case "outcomes" if record["will_default"] is None:
                self.matures_at[key] = record["matured_at"]
            case "label" if record["will_default"]:
                heapq.heappush(self.defaults, (self.matures_at[key], key))
            case "label":
                self.learn(key, False)

    def learn_matured(self, now: str) -> None:
        """Learn from the defaults whose cohort is known by now."""
        while self.defaults and self.defaults[0][0] <= now:
            self.learn(heapq.heappop(self.defaults)[1], True)

    def learn(self, key: int, defaulted: bool) -> None:
        """Judge the score that a purchase was given, then learn from it."""
        known, score, is_judged = self.scored.pop(key)
        self.matures_at.pop(key)
        if is_judged:
            self.area.update(defaulted, score)
            self.judged += 1
        self.learner.learn_one(known, defaulted)
        self.learnt += 1

    def __str__(self) -> str:
        area = (
            f"AUC {self.area.get():.3f} of {self.judged:,} scores" if self.judged else "no score to judge yet"
        )
        return f"{self.learnt:7,} labels learnt, {len(self.scored):7,} purchases wait for theirs; {area}"


def learn(stream: Iterable[dict[str, Any]]) -> OnlineLender:
    """Score and learn to the end of a stream, with a line of report now and then."""
    lender, told = OnlineLender(), 0
    for record in stream:
        lender.take(record)
        if lender.learnt >= told + LABELS_PER_LINE:
            told = lender.learnt
            print(moment(record)[:10], lender)
    print("at the end", lender)
    return lender


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("address", nargs="?", default=ADDRESS, help="of a stream; default the baseline's")
    learn(records(parser.parse_args().address))
