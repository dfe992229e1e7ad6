"""The truth about drift as tables: what was declared, what is intended each day, what was realised.

`drift_ledger` is a constant of the scenario. `drift_ledger_daily` and `daily_profile` set what the
generator intends beside what was measured on the landed rows by code that knows nothing of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from ...claims import Measured
from ...contracts import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    DOUBLES,
    INTEGER,
    TEXT,
    TEXTS,
    Column,
    TableContract,
)

Numbers = tuple[float, ...]

DRIFT_LEDGER = TableContract(
    name="drift_ledger",
    row="a movement of a declared drift: out to the new concept, or (a reversion) back to the old one",
    truth=True,
    daily=False,
    primary_key=("drift_id", "target", "phase"),
    columns=(
        Column("drift_id", TEXT, "the drift, as the scenario calls it"),
        Column("target", TEXT, "what drifts; a composite drift has several targets"),
        Column("phase", INTEGER, "number of the movement, from 1"),
        Column("is_reversion", BOOLEAN, "whether it leads back to the old concept"),
        Column("kind", TEXT, "kind of the drift, as the scenario calls it"),
        Column("schedule", TEXT, "sudden, gradual, linear, seasonal or pulse"),
        Column("schedule_from", DATE, "`at` or `from` of the schedule"),
        Column("schedule_to", DATE, "`to` of the schedule", nullable=True),
        Column("width_days", DOUBLE, "of a gradual drift", "days", nullable=True),
        Column("period_days", DOUBLE, "of a seasonal drift", "days", nullable=True),
        Column("onset", DATE, "first day of the movement"),
        Column("settled", DATE, "first day on which it is complete"),
        Column("before", DOUBLES, "parameter without the drift; the shares of `categories` for shares"),
        Column("after", DOUBLES, "parameter with the drift's whole weight"),
        Column("measured_from", TEXT, "relation that shows it; {schema} is the scenario's", nullable=True),
        Column("measured_as", TEXT, "SQL expression of its value there", nullable=True),
        Column("categories", TEXTS, "the bins of a categorical target", nullable=True),
        Column("bin_edges", DOUBLES, "inner edges of the bins of a numeric target", nullable=True),
        Column("reference_shares", DOUBLES, "share of each bin in the reference population", nullable=True),
        Column("reference_from", DATE, "first day of the reference window", nullable=True),
        Column("reference_to", DATE, "its last day, before any drift; NULL if there is none", nullable=True),
        Column("causal_descendants", TEXTS, "table.column of what may differ from the twin"),
        Column("scenario_digest", TEXT, "SHA-256 of everything the scenario says"),
        Column("versions", TEXT, "versions of simtom_pipeline and NumPy", tells_code=True),
    ),
)  # fmt: skip

DRIFT_LEDGER_DAILY = TableContract(
    name="drift_ledger_daily",
    row="a target of a declared drift on one day: intended, from the scenario, and realised, from the rows",
    truth=True,
    daily=False,
    primary_key=("day", "drift_id", "target"),
    columns=(
        Column("day", DATE, "simulated day"),
        Column("drift_id", TEXT, "the drift"),
        Column("target", TEXT, "what drifts"),
        Column("w", DOUBLE, "weight of the drift", "0 to 1"),
        Column("parameter", DOUBLES, "the parameter in force, expected over records; shares for shares"),
        Column("intended_shares", DOUBLES, "share of each bin, every drift acting", nullable=True),
        Column("intended_mean", DOUBLE, "mean of the target; for the volume, events", nullable=True),
        Column("intended_psi", DOUBLE, "of the shares against the reference population's", nullable=True),
        Column("intended_ks", DOUBLE, "largest difference of the distribution functions", nullable=True),
        Column("intended_hellinger", DOUBLE, "of the shares", "0 to 1", nullable=True),
        Column(
            "intended_w1",
            DOUBLE,
            "Wasserstein distance: of the logarithm of amounts and times, of a delay in days, of categories"
            " the total variation",
            nullable=True,
        ),
        Column("expected_default_rate", DOUBLE, "of the reference population", "0 to 1", nullable=True),
        Column("expected_bayes_auc", DOUBLE, "of the reference population", "0 to 1", nullable=True),
        Column("rows", BIGINT, "landed rows that were measured, NULL before they land", nullable=True),
        Column("realised_shares", DOUBLES, "as intended_shares, of the landed rows", nullable=True),
        Column("realised_mean", DOUBLE, "as intended_mean", nullable=True),
        Column("realised_psi", DOUBLE, "against the landed reference window, bias included", nullable=True),
        Column("realised_ks", DOUBLE, "against the landed reference window", nullable=True),
        Column("realised_hellinger", DOUBLE, "against the landed reference window", nullable=True),
        Column("realised_w1", DOUBLE, "against the landed reference window", nullable=True),
        Column("realised_default_rate", DOUBLE, "share of yes among the outcomes", "0 to 1", nullable=True),
        Column("realised_bayes_auc", DOUBLE, "of the true probability, on the day's outcomes", nullable=True),
    ),
)  # fmt: skip

DAILY_PROFILE = TableContract(
    name="daily_profile",
    row="one metric of the events of one landed day: what is expected, and what the rows say",
    daily=False,
    primary_key=("day", "metric"),
    columns=(
        Column("day", DATE, "simulated day"),
        Column("metric", TEXT, "a count, a share (column=value), a mean, a quantile or a rate"),
        Column("expected", DOUBLE, "what the scenario says, every drift acting", nullable=True),
        Column("realised", DOUBLE, "the same of the landed rows", nullable=True),
    ),
)

DERIVED = (DRIFT_LEDGER_DAILY, DAILY_PROFILE)
"""Tables that are measured on what has landed, not simulated."""


@dataclass(frozen=True)
class LedgerPart:
    """One target of one declared drift: the rows of the ledger, and where its size is measured.

    Attributes
    ----------
    onset : first day on which anything may differ from the twin.
    causal_descendants : "table.column" of all that may; the column (row) stands for whole rows.
    rows : one a movement; columns of `drift_ledger`.
    measured : where it shows; None for the volume.
    bin_edges : inner edges of a numeric target, else none.
    reference_shares : share of each bin in the reference population, none if it has no bins.
    outcome : column of the declared outcome whose rate and AUC the daily rows show; empty for the first.
    """

    drift_id: str
    target: str
    onset: date
    causal_descendants: tuple[str, ...]
    rows: Sequence[dict[str, object]]
    measured: Measured | None
    bin_edges: Numbers
    reference_shares: Numbers
    outcome: str = ""


@dataclass(frozen=True)
class Intended:
    """What the scenario intends for one target on one day; columns of `drift_ledger_daily`."""

    w: float
    parameter: Numbers
    intended_shares: Numbers | None = None
    intended_mean: float | None = None
    intended_psi: float | None = None
    intended_ks: float | None = None
    intended_hellinger: float | None = None
    intended_w1: float | None = None
    expected_default_rate: float | None = None
    expected_bayes_auc: float | None = None


@dataclass(frozen=True)
class ReferenceWindow:
    """The days before any drift; `last` is None if there are none."""

    first: date
    last: date | None
