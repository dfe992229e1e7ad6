"""What the answers that are no streams say."""

from datetime import date
from typing import Any

from pydantic import BaseModel

from .problems import Problem


class Status(BaseModel):
    """That the service is there, and what it can stream."""

    status: str
    version: str
    generators_available: list[str]
    scenarios_available: list[str]
    open_streams: int


class GeneratorInfo(BaseModel):
    """A generator: what it is, and what can be said of its stream."""

    name: str
    description: str
    config_schema: dict[str, Any]
    settings_schema: dict[str, Any]


class ScenarioInfo(BaseModel):
    """A scenario that can be streamed."""

    name: str
    description: str
    generator: str
    first_day: date
    last_day: date
    digest: str
    tables: list[str]


class BrokenScenario(BaseModel):
    """A scenario that cannot be used, and everything that is wrong with it."""

    name: str
    problems: list[Problem]


class ScenarioDetail(ScenarioInfo):
    """A scenario with everything it says."""

    world: str
    resolved: dict[str, Any]


class DayInfo(BaseModel):
    """What is to be expected of a day.

    Attributes
    ----------
    expected_count : expected events.
    expected_by_hour : of them, in each of its hours.
    drift_weights : how far each drift has come, 0 to 1, by id.
    """

    day: date
    expected_count: float
    expected_by_hour: list[float]
    drift_weights: dict[str, float]
