"""Prior drift: more or fewer purchases default, but purchases of either kind are as they always were.

P_t(x, y) is in proportion to P_0(x, y) r^y, with r the ratio of the odds of default. Each arrival keeps its
purchase, or takes one drawn given its outcome, by a race: with probability 1/r nothing more is tried; else
a fresh purchase x' with outcome y' is, and taken if it defaults; and so on. So x has the density
P_0(x) (1 - p + r p) up to a constant nobody needs to know, and P_t(default | x) has odds r times as large
(Saerens, Latinne & Decaestecker 2002). Where r < 1, the race is for purchases that do not default.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
from scipy.special import expit, logit

from ..drift.parameters import Value
from ..random_streams import RandomStreams


@dataclass(frozen=True)
class Purchases:
    """n purchases: their buyers, columns of `transactions` and columns of `default_risk`, shapes (n,)."""

    profile: np.ndarray
    columns: dict[str, np.ndarray]
    risk: dict[str, np.ndarray]

    def replaced(self, rows: np.ndarray, other: "Purchases", by: np.ndarray) -> "Purchases":
        """The same, `rows` taken from the rows `by` of others."""
        profile = self.profile.copy()
        profile[rows] = other.profile[by]
        return Purchases(
            profile, _put(self.columns, rows, other.columns, by), _put(self.risk, rows, other.risk, by)
        )

    def by_customers(self, rows: np.ndarray, keys: np.ndarray) -> "Purchases":
        """The same, `rows` made by customers of these keys, who had 0 for theirs; shapes (k,)."""
        profile, columns = self.profile.copy(), dict(self.columns)
        profile["customer_id"][rows] = keys
        for name, per_customer in (("customer_id", 1), ("device_id", 10), ("payment_method_id", 10)):
            columns[name] = columns[name].copy()
            columns[name][rows] += keys * per_customer
        return Purchases(profile, columns, self.risk)

    def under_prior(self, log_odds: Value) -> "Purchases":
        """The same with the default probabilities that hold given each purchase."""
        shifted = {
            name: expit(logit(self.risk[name]) + log_odds)
            for name in ("default_probability", "default_probability_given_signals")
        }
        return Purchases(self.profile, self.columns, {**self.risk, **shifted})


def _put(
    columns: Mapping[str, np.ndarray], rows: np.ndarray, other: Mapping[str, np.ndarray], by: np.ndarray
) -> dict[str, np.ndarray]:
    mixed = {name: np.array(values) for name, values in columns.items()}
    for name, values in mixed.items():
        values[rows] = other[name][by]
    return mixed


def draw_candidates(streams: RandomStreams, day: date, count: int, log_odds: Value) -> np.ndarray:
    """For each purchase that is tried, ascending, the arrival it is tried for; shape (m,).

    An arrival has k tries with probability (1 - 1/r)^k / r, r the larger of the odds ratio and its inverse.
    """
    stay = np.exp(-np.abs(np.broadcast_to(np.asarray(log_odds, float), count)))
    uniform = streams.uniform("tries", day, count)
    with np.errstate(divide="ignore"):
        tries = np.where(stay < 1, np.floor(np.log(uniform) / np.log1p(-stay)), 0).astype(np.int64)
    return np.repeat(np.arange(count), tries)


def winners(
    streams: RandomStreams, day: date, arrival: np.ndarray, probability: np.ndarray, log_odds: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Arrivals that take another purchase, and the first candidate that has the outcome raced for.

    `arrival` and `probability` (of default) are the candidates', shape (m,); `log_odds` the arrivals'.
    """
    defaults = streams.uniform("outcome", day, len(arrival)) < probability
    wins = np.flatnonzero(defaults == (log_odds[arrival] > 0))
    replaced, first = np.unique(arrival[wins], return_index=True)
    return replaced, wins[first]
