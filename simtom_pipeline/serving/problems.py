"""What is wrong with a request, as the command says it of a scenario: key, found and allowed."""

import re
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from ..scenarios.problems import Origin, ScenarioError
from ..scenarios.yaml_reader import describe

OVERRIDE = "override "
"""How the place of a value begins that a request gave."""


class Problem(BaseModel):
    """One thing that is wrong."""

    key: str
    found: str
    allowed: str


class Problems(BaseModel):
    """Everything that is wrong with a request."""

    detail: list[Problem]


class Refusal(BaseModel):
    """Why something cannot be had."""

    detail: str


class AnotherStream(Refusal):
    """The position, or what has landed, is of another stream or world than the one that was asked for."""

    asked: str
    here: str


def of_scenario(error: ScenarioError) -> Problems:
    """What is wrong with a scenario; in which folder its files are is nobody's business here."""
    return Problems(
        detail=[
            Problem(
                key=one.key_path or _place(one.origin),
                found=one.found,
                allowed=one.allowed,
            )
            for one in error.problems
        ]
    )


def _place(origin: Origin) -> str:
    """An override's key, or a file's name and line."""
    if origin.source.startswith(OVERRIDE):
        return origin.source.removeprefix(OVERRIDE)
    return str(Origin(Path(origin.source).name, origin.line))


def of_pydantic(errors: Sequence[ErrorDetails], known: Sequence[str]) -> Problems:
    """What is wrong with parameters; `known` are the names there are."""
    found: dict[tuple[str, str], list[str]] = {}
    for one in (_of_one(error, known) for error in errors):
        found.setdefault((one.key, one.found), []).append(one.allowed)
    return Problems(
        detail=[
            Problem(key=key, found=what, allowed=", or ".join(dict.fromkeys(allowed)))
            for (key, what), allowed in found.items()
        ]
    )


def _of_one(error: ErrorDetails, known: Sequence[str]) -> Problem:
    # Of a parameter that may be one thing or another, pydantic names both, each with a name of its own.
    path = [
        str(part)
        for part in error["loc"]
        if part not in ("query", "body", "path", "header") and re.fullmatch(r"[\w ]+", str(part))
    ]
    message = error["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    if error["type"] == "extra_forbidden":
        return Problem(key=".".join(path), found="an unknown parameter", allowed=", ".join(known))
    if error["type"] == "value_error" and ": found " in message:
        key, said = message.split(": found ", 1)
        found, _, allowed = said.partition("; allowed: ")
        return Problem(key=key, found=found, allowed=allowed)
    if error["type"] == "missing":
        return Problem(key=".".join(path), found="nothing", allowed="a value, it is required")
    if error["type"].startswith("date_"):
        message = "a day such as 2024-03-01"
    return Problem(key=".".join(path), found=describe(error["input"])[:200], allowed=message)
