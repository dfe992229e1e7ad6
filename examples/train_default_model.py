"""Train a default model as one would have had to on a day of the year, and look how good it could be.

    simtom run baseline
    python examples/train_default_model.py

The model learns from what was labelled by the training day, and is judged on the purchases after it, once
their labels are known. The truth tables say what nobody knows in life: the true default probability of
each of these purchases, and so the AUC that no model can beat.
"""

import argparse

import duckdb
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from simtom_pipeline import training_set
from simtom_pipeline.home import default_database

NOT_FEATURES = ["transaction_id", "customer_id", "event_time", "will_default"]


def features(purchases: pd.DataFrame) -> pd.DataFrame:
    """What was known at the moment of the purchase."""
    return purchases.drop(columns=NOT_FEATURES)


def models(known: pd.DataFrame) -> dict[str, object]:
    """A linear model, and one that finds interactions."""
    categories = list(known.select_dtypes("category").columns)
    numbers = [column for column in known.columns if column not in categories]
    linear = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), categories),
        (make_pipeline(SimpleImputer(), StandardScaler()), numbers),
    )
    return {
        "logistic regression": make_pipeline(linear, LogisticRegression(C=0.1, max_iter=1000)),
        "gradient boosting": HistGradientBoostingClassifier(
            learning_rate=0.05,
            max_iter=150,
            max_leaf_nodes=8,
            min_samples_leaf=200,
            categorical_features="from_dtype",
            random_state=0,
        ),
    }


def true_probabilities(scenario: str, database: str, purchases: pd.DataFrame) -> pd.DataFrame:
    """The truth about purchases, in their order."""
    with duckdb.connect(database, read_only=True) as connection:
        truth = connection.execute(f'FROM "{scenario}_truth".default_risk').df()
    return truth.set_index("transaction_id").loc[purchases["transaction_id"]]


def main() -> None:
    """Train, judge, compare with the ceiling."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--scenario", default="baseline")
    parser.add_argument("--database", default=str(default_database()))
    parser.add_argument("--train-on", default="2024-09-01", help="the day on which the model is trained")
    parser.add_argument("--judge-on", default="2025-06-01", help="the day on which it is judged")
    options = parser.parse_args()

    def known_on(day: str) -> pd.DataFrame:
        return training_set(options.scenario, as_of=day, database=options.database)

    past, later = known_on(options.train_on), known_on(options.judge_on)
    future = later[later["event_time"] >= options.train_on]
    truth = true_probabilities(options.scenario, options.database, future)
    print(
        f"trained on {len(past):,} purchases labelled by {options.train_on},"
        f" {past['will_default'].sum():,} defaults"
    )
    print(
        f"judged on {len(future):,} purchases made since, labelled by {options.judge_on},"
        f" {future['will_default'].sum():,} defaults"
    )

    known, label = features(future), future["will_default"]
    for name, model in models(features(past)).items():
        model.fit(features(past), past["will_default"])
        predicted = model.predict_proba(known)[:, 1]
        print(
            f"{name + ':':25} AUC {roc_auc_score(label, predicted):.3f},"
            f" expects {predicted.sum():,.0f} defaults where {label.sum():,} came"
        )
    for name, column in (
        ("ceiling, signals only", "default_probability_given_signals"),
        ("Bayes ceiling", "default_probability"),
    ):
        p = truth[column]
        print(
            f"{name + ':':25} AUC {roc_auc_score(label, p):.3f},"
            f" expects {p.sum():,.0f} defaults where {label.sum():,} came"
        )


if __name__ == "__main__":
    main()
