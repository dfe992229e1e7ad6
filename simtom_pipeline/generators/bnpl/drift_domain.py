"""What the drift engine asks the lender: its targets, its reference population, what bends what."""

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import combinations

import numpy as np

from ...scenarios.models import Clock
from ...scenarios.problems import Refusal
from ..drift.domain import DriftDomain
from ..drift.parameters import Parameters
from ..drift.profile import ProfileDeclaration
from ..drift.resolution import ResolvedDrift
from ..drift.targets import Target, TargetTable
from .config import CORRELATED
from .drift_targets import BESIDE_A_PRIOR, OUTCOME, lender_targets, stated_parameters
from .parameters import COEFFICIENTS, INTERACTIONS
from .reference_population import ReferencePurchases, default_model, reference_purchases

PROFILE = ProfileDeclaration(
    from_sql="{schema}.transactions t JOIN {schema}.customers c USING (customer_id)"
    " JOIN {schema}.products p USING (product_id) JOIN {schema}.devices d USING (device_id)"
    " JOIN {schema}.payment_methods m USING (payment_method_id)"
    " JOIN {schema}.outcomes o USING (transaction_id)",
    events="purchases",
    flags={"is_first_purchase": "t.is_first_purchase"},
    rates={"default_rate": (OUTCOME, f"o.{OUTCOME}")},
    numbers=("amount",),
    shares=(
        *("product_category", "risk_scenario", "device_type", "payment_provider", "age_bracket"),
        *("income_bracket", "credit_score_range", "verification_level", "address_stability"),
    ),
)


class LenderDrift(DriftDomain):
    """The lender's part in the drift engine."""

    profile = PROFILE

    @cached_property
    def targets(self) -> TargetTable:
        """What can drift for the lender."""
        return lender_targets(self.settings)

    @cached_property
    def stated(self) -> Parameters:
        """Every parameter without drift."""
        return stated_parameters(self.settings)

    @property
    def population(self) -> ReferencePurchases:
        """Purchases without drift."""
        return reference_purchases(self.settings, self.scenario.seed)

    def causal_descendants(self, target: Target, other_kinds: Iterable[str]) -> tuple[str, ...]:
        """What differs from the twin; whom a prior drift brings follows from every probability of default."""
        follows = target.descendants
        if "prior" in other_kinds and "default_risk.default_probability" in follows:
            follows = tuple(dict.fromkeys((*follows, *BESIDE_A_PRIOR)))
        return follows

    def refused_together(self, drifts: Sequence[ResolvedDrift]) -> Iterable[Refusal]:
        """Correlated attributes that drift at once, and coefficients of signals that tell nobody apart."""
        refused = list(self._bent(drifts))
        if any(drift.drift.kind == "concept" for drift in drifts):
            refused += self._silent(drifts)
        return refused

    def _silent(self, drifts: Sequence[ResolvedDrift]) -> Iterator[Refusal]:
        """Of coefficients whose signal moves no probability of default."""
        population, model = self.population, default_model(self.settings, self.scenario.seed)
        stress = max([self.settings.economic_stress_factor, *_after(drifts, "economic_stress_factor")])
        for drift in drifts:
            for shift in drift.shifts:
                signal = shift.parameter.removeprefix(COEFFICIENTS).removeprefix(INTERACTIONS)
                if signal == shift.parameter:
                    continue
                by_name = population.signals(stress)
                values = np.prod([by_name[part] for part in signal.split("*")], axis=0)
                if model.scale == 0 or not np.any(values):
                    yield drift.refusal(
                        "target",
                        drift.drift.target,
                        "a coefficient that moves probabilities of default, which this one does not here",
                    )

    def _bent(self, drifts: Sequence[ResolvedDrift]) -> Iterator[Refusal]:
        """Of correlated attributes that drift on a common day: each moves the other's shares."""
        correlation, clock = self.settings.population.correlation, self.scenario.clock
        attributes = [
            (drift, part.target.name)
            for drift in drifts
            for part in drift.parts
            if part.target.name in CORRELATED
        ]
        for (one, name), (other, other_name) in combinations(attributes, 2):
            is_correlated = name != other_name and correlation.between(name, other_name) != 0
            if is_correlated and _together(one, other, clock):
                yield other.refusal(
                    "target",
                    other_name,
                    f"a target that is not correlated with {name}, which drifts at the same time"
                    f" ({one.id}): neither would have its shares",
                )


def _after(drifts: Sequence[ResolvedDrift], parameter: str) -> Iterator[float]:
    for drift in drifts:
        for part in drift.parts:
            if part.shift is not None and part.shift.parameter == parameter:
                yield part.after[0]


def _together(one: ResolvedDrift, other: ResolvedDrift, clock: Clock) -> bool:
    return any(one.curve.weight(day) > 0 and other.curve.weight(day) > 0 for day in clock.days())
