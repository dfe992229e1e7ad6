"""From a name or a file to a scenario: look it up, follow `extends`, apply overrides, validate.

Every problem is collected and raised at once, each with the file and line it was written on. Which
model a generator's own section has is told by the caller; this room knows no generator.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from .base import OUTCOME_RATE, DriftVocabulary, GeneratorSettings, valid_name
from .models import Scenario
from .problems import Origin, Problem, Refusal, ScenarioError
from .yaml_reader import Document, KeyPath, describe, dotted, read_file

SettingsModels = Callable[[str], type[GeneratorSettings]]
"""The model of a generator's own section, by the generator's name; LookupError if there is none."""
Refusals = Callable[[Scenario], Sequence[Refusal]]
"""What the scenario's generator cannot bring about."""

BUILT_IN = Path(__file__).parent / "builtin"
NAME_RULE = "a name of lower-case letters, digits and underscores that starts with a letter"
PLAIN_WORDS = {
    "string_pattern_mismatch": NAME_RULE,
    "model_type": "a mapping",
    "dict_type": "a mapping",
    "tuple_type": "a list",
    "string_type": "text",
}
TAGS = ("kind", "noise_type")
"""Keys by which the models of a union are told apart."""
NOT_INHERITED = ("name", "extends", "description")


def library(home: Path) -> dict[str, Path]:
    """Every scenario that can be called by its name, built in or the user's own."""
    built_in = {path.stem: path for path in sorted(BUILT_IN.glob("*.yaml"))}
    return built_in | {name: path for name, path in _own(home).items() if name not in built_in}


def clashes(home: Path) -> dict[str, Problem]:
    """The user's files that cannot be called by their name because it is a built-in scenario's."""
    return {
        name: Problem(
            Origin(str(path)), "", f"the name of the built-in scenario {name!r}", "another file name"
        )
        for name, path in _own(home).items()
        if (BUILT_IN / path.name).exists()
    }


def _own(home: Path) -> dict[str, Path]:
    return {path.stem: path for path in sorted((home / "scenarios").glob("*.yaml"))}


def load(
    name_or_path: str | Path,
    overrides: Mapping[str, Any] | None,
    settings_models: SettingsModels,
    refusals: Refusals,
    home: Path,
) -> Scenario:
    """Read, merge and validate one scenario.

    `name_or_path` is a path if it ends in `.yaml` or `.yml` or is a `Path`, otherwise a name.

    Raises
    ------
    ScenarioError : listing every problem found.
    """
    files = library(home)
    if clash := clashes(home).get(str(name_or_path)):
        raise ScenarioError([clash])
    path = _locate(name_or_path, files)
    document = _read_chain(path, files, ())
    _check_file_name(document, path, files)
    for key, value in (overrides or {}).items():
        document = _override(document, key, value)
    scenario = _validate(document, settings_models)
    if refused := refusals(scenario):
        words = scenario.settings.drift_vocabulary
        raise ScenarioError([_refused(document, refusal, words) for refusal in refused])
    return scenario


def _refused(document: Document, refusal: Refusal, words: DriftVocabulary) -> Problem:
    key = _as_written(refusal.key, document.data, words)
    return Problem(document.origin(key), dotted(key), describe(refusal.found), refusal.allowed)


def _as_written(path: KeyPath, data: Any, words: DriftVocabulary | None) -> KeyPath:
    """The path in the words of the file, which may have another one for an `outcome_rate`."""
    if words is None or OUTCOME_RATE not in path:
        return path
    for part in path[: path.index(OUTCOME_RATE)]:
        data = data[part]
    word = OUTCOME_RATE if OUTCOME_RATE in data else words.outcome_rate
    return tuple(word if part == OUTCOME_RATE else part for part in path)


def _locate(name_or_path: str | Path, files: Mapping[str, Path]) -> Path:
    if isinstance(name_or_path, Path) or name_or_path.endswith((".yaml", ".yml")):
        return Path(name_or_path)
    if name_or_path in files:
        return files[name_or_path]
    origin = Origin("scenario")
    if not valid_name(name_or_path):
        raise ScenarioError(
            [Problem(origin, "", describe(name_or_path), f"{NAME_RULE}, or a file ending in .yaml")]
        )
    found = f"{describe(name_or_path)}, which is no scenario"
    raise ScenarioError([Problem(origin, "", found, _one_of(name_or_path, files))])


def _check_file_name(document: Document, path: Path, files: Mapping[str, Path]) -> None:
    name = document.data.get("name")
    if path in files.values() and isinstance(name, str) and name != path.stem:
        origin = document.origin(("name",))
        document.problems.append(
            Problem(
                origin, "name", describe(name), f"{path.stem!r}, the name of its file, in a scenarios folder"
            )
        )


