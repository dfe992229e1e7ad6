"""What the scenario intends on every day: rates, shares and sizes of the reference population under drift."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache, cached_property, lru_cache
from typing import Any

import numpy as np
from scipy.special import logit

from ...scenarios.models import Scenario
from ..exact import exact_mean, exact_sum
from .domain import DriftDomain, OutcomeEvents, ReferencePopulation
from .ledger import Intended, LedgerPart, Numbers, ReferenceWindow
from .ledger_rows import ledger_row
from .parameters import ParameterKind, Parameters, expected_parameter
from .profile import QUANTILES, quantile_name
from .reachable import Factors, WholeNumbers
from .resolution import Resolution, ResolvedDrift, resolve
from .sizes import (
    Sizes,
    exponential_bins,
    size_of_exponential,
    size_of_factor,
    size_of_rate,
    size_of_shares,
)
from .solver import DriftPart

MAX_POPULATIONS = 8
"""That many are remembered: each holds a weight for every row of the reference population."""
MIN_LOG_ODDS, LEVELS = -25.0, 10_001
LOG_ODDS_STEP = 0.005


class OutcomeUnderDrift:
    """The rate of an outcome, and how its probability ranks the events, in one possible world.

    Attributes
    ----------
    events_per_row : how many events of the outcome there are for each row of the population.
    rate : share of yes.
    yes, no : mass of either kind by level of the probability, shape (LEVELS,).
    """

    def __init__(self, events: OutcomeEvents) -> None:
        weight, probability = events.weight, events.probability
        self.events_per_row = events.events_per_row
        self.rate = exact_mean(weight * probability)
        level = _level(probability)
        self.yes = np.bincount(level, weight * probability, LEVELS)
        self.no = np.bincount(level, weight * (1 - probability), LEVELS)


def _level(probability: np.ndarray) -> np.ndarray:
    """Rank of each probability by steps of its log-odds, 0 ... LEVELS - 1, shape (n,)."""
    log_odds = logit(np.clip(probability, 1e-10, 1 - 1e-10))
    return np.rint((log_odds - MIN_LOG_ODDS) / LOG_ODDS_STEP).astype(np.int64)


class PopulationUnderDrift:
    """The reference population in one possible world, whose parameters are numbers."""

    def __init__(self, population: ReferencePopulation, parameters: Parameters) -> None:
        self._population, self.parameters = population, parameters
        weighted = population.under(parameters)
        self.weight = weighted.weight
        self.outcomes = {name: OutcomeUnderDrift(events) for name, events in weighted.outcomes.items()}
        self._shares: dict[str, np.ndarray] = {}

    def shares(self, name: str) -> np.ndarray:
        """Shares of a categorical variable among the events, shape (k,).

        What moved by itself is exact; what follows from other moves is as the reference population says.
        """
        stated, own = (np.asarray(some[name]) for some in (self.parameters.stated, self.parameters))
        if not self._population.follows(name, self.parameters):
            return own
        if name not in self._shares:
            codes = self._population.codes(name)
            ratio = own / np.where(stated > 0, stated, 1.0)
            alone = ratio[codes] / exact_mean(ratio[codes])
            extra = np.bincount(codes, self.weight - alone, len(stated)) / len(codes)
            self._shares[name] = np.clip(own + extra, 0.0, 1.0)
        return self._shares[name]


class DayMixture:
    """The reference population on one day: every possible world with its probability."""

    def __init__(self, worlds: Sequence[tuple[PopulationUnderDrift, float]]) -> None:
        self.worlds = worlds

    def mean(self, value: Callable[[PopulationUnderDrift], float]) -> float:
        """Expectation of a number over the possible worlds."""
        return float(sum(chance * value(world) for world, chance in self.worlds))

    def shares(self, name: str) -> np.ndarray:
        """Shares of a categorical variable among the events, shape (k,)."""
        return np.sum([chance * world.shares(name) for world, chance in self.worlds], axis=0)

    def rates(self) -> dict[str, tuple[float, float]]:
        """Rate and Bayes AUC of every outcome."""
        return {name: (self._rate(name), self._auc(name)) for name in self.worlds[0][0].outcomes}

    def _outcome_parts(self, name: str) -> list[tuple[OutcomeUnderDrift, float]]:
        """The outcome in each possible world with the part of its events that are of that world."""
        found = [(world.outcomes[name], chance) for world, chance in self.worlds]
        if all(outcome.events_per_row == 1.0 for outcome, _ in found):
            return found
        total = sum(outcome.events_per_row * chance for outcome, chance in found)
        return [(outcome, outcome.events_per_row * chance / total) for outcome, chance in found]

    def _rate(self, name: str) -> float:
        return float(sum(part * outcome.rate for outcome, part in self._outcome_parts(name)))

    def _auc(self, name: str) -> float:
        """Over the possible worlds together, AUC* = sum_ij p_i (1 - p_j) [p_i > p_j] by steps."""
        found = self._outcome_parts(name)
        yes, no = (sum(part * getattr(outcome, side) for outcome, part in found) for side in ("yes", "no"))
        if yes.sum() == 0 or no.sum() == 0:
            return 0.5
        return exact_sum(yes * (np.cumsum(no) - no / 2)) / (exact_sum(yes) * exact_sum(no))


@dataclass(frozen=True)
class DayExpectations:
    """What is intended on days with the same weights.

    Attributes
    ----------
    rates : rate and Bayes AUC by outcome.
    sizes : by drift id and target.
    profile : metrics of `daily_profile` but the number of events.
    """

    rates: Mapping[str, tuple[float, float]]
    sizes: Mapping[tuple[str, str], Sizes]
    profile: Mapping[str, float]


class Expectations:
    """Of one scenario; days with the same weights are worked out once."""

    def __init__(self, scenario: Scenario, resolution: Resolution) -> None:
        self.scenario, self.resolution, self.domain = scenario, resolution, resolution.domain
        self._found: dict[tuple[float, ...], DayExpectations] = {}
        self._world = lru_cache(maxsize=MAX_POPULATIONS)(self._population_under)
        self._landing = cache(lambda name: self.population.landing(self.domain.targets.row(name)))

    @cached_property
    def population(self) -> ReferencePopulation:
        """The reference population."""
        return self.domain.population

    def mixture(self, day: date) -> DayMixture:
        """The reference population as it is on a day."""
        possible = self.resolution.possible_weights(day)
        return DayMixture([(self._world(tuple(weights.items())), chance) for weights, chance in possible])

    def _population_under(self, weights: tuple[tuple[str, float], ...]) -> PopulationUnderDrift:
        return PopulationUnderDrift(self.population, self.resolution.parameters(dict(weights)))

    @cached_property
    def without_drift(self) -> Mapping[str, tuple[float, float]]:
        """Rate and Bayes AUC of every outcome in a world without drift."""
        return DayMixture([(PopulationUnderDrift(self.population, self.domain.stated), 1.0)]).rates()

    def rate(self, day: date, outcome: str = "") -> float:
        """Expected rate of an outcome on a day; of the first one if none is named."""
        return self._rates(day, outcome)[0]

    def _rates(self, day: date, outcome: str) -> tuple[float, float]:
        rates = self._on(day).rates
        return rates[outcome or next(iter(rates))]

    def _on(self, day: date) -> DayExpectations:
        key = tuple(drift.curve.weight(day) for drift in self.resolution.drifts)
        if key not in self._found:
            mixture = self.mixture(day)
            rates = mixture.rates()
            sizes = {
                of: self._size(part, ledger, mixture, rates) for of, (_, part, ledger) in self.parts.items()
            }
            self._found[key] = DayExpectations(rates, sizes, self._profile(mixture, rates))
        return self._found[key]

    # the ledger ---------------------------------------------------------------------------------------

    @cached_property
    def window(self) -> ReferenceWindow:
        """The days before any drift."""
        start, end = self.scenario.clock.start, self.scenario.clock.end
        last = min([*(drift.curve.onset - timedelta(1) for drift in self.resolution.drifts), end])
        return ReferenceWindow(start, last if last >= start else None)

    @cached_property
    def parts(self) -> dict[tuple[str, str], tuple[ResolvedDrift, DriftPart, LedgerPart]]:
        """Every target of every drift with its rows of the ledger, by drift id and target."""
        return {
            (ledger.drift_id, ledger.target): (drift, part, ledger) for drift, part, ledger in self._parts()
        }

    def _parts(self) -> Iterator[tuple[ResolvedDrift, DriftPart, LedgerPart]]:
        for drift in self.resolution.drifts:
            others = [one.drift.kind for one in self.resolution.drifts if one is not drift]
            for part in drift.parts:
                edges, shares = self._bins(part)
                follows = self.domain.causal_descendants(part.target, others)
                rows = [
                    ledger_row(self.scenario, self.window, drift, part, n, edges, shares, follows)
                    for n in range(len(drift.curve.phases))
                ]
                ledger = LedgerPart(
                    drift_id=drift.id,
                    target=part.target.name,
                    onset=drift.curve.onset,
                    causal_descendants=follows,
                    rows=rows,
                    measured=part.target.measured,
                    bin_edges=edges,
                    reference_shares=shares,
                    outcome=part.target.outcome,
                )
                yield drift, part, ledger

    def _bins(self, part: DriftPart) -> tuple[Numbers, Numbers]:
        """Inner edges, if it is a number, and reference shares of the bins; nothing if it has no bins."""
        target = part.target
        if target.is_volume:
            return (), ()
        if target.is_of_outcome:
            rate = self.population.base_rate(target.outcome)
            return (), (1 - rate, rate)
        if target.parameter is ParameterKind.FACTOR:
            numbers = self._numbers(target.name)
            edges = numbers.edges / target.lands.per_unit
            # Values that are all equal have no bins.
            shares = numbers.shares() if len(edges) else edges
            return tuple(map(float, edges)), tuple(map(float, shares))
        if target.parameter is ParameterKind.SHARES:
            return (), part.before
        is_exponential = target.range.law == "exponential" and part.before[0] > 0
        return exponential_bins(part.before[0]) if is_exponential else ((), ())

    def intended(self, of: LedgerPart, day: date, events: float) -> Intended:
        """What is intended for one target on a day whose expected number of events is `events`."""
        drift, part, ledger = self.parts[of.drift_id, of.target]
        weight, (rate, area) = drift.curve.weight(day), self._rates(day, ledger.outcome)
        kind, by_record = part.target.parameter, drift.curve.by_record
        common: dict[str, Any] = {
            "w": weight,
            "parameter": expected_parameter(kind, part.before, part.after, weight, by_record),
            "expected_default_rate": rate,
            "expected_bayes_auc": area,
        }
        if part.target.is_volume:
            return Intended(**common, intended_mean=events)
        return Intended(**common, **self._on(day).sizes[ledger.drift_id, ledger.target])

    # sizes --------------------------------------------------------------------------------------------

    def _numbers(self, name: str) -> WholeNumbers:
        """A number of the reference population as it lands."""
        return self._landing(name)[0]

    def _factors(self, name: str, mixture: DayMixture) -> tuple[Factors, list[np.ndarray]]:
        """Possible factors of a number with their probabilities, and the weights of its ascending values."""
        factors = [(float(world.parameters[name]), chance) for world, chance in mixture.worlds]
        place = self._landing(name)[1]
        return factors, [np.bincount(place, world.weight) for world, _ in mixture.worlds]

    def _size(
        self,
        part: DriftPart,
        ledger: LedgerPart,
        mixture: DayMixture,
        rates: Mapping[str, tuple[float, float]],
    ) -> Sizes:
        target, reference = part.target, ledger.reference_shares
        if target.is_volume:
            return {}
        if target.is_of_outcome:
            rate, _ = rates[target.outcome or next(iter(rates))]
            return size_of_rate(rate, reference)
        if target.parameter is ParameterKind.FACTOR:
            factors, weights = self._factors(target.name, mixture)
            numbers, per_unit = self._numbers(target.name), target.lands.per_unit
            return size_of_factor(numbers, per_unit, factors, weights, has_bins=bool(ledger.bin_edges))
        if target.parameter is ParameterKind.SHARES:
            return size_of_shares(mixture.shares(target.name), reference)
        values = [(float(world.parameters[target.name]), chance) for world, chance in mixture.worlds]
        if target.range.law == "exponential":
            return size_of_exponential(part.before[0], ledger, values)
        return {"intended_mean": float(sum(chance * value for value, chance in values))}

    # the profile --------------------------------------------------------------------------------------

    def shares(self, name: str, day: date) -> dict[str, float]:
        """Expected shares of a categorical variable on a day, by value."""
        values, profile = self.domain.targets.row(name).values, self._on(day).profile
        if name in self.domain.profile.shares:
            return {value: profile[f"{name}={value}"] for value in values}
        return dict(zip(values, map(float, self.mixture(day).shares(name)), strict=True))

    def profile(self, day: date, events: float) -> dict[str, float]:
        """Expected value of each metric of `daily_profile`."""
        return {self.domain.profile.events: events, **self._on(day).profile}

    def _profile(self, mixture: DayMixture, rates: Mapping[str, tuple[float, float]]) -> dict[str, float]:
        declared = self.domain.profile
        profile = {name: float(mixture.shares(name)[1]) for name in declared.flags}
        profile |= {name: rates[outcome][0] for name, (outcome, _) in declared.rates.items()}
        for name in declared.numbers:
            profile |= self._profile_of_number(name, mixture)
        for name in declared.shares:
            values = self.domain.targets.row(name).values
            for value, share in zip(values, mixture.shares(name), strict=True):
                profile[f"{name}={value}"] = float(share)
        return profile

    def _profile_of_number(self, name: str, mixture: DayMixture) -> dict[str, float]:
        numbers, per_unit = self._numbers(name), self.domain.targets.row(name).lands.per_unit
        factors, weights = self._factors(name, mixture)
        grid = np.unique(np.concatenate([numbers.under(factor) for factor, _ in factors]))
        below = numbers.below(grid, factors, weights)
        quantiles = {quantile_name(name, q): float(np.interp(q, below, grid)) / per_unit for q in QUANTILES}
        return {f"{name}.mean": numbers.mean(factors, weights) / per_unit, **quantiles}


@lru_cache(maxsize=2)
def expectations(domain_type: type[DriftDomain], scenario: Scenario) -> Expectations:
    """What a scenario intends; worked out once in a process."""
    return Expectations(scenario, resolve(domain_type, scenario))
