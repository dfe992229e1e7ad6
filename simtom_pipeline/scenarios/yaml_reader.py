"""YAML into plain data and the line of every key, safely.

The subset is what a scenario needs: the YAML 1.2 core scalars, mappings and lists. Tags, anchors and
aliases are refused, so neither code nor a "billion laughs" document gets in; a duplicate key is an
error; a date stays text until a model asks for a date.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from .problems import Origin, Problem, ScenarioError

KeyPath = tuple[str | int, ...]

MAX_FILE_BYTES = 1_000_000
MAX_NESTING = 20


@dataclass
class Document:
    """Plain data, where each key path was written, and what is wrong with it so far."""

    data: dict[str, Any]
    origins: dict[KeyPath, Origin] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def origin(self, path: KeyPath) -> Origin:
        """Origin of the key path, or of the nearest mapping around it."""
        while path not in self.origins and path:
            path = path[:-1]
        return self.origins[path]


class _CoreLoader(yaml.SafeLoader):
    """The YAML 1.2 core schema: `no` is text, `1e3` is a number, `12:30` and dates are text.

    What is outside the subset is refused where it is read, before anything is made of it.
    """

    yaml_implicit_resolvers = {}  # noqa: RUF012

    def __init__(self, text: str, source: str) -> None:
        super().__init__(text)
        self._source, self._depth, self._documents = source, 0, 0

    def get_event(self) -> yaml.Event:
        """The next event.

        Raises
        ------
        ScenarioError : it is outside the subset.
        """
        event: yaml.Event = super().get_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise self._refused(event, "an anchor or alias", "values written out (use extends to share them)")
        if tag := getattr(event, "tag", None):
            raise self._refused(event, f"the tag {tag}", "plain values without tags")
        if _LONE_SURROGATE.search(getattr(event, "value", "")):
            raise self._refused(event, "half of a character (a lone surrogate)", "printable text")
        self._documents += isinstance(event, yaml.DocumentStartEvent)
        if self._documents > 1:
            raise self._refused(event, "a second document", "one document a file")
        self._depth += isinstance(event, yaml.CollectionStartEvent)
        self._depth -= isinstance(event, yaml.CollectionEndEvent)
        if self._depth > MAX_NESTING:
            raise self._refused(event, f"more than {MAX_NESTING} levels of nesting", "a flatter file")
        return event

    def _refused(self, event: yaml.Event, found: str, allowed: str) -> ScenarioError:
        return _error(_at(event, self._source), found, allowed)


_LONE_SURROGATE = re.compile("[\ud800-\udfff]")

_CORE_SCALARS = {
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "bool": (r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    "int": (r"[-+]?[0-9]+", list("-+0123456789")),
    "float": (
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
}
for _name, (_pattern, _first) in _CORE_SCALARS.items():
    _CoreLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", re.compile(f"^(?:{_pattern})$"), _first)


def _integer(text: str) -> int | str:
    return int(text) if len(text) <= 400 else text


_SCALARS: dict[str, Callable[[str], Any]] = {
    "tag:yaml.org,2002:null": lambda text: None,
    "tag:yaml.org,2002:bool": lambda text: text.lower() == "true",
    "tag:yaml.org,2002:int": _integer,
    "tag:yaml.org,2002:float": lambda text: float(text.lower().replace(".inf", "inf").replace(".nan", "nan")),
    "tag:yaml.org,2002:str": str,
}


def read_file(path: Path) -> Document:
    """Read a scenario file.

    Raises
    ------
    ScenarioError : the file cannot be read, or is not a mapping in the subset above.
    """
    source = str(path)
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise _error(
                Origin(source), "a file of over a megabyte", "a scenario file of at most 1,000,000 bytes"
            )
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        byte = f"byte 0x{error.object[error.start]:02x}, which is not UTF-8"
        raise _error(Origin(source, line), byte, "a text file in UTF-8") from None
    except OSError as error:
        reason = (error.strerror or "no file").lower()
        raise _error(Origin(source), reason, "a YAML file that can be read") from None
    return read_text(text, source)


def read_text(text: str, source: str) -> Document:
    """Parse YAML text; `source` is what messages call it.

    Raises
    ------
    ScenarioError : the text is not a mapping in the subset above.
    """
    parsed = _parsed(text, source)
    return Document(dict(parsed.data), dict(parsed.origins), list(parsed.problems))


@lru_cache(maxsize=32)
def _parsed(text: str, source: str) -> Document:
    """Every scenario of a library extends one of a few: each text is parsed once, its values are shared."""
    node = _composed(text, source)
    if node is None:
        raise _error(Origin(source), "an empty file", "a mapping with at least name, clock and volume")
    if not isinstance(node, yaml.MappingNode):
        kind = "a list" if isinstance(node, yaml.SequenceNode) else "a single value"
        raise _error(_at(node, source), kind, "a mapping with at least name, clock and volume")
    document = Document({})
    document.data = _construct(node, source, (), document)
    return document


def read_value(text: str, source: str) -> Any:
    """The value that `text` means in YAML: for `--set key=value`.

    Raises
    ------
    ScenarioError : the text is not YAML in the subset above.
    """
    node, document = _composed(text, source), Document({})
    value = None if node is None else _construct(node, source, (), document)
    if document.problems:
        raise ScenarioError(document.problems)
    return value


def describe(value: object) -> str:
    """A found value as its author would recognise it, cut where it is long."""
    if value is None:
        return "nothing (null)"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _error(origin: Origin, found: str, allowed: str) -> ScenarioError:
    return ScenarioError([Problem(origin, "", found, allowed)])


def _at(node: yaml.Node | yaml.Event, source: str) -> Origin:
    assert node.start_mark is not None
    return Origin(source, node.start_mark.line + 1)


def _composed(text: str, source: str) -> yaml.Node | None:
    """The tree of a text in the subset; None of an empty one."""
    try:
        return _CoreLoader(text, source).get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = None if mark is None else mark.line + 1
        raise _error(Origin(source, line), _syntax(error, text, line), "valid YAML") from None
    except yaml.reader.ReaderError as error:
        found = f"a character that YAML does not allow (#x{error.character:04x})"
        raise _error(
            Origin(source, text[: error.position].count("\n") + 1), found, "printable text"
        ) from None


def _syntax(error: yaml.MarkedYAMLError, text: str, line: int | None) -> str:
    lines = text.splitlines()
    written = lines[line - 1] if line is not None and line <= len(lines) else ""
    if "\t" in written[: len(written) - len(written.lstrip())] or r"'\t'" in (error.problem or ""):
        return "a tab in the indentation (YAML is indented with spaces)"
    return f"a syntax error ({error.problem or error.context})"


def _construct(node: yaml.Node, source: str, path: KeyPath, document: Document) -> Any:
    document.origins.setdefault(path, _at(node, source))
    if isinstance(node, yaml.MappingNode):
        return _construct_mapping(node, source, path, document)
    if isinstance(node, yaml.SequenceNode):
        return [_construct(item, source, (*path, i), document) for i, item in enumerate(node.value)]
    return _SCALARS[node.tag](node.value)


def _construct_mapping(
    node: yaml.MappingNode, source: str, path: KeyPath, document: Document
) -> dict[str, Any]:
    mapping: dict[str, Any] = {}
    for key_node, value_node in node.value:
        origin = _at(key_node, source)
        if not isinstance(key_node, yaml.ScalarNode):
            document.problems.append(Problem(origin, dotted(path), "a key that is not a word", "plain keys"))
            continue
        key = key_node.value
        if key in mapping:
            first = document.origins[(*path, key)].line
            found = f"the key {key!r} a second time (first on line {first})"
            document.problems.append(Problem(origin, dotted((*path, key)), found, "each key once"))
            continue
        document.origins[(*path, key)] = origin
        mapping[key] = _construct(value_node, source, (*path, key), document)
    return mapping


def dotted(path: KeyPath) -> str:
    """A key path as its author writes it: `arrivals.peak_hours.0`."""
    return ".".join(map(str, path))
