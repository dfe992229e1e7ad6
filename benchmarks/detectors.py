"""What drift detectors make of the drift scenarios: how late they are, what they miss, what they invent.

    python benchmarks/detectors.py

Runs detectors of river, two-sample tests and monitors of a model's performance over every drift scenario,
and over the baseline, in which nothing drifts. The true onset is that of the drift ledger. Writes
docs/detectors.md and prints it.

Longer than other files because it is one report that is run by hand and read from top to bottom: a third of it
is the text of the page and the settings that the page tells, and each detector is a function of a few lines.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from rich.console import Console
from rich.progress import track
from river.drift import ADWIN, KSWIN, PageHinkley
from river.drift.binary import DDM, HDDMA
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict
from threadpoolctl import threadpool_limits

from simtom_pipeline import load_scenario, simulate_day
from simtom_pipeline.scenarios.models import Scenario
from simtom_pipeline.simulation import make_generator

PAGE = Path(__file__).parents[1] / "docs" / "detectors.md"
DRIFTS = (
    "covariate_shift",
    "concept_shift",
    "prior_shift",
    "gradual_drift",
    "seasonal_drift",
    "recession",
    "fraud_wave",
    "credit_tightening",
    "slow_labels",
)
NULL_SEEDS = range(1, 21)
DRIFT_SEEDS = range(1, 4)

YEAR = {"clock.start": "2024-01-01", "clock.end": "2024-12-31", "volume.base_daily_volume": 1000}
START = np.datetime64(YEAR["clock.start"])
REFERENCE_WEEKS, LAST_WEEK = 8, 52
WATCHED_WEEKS = LAST_WEEK - REFERENCE_WEEKS
PATIENCE_DAYS = 28
FALSE_ALARM_RATE = 0.05
FLAGGED = 0.1
LATE_DAYS = 135
KSWIN_EVERY = 40
CLASSIFIER_REFERENCE = 10_000

NUMBERS = (
    "amount",
    "credit_utilization",
    "payment_credit_limit",
    "customer_tenure_days",
    "time_on_site_seconds",
    "price_comparison_time",
    "cart_abandonment_count",
    "risk_score",
)
KINDS = (
    "product_category",
    "product_risk_category",
    "device_type",
    "payment_provider",
    "customer_age_bracket",
    "income_bracket",
    "credit_score_range",
    "verification_level",
    "address_stability",
    "risk_scenario",
    "checkout_speed",
    "device_is_trusted",
    "is_first_purchase",
)
KEYS = {
    "customers": "customer_id",
    "products": "product_id",
    "devices": "device_id",
    "payment_methods": "payment_method_id",
    "outcomes": "transaction_id",
}


PROSE = """\
# Drift detectors on the drift scenarios

A drift scenario is of use to those who test monitors if a sound monitor raises an alarm soon after the true
onset, and is silent before it and where nothing drifts. This page is written by

```sh
python benchmarks/detectors.py
```

Every scenario is simulated over 2024-01-01 to 2024-12-31 with a base volume of 1,000 purchases a day,
whatever its own clock and volume: the drift scenarios with the seeds {drift_seeds}, the baseline, in which nothing drifts, with the seeds
{null_seeds}. January 1 to February 25 (8 weeks) is the reference; the 44 weeks from February 26 to December 29
are watched. The onset is that of the drift ledger. Before onset every purchase must be the baseline's with
the same seed: it was in {same} runs.

An alarm counts as a detection from onset until 28 days after the movement is complete:

{movements}

## Without labels

A cell says with how many of the seeds the drift was caught, and the median delay in days. In brackets: in how
many of the {null_count} null years the detector alarms between the same two dates. A detection is worth only
what it has more than that. Weekly tests alarm at the end of a week, so a delay below 7 days means that the
onset was within the week.

{without}

## With labels

The model is a logistic regression trained once on the reference weeks, and left alone. A purchase paid in four
is labelled 132 days after it, or later if reports are slow; only such purchases are watched here. A cell has two
delays: had labels been known at once, and as they are known in life.

{labelled}

## False alarms

Each weekly test has a nominal rate of 5 % of years with any alarm. The drift runs share their seeds, and so their
days before onset, with null years; their columns are no second sample.

