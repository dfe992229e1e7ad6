"""What a generator promises of its tables: claims, shares, outcomes and what is measured on them.

Nothing here knows a particular table, a database or an orchestrator; `verification` judges the promises.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any


@dataclass(frozen=True)
class DeclaredShares:
    """The scenario says how often each value occurs; one independent draw a row of `table`.

    Attributes
    ----------
    expression : SQL over the table's columns that yields the value as text.
    shares : expected share of each value; they add up to one.
    drifting : expected shares of a day's rows, where they differ from day to day.
    where : SQL condition for the rows that are draws from these shares.
    """

    table: str
    expression: str
    shares: Mapping[Any, float]
    where: str = "true"
    label: str = ""
    drifting: Callable[[date], Mapping[Any, float]] | None = None


@dataclass(frozen=True)
class Measured:
    """Where the distribution of a variable shows in the landed tables.

    Attributes
    ----------
    from_sql : relation whose rows have it, with a column `t.day`; `{schema}` stands for the quoted schema.
    expression : SQL of its value.
    values : the categories in order; none if it is a number.
    of_logarithm : whether the Wasserstein distance is that of the logarithm, for a positive number.
    """

    from_sql: str
    expression: str
    values: tuple[str, ...] = ()
    of_logarithm: bool = True


@dataclass(frozen=True)
class ProfileMetric:
    """One number a day that describes the events of that day.

    `aggregate` is SQL over the relation that the generator profiles.
    """

    name: str
    aggregate: str


@dataclass(frozen=True)
class Claim:
    """A statement about a table that allows no exception.

    Attributes
    ----------
    violations : SQL that yields one number, the rows that contradict it; `{schema}` stands for the
        scenario's quoted schema.
    """

    name: str
    table: str
    meaning: str
    violations: str


@dataclass(frozen=True)
class DeclaredOutcome:
    """A yes-or-no outcome, drawn for each row of its event table with a known probability.

    Attributes
    ----------
    table, column : where the outcome stands, by the key of its event table.
    events : name of its event table; empty for that of the generator.
    cluster : column of the event table whose equal values share something unobserved.
    truth, probability : truth table and column of the probability it was drawn with.
    rate : share of yes that is expected of a day's rows, over the reference population.
    auc : area under the ROC curve of the probability over the reference population, before any drift.
    drifts_from : first day of any drift.
    is_reference : whether the landed rows have the law of the reference population. If not, another rate
        or AUC is no error. An answer that takes long is a function, which is asked when something is judged.
    public : tables and views with a row an event whose columns were known before the outcome, and in which
        column each holds the key of the event; no column may tell more than the probability.
    not_public : columns of theirs that were not known: the outcome itself.
    name : what a yes is called where its rate is shown, "default"; empty for that of the column.
    rows : what the rows are called there, "purchases"; empty for the name of the event table.
    """

    table: str
    column: str
    cluster: str
    truth: str
    probability: str
    rate: Callable[[date], float]
    auc: float
    drifts_from: date | None
    is_reference: bool | Callable[[], bool]
    public: Mapping[str, str]
    not_public: tuple[str, ...] = ()
    events: str = field(default="", kw_only=True)
    name: str = field(default="", kw_only=True)
    rows: str = field(default="", kw_only=True)

    @property
    def is_of_reference(self) -> bool:
        """The answer to `is_reference`."""
        return self.is_reference() if callable(self.is_reference) else self.is_reference
