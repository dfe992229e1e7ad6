"""Who makes a purchase, with which device and account.

A first purchase is made by the customer who signs up with it. A repeat purchase is made by an
active customer, in proportion to the purchase rate. Where the mix of customers, devices or accounts has
drifted, a proposed buyer is accepted in proportion to how much more frequent such buyers are than when
that customer signed up, or else another is proposed: at any time the mix of purchases is the stated one.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..base import MICROSECONDS_PER_DAY, Day
from ..random_streams import RandomStreams
from .entities import age_bracket_at_signup
from .population import ActiveCustomers


@dataclass(frozen=True)
class Buyers:
    """Buyers of n purchases.

    Attributes
    ----------
    profile : shape (n,), dtype PROFILE.
    device, account : slots used, shape (n,).
    """

    profile: np.ndarray
    device: np.ndarray
    account: np.ndarray


class Mixes:
    """How the shares of some attributes of customers have gone, day by day.

    `by_day` has the shares of an attribute over the clock's days, shape (days, k), and `stated` those of
    the settings, shape (k,), which held for all who signed up before.
    """

    def __init__(
        self, first_day: int, stated: Mapping[str, np.ndarray], by_day: Mapping[str, np.ndarray]
    ) -> None:
        self._first_day = first_day
        self._relative = {
            name: np.vstack(
                [np.ones(len(stated[name])), shares / np.where(stated[name] > 0, stated[name], 1)]
            )
            for name, shares in by_day.items()
        }

    def at_rest(self, index: int) -> bool:
        """Whether nothing has drifted up to day `index` of the clock."""
        return all(bool((relative[: index + 2] == 1).all()) for relative in self._relative.values())

    def acceptance(
        self, index: int, profile: np.ndarray, device: np.ndarray, account: np.ndarray
    ) -> np.ndarray:
        """Probability in (0, 1] of accepting each proposed buyer on day `index`, shape (n,)."""
        signup = profile["signup_at"] // MICROSECONDS_PER_DAY - self._first_day + 1
        signup = np.clip(signup, 0, None)
        chance = np.ones(len(profile))
        for name, relative in self._relative.items():
            ratio = relative[index + 1] / np.where(relative[: index + 2] > 0, relative[: index + 2], np.inf)
            chance *= (ratio / ratio.max())[signup, _code(name, profile, device, account)]
        return chance


def _code(name: str, profile: np.ndarray, device: np.ndarray, account: np.ndarray) -> np.ndarray:
    rows = np.arange(len(profile))
    if name == "device_type":
        return profile[name][rows, device]
    if name == "payment_provider":
        return profile[name][rows, account]
    return age_bracket_at_signup(profile) if name == "age_bracket" else profile[name]


def draw_buyers(
    streams: RandomStreams,
    day: Day,
    is_first: np.ndarray,
    newcomers: np.ndarray,
    active: ActiveCustomers,
    mixes: Mixes,
) -> Buyers:
    """Buyers of the day's purchases; `is_first` has shape (n,), `newcomers` sign up with them."""
    n = len(is_first)
    profile = np.empty(n, newcomers.dtype)
    profile[is_first] = newcomers
    device, account = np.zeros(n, np.int64), np.zeros(n, np.int64)
    open_rows, attempt = np.flatnonzero(~is_first) if active.anyone else np.arange(0), 0
    at_rest = mixes.at_rest(day.index)
    while open_rows.size:
        tries = streams.within(f"attempt{attempt}") if attempt else streams
        # The first attempt has a draw for every purchase, so that twins share it.
        size, chosen = (open_rows.size, slice(None)) if attempt else (n, open_rows)

        def uniform(variable: str) -> np.ndarray:
            return tries.uniform(f"transaction.{variable}", day.date, size)[chosen]  # noqa: B023

        time = day.event_time[open_rows]
        proposed = active.pick(uniform("customer"))
        slots = [
            one_so_far(proposed[starts], time, uniform(variable))
            for variable, starts in (("device", "device_first_seen_at"), ("account", "account_created_at"))
        ]
        accepted: np.ndarray | slice = slice(None)
        if not at_rest:
            accepted = uniform("accepted") < mixes.acceptance(day.index, proposed, slots[0], slots[1])
        taken = open_rows[accepted]
        profile[taken], device[taken], account[taken] = (a[accepted] for a in (proposed, *slots))
        open_rows = open_rows[:0] if at_rest else open_rows[~np.asarray(accepted)]
        attempt += 1
    return Buyers(profile, device, account)


def one_so_far(starts: np.ndarray, time: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """A slot already in use at `time`, each equally likely; starts of shape (n, slots)."""
    in_use = (starts <= time[:, None]).sum(axis=1)
    return np.minimum((uniform * in_use).astype(np.int64), in_use - 1)