{false_alarms}

What the weekly KS and chi-squared tests point at in the null years:

{null_causes}

## What the tests point at

Features that the weekly KS and chi-squared tests of all purchases reject with every seed, first those rejected
first. A later movement lists only what no earlier one lists.

{causes}

## Settings

{settings}

`error` is that of a model that flags the riskiest tenth. Amounts are logarithms, scores log-odds of the
model, both in standard deviations of the reference. The economic stress factor is in no list of features:
it would give the recession away. Streams start with the watched weeks.

## How to read it

- A detector of amounts cannot see a drift of the outcome alone (`concept_shift`): silence is right there.
- `slow_labels` changes no feature and no outcome; only the label delay may alarm.
- Customers buy repeatedly, so purchases are not independent and the naive weekly tests need not keep their
  nominal rate. The first purchases are of different customers; the tests on them show the difference.
- Holidays bring many new customers within days. The mix of old and new ones (tenure, trusted devices) moves
  with the volume in the baseline too, although no drift is declared.
- `risk_score` has few distinct values, and stress moves all of them a little at once: a KS test sees that at
  once (`recession`), a PSI over deciles only when they cross an edge.
- Label-free monitors are fast because they need no outcome; those of the outcome wait for the labels.
"""


@dataclass(frozen=True)
class Alarm:
    """An alarm: the moment of the purchases it is about, when their labels were known, what it points at."""

    seen: np.datetime64
    known: np.datetime64
    cause: str = ""


@dataclass(frozen=True)
class Run:
    """One scenario with one seed: the alarms of each detector, and a fingerprint of each day's purchases."""

    alarms: dict[str, list[Alarm]]
    fingerprints: pd.Series


Detect = Callable[["Year"], Iterable[Alarm]]


