"""Effects that cannot be had: sizes out of reach, drifts that change nothing, drifts that bend each other."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from math import exp, log
from typing import TYPE_CHECKING, Any

import numpy as np

from ...scenarios.drifts import Effect
from ...scenarios.models import Clock, Scenario
from ...scenarios.problems import Refusal
from ..reachable import CLOSE, OF_BINS, Found, WholeNumbers, nearest, nearest_in_bins
from . import config
from .entities import CORRELATED
from .reference import default_law, reference
from .world import BETA

if TYPE_CHECKING:
    from .drifts import Part, Resolved

LARGEST_FACTOR = 20.0
SAME, NO_STEP = 1e-6, 1e-8
"""A parameter that moves by less, relative to itself and at all, does not move."""


class ImpossibleEffectError(ValueError):
    """The effect cannot be had; the message says what can, `key` where it stands in the effect."""

    def __init__(self, key: str, found: object, allowed: str) -> None:
        self.key, self.found, self.allowed = key, found, allowed
        super().__init__(f"{key}: {allowed}")


def factor_step(numbers: WholeNumbers, name: str, wanted: float, sign: float, guess: float | None) -> float:
    """Logarithm of the factor with which what lands has the wanted size, or the nearest within tolerance.

    A `mean_ratio` is wanted as its logarithm without sign; the sign of the logarithm is given.

    Raises
    ------
    ImpossibleEffectError : no factor comes near enough; it names the sizes that can be reached.
    """
    size, furthest = numbers.size(name), log(LARGEST_FACTOR)
    if guess is not None and abs(size(sign * guess) - wanted) <= CLOSE * wanted:
        return sign * guess
    if name in OF_BINS:
        found = nearest_in_bins(numbers, name, wanted, sign, furthest)
    else:
        found = nearest(lambda step: size(sign * step), wanted, furthest)
    if not found.is_close_to(wanted):
        of_mean = name == "mean_ratio"
        stated = exp(sign * wanted) if of_mean else wanted
        raise ImpossibleEffectError(f"effect.{name}", stated, _within_reach(found, sign if of_mean else None))
    return sign * found.step


def step_to_ratio(numbers: WholeNumbers, ratio: float) -> float:
    """Logarithm of the factor with which the mean of what lands becomes `ratio` times as large.

    Raises
    ------
    ImpossibleEffectError : as `factor_step`.
    """
    if not 1 / LARGEST_FACTOR <= ratio <= LARGEST_FACTOR:
        allowed = f"from {1 / LARGEST_FACTOR:g} to {LARGEST_FACTOR:g}"
        raise ImpossibleEffectError("effect.mean_ratio", ratio, allowed)
    step = log(ratio)
    return factor_step(numbers, "mean_ratio", abs(step), np.sign(step), abs(step)) if step else 0.0


def _within_reach(found: Found, sign: float | None) -> str:
    """What can be reached in words; a mean ratio's sizes are logarithms with that sign."""

    def stated(size: float | None) -> float:
        return exp(sign * (size or 0.0)) if sign else size or 0.0

    if found.above is None:
        return reach(*sorted((stated(0.0), stated(found.below))))
    return f"{stated(found.below):.4g} or {stated(found.above):.4g}, the nearest that can be reached"


def reach(low: float, high: float) -> str:
    """The sizes between two in words."""
    if high - low <= SAME * high:
        return f"{low:.4g}, which is all that can be reached"
    return f"between {low:.4g} and {high:.4g}, which is what can be reached"


def refuse_nothing(effect: Effect, parts: Sequence["Part"]) -> None:
    """A drift must change something.

    Raises
    ------
    ImpossibleEffectError : every part ends where it begins.
    """
    if all(np.allclose(part.after, part.before, rtol=SAME, atol=NO_STEP) for part in parts):
        name, stated = next(iter(effect.sizes.items()))
        raise ImpossibleEffectError(f"effect.{name}", stated, "another value: it is so without the drift")


def refused_together(scenario: Scenario, drifts: Sequence["Resolved"]) -> list[Refusal]:
    """What is wrong with drifts in view of the others, and of what tells purchases apart."""
    settings: Any = scenario.settings
    numbers = {drift.id: number for number, drift in enumerate(scenario.all_drifts)}
    refused = list(_bent(drifts, settings, scenario.clock, numbers))
    if any(drift.drift.kind == "concept" for drift in drifts):
        refused += _silent(drifts, settings, scenario.seed, numbers)
    return refused


def _silent(
    drifts: Sequence["Resolved"], settings: config.BnplSettings, seed: int, numbers: Mapping[str, int]
) -> Iterator[Refusal]:
    """Of coefficients whose signal moves no probability of default; `numbers` by drift id."""
    population, law = reference(settings, seed), default_law(settings, seed)
    stress = max([settings.economic_stress_factor, *_after(drifts, "stress")])
    for drift in drifts:
        parameters = [move.parameter for _, move in drift.moves if move.parameter.startswith(BETA)]
        for signal in (parameter.removeprefix(BETA) for parameter in parameters):
            by_name = population.signals(stress)
            values = np.prod([by_name[part] for part in signal.split("*")], axis=0)
            if law.scale == 0 or not np.any(values):
                yield Refusal(
                    ("drifts", numbers[drift.drift.id], "target"),
                    drift.drift.target,
                    "a coefficient that moves probabilities of default, which this one does not here",
                )


def _after(drifts: Sequence["Resolved"], parameter: str) -> Iterator[float]:
    for drift in drifts:
        for part in drift.parts:
            if part.move is not None and part.move.parameter == parameter:
                yield part.after[0]


def _bent(
    drifts: Sequence["Resolved"], settings: config.BnplSettings, clock: Clock, numbers: Mapping[str, int]
) -> Iterator[Refusal]:
    """Of correlated attributes that drift on a common day: each moves the other's shares."""
    correlation = settings.population.correlation
    of_attributes = [
        (drift, part.target.name)
        for drift in drifts
        for part in drift.parts
        if part.target.name in CORRELATED
    ]
    for (one, name), (other, other_name) in combinations(of_attributes, 2):
        if name != other_name and correlation.between(name, other_name) != 0 and _together(one, other, clock):
            yield Refusal(
                ("drifts", numbers[other.drift.id], "target"),
                other_name,
                f"a target that is not correlated with {name}, which drifts at the same time"
                f" ({one.drift.id}): neither would have its shares",
            )


def _together(one: "Resolved", other: "Resolved", clock: Clock) -> bool:
    return any(one.course.weight(day) > 0 and other.course.weight(day) > 0 for day in clock.days())