def _read_chain(path: Path, files: Mapping[str, Path], seen: tuple[Path, ...]) -> Document:
    document = read_file(path)
    parent_name = document.data.get("extends")
    if parent_name is None:
        return _merge(Document({}, {(): document.origins[()]}), document)
    origin = document.origins[("extends",)]
    parent_path = _parent(parent_name, path, document, files, origin)
    chain = (*seen, path.resolve())
    if parent_path.resolve() in chain:
        circle = [p.stem for p in (*chain[chain.index(parent_path.resolve()) :], parent_path)]
        found = "itself" if len(circle) == 2 else f"a circle ({' -> '.join(circle)})"
        raise ScenarioError([Problem(origin, "extends", found, "a scenario that does not lead back here")])
    parent = _read_chain(parent_path, files, chain)
    for key in NOT_INHERITED:
        parent.data.pop(key, None)
        parent.origins.pop((key,), None)
    return _merge(parent, document)


def _parent(name: Any, path: Path, document: Document, files: Mapping[str, Path], origin: Origin) -> Path:
    if not (isinstance(name, str) and valid_name(name)):
        raise ScenarioError([Problem(origin, "extends", describe(name), f"null, or {NAME_RULE}")])
    if name == document.data.get("name"):
        return path
    sibling = path.parent / f"{name}.yaml"
    found = files.get(name) or (sibling if sibling.is_file() else None)
    if found is None:
        problem = Problem(origin, "extends", f"{describe(name)}, which is no scenario", _one_of(name, files))
        raise ScenarioError([problem])
    return found


def _merge(parent: Document, child: Document) -> Document:
    """Mappings merge key by key; a list or a scalar replaces; null resets to the model's default."""
    merged = Document(parent.data, dict(parent.origins), [*parent.problems, *child.problems])
    merged.origins[()] = child.origins[()]
    merged.data = _merge_mappings(parent.data, child.data, (), merged, child)
    return merged


def _merge_mappings(
    old: dict[str, Any], new: dict[str, Any], path: KeyPath, merged: Document, child: Document
) -> dict[str, Any]:
    result = dict(old)
    for key, value in new.items():
        here = (*path, key)
        if isinstance(value, dict):
            below = old.get(key) if isinstance(old.get(key), dict) else {}
            result[key] = _merge_mappings(below or {}, value, here, merged, child)
            merged.origins[here] = child.origins[here]
            continue
        if isinstance(old.get(key), (dict, list)):
            merged.origins = {p: o for p, o in merged.origins.items() if p[: len(here)] != here}
        result.pop(key, None)
        if value is not None:
            result[key] = value
            nested = isinstance(value, list)
            merged.origins |= (
                {p: o for p, o in child.origins.items() if p[: len(here)] == here}
                if nested
                else {here: child.origins[here]}
            )
    return result


def _override(document: Document, key: str, value: Any) -> Document:
    path = tuple(key.split("."))
    origin = Origin(f"override {key}")
    if not all(path) or path[0] == "extends":
        allowed = "a dotted path such as volume.base_daily_volume (extends cannot be overridden)"
        return _with_problem(document, Problem(origin, "", f"the key {key!r}", allowed))
    data: Any = value
    for part in reversed(path):
        data = {part: data}
    origins: dict[KeyPath, Origin] = {path[:n]: origin for n in range(1, len(path) + 1)}
    return _merge(
        document, Document(data, {(): document.origins[()]} | origins | _below(path, value, origin))
    )


def _below(path: KeyPath, value: Any, origin: Origin) -> dict[KeyPath, Origin]:
    if not isinstance(value, dict):
        return {path: origin}
    nested = (_below((*path, key), below, origin) for key, below in value.items())
    return {path: origin} | {p: o for found in nested for p, o in found.items()}


def _with_problem(document: Document, problem: Problem) -> Document:
    return Document(document.data, document.origins, [*document.problems, problem])


def _validate(document: Document, settings_models: SettingsModels) -> Scenario:
    problems = list(document.problems)
    generator = document.data.get("generator", Scenario.model_fields["generator"].default)
    known = [*sorted(Scenario.own_keys), generator]
    problems += [_unknown_key(document, (key,), known) for key in document.data if key not in known]
    common = {key: value for key, value in document.data.items() if key in Scenario.own_keys}
    settings: BaseModel | None = None
    words: DriftVocabulary | None = None
    if isinstance(generator, str) and valid_name(generator):
        try:
            model = settings_models(generator)
        except LookupError as error:
            # Which key is a generator's section cannot be said of a generator that is not there.
            unknown = [key for key, value in document.data.items() if isinstance(value, dict)]
            problems = [p for p in problems if p.key_path not in set(unknown) - Scenario.own_keys]
            problems.append(
                Problem(document.origin(("generator",)), "generator", describe(generator), error.args[0])
            )
        else:
            section, words = document.data.get(generator, {}), model.drift_vocabulary
            settings = _parse(model, section, (generator,), document, problems)
    scenario = _parse(Scenario, common, (), document, problems, words)
    if problems:
        raise ScenarioError(
            sorted(set(problems), key=lambda p: (p.origin.source, p.origin.line or 0, p.key_path))
        )
    assert isinstance(scenario, Scenario)
    return scenario.model_copy(update={"settings": settings})