class Year:
    """The purchases of a year in order of time, with a default model trained on the reference weeks."""

    def __init__(self, purchases: pd.DataFrame) -> None:
        self.week = ((purchases["event_time"] - START).dt.days // 7).to_numpy()
        self.purchases = purchases
        self.reference = self.week < REFERENCE_WEEKS
        self.watched = np.flatnonzero((self.week >= REFERENCE_WEEKS) & (self.week < LAST_WEEK))
        self.first = purchases["is_first_purchase"].to_numpy()
        self.default = purchases["will_default"].to_numpy()
        self.four = (purchases["installment_count"] == 4).to_numpy()
        self.design = design(purchases, self.reference)
        model = LogisticRegression(solver="newton-cholesky")
        learned, label = self.design[self.reference], self.default[self.reference]
        self.probability = model.fit(learned, label).predict_proba(self.design)[:, 1]
        self.unseen = cross_val_predict(model, learned, label, method="predict_proba")[:, 1]
        self.flagged = self.probability > np.quantile(self.probability[self.reference], 1 - FLAGGED)

    def column(self, feature: str) -> np.ndarray:
        """A feature of all purchases; categories by their codes."""
        values = self.purchases[feature]
        return (values if feature in NUMBERS else values.astype("category").cat.codes).to_numpy()

    def weeks(self) -> Iterator[tuple[np.datetime64, np.ndarray]]:
        """The end of each watched week, and its rows."""
        for number in range(REFERENCE_WEEKS, LAST_WEEK):
            yield START + np.timedelta64(7 * (number + 1), "D"), np.flatnonzero(self.week == number)


def purchases_of(scenario: Scenario) -> pd.DataFrame:
    """Every purchase of the scenario with what is known of its customer, product, device and account."""
    days = [simulate_day(scenario, day) for day in scenario.clock.days()]
    purchases = joined([day["transactions"] for day in days])
    for name, key in KEYS.items():
        tables = [days[0][name]] if name == "products" else [day[name] for day in days]
        other = joined(tables).drop(
            columns=["day", *(["customer_id"] if key != "customer_id" else [])], errors="ignore"
        )
        purchases = purchases.merge(other, on=key, how="left", validate="many_to_one")
    purchases["amount"] = purchases["amount"].astype(float)
    return purchases


def joined(tables: list[pa.Table]) -> pd.DataFrame:
    """Tables of several days as one data frame."""
    return pa.concat_tables(tables).unify_dictionaries().to_pandas()


def design(purchases: pd.DataFrame, reference: np.ndarray) -> np.ndarray:
    """Features for linear models: standardised logarithms, and indicators of the categories."""
    logs = np.log1p(purchases[list(NUMBERS)].to_numpy(float))
    logs = (logs - logs[reference].mean(axis=0)) / logs[reference].std(axis=0)
    kinds = pd.get_dummies(purchases[list(KINDS)].astype("category"), drop_first=True)
    return np.hstack([logs, kinds.to_numpy(float)])


def stream(year: Year, rows: np.ndarray, values: np.ndarray, detector: Any) -> Iterator[Alarm]:
    """Alarms of a detector that reads one value a purchase, in the order of the purchases.

    A label is read as soon as it and those of all earlier purchases are known.
    """
    moment = year.purchases["event_time"].to_numpy()[rows]
    matured = np.maximum.accumulate(year.purchases["matured_at"].to_numpy()[rows])
    for position, value in enumerate(values[rows].tolist()):
        detector.update(value)
        if detector.drift_detected:
            yield Alarm(moment[position], matured[position])


def log_amount(year: Year) -> np.ndarray:
    """Logarithm of the amount, in standard deviations of the reference weeks."""
    return year.design[:, 0]


def score(year: Year) -> np.ndarray:
    """Log-odds of the model, in standard deviations of the reference weeks."""
    odds = np.log(year.probability / (1 - year.probability))
    return (odds - odds[year.reference].mean()) / odds[year.reference].std()


def error(year: Year) -> np.ndarray:
    """Whether the model is wrong that flags the riskiest tenth."""
    return year.flagged != year.default


def log_loss(year: Year) -> np.ndarray:
    """Log loss of the model's probability."""
    return -np.log(np.where(year.default, year.probability, 1 - year.probability))


def on_all(values: Callable[[Year], np.ndarray], detector: Callable[[], Any], every: int = 1) -> Detect:
    """A streaming detector on every purchase, or on one in so many."""
    return lambda year: stream(year, year.watched[::every], values(year), detector())


def on_labelled(values: Callable[[Year], np.ndarray], detector: Callable[[], Any]) -> Detect:
    """A streaming detector on the labels of purchases paid in four."""
    return lambda year: stream(year, year.watched[year.four[year.watched]], values(year), detector())


def battery(test: Callable[..., float], features: tuple[str, ...], first_only: bool = False) -> Detect:
    """Alarms of a two-sample test of each feature, weekly, corrected for the features and the weeks.

    `test` gives a p-value; an alarm points at the features that Holm's procedure rejects.
    """

    def detect(year: Year) -> Iterator[Alarm]:
        among = year.first if first_only else np.ones(len(year.first), bool)
        columns = {feature: year.column(feature) for feature in features}
        before = {feature: np.sort(values[year.reference & among]) for feature, values in columns.items()}
        for end, rows in year.weeks():
            rows = rows[among[rows]]
            p = {feature: test(before[feature], columns[feature][rows]) for feature in features}
            if rejected := holm(p, FALSE_ALARM_RATE / WATCHED_WEEKS):
                yield Alarm(end, end, " ".join(rejected))

    return detect


def holm(p: dict[str, float], level: float) -> list[str]:
    """Names that Holm's procedure rejects, most significant first."""
    rejected = []
    for name in sorted(p, key=lambda name: p[name]):
        if p[name] > level / (len(p) - len(rejected)):
            break
        rejected.append(name)
    return rejected


def ks_p(before: np.ndarray, now: np.ndarray) -> float:
    """p-value of the two-sample Kolmogorov-Smirnov test."""
    return stats.ks_2samp(before, now, method="asymp").pvalue


def counts(before: np.ndarray, now: np.ndarray) -> np.ndarray:
    """Counts of the categories that occur. Shape (2, n_categories)."""
    _, code = np.unique(np.concatenate([before, now]), return_inverse=True)
    return np.stack([np.bincount(part, minlength=code.max() + 1) for part in np.split(code, [len(before)])])


def chi2_p(before: np.ndarray, now: np.ndarray) -> float:
    """p-value of the chi-squared test of homogeneity."""
    table = counts(before, now)
    return stats.chi2_contingency(table, correction=False).pvalue if table.shape[1] > 1 else 1.0


def psi_excess(table: np.ndarray, level: float) -> float:
    """PSI of two rows of counts over its threshold max(0.1, chi-squared quantile x (1/n + 1/m))."""
    n, m = table.sum(axis=1)
    p, q = (table + 0.5) / (table + 0.5).sum(axis=1, keepdims=True)
    quantile = stats.chi2.isf(level, table.shape[1] - 1)
    return float(((q - p) * np.log(q / p)).sum() / max(0.1, quantile * (1 / n + 1 / m)))


def population_stability(year: Year) -> Iterator[Alarm]:
    """Weekly PSI of every feature: categories as they are, numbers by deciles of the reference weeks."""
    level = FALSE_ALARM_RATE / WATCHED_WEEKS / (len(NUMBERS) + len(KINDS))
    columns = {kind: year.column(kind) for kind in KINDS}
    for number in NUMBERS:
        values = year.column(number)
        edges = np.unique(np.quantile(values[year.reference], np.arange(1, 10) / 10))
        columns[number] = np.searchsorted(edges, values)
    before = {feature: values[year.reference] for feature, values in columns.items()}
    for end, rows in year.weeks():
        excess = {f: psi_excess(counts(before[f], values[rows]), level) for f, values in columns.items()}
        if causes := [f for f in sorted(excess, key=lambda f: -excess[f]) if excess[f] > 1]:
            yield Alarm(end, end, " ".join(causes))


def classifier_test(year: Year) -> Iterator[Alarm]:
    """Weekly: can a linear classifier tell the week's purchases from those of the reference weeks?

    Customers are split in halves; each half is judged by the classifier of the other.
    """
    half = year.purchases["customer_id"].to_numpy() % 2 == 0
    reference = np.flatnonzero(year.reference)
    reference = np.random.default_rng(0).choice(reference, CLASSIFIER_REFERENCE, replace=False)
    for end, rows in year.weeks():
        both, is_now = (
            np.concatenate([reference, rows]),
            np.repeat([False, True], [len(reference), len(rows)]),
        )
        aucs, variances = zip(
            *(judged(year, both, is_now, half[both] == side) for side in (True, False)), strict=True
        )
        z = (np.mean(aucs) - 0.5) / (np.sqrt(np.sum(variances)) / 2)
        if stats.norm.sf(z) <= FALSE_ALARM_RATE / WATCHED_WEEKS:
            yield Alarm(end, end)


def judged(year: Year, rows: np.ndarray, is_now: np.ndarray, held_out: np.ndarray) -> tuple[float, float]:
    """AUC on the rows held out of a classifier of the others, and its variance if nothing drifted."""
    model = LogisticRegression(solver="newton-cholesky", C=0.1)
    model.fit(year.design[rows[~held_out]], is_now[~held_out])
    label = is_now[held_out]
    auc = roc_auc_score(label, model.decision_function(year.design[rows[held_out]]))
    return auc, (len(label) + 1) / (12 * label.sum() * (~label).sum())


def labelled_weeks(year: Year) -> Iterator[tuple[np.datetime64, np.datetime64, np.ndarray]]:
    """The end of each watched week, when its labels were known, and its purchases paid in four."""
    matured = year.purchases["matured_at"].to_numpy()
    for end, rows in year.weeks():
        rows = rows[year.four[rows]]
        yield end, matured[rows].max(), rows


def calibration(year: Year) -> Iterator[Alarm]:
    """Weekly: defaults against those the model expects, beyond the difference in the reference weeks."""
    residual, variance = year.default - year.probability, year.probability * (1 - year.probability)
    before = year.reference & year.four
    for end, known, rows in labelled_weeks(year):
        spread = variance[rows].mean() / len(rows) + variance[before].mean() / before.sum()
        z = (residual[rows].mean() - residual[before].mean()) / np.sqrt(spread)
        if 2 * stats.norm.sf(abs(z)) <= FALSE_ALARM_RATE / WATCHED_WEEKS:
            yield Alarm(end, known, "more" if z > 0 else "fewer")


def discrimination(year: Year) -> Iterator[Alarm]:
    """Weekly: AUC of the model against its cross-validated AUC in the reference weeks."""
    before, spread_before = auc_and_variance(year.default[year.reference], year.unseen)
    for end, known, rows in labelled_weeks(year):
        now, spread_now = auc_and_variance(year.default[rows], year.probability[rows])
        if 2 * stats.norm.sf(abs(now - before) / np.sqrt(spread_before + spread_now)) <= (
            FALSE_ALARM_RATE / WATCHED_WEEKS
        ):
            yield Alarm(end, known, "better" if now > before else "worse")


def auc_and_variance(label: np.ndarray, score: np.ndarray) -> tuple[float, float]:
    """AUC and its variance, from where each score stands among those of the other class."""
    yes, no = np.sort(score[label]), np.sort(score[~label])
    above, below = np.searchsorted(no, yes) / len(no), 1 - np.searchsorted(yes, no) / len(yes)
    return above.mean(), above.var(ddof=1) / len(yes) + below.var(ddof=1) / len(no)


def label_delay(year: Year) -> Iterator[Alarm]:
    """Weekly: share of labels of purchases paid in four that are not there in time."""
    lag = year.purchases["label_available_at"] - year.purchases["event_time"]
    late = (lag > pd.Timedelta(days=LATE_DAYS)).to_numpy()
    for end, _, rows in labelled_weeks(year):
        if chi2_p(late[year.reference & year.four], late[rows]) <= FALSE_ALARM_RATE / WATCHED_WEEKS:
            yield Alarm(end, end + np.timedelta64(LATE_DAYS, "D"))


def page_hinkley() -> PageHinkley:
    """No forgetting: with it river's sums never settle, and it alarms all year."""
    return PageHinkley(delta=0.1, threshold=60, alpha=1.0)


def kswin() -> KSWIN:
    """Windows as long as subsampling allows."""
    return KSWIN(alpha=1e-4, window_size=900, stat_size=300, seed=0)


WITHOUT_LABELS: dict[str, Detect] = {
    "ADWIN, amount": on_all(log_amount, ADWIN),
    "ADWIN, score": on_all(score, ADWIN),
    "Page-Hinkley, amount": on_all(log_amount, page_hinkley),
    "Page-Hinkley, score": on_all(score, page_hinkley),
    "KSWIN, amount": on_all(log_amount, kswin, KSWIN_EVERY),
    "KS tests": battery(ks_p, NUMBERS),
    "chi-squared tests": battery(chi2_p, KINDS),
    "PSI": population_stability,
    "classifier test": classifier_test,
    "KS tests, first purchases": battery(ks_p, NUMBERS, first_only=True),
    "chi-squared tests, first purchases": battery(chi2_p, KINDS[:-1], first_only=True),
}
WITH_LABELS: dict[str, Detect] = {
    "ADWIN, error": on_labelled(error, ADWIN),
    "ADWIN, log loss": on_labelled(log_loss, ADWIN),
    "DDM, error": on_labelled(error, DDM),
    "HDDM_A, error": on_labelled(error, lambda: HDDMA(two_sided_test=True)),
    "calibration": calibration,
    "AUC": discrimination,
    "label delay": label_delay,
}


SETTINGS = {
    "ADWIN": "river's defaults: delta 0.002, one test every 32 values",
    "Page-Hinkley": "delta 0.1, threshold 60, no forgetting (alpha 1)",
    "KSWIN": f"alpha 0.0001, window 900, recent 300, seed 0; one purchase in {KSWIN_EVERY}, as it is slow",
    "DDM": "river's defaults: warm start 30, drift at 3 standard deviations; looks only for more errors",
    "HDDM_A": "river's defaults: confidence 0.001; two-sided",
    "KS tests, chi-squared tests": f"{len(NUMBERS)} numbers, {len(KINDS)} categories (first purchases:"
    f" {len(KINDS) - 1}); Holm over the features of a week, Bonferroni over the weeks",
    "PSI": "deciles of the reference, or categories; alarm above max(0.1, chi-squared quantile x (1/n +"
    " 1/m)), the quantile with Bonferroni over features and weeks",
    "classifier test": f"logistic regression, the week against {CLASSIFIER_REFERENCE:,} reference purchases,"
    " two folds by customer; AUC against its null; Bonferroni over the weeks",
    "calibration": "z-test of the mean residual (default less probability), reference against week;"
    " Bonferroni over the weeks, two-sided",
    "AUC": "z-test, week against the cross-validated AUC of the reference (DeLong's variances);"
    " Bonferroni over the weeks, two-sided",
    "label delay": f"chi-squared test of the share of labels later than {LATE_DAYS} days after the purchase",
}


def run(scenario: Scenario) -> Run:
    """Every detector over the scenario's year."""
    purchases = purchases_of(scenario)
    year = Year(purchases)
    hashes = pd.util.hash_pandas_object(
        purchases.drop(columns=["label_available_at", "matured_at"]), index=False
    )
    fingerprints = hashes.groupby(purchases["event_time"].dt.date).sum()
    detectors = {**WITHOUT_LABELS, **WITH_LABELS}
    return Run({name: list(detect(year)) for name, detect in detectors.items()}, fingerprints)


def movements(scenario: Scenario) -> list[tuple[date, date]]:
    """Onset of every outward movement in the ledger, and the last day on which an alarm counts."""
    rows = [part.rows[0] for part in make_generator(scenario).ledger_parts()]
    return sorted({(row["onset"], row["settled"] + timedelta(PATIENCE_DAYS)) for row in rows})


def during(alarms: list[Alarm], onset: date, last: date) -> list[Alarm]:
    """The alarms that count for a movement."""
    return [alarm for alarm in alarms if np.datetime64(onset) < alarm.seen <= np.datetime64(last)]


def delay(moment: np.datetime64, onset: date) -> float:
    """Days from the onset."""
    return (moment - np.datetime64(onset)) / np.timedelta64(1, "D")


@dataclass(frozen=True)
class Results:
    """What came out: the runs of the null scenario by seed, of each drift by seed, and its movements."""

    null: dict[int, Run]
    drift: dict[str, dict[int, Run]]
    movements: dict[str, list[tuple[date, date]]]

    def cell(self, detector: str, scenario: str, labelled: bool) -> str:
        """How many seeds were caught and how late, and how many null years alarm in the same days."""
        onset, last = self.movements[scenario][0]
        runs = self.drift[scenario].values()
        firsts = [found[0] for run in runs if (found := during(run.alarms[detector], onset, last))]
        if not firsts:
            return "missed"
        late = f"{median(delay(alarm.seen, onset) for alarm in firsts):.0f} d"
        if labelled:
            late += f" / {median(delay(alarm.known, onset) for alarm in firsts):.0f} d"
        chance = sum(bool(during(run.alarms[detector], onset, last)) for run in self.null.values())
        return f"{len(firsts)}/{len(runs)}, {late}" + (f" [{chance}]" if chance else "")

    def false_alarms(self, detector: str) -> list[str]:
        """Null years with an alarm and alarms a null year; the same before onset on the drift scenarios."""
        null = [len(run.alarms[detector]) for run in self.null.values()]
        early = [
            len(during(run.alarms[detector], date.min, self.movements[name][0][0]))
            for name, runs in self.drift.items()
            for run in runs.values()
        ]
        return [
            f"{sum(count > 0 for count in null)} of {len(null)}",
            f"{np.mean(null):.2f}",
            f"{sum(count > 0 for count in early)} of {len(early)}",
            f"{sum(early)}",
        ]

    def causes(self, scenario: str) -> list[list[str]]:
        """By movement: the features that the weekly tests reject with every seed, with their delay."""
        found, named = [], set[str]()
        for onset, last in self.movements[scenario]:
            delays = [causes_of(run, onset, last) for run in self.drift[scenario].values()]
            common = [name for name in delays[0] if all(name in d for d in delays) and name not in named]
            late = {name: median(d[name] for d in delays) for name in common}
            text = ", ".join(f"{name} {late[name]:.0f} d" for name in sorted(late, key=lambda n: late[n]))
            found.append([scenario, str(onset), text or "none"])
            named.update(common)
        return found

    def null_causes(self) -> list[list[str]]:
        """What the weekly tests point at where nothing drifts."""
        weeks = Counter[str]()
        for run in self.null.values():
            for alarm in [*run.alarms["KS tests"], *run.alarms["chi-squared tests"]]:
                weeks.update((name, str(alarm.seen)[:7]) for name in alarm.cause.split())
        totals = Counter[str]()
        for (name, _), count in weeks.items():
            totals[name] += count
        return [
            [name, ", ".join(f"{month}: {count}" for (n, month), count in sorted(weeks.items()) if n == name)]
            for name, _ in totals.most_common()
        ]

    def same_before_onset(self) -> str:
        """Runs of which every purchase before onset is that of the baseline with the same seed."""
        same = []
        for name, runs in self.drift.items():
            onset = self.movements[name][0][0]
            for seed, run in runs.items():
                mine, null = run.fingerprints, self.null[seed].fingerprints
                same.append(mine[mine.index < onset].equals(null[null.index < onset]))
        return f"{sum(same)} of {len(same)}"


def causes_of(run: Run, onset: date, last: date) -> dict[str, float]:
    """Features that the weekly tests reject during a movement, and when first."""
    delays: dict[str, float] = {}
    for test in ("KS tests", "chi-squared tests"):
        for alarm in during(run.alarms[test], onset, last):
            for name in alarm.cause.split():
                delays.setdefault(name, delay(alarm.seen, onset))
    return delays


def table(head: list[str], rows: Iterable[list[str]]) -> str:
    """A table in Markdown."""
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows])


