"""What a domain declares so that its parameters can drift: a table of targets and a reference population."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

import numpy as np

from ...scenarios.base import GeneratorSettings
from ...scenarios.models import Scenario
from ...scenarios.problems import Refusal
from .parameters import Parameters
from .profile import ProfileDeclaration
from .reachable import WholeNumbers, whole
from .targets import Target, TargetTable

if TYPE_CHECKING:
    from .resolution import ResolvedDrift


@dataclass(frozen=True)
class OutcomeEvents:
    """How the rows of a reference population count as events of one outcome.

    Attributes
    ----------
    weight : of each row, mean one, shape (N,).
    probability : that the outcome occurs, shape (N,).
    events_per_row : how many events of the outcome there are for each row; 1 if each row is one.
    """

    weight: np.ndarray
    probability: np.ndarray
    events_per_row: float = 1.0


@dataclass(frozen=True)
class WeightedPopulation:
    """A reference population in a world whose parameters are numbers.

    Attributes
    ----------
    weight : how often each row occurs, relative to how often it does without drift; shape (N,).
    outcomes : every outcome of the domain by name, its first one first.
    """

    weight: np.ndarray
    outcomes: Mapping[str, OutcomeEvents]


class ReferencePopulation(ABC):
    """N events without drift: what sizes are solved on and what drift is measured against.

    It depends neither on dates nor on volume. Drift of shares weighs its rows; all else is worked out again.
    """

    @abstractmethod
    def codes(self, name: str) -> np.ndarray:
        """Number of the category of each row in a categorical variable, shape (N,)."""

    @abstractmethod
    def exact(self, name: str) -> np.ndarray:
        """A number before any factor and rounding, in the whole units in which it lands, shape (N,)."""

    @abstractmethod
    def under(self, parameters: Parameters) -> WeightedPopulation:
        """The population where these parameters, all of them numbers or shares (k,), are in force."""

    @abstractmethod
    def base_rate(self, outcome: str) -> float:
        """Mean probability of an outcome without drift."""

    def follows(self, name: str, parameters: Parameters) -> bool:
        """Whether the shares of a variable have moved because of parameters other than its own."""
        return False

    @classmethod
    def once(cls, settings: GeneratorSettings) -> Self:
        """The population of these settings, made of them alone; drawn once in a process."""
        return _once(cls, type(settings), settings.model_dump_json())

    def landing(self, target: Target) -> tuple[WholeNumbers, np.ndarray]:
        """What lands of a number under a factor, and where each row stands in it, shape (N,)."""
        return WholeNumbers.of(self.exact(target.name), target.lands.smallest)

    def numbers(self, target: Target) -> np.ndarray:
        """What lands of a number without drift, in its own unit, shape (N,)."""
        landed: np.ndarray = whole(self.exact(target.name), 1.0, target.lands.smallest)
        return landed / target.lands.per_unit


P = TypeVar("P", bound=ReferencePopulation)


@lru_cache(maxsize=4)
def _once(population: Callable[[Any], P], settings: type[GeneratorSettings], as_json: str) -> P:
    return population(settings.model_validate_json(as_json))


class DriftDomain(ABC):
    """The part of a domain that the drift engine asks; one object a scenario.

    `profile` says which figures describe the events of a day.
    """

    profile: ClassVar[ProfileDeclaration]

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.settings: Any = scenario.settings

    @cached_property
    @abstractmethod
    def targets(self) -> TargetTable:
        """What can drift."""

    @property
    @abstractmethod
    def population(self) -> ReferencePopulation:
        """The reference population."""

    @cached_property
    def stated(self) -> Parameters:
        """Every parameter without drift."""
        return self.targets.stated(self.settings)

    def causal_descendants(self, target: Target, other_kinds: Iterable[str]) -> tuple[str, ...]:
        """What differs from the twin once a target has drifted, beside other drifts of these kinds."""
        return target.descendants

    def refused_together(self, drifts: Sequence["ResolvedDrift"]) -> Iterable[Refusal]:
        """What is wrong with drifts in view of each other and of the settings."""
        return ()
