"""From the drifts that a scenario declares to parameters in force: each resolved into parts, or refused."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from math import prod

import numpy as np

from ...scenarios.base import OUTCOME_RATE
from ...scenarios.drifts import Drift
from ...scenarios.models import Scenario
from ...scenarios.problems import Refusal
from ..random_streams import RandomStreams
from .domain import DriftDomain
from .parameters import Parameters, Shift, Weight, expected_factor
from .refusals import ImpossibleEffectError, refuse_nothing
from .schedule import ScheduleCurve, possible_weights, weights_of_records
from .solver import DriftPart, EffectSolver, composite_parts

MAX_SCENARIOS = 128
"""More than a library has: each is resolved when it is loaded, and asked again for its graph in Dagster."""


@dataclass(frozen=True)
class ResolvedDrift:
    """A declared drift with the curve of its weight and its parts; `number` counts from 0 in the scenario."""

    number: int
    drift: Drift
    curve: ScheduleCurve
    parts: tuple[DriftPart, ...]

    @property
    def id(self) -> str:
        """What the scenario calls it."""
        return self.drift.id

    @property
    def shifts(self) -> list[Shift]:
        """Of every parameter that it moves."""
        return [part.shift for part in self.parts if part.shift is not None]

    def refusal(self, key: str, found: object, allowed: str) -> Refusal:
        """What is wrong with it, at `key` of its declaration."""
        return Refusal(("drifts", self.number, *key.split(".")), found, allowed)


@dataclass(frozen=True)
class Resolution:
    """The declared drifts of a scenario that can be brought about, and what is wrong with the others."""

    domain: DriftDomain
    drifts: tuple[ResolvedDrift, ...]
    refused: tuple[Refusal, ...]

    @property
    def _curves(self) -> list[tuple[str, ScheduleCurve]]:
        return [(drift.id, drift.curve) for drift in self.drifts]

    def parameters(self, weights: Mapping[str, Weight]) -> Parameters:
        """Parameters under the drifts, in the order of declaration, with each drift's weight by its id."""
        parameters = self.domain.stated
        for drift in self.drifts:
            weight = weights[drift.id]
            if np.any(weight):
                for shift in drift.shifts:
                    parameters = parameters.shifted(shift, weight)
        # What several drifts add up to stays what it can be.
        return parameters.within(self.domain.targets.bounds)

    def expected_parameters(self, day: date) -> Parameters:
        """Parameters of a day, every drift with its expected weight."""
        return self.parameters({name: curve.weight(day) for name, curve in self._curves})

    def parameters_of_records(self, streams: RandomStreams, day: date, count: int) -> Parameters:
        """Parameters of a day's `count` records, of shape (count,) where a gradual drift is under way."""
        return self.parameters(weights_of_records(self._curves, streams, day, count))

    def possible_weights(self, day: date) -> list[tuple[dict[str, float], float]]:
        """Every combination of weights that a record of the day can have, with its probability."""
        return possible_weights(self._curves, day)

    def volume_factor(self, day: date) -> float:
        """What the drifts do to the expected number of events of a day."""
        return prod(
            expected_factor(part.after[0], drift.curve.weight(day), drift.curve.by_record)
            for drift in self.drifts
            for part in drift.parts
            if part.target.is_volume
        )


@lru_cache(maxsize=MAX_SCENARIOS)
def resolve(domain_type: type[DriftDomain], scenario: Scenario) -> Resolution:
    """Resolve every declared drift of a scenario; worked out once in a process."""
    domain, resolved, refused = domain_type(scenario), list[ResolvedDrift](), list[Refusal]()
    for number, drift in enumerate(scenario.all_drifts):
        curve = ScheduleCurve(drift.schedule, scenario.clock)
        try:
            parts = _parts(domain, drift)
            refuse_nothing(drift.effect, parts)
        except ImpossibleEffectError as error:
            key: tuple[str | int, ...] = ("drifts", number, *error.key.split("."))
            if number >= len(scenario.drifts):
                key = ("drift_strength",)
            refused.append(Refusal(key, error.found, error.allowed))
        else:
            resolved.append(ResolvedDrift(number, drift, curve, tuple(parts)))
        if not curve.in_order:
            ends = (curve.position(at) for at in (drift.schedule.from_, drift.schedule.to))  # type: ignore[union-attr]
            found = " to ".join(map(str, ends))
            refused.append(Refusal(("drifts", number, "schedule"), found, "a `to` after `from`"))
    return Resolution(domain, tuple(resolved), (*refused, *domain.refused_together(resolved)))


def _parts(domain: DriftDomain, drift: Drift) -> Sequence[DriftPart]:
    table, composite = domain.targets, domain.targets.composites.get(drift.kind)
    of_kind = table.of_kind(drift.kind)
    if not of_kind:
        raise ImpossibleEffectError("kind", drift.kind, "a kind of drift that has a target here")
    name = drift.target or of_kind[0]
    target = table.named(name)
    if target is None or (name != composite.target if composite else target.kind != drift.kind):
        raise ImpossibleEffectError("target", name, f"one of {', '.join(of_kind)}")
    if stray := [size for size in drift.effect.sizes if size not in target.sizes]:
        word = domain.settings.drift_vocabulary.outcome_rate
        sizes = ", ".join(word if size == OUTCOME_RATE else size for size in target.sizes)
        raise ImpossibleEffectError(
            f"effect.{stray[0]}", drift.effect.sizes[stray[0]], f"for {name} one of {sizes}"
        )
    if composite:
        return composite_parts(domain, composite, drift.effect)
    return EffectSolver(domain, target, drift.effect).parts()
