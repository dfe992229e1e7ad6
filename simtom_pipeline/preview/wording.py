"""A drift of the ledger in words: its schedule, its days, what changes, which categories are named."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np

from ..generators.drift.ledger import LedgerPart
from ..scenarios.models import Clock

MAX_CATEGORIES = 8
"""At most so many shares are named; the others are taken together."""


def schedule_in_words(row: dict[str, Any]) -> str:
    """The schedule of a movement, from its row in the ledger."""
    kind, first = row["schedule"], row["schedule_from"]
    if row["schedule_to"] is not None:
        return f"{kind} from {first} to {row['schedule_to']}"
    if row["width_days"] is not None:
        return f"{kind} around {first}, {row['width_days']:g} days wide"
    if row["period_days"] is not None:
        return f"{kind} from {first}, every {row['period_days']:g} days"
    return f"{kind} at {first}"


def day_in_words(day: date, clock: Clock) -> str:
    """A day, with a remark if it is outside the clock."""
    if day > clock.end:
        return f"{day} (after the end)"
    return f"{day} (before the start)" if day < clock.start else str(day)


def change_in_words(part: LedgerPart) -> list[str]:
    """Parameter before and after the whole drift; of shares those that change most."""
    row: dict[str, Any] = part.rows[0]
    before: Sequence[float] = row["before"]
    after: Sequence[float] = row["after"]
    if len(before) == 1:
        return [f"{before[0]:.4g} → {after[0]:.4g}"]
    lines = []
    for name, places in zip(*named_categories(part), strict=True):
        old, new = (100 * sum(shares[place] for place in places) for shares in (before, after))
        lines.append(f"{name} {old:.3g} → {new:.3g} %")
    return lines


def named_categories(part: LedgerPart) -> tuple[list[str], list[list[int]]]:
    """Names of the shares that are shown, and for each the places of those that it sums.

    Of very many, those that drift least are taken together, at the end.
    """
    names = part.measured.values if part.measured else ()
    row: dict[str, Any] = part.rows[0]
    changes = np.abs(np.subtract(row["after"], row["before"]))
    largest = sorted(np.argsort(-changes, kind="stable")[:MAX_CATEGORIES].tolist())
    others = [place for place in range(len(names)) if place not in largest]
    kept, places = [names[place] for place in largest], [[place] for place in largest]
    return ([*kept, f"{len(others)} others"], [*places, others]) if others else (kept, places)


def short_name(target: str) -> str:
    """A target without the section of the settings that it stands in."""
    return target.rsplit(".", 1)[-1]


def parameter_in_words(part: LedgerPart) -> str:
    """Whether the parameter is a factor, and its value without drift."""
    row: dict[str, Any] = part.rows[0]
    before = row["before"]
    return "factor, 1 without drift" if before == (1.0,) else f"parameter, {before[0]:.3g} without drift"
