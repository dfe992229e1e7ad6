"""From an effect on one target to shifts of parameters: values taken, sizes solved for, or refused."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from math import exp, log
from typing import Any

import numpy as np

from ...scenarios.base import OUTCOME_RATE
from ...scenarios.drifts import Effect
from ..exact import exact_mean, rounded_root, steady
from . import distances
from .domain import DriftDomain, ReferencePopulation
from .parameters import ParameterKind, Shift, expit, logit
from .refusals import MAX_FACTOR, ImpossibleEffectError, factor_step, reach, step_to_ratio
from .targets import Composite, Target

LOWER, HIGHER = "lower", "higher"
MAX_COEFFICIENT = 20.0
MAX_ODDS_RATIO = 50.0
MAX_TILT = 0.95
"""Shares go at most this far towards one value."""


@dataclass(frozen=True)
class DriftPart:
    """What a drift does to one target.

    Attributes
    ----------
    before, after : the parameter without it and with its whole weight; shares for shares.
    shift : how the parameter gets there; None for the volume, which no record has.
    """

    target: Target
    before: tuple[float, ...]
    after: tuple[float, ...]
    shift: Shift | None = None


class EffectSolver:
    """Turns one effect on one target into shifts."""

    def __init__(self, domain: DriftDomain, target: Target, effect: Effect) -> None:
        self.domain, self.target, self.effect = domain, target, effect

    @cached_property
    def population(self) -> ReferencePopulation:
        """The reference population."""
        return self.domain.population

    def parts(self) -> list[DriftPart]:
        """The parts of a drift of one target.

        Raises
        ------
        ImpossibleEffectError : the effect cannot be brought about.
        """
        if self.effect.towards is not None and not self._has_direction():
            raise ImpossibleEffectError(
                "effect.towards", self.effect.towards, "nothing: the size says it all"
            )
        if self.target.is_volume:
            return [self.volume(self.effect.mean_ratio or 1.0)]
        match self.target.parameter:
            case ParameterKind.COEFFICIENT:
                return self._coefficient()
            case ParameterKind.RATE:
                return [self._rate()]
            case ParameterKind.NUMBER:
                return [self.number()]
            case ParameterKind.FACTOR:
                return [self.factor(self._factor_size())]
            case ParameterKind.SHARES:
                return [self.shares(self._new_shares())]

    def _has_direction(self) -> bool:
        return set(self.effect.sizes) <= {"psi", "ks", "hellinger"}

    def _part(self, before: float, after: float, size: float) -> DriftPart:
        return DriftPart(
            self.target, (before,), (after,), Shift(self.target.name, self.target.parameter, size)
        )

    # numbers ------------------------------------------------------------------------------------------

    def volume(self, factor: float) -> DriftPart:
        """The expected number of events times `factor`."""
        return DriftPart(self.target, (1.0,), (factor,))

    def number(self) -> DriftPart:
        """The number becomes what is stated, or so many times as large."""
        limits, before = self.target.range, self._before
        ratio = self.effect.mean_ratio
        if ratio is not None and before == 0:
            allowed = f"`to`: the {limits.name} is 0 without drift"
            raise ImpossibleEffectError("effect.mean_ratio", ratio, allowed)
        to = self._to if ratio is None else before * ratio
        if not limits.low <= to <= limits.limit:
            ((name, stated),) = self.effect.sizes.items()
            worked_out = f" (not {to:g})" if limits.name else ""
            allowed = f"{limits.noun} from {limits.low:g} to {limits.limit:g}{worked_out}"
            raise ImpossibleEffectError(f"effect.{name}", stated, allowed)
        return self._moved_by(to - before)

    @property
    def _to(self) -> float:
        assert self.effect.to is not None
        return self.effect.to

    @property
    def _before(self) -> float:
        return float(self.domain.stated.get(self.target.name, 0.0))

    def _moved_by(self, size: float) -> DriftPart:
        return self._part(self._before, self._before + size, size)

    # outcomes -----------------------------------------------------------------------------------------

    @property
    def _wanted_rate(self) -> float:
        return self.effect.outcome_rate or 0.0

    def _rate(self) -> DriftPart:
        rate, base = self._wanted_rate, self.population.base_rate(self.target.outcome)
        widest = log(MAX_ODDS_RATIO)
        size = float(steady(logit(rate) - logit(base)))
        if abs(size) > widest:
            low, high = (expit(logit(base) + way * widest) for way in (-1, 1))
            allowed = f"between {low:.4g} and {high:.4g} ({base:.4g} without drift)"
            raise ImpossibleEffectError(f"effect.{OUTCOME_RATE}", rate, allowed)
        return self._part(base, rate, size)

    def _coefficient(self) -> list[DriftPart]:
        name, kind = self.target.name, ParameterKind.COEFFICIENT
        if self.effect.to is None:
            return [self._moved_by(self._solve_rate(lambda size: [Shift(name, kind, size)]))]
        if abs(self.effect.to) > MAX_COEFFICIENT:
            allowed = f"from {-MAX_COEFFICIENT:g} to {MAX_COEFFICIENT:g}"
            raise ImpossibleEffectError("effect.to", self.effect.to, allowed)
        own = self._moved_by(self.effect.to - self._before)
        if self.effect.outcome_rate is None or own.shift is None:
            return [own]
        if self.target.is_intercept:
            word = self.domain.settings.drift_vocabulary.outcome_rate
            raise ImpossibleEffectError("effect.to", self.effect.to, f"either `to` or `{word}`")
        shift, intercept = own.shift, self.domain.targets.intercept(self.target.outcome)
        size = self._solve_rate(lambda size: [shift, Shift(intercept.name, kind, size)])
        return [own, EffectSolver(self.domain, intercept, self.effect)._moved_by(size)]

    def _solve_rate(self, shifts: Callable[[float], list[Shift]]) -> float:
        def rate(size: float) -> float:
            parameters = self.domain.stated
            for shift in shifts(size):
                parameters = parameters.shifted(shift, 1.0)
            outcomes = self.population.under(parameters).outcomes
            found = outcomes[self.target.outcome or next(iter(outcomes))]
            return exact_mean(found.weight * found.probability)

        key = f"effect.{OUTCOME_RATE}"
        return self._root(key, self._wanted_rate, rate, -MAX_COEFFICIENT, MAX_COEFFICIENT)

    # factors ------------------------------------------------------------------------------------------

    def factor(self, size: float) -> DriftPart:
        """The factor whose logarithm is `size`."""
        return self._part(1.0, float(steady(exp(size))), size)

    def _factor_size(self) -> float:
        numbers, _ = self.population.landing(self.target)
        if self.effect.mean_ratio is not None:
            return step_to_ratio(numbers, self.effect.mean_ratio)
        direction = self.effect.towards or HIGHER
        if direction not in (LOWER, HIGHER):
            raise ImpossibleEffectError("effect.towards", direction, f"{HIGHER} or {LOWER}")
        sign = 1.0 if direction == HIGHER else -1.0
        values = np.sort(self.population.numbers(self.target))
        ((name, wanted),) = self.effect.sizes.items()

        def reached(size: float) -> float:
            return distances.factor_distances(values, [(float(steady(exp(sign * size))), 1.0)])[name]

        try:  # as if values were continuous
            guess = self._root(f"effect.{name}", wanted, reached, 0.0, log(MAX_FACTOR))
        except ImpossibleEffectError:
            return factor_step(numbers, name, wanted, sign, None)
        return factor_step(numbers, name, wanted, sign, guess)

    # shares -------------------------------------------------------------------------------------------

    @property
    def stated_shares(self) -> np.ndarray:
        """Shares without drift, shape (k,)."""
        return np.asarray(self.domain.stated[self.target.name])

    @cached_property
    def _occurs(self) -> np.ndarray:
        """Whether the reference population has each value: of others it cannot say what follows from them."""
        codes, stated = self.population.codes(self.target.name), self.stated_shares
        return (stated > 0) & (np.bincount(codes, minlength=len(stated)) > 0)

    def shares(self, shares: np.ndarray) -> DriftPart:
        """The shares become these, shape (k,)."""
        stated, values = self.stated_shares, self.target.values
        floor, ceiling = self.target.min_remnant * stated, np.where(self._occurs, 1.0, stated)
        if np.any((shares < floor - 1e-12) | (shares > ceiling + 1e-12)):
            bounds = ", ".join(
                f"{value} {low:.4g} to {high:.4g}"
                for value, low, high in zip(values, floor, ceiling, strict=True)
            )
            found = {value: round(float(share), 4) for value, share in zip(values, shares, strict=True)}
            raise ImpossibleEffectError("effect.shares", found, bounds)
        before, after = (tuple(map(float, some)) for some in (stated, shares))
        return DriftPart(self.target, before, after, Shift(self.target.name, ParameterKind.SHARES, shares))

    def _new_shares(self) -> np.ndarray:
        values, stated, towards = self.target.values, self.stated_shares, self.effect.towards
        if self.effect.shares is not None:
            if unknown := sorted(set(self.effect.shares) - set(values)):
                allowed = f"one of {', '.join(values)}"
                raise ImpossibleEffectError(f"effect.shares.{unknown[0]}", unknown[0], allowed)
            return np.array([self.effect.shares.get(value, 0.0) for value in values])
        if towards not in values:
            raise ImpossibleEffectError("effect.towards", towards, f"one of {', '.join(values)}")
        pure = np.array([float(value == towards) for value in values])
        ((name, wanted),) = self.effect.sizes.items()
        if not (pure * self._occurs).any():
            there = (value for value, occurs in zip(values, self._occurs, strict=True) if occurs)
            raise ImpossibleEffectError("effect.towards", towards, f"one of {', '.join(there)}")

        def tilted(part: float) -> np.ndarray:
            return (1 - part) * stated + part * pure

        measure = {"psi": distances.psi, "ks": distances.ks, "hellinger": distances.hellinger}[name]
        part = self._root(f"effect.{name}", wanted, lambda part: measure(tilted(part), stated), 0.0, MAX_TILT)
        return tilted(part)

    def _root(
        self, key: str, wanted: float, reached: Callable[[float], float], low: float, high: float
    ) -> float:
        reached = cache(reached)
        bounds = sorted((reached(low), reached(high)))
        if not bounds[0] <= wanted <= bounds[1]:
            raise ImpossibleEffectError(key, wanted, reach(*bounds))
        return rounded_root(lambda size: reached(size) - wanted, low, high)


def composite_parts(domain: DriftDomain, composite: Composite, effect: Effect) -> list[DriftPart]:
    """The number that a composite drift moves, and what it brings with it besides.

    Raises
    ------
    ImpossibleEffectError : the effect cannot be brought about.
    """
    first = EffectSolver(domain, domain.targets.row(composite.target), effect).number()
    by = first.after[0] - first.before[0]
    return [first, *(_brought(domain, effect, *one, by) for one in composite.brings(domain.settings).items())]


def _brought(domain: DriftDomain, effect: Effect, name: str, whole: Any, by: float) -> DriftPart:
    """What a step `by` brings of one target; a step of one brings `whole`, a factor or shares."""
    solver = EffectSolver(domain, domain.targets.row(name), effect)
    if solver.target.is_volume:
        return solver.volume(float(steady(whole**by)))
    if solver.target.parameter is ParameterKind.FACTOR:
        return solver.factor(by * log(whole))
    return solver.shares((1 - by) * solver.stated_shares + by * whole)
