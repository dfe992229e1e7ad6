"""How well models can learn the outcome: AUC of a linear and of a boosted model against the ceilings.

    python benchmarks/default_models.py [purchases]

Lands the baseline in a file of its own, takes the first purchases in order of time (200,000 by default)
with all their labels, trains on the first 70 % and judges on the rest. Also times the training set of the
whole year.
"""

import sys
import tempfile
import time
from pathlib import Path

from sklearn.metrics import roc_auc_score

from simtom_pipeline import load_scenario, training_set
from simtom_pipeline.history import land_history
from simtom_pipeline.landing import connect
from simtom_pipeline.simulation import Simulation

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))
from train_default_model import features, models, true_probabilities

END_OF_TIME = "2100-01-01"


def main() -> None:
    """Land, train, judge."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    scenario = load_scenario("baseline")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "simtom.duckdb"
        land_history(Simulation(scenario), scenario.clock.days(), lambda: connect(file), lambda days: None)
        began = time.monotonic()
        year = training_set(scenario, as_of=END_OF_TIME, database=file)
        print(f"training set of the year: {len(year):,} rows in {time.monotonic() - began:.1f} s")
        purchases = year.iloc[:count]
        truth = true_probabilities(scenario.name, str(file), purchases)
    label = purchases["will_default"]
    cut = int(len(purchases) * 0.7)
    known = features(purchases)
    print(
        f"{len(purchases):,} purchases, base rate {label.mean():.4%}; judged on the last {len(label) - cut:,}"
    )
    for name in ("default_probability", "default_probability_given_signals"):
        whole, judged = roc_auc_score(label, truth[name]), roc_auc_score(label[cut:], truth[name][cut:])
        print(f"{name}: AUC {whole:.4f}, on those judged {judged:.4f}")
    for name, model in models(known).items():
        model.fit(known[:cut], label[:cut])
        print(f"{name}: AUC {roc_auc_score(label[cut:], model.predict_proba(known[cut:])[:, 1]):.4f}")


if __name__ == "__main__":
    main()
