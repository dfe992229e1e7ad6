"""What the options of the command mean: overrides, days, twins, files. A mistake is a `ScenarioError`."""

from datetime import date
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from .home import default_database
from .scenarios.base import valid_name
from .scenarios.models import ALL_DRIFTS, ALL_FAULTS, Scenario
from .scenarios.problems import Origin, Problem, ScenarioError
from .scenarios.yaml_reader import read_value

MIN_TOKEN = 16
"""Characters: fewer can be guessed."""


def twin_of(scenario: Scenario, without: str | None) -> Scenario:
    """The scenario without a cause: the one named, or all drifts, or all faults."""
    wanted = without or (ALL_DRIFTS if ALL_DRIFTS in scenario.causes else ALL_FAULTS)
    if wanted not in scenario.causes:
        found = f"no {repr(without) if without else 'drift or fault'} in {scenario.name}"
        raise ScenarioError(
            [Problem(Origin("--without"), "", found, ", ".join(scenario.causes) or "a scenario with one")]
        )
    counterfactual = scenario.without(wanted)
    if not valid_name(counterfactual.name):
        raise ScenarioError(
            [
                Problem(
                    Origin("scenario"),
                    "name",
                    repr(counterfactual.name),
                    "63 characters, the twin's mark included",
                )
            ]
        )
    return counterfactual


def allowed_to_listen(host: str, token: str | None, no_auth: bool) -> None:
    """Refuse to listen where others can reach, unless they need a token or everybody is meant."""
    if token is not None and len(token) < MIN_TOKEN:
        raise ScenarioError(
            [Problem(Origin("--token"), "", f"{len(token)} characters", f"at least {MIN_TOKEN} of them")]
        )
    if token is None and not no_auth and not _is_loopback(host):
        raise ScenarioError([
            Problem(
                Origin("--host"), "", f"{host}, which others can reach",
                "127.0.0.1; another one with --token TOKEN, or with --no-auth if everybody may ask",
            )
        ])  # fmt: skip


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def database_file(database: Path | None) -> Path:
    """The file that --database names, or the one of $SIMTOM_HOME."""
    if str(database).startswith((":memory:", "md:")):
        raise ScenarioError([Problem(Origin("--database"), "", repr(str(database)), "a file")])
    return (database or default_database()).expanduser().resolve()


def read_overrides(settings: list[str]) -> dict[str, Any]:
    """Values by dotted path of every KEY=VALUE."""
    values: dict[str, Any] = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or not key.strip():
            problem = Problem(
                Origin("--set"), "", repr(setting), "KEY=VALUE, as in volume.base_daily_volume=5000"
            )
            raise ScenarioError([problem])
        values[key.strip()] = read_value(value, f"--set {key}")
    return values


def days_between(scenario: Scenario, first: str | None, last: str | None) -> list[date]:
    """Days of the clock from --from to --to, by default all."""
    clock = scenario.clock
    start, end = _day("--from", first, clock.start), _day("--to", last, clock.end)
    problems = [
        Problem(Origin(option), "", str(day), f"a day of {scenario.name}: {clock.start} to {clock.end}")
        for option, day in (("--from", start), ("--to", end))
        if not clock.start <= day <= clock.end
    ]
    if not problems and end < start:
        problems = [Problem(Origin("--to"), "", str(end), f"a day on or after --from {start}")]
    if problems:
        raise ScenarioError(problems)
    return [day for day in clock.days() if start <= day <= end]


def _day(option: str, text: str | None, default: date) -> date:
    try:
        return default if text is None else date.fromisoformat(text)
    except ValueError as error:
        problem = Problem(Origin(option), "", repr(text), f"a day such as 2024-06-01 ({error})")
        raise ScenarioError([problem]) from None