def results() -> Results:
    """Run everything, one scenario and seed after the other."""
    plan = [("baseline", seed) for seed in NULL_SEEDS] + [
        (name, seed) for name in DRIFTS for seed in DRIFT_SEEDS
    ]
    done: dict[tuple[str, int], Run] = {}
    for name, seed in track(plan, "scenario-years", console=Console(stderr=True)):
        done[name, seed] = run(load_scenario(name, {**YEAR, "seed": seed}))
    return Results(
        {seed: done["baseline", seed] for seed in NULL_SEEDS},
        {name: {seed: done[name, seed] for seed in DRIFT_SEEDS} for name in DRIFTS},
        {name: movements(load_scenario(name, YEAR)) for name in DRIFTS},
    )


def caught_table(found: Results, detectors: Iterable[str], labelled: bool) -> str:
    """Detectors against scenarios."""
    rows = [[name, *(found.cell(name, drift, labelled) for drift in DRIFTS)] for name in detectors]
    return table(["detector", *DRIFTS], rows)


def page(found: Results) -> str:
    """The page: the tables, and how to read them."""
    return PROSE.format(
        null_seeds=f"{NULL_SEEDS[0]} to {NULL_SEEDS[-1]}",
        drift_seeds=f"{DRIFT_SEEDS[0]} to {DRIFT_SEEDS[-1]}",
        null_count=len(NULL_SEEDS),
        same=found.same_before_onset(),
        movements=table(
            ["scenario", "onset", "an alarm counts until"],
            [[name, str(onset), str(last)] for name, ms in found.movements.items() for onset, last in ms[:1]],
        ),
        without=caught_table(found, WITHOUT_LABELS, labelled=False),
        labelled=caught_table(found, WITH_LABELS, labelled=True),
        false_alarms=table(
            [
                "detector",
                "null years with an alarm",
                "alarms a null year",
                "drift runs with an alarm before onset",
                "alarms before onset",
            ],
            [[name, *found.false_alarms(name)] for name in (*WITHOUT_LABELS, *WITH_LABELS)],
        ),
        causes=table(
            ["scenario", "onset of the movement", "features, and days from onset"],
            [row for name in DRIFTS for row in found.causes(name)],
        ),
        null_causes=table(["feature", "weeks with an alarm, by month"], found.null_causes()),
        settings=table(["detector", "settings"], [list(row) for row in SETTINGS.items()]),
    )


def main() -> None:
    """Run, write, print."""
    with threadpool_limits(1):
        text = page(results())
    PAGE.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
