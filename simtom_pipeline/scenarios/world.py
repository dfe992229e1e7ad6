"""Which rows a scenario has: everything it says that can change one, in a canonical form with a digest.

What cannot change a row is left out: the end of the clock, names and descriptions, tolerances of checks. A
position in a schedule that is a fraction of the clock's range counts as the day that it means. What equals
the model's default is left out too, so that a later version with more to say leaves old worlds as they are.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from .models import Clock, Scenario

NO_ROW_DEPENDS_ON = frozenset(
    {"name", "extends", "description", "checks", "drifts", "drift_type", "drift_strength", "faults"}
)
POSITIONS = ("at", "from", "to")
NOT_STATED = "not stated"


@dataclass(frozen=True)
class World:
    """A scenario as far as it decides rows, and the versions of the code that draws them.

    Attributes
    ----------
    document : what decides the rows, by key path of the scenario, as plain JSON values.
    scenario : the whole resolved scenario as JSON text.
    """

    document: Mapping[str, Any]
    scenario: str

    @cached_property
    def text(self) -> str:
        """The document in its canonical form."""
        return json.dumps(self.document, sort_keys=True, separators=(",", ":"))

    @cached_property
    def digest(self) -> str:
        """Hexadecimal SHA-256 of the document."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True)
class Change:
    """A value that two worlds do not share."""

    key_path: str
    old: Any
    new: Any

    def __str__(self) -> str:
        return f"{self.key_path}: {_shown(self.old)}, now {_shown(self.new)}"


def world_of(scenario: Scenario, model_version: int, engine_version: int) -> World:
    """The world of a scenario whose generator, and the engine around it, are of these versions."""
    stated = scenario.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    document = {key: value for key, value in stated.items() if key not in NO_ROW_DEPENDS_ON}
    document["clock"] = {key: value for key, value in stated["clock"].items() if key != "end"}
    document[scenario.generator] = document.pop("settings", {})
    for name, entries in (("drifts", scenario.all_drifts), ("faults", scenario.faults)):
        dumped = [one.model_dump(mode="json", by_alias=True, exclude_defaults=True) for one in entries]
        document[name] = [_on_days(entry, scenario.clock) for entry in dumped]
    document |= {
        "generator": scenario.generator,
        "model_version": model_version,
        "engine_version": engine_version,
    }
    return World(document, json.dumps(scenario.model_dump(mode="json", by_alias=True), sort_keys=True))


def _on_days(entry: dict[str, Any], clock: Clock) -> dict[str, Any]:
    """A drift or fault whose schedule speaks of days only."""
    if "schedule" not in entry:
        return entry
    schedule = {
        key: clock.position(value).isoformat() if key in POSITIONS and isinstance(value, float) else value
        for key, value in entry["schedule"].items()
    }
    return {**entry, "schedule": schedule}


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    """What differs between two documents, by key path."""
    before, after = dict(_leaves(old, "")), dict(_leaves(new, ""))
    return [
        Change(path, before.get(path, NOT_STATED), after.get(path, NOT_STATED))
        for path in sorted(before.keys() | after.keys())
        if before.get(path, NOT_STATED) != after.get(path, NOT_STATED)
    ]


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, (Mapping, list)):
        yield path, value
        return
    parts = value.items() if isinstance(value, Mapping) else enumerate(value)
    for key, part in parts:
        yield from _leaves(part, f"{path}.{key}" if path else str(key))


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