def _parse(
    model: type[BaseModel],
    data: Any,
    prefix: KeyPath,
    document: Document,
    problems: list[Problem],
    words: DriftVocabulary | None = None,
) -> BaseModel | None:
    # JSON is the strict mode in which a date may be text and a tuple a list, but a number may not be text.
    try:
        return model.model_validate_json(json.dumps(data, default=str), strict=True, context=words)
    except ValidationError as error:
        details = _without_echoes(error.errors(include_url=False))
        problems += [_problem(detail, model, prefix, document, data, words) for detail in details]
        return None


def _without_echoes(details: list[ErrorDetails]) -> list[ErrorDetails]:
    """Without the complaint that a list is too short which follows from an entry that is wrong."""
    above = {detail["loc"][:-1] for detail in details if detail["loc"]}
    return [one for one in details if not (one["type"] == "too_short" and one["loc"] in above)]


def _problem(
    error: ErrorDetails,
    model: type[BaseModel],
    prefix: KeyPath,
    document: Document,
    data: Any,
    words: DriftVocabulary | None,
) -> Problem:
    location = tuple(part for part in error["loc"] if part != "[key]")
    path = prefix + _as_written(_without_kinds(location, data), data, words)
    if error["type"] == "extra_forbidden":
        known = _keys_at(model, location[:-1])
        if words is not None:
            known = [words.outcome_rate if key == OUTCOME_RATE else key for key in known]
        return _unknown_key(document, path, known)
    if error["type"] == "missing":
        return Problem(document.origin(path[:-1]), dotted(path), "nothing", "a value, it is required")
    if error["type"] in ("union_tag_invalid", "union_tag_not_found"):
        tag, kinds = _kinds_at(model, location)
        kind = error["input"].get(tag) if isinstance(error["input"], dict) else error["input"]
        path = (*path, tag)
        return Problem(document.origin(path), dotted(path), describe(kind), f"one of {', '.join(kinds)}")
    return Problem(document.origin(path), dotted(path), describe(error["input"]), _allowed(error))


def _without_kinds(location: KeyPath, data: Any) -> KeyPath:
    """The path in the file: without the kinds by which a union was told apart."""
    path: list[str | int] = []
    for part in location:
        if isinstance(data, dict) and part not in data and part in (data.get(tag) for tag in TAGS):
            continue
        path.append(part)
        is_there = (isinstance(data, dict) and part in data) or isinstance(data, list)
        data = data[part] if is_there else None
    return tuple(path)


def _allowed(error: ErrorDetails) -> str:
    context = error.get("ctx", {})
    if error["type"] in ("too_short", "too_long"):
        bound = context.get("min_length", context.get("max_length"))
        return f"a list of at {'least' if 'min_length' in context else 'most'} {bound}"
    if error["type"] in PLAIN_WORDS:
        return PLAIN_WORDS[error["type"]]
    message = error["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    return message[0].lower() + message[1:]


def _unknown_key(document: Document, path: KeyPath, known: list[str]) -> Problem:
    key = str(path[-1])
    return Problem(document.origin(path), dotted(path), f"the unknown key {key!r}", _one_of(key, known))


def _one_of(found: str, known: Mapping[str, Any] | list[str]) -> str:
    close = get_close_matches(found, list(known), n=1)
    hint = f"{close[0]!r}? (all: " if close else "one of "
    return hint + ", ".join(known) + (")" if close else "")


def _keys_at(model: type[BaseModel], location: KeyPath) -> list[str]:
    union = [model]
    for part in location:  # an index or a free key stays within the model that its container holds
        if field := model.model_fields.get(str(part)):
            union = _models_in(field.annotation) or union
        elif len(union) > 1:
            union = [one for one in union if part in _kinds(one, _tag(union))] or union
        model = union[0]
    return [field.alias or name for name, field in model.model_fields.items()]


def _kinds_at(model: type[BaseModel], location: KeyPath) -> tuple[str, list[str]]:
    """The key by which the models of a union are told apart, and its values."""
    union = [model]
    for part in location:
        if field := union[0].model_fields.get(str(part)):
            union = _models_in(field.annotation)
        elif len(union) > 1:
            union = [one for one in union if part in _kinds(one, _tag(union))] or union
    tag = _tag(union)
    return tag, [kind for one in union for kind in _kinds(one, tag)]


def _tag(union: list[type[BaseModel]]) -> str:
    return next(tag for tag in TAGS if all(tag in one.model_fields for one in union))


def _kinds(model: type[BaseModel], tag: str) -> tuple[str, ...]:
    return get_args(model.model_fields[tag].annotation)


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for arg in get_args(annotation) for model in _models_in(arg)]
