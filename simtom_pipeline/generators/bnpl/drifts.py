"""From what a scenario declares to moves of parameters: targets looked up, sizes solved for, or refused."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from math import exp, log, prod
from typing import Any

import numpy as np

from ...scenarios.drifts import Drift, DriftKind, Effect
from ...scenarios.models import Scenario
from ...scenarios.problems import Refusal
from .. import distance
from ..drift import Course
from ..exact import exact_mean, rounded_root, steady
from . import config
from .reference import Reference, default_law, reference
from .refusals import (
    LARGEST_FACTOR,
    ImpossibleEffectError,
    factor_step,
    reach,
    refuse_nothing,
    refused_together,
    step_to_ratio,
)
from .targets import (
    DEFAULT_TARGET,
    HIGHER,
    INTERACTION,
    LOWER,
    TARGETS,
    Target,
    target_named,
)
from .world import BETA, CUSTOMER_ATTRIBUTES, FACTORS, Move, Parameter, World

LARGEST_COEFFICIENT = 20.0
LARGEST_ODDS_RATIO = 50.0
LARGEST_TILT = 0.95
"""Shares go at most this far towards one value."""
SMALLEST_REMNANT = 0.05
"""A value of what customers are for good keeps at least this part of its share: they do not vanish."""


@dataclass(frozen=True)
class Part:
    """What a drift does to one target.

    Attributes
    ----------
    before, after : the parameter without it and with its whole weight; shares for shares.
    move : None for the volume, which is not a parameter of a purchase.
    factor : what the volume is multiplied with, 1 for all else.
    """

    target: Target
    before: tuple[float, ...]
    after: tuple[float, ...]
    move: Move | None = None
    factor: float = 1.0


@dataclass(frozen=True)
class Resolved:
    """A declared drift with its course and its parts."""

    drift: Drift
    course: Course
    parts: tuple[Part, ...]

    @property
    def moves(self) -> list[tuple[str, Move]]:
        """(drift id, move) of every parameter it moves."""
        return [(self.drift.id, part.move) for part in self.parts if part.move is not None]


def weights_on(drifts: Sequence[Resolved], day: date) -> dict[str, Parameter]:
    """Expected weight of each drift on a day, by its id."""
    return {drift.drift.id: drift.course.weight(day) for drift in drifts}


def volume_factor(drifts: Sequence[Resolved], day: date) -> float:
    """What the drifts do to the expected number of purchases of a day."""
    factors = [_volume_under(part.factor, drift.course, day) for drift in drifts for part in drift.parts]
    return prod(factors)


def _volume_under(factor: float, course: Course, day: date) -> float:
    weight = course.weight(day)
    return 1 + weight * (factor - 1) if course.by_record else float(steady(factor**weight))


def parameter_under(part: Part, course: Course, weight: float) -> tuple[float, ...]:
    """The parameter in force with some weight of its own drift, expected over records; shares for shares."""
    before, after = np.array(part.before), np.array(part.after)
    parameter = part.move.parameter if part.move else ""
    if course.by_record or len(before) > 1:
        return tuple(map(float, before + weight * (after - before)))
    if part.move is None or parameter in FACTORS:
        return (float(before[0] * (after[0] / before[0]) ** weight),)
    if parameter == "prior_log_odds":
        odds = _logit(before[0]) + weight * (_logit(after[0]) - _logit(before[0]))
        return (1 / (1 + exp(-odds)),)
    return (float(before[0] + weight * (after[0] - before[0])),)


@lru_cache(maxsize=8)
def resolve(scenario: Scenario) -> tuple[list[Resolved], list[Refusal]]:
    """Every declared drift that can be brought about, and what is wrong with the others."""
    settings: Any = scenario.settings
    resolved, refused = [], []
    for number, drift in enumerate(scenario.all_drifts):
        course = Course(drift.schedule, scenario.clock)
        try:
            parts = tuple(_with_charge_off(p, settings) for p in _parts(scenario, drift))
            refuse_nothing(drift.effect, parts)
        except ImpossibleEffectError as error:
            key: tuple[str | int, ...] = ("drifts", number, *error.key.split("."))
            if number >= len(scenario.drifts):
                key = ("drift_strength",)
            refused.append(Refusal(key, error.found, error.allowed))
        else:
            resolved.append(Resolved(drift, course, parts))
        if not course.in_order:
            ends = (course.position(at) for at in (drift.schedule.from_, drift.schedule.to))  # type: ignore[union-attr]
            found = " to ".join(map(str, ends))
            refused.append(Refusal(("drifts", number, "schedule"), found, "a `to` after `from`"))
    return resolved, [*refused, *refused_together(scenario, resolved)]


def _with_charge_off(part: Part, settings: config.BnplSettings) -> Part:
    measured = part.target.measured
    if measured is None or "{charge_off_days}" not in measured.expression:
        return part
    expression = measured.expression.replace("{charge_off_days}", str(settings.credit.charge_off_days))
    return replace(part, target=replace(part.target, measured=replace(measured, expression=expression)))


def _parts(scenario: Scenario, drift: Drift) -> list[Part]:
    settings: config.BnplSettings = scenario.settings  # type: ignore[assignment]
    name = drift.target or DEFAULT_TARGET[drift.kind]
    target = target_named(name)
    composite = drift.kind == "economic_stress"
    wanted: DriftKind = "covariate" if composite else drift.kind
    of_kind = [t.name for t in TARGETS.values() if t.kind == wanted]
    if composite:
        of_kind = [DEFAULT_TARGET[drift.kind]]
    elif wanted == "concept":
        of_kind.append(f"{INTERACTION}a*b with two signals a and b")
    if target is None or (name not in of_kind and not name.startswith(INTERACTION)) or target.kind != wanted:
        raise ImpossibleEffectError("target", name, f"one of {', '.join(of_kind)}")
    if stray := [size for size in drift.effect.sizes if size not in target.sizes]:
        raise ImpossibleEffectError(
            f"effect.{stray[0]}", drift.effect.sizes[stray[0]], f"for {name} one of {', '.join(target.sizes)}"
        )
    solver = _Solver(settings, scenario.seed, target, drift.effect)
    if composite:
        return solver.stress_and_its_company()
    return solver.parts()


class _Solver:
    """Turns one effect on one target into moves."""

    def __init__(self, settings: config.BnplSettings, seed: int, target: Target, effect: Effect) -> None:
        self.settings, self.target, self.effect = settings, target, effect
        self.population: Reference = reference(settings, seed)
        self.law = default_law(settings, seed)
        self.world = World.of(settings)

    def parts(self) -> list[Part]:
        """The parts of a drift of one target."""
        if self.effect.towards is not None and not self._has_direction():
            raise ImpossibleEffectError(
                "effect.towards", self.effect.towards, "nothing: the size says it all"
            )
        if self.target.kind == "concept":
            return self._concept()
        if self.target.kind == "prior":
            return [self._prior()]
        if self.target.kind == "label_delay":
            return [self._delay()]
        if self.target.kind == "volume":
            ratio = self.effect.mean_ratio or 1.0
            return [Part(self.target, (1.0,), (ratio,), factor=ratio)]
        if self.target.parameter in FACTORS:
            return [self._factor(self._factor_size())]
        if self.target.parameter == "stress":
            return [self._stress()]
        return [self._shares(self._new_shares())]

    def stress_and_its_company(self) -> list[Part]:
        """Stress, and what it brings with it besides: `under_stress` of the settings."""
        stress, company = self._stress(), self.settings.under_stress
        by = stress.after[0] - stress.before[0]
        parts = [stress]
        if company.volume != 1:
            factor = float(steady(company.volume**by))
            parts.append(Part(TARGETS["volume"], (1.0,), (factor,), factor=factor))
        if company.amount != 1:
            parts.append(self._of("amount")._factor(by * log(company.amount)))
        for name in ("risk_scenario", "product_category"):
            shares = getattr(company, name)
            if shares is not None:
                solver = self._of(name)
                full = np.array([shares.get(value, 0.0) for value in solver._values])
                parts.append(solver._shares((1 - by) * solver._stated + by * full))
        return parts

    def _of(self, name: str) -> "_Solver":
        other = object.__new__(_Solver)
        other.__dict__ |= self.__dict__ | {"target": TARGETS[name]}
        return other

    def _has_direction(self) -> bool:
        return set(self.effect.sizes) <= {"psi", "ks", "hellinger"}

    # numbers ------------------------------------------------------------------------------------------

    def _stress(self) -> Part:
        to = self._to()
        if not 0 <= to <= 1:
            raise ImpossibleEffectError("effect.to", to, "a stress from 0 to 1")
        return self._number(to - float(self.world.stress))

    def _to(self) -> float:
        assert self.effect.to is not None
        return self.effect.to

    def _number(self, size: float) -> Part:
        parameter = self.target.parameter
        before = self._before()
        return Part(self.target, (before,), (before + size,), Move(parameter, size))

    def _before(self) -> float:
        parameter = self.target.parameter
        if parameter.startswith(BETA):
            return float(self.world.beta.get(parameter.removeprefix(BETA), 0.0))
        return float(getattr(self.world, parameter))

    def _delay(self) -> Part:
        before = float(self.world.reporting_delay_days)
        if self.effect.mean_ratio is not None and before == 0:
            raise ImpossibleEffectError(
                "effect.mean_ratio", self.effect.mean_ratio, "`to`: the delay is 0 without drift"
            )
        to = before * self.effect.mean_ratio if self.effect.mean_ratio is not None else self._to()
        if not 0 <= to <= 3650:
            ((name, stated),) = self.effect.sizes.items()
            raise ImpossibleEffectError(f"effect.{name}", stated, f"mean days from 0 to 3650 (not {to:g})")
        return self._number(to - before)

    def _prior(self) -> Part:
        rate, base = self.effect.default_rate or 0.0, self.law.expected_rate
        widest = log(LARGEST_ODDS_RATIO)
        size = float(steady(_logit(rate) - _logit(base)))
        if abs(size) > widest:
            low, high = (1 / (1 + exp(-(_logit(base) + way * widest))) for way in (-1, 1))
            raise ImpossibleEffectError(
                "effect.default_rate", rate, f"between {low:.4g} and {high:.4g} ({base:.4g} without drift)"
            )
        return Part(self.target, (base,), (rate,), Move("prior_log_odds", size))

    def _concept(self) -> list[Part]:
        if self.effect.to is None:
            size = self._solve_rate(lambda size: [Move(self.target.parameter, size)])
            return [self._number(size)]
        parameter = self.target.parameter
        base = self._before()
        if abs(self.effect.to) > LARGEST_COEFFICIENT:
            raise ImpossibleEffectError(
                "effect.to", self.effect.to, f"from {-LARGEST_COEFFICIENT:g} to {LARGEST_COEFFICIENT:g}"
            )
        own = self._number(self.effect.to - base)
        if self.effect.default_rate is None or own.move is None:
            return [own]
        if parameter == "log_odds":
            raise ImpossibleEffectError("effect.to", self.effect.to, "either `to` or `default_rate`")
        move = own.move
        intercept = self._solve_rate(lambda size: [move, Move("log_odds", size)])
        return [own, Part(TARGETS["credit.log_odds"], (0.0,), (intercept,), Move("log_odds", intercept))]

    def _solve_rate(self, moves: Callable[[float], list[Move]]) -> float:
        wanted = self.effect.default_rate or 0.0

        def rate(size: float) -> float:
            world = self.world
            for move in moves(size):
                world = move.apply(world, self.settings, 1.0)
            weight, probability = self.population.under(world, self.law)
            return exact_mean(weight * probability)

        return self._root("effect.default_rate", wanted, rate, -LARGEST_COEFFICIENT, LARGEST_COEFFICIENT)

    # factors ------------------------------------------------------------------------------------------

    def _factor(self, size: float) -> Part:
        return Part(self.target, (1.0,), (float(steady(exp(size))),), Move(self.target.parameter, size))

    def _factor_size(self) -> float:
        numbers, _ = self.population.landing(self.target.parameter)
        if self.effect.mean_ratio is not None:
            return step_to_ratio(numbers, self.effect.mean_ratio)
        direction = self.effect.towards or HIGHER
        if direction not in (LOWER, HIGHER):
            raise ImpossibleEffectError("effect.towards", direction, f"{HIGHER} or {LOWER}")
        sign = 1.0 if direction == HIGHER else -1.0
        values = np.sort(self.population.numbers(self.target.parameter))
        ((name, wanted),) = self.effect.sizes.items()

        def reached(size: float) -> float:
            return distance.factor_distances(values, [(float(steady(exp(sign * size))), 1.0)])[name]

        try:  # as if values were continuous
            guess = self._root(f"effect.{name}", wanted, reached, 0.0, log(LARGEST_FACTOR))
        except ImpossibleEffectError:
            return factor_step(numbers, name, wanted, sign, None)
        return factor_step(numbers, name, wanted, sign, guess)

    # shares -------------------------------------------------------------------------------------------

    @property
    def _values(self) -> tuple[str, ...]:
        assert self.target.measured is not None
        return self.target.measured.values

    @property
    def _stated(self) -> np.ndarray:
        return self.population.stated(self.target.name)

    @property
    def _occurs(self) -> np.ndarray:
        """Whether the reference population has each value: of others it cannot say what follows from them."""
        codes = self.population.codes[self.target.name]
        return (self._stated > 0) & (np.bincount(codes, minlength=len(self._stated)) > 0)

    def _shares(self, shares: np.ndarray) -> Part:
        for_good = self.target.name in CUSTOMER_ATTRIBUTES
        floor = SMALLEST_REMNANT * self._stated if for_good else np.zeros(len(shares))
        ceiling = np.where(self._occurs, 1.0, self._stated)
        if np.any((shares < floor - 1e-12) | (shares > ceiling + 1e-12)):
            bounds = ", ".join(
                f"{value} {low:.4g} to {high:.4g}"
                for value, low, high in zip(self._values, floor, ceiling, strict=True)
            )
            raise ImpossibleEffectError("effect.shares", self._named(shares), bounds)
        return Part(
            self.target,
            tuple(map(float, self._stated)),
            tuple(map(float, shares)),
            Move(self.target.name, shares),
        )

    def _named(self, shares: np.ndarray) -> dict[str, float]:
        return {value: round(float(share), 4) for value, share in zip(self._values, shares, strict=True)}

    def _new_shares(self) -> np.ndarray:
        if self.effect.shares is not None:
            if unknown := sorted(set(self.effect.shares) - set(self._values)):
                raise ImpossibleEffectError(
                    f"effect.shares.{unknown[0]}", unknown[0], f"one of {', '.join(self._values)}"
                )
            return np.array([self.effect.shares.get(value, 0.0) for value in self._values])
        if self.effect.towards not in self._values:
            raise ImpossibleEffectError(
                "effect.towards", self.effect.towards, f"one of {', '.join(self._values)}"
            )
        pure = np.array([float(value == self.effect.towards) for value in self._values])
        ((name, wanted),) = self.effect.sizes.items()
        if not (pure * self._occurs).any():
            there = (value for value, occurs in zip(self._values, self._occurs, strict=True) if occurs)
            raise ImpossibleEffectError("effect.towards", self.effect.towards, f"one of {', '.join(there)}")

        def tilted(part: float) -> np.ndarray:
            return (1 - part) * self._stated + part * pure

        measure = {"psi": distance.psi, "ks": distance.ks, "hellinger": distance.hellinger}[name]
        part = self._root(
            f"effect.{name}", wanted, lambda part: measure(tilted(part), self._stated), 0.0, LARGEST_TILT
        )
        return tilted(part)

    def _root(
        self, key: str, wanted: float, reached: Callable[[float], float], low: float, high: float
    ) -> float:
        bounds = sorted((reached(low), reached(high)))
        if not bounds[0] <= wanted <= bounds[1]:
            raise ImpossibleEffectError(key, wanted, reach(*bounds))
        return rounded_root(lambda size: reached(size) - wanted, low, high)


def _logit(rate: float) -> float:
    return log(rate / (1 - rate))
