"""What is wrong with a scenario, said so that its author can fix it: where, what, what is allowed."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Origin:
    """Where a value was written: a file and its line, or an override."""

    source: str
    line: int | None = None

    def __str__(self) -> str:
        return self.source if self.line is None else f"{self.source}:{self.line}"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong."""

    origin: Origin
    key_path: str
    found: str
    allowed: str

    def __str__(self) -> str:
        where = f"{self.origin}: {self.key_path}: " if self.key_path else f"{self.origin}: "
        return f"{where}found {self.found}; allowed: {self.allowed}"


@dataclass(frozen=True)
class Refusal:
    """A value that is valid by itself but cannot be brought about; `key` is its path in the scenario."""

    key: tuple[str | int, ...]
    found: object
    allowed: str


class ScenarioError(ValueError):
    """A scenario cannot be used; `problems` lists everything that is wrong with it."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))

    def __reduce__(self) -> tuple[type["ScenarioError"], tuple[tuple[Problem, ...]]]:
        return type(self), (self.problems,)
