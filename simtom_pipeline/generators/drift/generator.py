"""A generator whose domain can drift: what the scenario intends follows from what the domain declares."""

from collections.abc import Mapping, Sequence
from datetime import date
from functools import cached_property, partial
from typing import ClassVar

import numpy as np

from ...claims import DeclaredShares, ProfileMetric
from ...scenarios.models import Scenario
from ...scenarios.problems import Refusal
from ..base import BaseGenerator
from .domain import DriftDomain
from .expectations import Expectations, expectations
from .ledger import Intended, LedgerPart
from .resolution import Resolution, ResolvedDrift, resolve


class DriftingGenerator(BaseGenerator):
    """Base of generators with targets that drift; a subclass declares `drift_domain` and draws a day.

    It draws a day's records with `self.resolution.parameters_of_records`, and whatever belongs to the day as
    a whole with `self.resolution.expected_parameters`.
    """

    drift_domain: ClassVar[type[DriftDomain]]

    @classmethod
    def refused(cls, scenario: Scenario) -> Sequence[Refusal]:
        """Drifts that cannot be brought about."""
        return resolve(cls.drift_domain, scenario).refused

    @cached_property
    def resolution(self) -> Resolution:
        """The declared drifts as shifts of parameters."""
        return resolve(self.drift_domain, self.scenario)

    @property
    def drifts(self) -> Sequence[ResolvedDrift]:
        """The declared drifts."""
        return self.resolution.drifts

    @property
    def drifts_from(self) -> date | None:
        """First day of any drift."""
        return min((drift.curve.onset for drift in self.drifts), default=None)

    @property
    def expected(self) -> Expectations:
        """What is intended of each day."""
        return expectations(self.drift_domain, self.scenario)

    def drifting_shares(self, table: str, target: str) -> DeclaredShares:
        """Shares of a column of a table: as they are stated, or day by day as drift has them."""
        values, stated = self.resolution.domain.targets.row(target).values, self.resolution.domain.stated
        shares = dict(zip(values, map(float, np.asarray(stated[target])), strict=True))
        drifts = any(part.target.name == target for drift in self.drifts for part in drift.parts)
        by_day = partial(self.expected.shares, target) if drifts else None
        return DeclaredShares(table, target, shares, drifting=by_day)

    def volume_factor(self, day: date) -> float:
        """What drift does to the expected number of events."""
        return self.resolution.volume_factor(day)

    def ledger_parts(self) -> Sequence[LedgerPart]:
        """Every target of every declared drift."""
        return [ledger for _, _, ledger in self.expected.parts.values()]

    def intended(self, part: LedgerPart, day: date) -> Intended:
        """What the scenario intends for a target of `ledger_parts` on a day."""
        return self.expected.intended(part, day, self.arrivals.expected_count(day))

    @property
    def profile_from(self) -> str:
        """Events with everything that describes them."""
        return self.drift_domain.profile.from_sql

    def profile_metrics(self) -> Sequence[ProfileMetric]:
        """Counts, shares, quantiles and rates of the events of a day."""
        return self.drift_domain.profile.metrics(self.resolution.domain.targets)

    def profile_expected(self, day: date) -> Mapping[str, float]:
        """Expected value of each metric on a day."""
        return self.expected.profile(day, self.arrivals.expected_count(day))
