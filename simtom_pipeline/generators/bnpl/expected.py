"""What the scenario intends on every day: rates, shares and sizes of the reference population under drift."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache, cached_property, lru_cache
from importlib.metadata import version
from typing import Any

import numpy as np
from scipy.special import logit

from ...contracts import ProfileMetric
from ...scenarios.drifts import Gradual, Linear, Pulse, Seasonal
from ...scenarios.models import Scenario
from .. import distance
from ..drift import possible_weights
from ..exact import exact_mean, exact_sum
from ..ledger import Intended, LedgerPart, Numbers, ReferenceWindow
from ..reachable import WholeNumbers
from .drifts import Part, Resolved, parameter_under, resolve
from .reference import Reference, default_law, reference
from .targets import DEFAULTS, OF_PURCHASES, causal_descendants
from .world import FACTORS, World, moved

PROFILED = (
    *("product_category", "risk_scenario", "device_type", "payment_provider", "age_bracket"),
    *("income_bracket", "credit_score_range", "verification_level", "address_stability"),
)
PROFILED_QUANTILES = (0.1, 0.5, 0.9)
PROFILE_FROM = (
    "{schema}.transactions t JOIN {schema}.customers c USING (customer_id)"
    " JOIN {schema}.products p USING (product_id) JOIN {schema}.devices d USING (device_id)"
    " JOIN {schema}.payment_methods m USING (payment_method_id)"
    " JOIN {schema}.outcomes o USING (transaction_id)"
)
WHOLE_UNITS = {"amount": 100.0, "time_on_site_seconds": 1.0, "price_comparison_time": 1.0}
"""Whole units (cents, seconds) of one unit of a numeric covariate."""
WORLDS_KEPT = 8
"""Each holds a weight for every purchase of the reference population."""


def profile_metrics() -> list[ProfileMetric]:
    """What `daily_profile` says of every day."""
    metrics = [
        ProfileMetric("purchases", "count(*)"),
        ProfileMetric("is_first_purchase", "avg(CAST(t.is_first_purchase AS INTEGER))"),
        ProfileMetric("default_rate", "avg(CAST(o.will_default AS INTEGER))"),
        ProfileMetric("amount.mean", "CAST(avg(t.amount) AS DOUBLE)"),
    ]
    metrics += [
        ProfileMetric(f"amount.p{100 * q:.0f}", f"CAST(quantile_cont(t.amount, {q}) AS DOUBLE)")
        for q in PROFILED_QUANTILES
    ]
    return metrics + [
        ProfileMetric(f"{name}={value}", f"avg(CAST({OF_PURCHASES[name].expression} = '{value}' AS INTEGER))")
        for name in PROFILED
        for value in OF_PURCHASES[name].values
    ]


class Look:
    """The reference population in one possible world, whose parameters are numbers."""

    def __init__(self, population: Reference, world: World) -> None:
        self._population, self.world = population, world
        law = default_law(population.settings, population.seed)
        self.weight, probability = population.under(world, law)
        self.default_rate = exact_mean(self.weight * probability)
        level = _level(probability)
        self.yes = np.bincount(level, self.weight * probability, LEVELS)
        self.no = np.bincount(level, self.weight * (1 - probability), LEVELS)
        self._shares: dict[str, np.ndarray] = {}

    def shares(self, name: str) -> np.ndarray:
        """Shares of a categorical variable among purchases, shape (k,).

        What moved by itself is exact; what follows from other moves is as the reference population says.
        """
        stated = self._population.stated(name)
        own = self._population.moved_shares(self.world).get(name, stated)
        if not self._follows(name):
            return own
        if name not in self._shares:
            codes = self._population.codes[name]
            ratio = own / np.where(stated > 0, stated, 1.0)
            alone = ratio[codes] / exact_mean(ratio[codes])
            extra = np.bincount(codes, self.weight - alone, len(stated)) / len(codes)
            self._shares[name] = np.clip(own + extra, 0.0, 1.0)
        return self._shares[name]

    def _follows(self, name: str) -> bool:
        """Whether the variable moves with others: with the outcome, or with attributes correlated with it."""
        if self.world.prior_log_odds != 0:
            return True
        correlation = self._population.settings.population.correlation
        return any(correlation.between(name, other) != 0 for other in self.world.customers if other != name)


LOWEST_LOG_ODDS, LEVELS = -25.0, 10_001
LOG_ODDS_STEP = 0.005


def _level(probability: np.ndarray) -> np.ndarray:
    """Rank of each probability by steps of its log-odds, 0 ... LEVELS - 1, shape (n,)."""
    log_odds = logit(np.clip(probability, 1e-10, 1 - 1e-10))
    return np.rint((log_odds - LOWEST_LOG_ODDS) / LOG_ODDS_STEP).astype(np.int64)


class State:
    """The reference population on one day: every possible world with its probability."""

    def __init__(self, looks: Sequence[tuple[Look, float]]) -> None:
        self.looks = looks

    @property
    def default_rate(self) -> float:
        """Expected default rate."""
        return self.mean(lambda look: look.default_rate)

    @property
    def auc(self) -> float:
        """Bayes AUC over the possible worlds together, AUC* = sum_ij p_i (1 - p_j) [p_i > p_j] by steps."""
        yes, no = (sum(c * getattr(look, side) for look, c in self.looks) for side in ("yes", "no"))
        if yes.sum() == 0 or no.sum() == 0:
            return 0.5
        return exact_sum(yes * (np.cumsum(no) - no / 2)) / (exact_sum(yes) * exact_sum(no))

    def mean(self, value: Callable[[Look], float]) -> float:
        """Expectation of a number over the possible worlds."""
        return float(sum(c * value(look) for look, c in self.looks))

    def shares(self, name: str) -> np.ndarray:
        """Shares of a categorical variable among purchases, shape (k,)."""
        return np.sum([c * look.shares(name) for look, c in self.looks], axis=0)


@dataclass(frozen=True)
class Known:
    """What is intended on days with the same weights; sizes by drift id and target."""

    default_rate: float
    auc: float
    sizes: dict[tuple[str, str], dict[str, Any]]
    profile: dict[str, float]


class Expectations:
    """Of one scenario; days with the same weights are worked out once."""

    def __init__(self, scenario: Scenario, drifts: Sequence[Resolved]) -> None:
        self.scenario, self.drifts = scenario, drifts
        self._known: dict[tuple[float, ...], Known] = {}
        self._looks = lru_cache(maxsize=WORLDS_KEPT)(self._look)
        self._landing = cache(self.population.landing)

    @cached_property
    def population(self) -> Reference:
        """The reference population."""
        return reference(self.scenario.settings, self.scenario.seed)  # type: ignore[arg-type]

    def _numbers(self, name: str) -> WholeNumbers:
        """A numeric covariate of the reference population as it lands."""
        return self._landing(name)[0]

    def _key(self, day: date) -> tuple[float, ...]:
        return tuple(drift.course.weight(day) for drift in self.drifts)

    def state(self, day: date) -> State:
        """The reference population as it is on a day."""
        possible = possible_weights([(d.drift.id, d.course) for d in self.drifts], day)
        return State([(self._looks(tuple(weights.items())), chance) for weights, chance in possible])

    def _look(self, weights: tuple[tuple[str, float], ...]) -> Look:
        moves = [move for drift in self.drifts for move in drift.moves]
        return Look(self.population, moved(self.population.settings, moves, dict(weights)))

    def rates(self, day: date) -> tuple[float, float]:
        """Expected default rate and Bayes AUC of a day."""
        known = self._on(day)
        return known.default_rate, known.auc

    def _on(self, day: date) -> "Known":
        key = self._key(day)
        if key not in self._known:
            state = self.state(day)
            sizes = {of: self._size(part, ledger, state) for of, (_, part, ledger) in self.parts.items()}
            self._known[key] = Known(state.default_rate, state.auc, sizes, self._profile(state))
        return self._known[key]

    def _factors(self, name: str, state: State) -> tuple[list[tuple[float, float]], list[np.ndarray]]:
        """Possible factors of a number with their probabilities, and the weights of its ascending values."""
        factors = [(float(getattr(look.world, name)), chance) for look, chance in state.looks]
        place = self._landing(name)[1]
        return factors, [np.bincount(place, look.weight) for look, _ in state.looks]

    @cached_property
    def window(self) -> ReferenceWindow:
        """The days before any drift."""
        start, end = self.scenario.clock.start, self.scenario.clock.end
        last = min([*(drift.course.onset - timedelta(1) for drift in self.drifts), end])
        return ReferenceWindow(start, last if last >= start else None)

    @cached_property
    def parts(self) -> dict[tuple[str, str], tuple[Resolved, Part, LedgerPart]]:
        """Every target of every drift with its rows of the ledger, by drift id and target."""
        return {
            (ledger.drift_id, ledger.target): (drift, part, ledger) for drift, part, ledger in self._parts()
        }

    def _parts(self) -> Iterator[tuple[Resolved, Part, LedgerPart]]:
        for drift in self.drifts:
            for part in drift.parts:
                edges, shares = self._bins(part)
                ledger = LedgerPart(
                    drift_id=drift.drift.id,
                    target=part.target.name,
                    onset=drift.course.onset,
                    causal_descendants=self._descendants(drift, part),
                    rows=[self._row(drift, part, n, edges, shares) for n in range(len(drift.course.phases))],
                    measured=part.target.measured,
                    bin_edges=edges,
                    reference_shares=shares,
                )
                yield drift, part, ledger

    def _bins(self, part: Part) -> tuple[Numbers, Numbers]:
        """Inner edges, if it is a number, and reference shares of the bins; nothing if it has no bins."""
        target = part.target
        if target.parameter in FACTORS:
            numbers = self._numbers(target.parameter)
            edges = numbers.edges / WHOLE_UNITS[target.parameter]
            # Values that are all equal have no bins.
            shares = numbers.shares() if len(edges) else edges
            return tuple(map(float, edges)), tuple(map(float, shares))
        if target.kind in ("prior", "concept"):
            rate = default_law(self.population.settings, self.scenario.seed).expected_rate
            return (), (1 - rate, rate)
        if target.kind == "label_delay" and part.before[0] > 0:
            tenths = np.arange(1, 10) / 10
            return tuple(map(float, -part.before[0] * np.log1p(-tenths))), (0.1,) * 10
        return (), (tuple(part.before) if target.measured and target.measured.values else ())

    def _descendants(self, drift: Resolved, part: Part) -> tuple[str, ...]:
        others = [one for one in self.drifts if one is not drift and one.drift.kind == "prior"]
        return causal_descendants(part.target, beside_a_prior=bool(others))

    def _row(
        self, drift: Resolved, part: Part, number: int, edges: Numbers, shares: Numbers
    ) -> dict[str, object]:
        phase, measured = drift.course.phases[number], part.target.measured
        back = phase.target == 0
        return {
            "drift_id": drift.drift.id,
            "target": part.target.name,
            "phase": number + 1,
            "is_reversion": back,
            "kind": drift.drift.kind,
            **_schedule_columns(drift),
            "onset": phase.onset,
            "settled": phase.settled,
            "before": part.after if back else part.before,
            "after": part.before if back else part.after,
            "measured_from": measured.from_sql if measured else None,
            "measured_as": measured.expression if measured else None,
            "categories": measured.values if measured and measured.values else None,
            "bin_edges": edges or None,
            "reference_shares": shares or None,
            "reference_from": self.window.first,
            "reference_to": self.window.last,
            "causal_descendants": self._descendants(drift, part),
            "scenario_digest": self.scenario.digest,
            "versions": f"simtom_pipeline {version('simtom-pipeline')}, numpy {np.__version__}",
        }

    def intended(self, of: LedgerPart, day: date, events: float) -> Intended:
        """What is intended for one target on a day whose expected number of events is `events`."""
        drift, part, ledger = self.parts[of.drift_id, of.target]
        weight, (rate, area) = drift.course.weight(day), self.rates(day)
        common: dict[str, Any] = {
            "w": weight,
            "parameter": parameter_under(part, drift.course, weight),
            "expected_default_rate": rate,
            "expected_bayes_auc": area,
        }
        if part.target.measured is None:
            return Intended(**common, intended_mean=events)
        return Intended(**common, **self._on(day).sizes[ledger.drift_id, ledger.target])

    def _size(self, part: Part, ledger: LedgerPart, state: State) -> dict[str, Any]:
        target = part.target
        if target.measured is None:
            return {}
        if target.parameter in FACTORS:
            return self._size_of_factor(target.parameter, ledger, state)
        if target.parameter == "stress":
            return {"intended_mean": state.mean(lambda look: float(look.world.stress))}
        if target.kind == "label_delay":
            return _size_of_delay(
                part.before[0], ledger, [(float(k.world.reporting_delay_days), c) for k, c in state.looks]
            )
        if target.measured == DEFAULTS:
            shares = np.array([1 - state.default_rate, state.default_rate])
            return {**_size_of_shares(shares, ledger), "intended_mean": state.default_rate}
        return _size_of_shares(state.shares(target.name), ledger)

    def _size_of_factor(self, name: str, ledger: LedgerPart, state: State) -> dict[str, Any]:
        numbers, (factors, weights) = self._numbers(name), self._factors(name, state)
        found = {"mean": numbers.mean(factors, weights) / WHOLE_UNITS[name]}
        found |= numbers.distances(factors, weights)
        if not ledger.bin_edges:
            return {f"intended_{size}": found[size] for size in ("mean", "ks", "w1")}
        shares = numbers.shares(factors, weights)
        return {
            "intended_shares": tuple(map(float, shares)),
            **{f"intended_{size}": value for size, value in found.items()},
        }

    def default_rate(self, day: date) -> float:
        """Expected default rate of a day."""
        return self.rates(day)[0]

    def shares(self, name: str, day: date) -> dict[str, float]:
        """Expected shares of a categorical variable on a day, by value."""
        values, profile = OF_PURCHASES[name].values, self._on(day).profile
        if name in PROFILED:
            return {value: profile[f"{name}={value}"] for value in values}
        return dict(zip(values, map(float, self.state(day).shares(name)), strict=True))

    def profile(self, day: date, events: float) -> dict[str, float]:
        """Expected value of each metric of `daily_profile`."""
        return {"purchases": events, **self._on(day).profile}

    def _profile(self, state: State) -> dict[str, float]:
        amount, per_dollar = self._numbers("amount"), WHOLE_UNITS["amount"]
        factors, weights = self._factors("amount", state)
        grid = np.unique(np.concatenate([amount.under(f) for f, _ in factors]))
        below = amount.below(grid, factors, weights)
        profile = {
            "is_first_purchase": float(state.shares("is_first_purchase")[1]),
            "default_rate": state.default_rate,
            "amount.mean": amount.mean(factors, weights) / per_dollar,
        }
        for q in PROFILED_QUANTILES:
            profile[f"amount.p{100 * q:.0f}"] = float(np.interp(q, below, grid)) / per_dollar
        for name in PROFILED:
            for value, share in zip(OF_PURCHASES[name].values, state.shares(name), strict=True):
                profile[f"{name}={value}"] = float(share)
        return profile


def _size_of_shares(shares: np.ndarray, ledger: LedgerPart) -> dict[str, Any]:
    stated = np.array(ledger.reference_shares)
    return {
        "intended_shares": tuple(map(float, shares)),
        "intended_psi": distance.psi(shares, stated),
        "intended_ks": distance.ks(shares, stated),
        "intended_hellinger": distance.hellinger(shares, stated),
        "intended_w1": distance.total_variation(shares, stated),
    }


def _size_of_delay(before: float, ledger: LedgerPart, means: list[tuple[float, float]]) -> dict[str, Any]:
    """Of a mixture of exponential laws against the one with mean `before`."""
    mean = sum(c * m for m, c in means)
    found: dict[str, Any] = {"intended_mean": mean, "intended_w1": abs(mean - before)}
    if before == 0:
        return found

    def below(at: np.ndarray) -> np.ndarray:
        return np.sum([c * (-np.expm1(-at / m) if m > 0 else np.ones(len(at))) for m, c in means], axis=0)

    shares = np.diff(below(np.array(ledger.bin_edges)), prepend=0.0, append=1.0)
    days = np.linspace(0, 20 * max(before, *(m for m, _ in means)), distance.GRID)[1:]
    gap = np.abs(below(days) + np.expm1(-days / before))
    return {**_size_of_shares(shares, ledger), **found, "intended_ks": float(gap.max())}


def _schedule_columns(drift: Resolved) -> dict[str, object]:
    """What the schedule says, its positions as days."""
    schedule, course = drift.drift.schedule, drift.course
    first = schedule.from_ if isinstance(schedule, (Linear, Pulse)) else schedule.at
    last = schedule.to if isinstance(schedule, (Linear, Pulse)) else None
    return {
        "schedule": schedule.kind,
        "schedule_from": course.position(first),
        "schedule_to": None if last is None else course.position(last),
        "width_days": schedule.width_days if isinstance(schedule, Gradual) else None,
        "period_days": schedule.period_days if isinstance(schedule, Seasonal) else None,
    }


@lru_cache(maxsize=2)
def expectations(scenario: Scenario) -> Expectations:
    """What a scenario intends; worked out once in a process."""
    return Expectations(scenario, resolve(scenario)[0])
