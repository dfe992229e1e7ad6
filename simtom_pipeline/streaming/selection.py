"""Which records of a scenario a stream is made of, and by which clock they come."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from ..claims import DeclaredOutcome
from ..contracts import TableContract, ViewContract
from ..simulation import Simulation

Order = Literal["event_time", "ingested_at"]
Labels = Literal["none", "as_known"]
LABEL = "label"
"""What a label that becomes known is called in a stream."""


class SelectionError(ValueError):
    """A stream cannot be made of what was asked for; `key` is the parameter, `allowed` what it may be."""

    def __init__(self, key: str, found: str, allowed: str) -> None:
        self.key, self.found, self.allowed = key, found, allowed
        super().__init__(f"{key}: found {found}; allowed: {allowed}")


@dataclass(frozen=True)
class Selection:
    """Tables of a scenario, the clock by which their rows come, and whether labels come with them.

    Parameters
    ----------
    simulation : of the scenario.
    tables : names of daily tables, or of the generator's flat record; none: its events.
    order : by when rows came to be, or by when the lender's lake had them.
    labels : whether each outcome comes as a record `label` when it is known.

    Raises
    ------
    SelectionError : there is no such table, or the flat record is asked for by its arrival.
    """

    simulation: Simulation
    tables: tuple[str, ...] = ()
    order: Order = "event_time"
    labels: Labels = "none"

    def __post_init__(self) -> None:
        chosen = self.tables or (self.simulation.relations.event_table,)
        object.__setattr__(self, "tables", tuple(dict.fromkeys(chosen)))
        allowed = streamed_tables(self.simulation)
        for name in self.tables:
            if name not in allowed:
                raise SelectionError("tables", repr(name), ", ".join(allowed))
        if self.record is not None and self.order == "ingested_at":
            raise SelectionError(
                "order", "'ingested_at'", f"'event_time', by which the flat record {self.record.name} comes"
            )

    @property
    def contracts(self) -> tuple[TableContract, ...]:
        """The tables, as they land, in the order in which rows of the same moment come."""
        return tuple(c for c in self.simulation.relations.daily if c.name in self.tables)

    @cached_property
    def record(self) -> ViewContract | None:
        """The view that is the flat record, if it is asked for."""
        view = record_view(self.simulation)
        return view if view is not None and view.name in self.tables else None

    @property
    def outcomes(self) -> Sequence[DeclaredOutcome]:
        """Outcomes whose labels come with the stream."""
        return self.simulation.generator.declared_outcomes() if self.labels == "as_known" else ()

    @property
    def needs_earlier_days(self) -> bool:
        """Whether a record may be delivered on a later day than it was drawn on."""
        known_later = any(column.known_from for contract in self.contracts for column in contract.columns)
        return self.order == "ingested_at" or known_later or bool(self.outcomes)

    @cached_property
    def digest(self) -> str:
        """Digest of what is streamed, 16 hexadecimal digits: of the world, the tables, order and labels."""
        said = [self.simulation.world.digest, sorted(self.tables), self.order, self.labels]
        if self.needs_earlier_days:  # what comes after the end of the clock depends on where it ends
            said.append(str(self.simulation.scenario.clock.end))
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:16]


def record_view(simulation: Simulation) -> ViewContract | None:
    """The view that is the flat record of a scenario's generator, if it has one."""
    name = simulation.generator.record_view
    return next((view for view in simulation.relations.views if view.name == name), None)


def streamed_tables(simulation: Simulation) -> list[str]:
    """Names of what can be streamed of a scenario: its daily tables, and the flat record."""
    daily = [contract.name for contract in simulation.relations.daily]
    view = record_view(simulation)
    return daily if view is None else [*daily, view.name]
