"""Which figures describe the events of one day, as `daily_profile` has them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ...claims import ProfileMetric
from .targets import Target, TargetTable

QUANTILES = (0.1, 0.5, 0.9)


@dataclass(frozen=True)
class ProfileDeclaration:
    """Metrics of the events of a day.

    Attributes
    ----------
    from_sql : relation with the event table as t; `{schema}` is the quoted schema.
    events : name of the metric that counts them.
    flags : columns that hold yes or no, each of them a variable of the reference population; name and SQL.
    rates : metric, outcome and SQL of the rate of each outcome.
    numbers : targets whose mean and quantiles are shown.
    shares : targets whose categories are shown.
    """

    from_sql: str
    events: str
    flags: Mapping[str, str] = field(default_factory=dict)
    rates: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    numbers: tuple[str, ...] = ()
    shares: tuple[str, ...] = ()

    def metrics(self, targets: TargetTable) -> list[ProfileMetric]:
        """Every metric with its SQL; expected values have the same names."""
        yes_or_no = {**self.flags, **{name: sql for name, (_, sql) in self.rates.items()}}
        metrics = [ProfileMetric(self.events, "count(*)")]
        metrics += [ProfileMetric(name, f"avg(CAST({sql} AS INTEGER))") for name, sql in yes_or_no.items()]
        for name in self.numbers:
            value = _expression(targets.row(name))
            metrics.append(ProfileMetric(f"{name}.mean", f"CAST(avg({value}) AS DOUBLE)"))
            metrics += [
                ProfileMetric(quantile_name(name, q), f"CAST(quantile_cont({value}, {q}) AS DOUBLE)")
                for q in QUANTILES
            ]
        return metrics + [
            ProfileMetric(f"{row.name}={value}", f"avg(CAST({_expression(row)} = '{value}' AS INTEGER))")
            for row in map(targets.row, self.shares)
            for value in row.values
        ]


def quantile_name(name: str, q: float) -> str:
    """Name of the metric of a quantile: amount.p90."""
    return f"{name}.p{100 * q:.0f}"


def _expression(target: Target) -> str:
    assert target.measured is not None
    return target.measured.expression
