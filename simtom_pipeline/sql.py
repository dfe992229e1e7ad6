"""Names and text as SQL writes them, and the two schemas of a scenario: its own, and that of its truth."""

TRUTH_SUFFIX = "_truth"


def quoted(*parts: str) -> str:
    """A dotted SQL identifier, every part quoted.

    >>> quoted("baseline", "transactions")
    '"baseline"."transactions"'
    """
    return ".".join('"' + part.replace('"', '""') + '"' for part in parts)


def listed(names: "tuple[str, ...] | list[str]", prefix: str = "") -> str:
    """Quoted names with commas between them, each behind a prefix such as `l.`.

    >>> listed(["day", "metric"], "l.")
    'l."day", l."metric"'
    """
    return ", ".join(prefix + quoted(name) for name in names)


def text(value: str) -> str:
    """A value as an SQL literal.

    >>> text("it's")
    "'it''s'"
    """
    return "'" + value.replace("'", "''") + "'"


def truth_schema(scenario: str) -> str:
    """Name of the schema that holds what only the simulator knows.

    >>> truth_schema("baseline")
    'baseline_truth'
    """
    return scenario + TRUTH_SUFFIX


def later_of(one: str, other: str) -> str:
    """SQL of the later of two moments; not known if one is not (`greatest` would take the other).

    >>> later_of("a", "b")
    'CASE WHEN a >= b THEN a WHEN a < b THEN b END'
    """
    return f"CASE WHEN {one} >= {other} THEN {one} WHEN {one} < {other} THEN {other} END"
