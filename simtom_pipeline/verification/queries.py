"""What checks ask the database, in plain SQL: it shares no code with the generators."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from datetime import date
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from ..claims import Claim, DeclaredShares, ProfileMetric
from ..contracts import WHOLE_ROW, Column, ForeignKey, TableContract
from ..landing import table_name
from ..scenarios.models import Scenario
from ..sql import quoted, text, truth_schema

Connection = duckdb.DuckDBPyConnection
Row = dict[str, str | int | float]


def _one(connection: Connection, sql: str, parameters: Sequence[object] = ()) -> tuple[int, ...]:
    return tuple(connection.execute(sql, parameters).fetchall()[0])


def landed_days(connection: Connection, scenario: str) -> list[date]:
    """Days of the scenario that have landed, ascending."""
    table = quoted(truth_schema(scenario), "daily_intensity")
    return [day for (day,) in connection.execute(f"SELECT DISTINCT day FROM {table} ORDER BY day").fetchall()]


def complete_until(scenario: Scenario, landed: Sequence[date]) -> date | None:
    """Last day up to which every day since `clock.start` has landed."""
    last = None
    for expected, day in zip(scenario.clock.days(), landed, strict=False):
        if day != expected:
            break
        last = day
    return last


def key_violations(connection: Connection, scenario: str, contract: TableContract) -> int:
    """Rows that share their primary key with an earlier one."""
    key = ", ".join(quoted(column) for column in contract.primary_key)
    name = table_name(scenario, contract)
    (surplus,) = _one(connection, f"SELECT count(*) - count(DISTINCT ({key})) FROM {name}")
    return surplus


def boundary_violations(connection: Connection, scenario: Scenario, contract: TableContract) -> list[Row]:
    """Days with rows that are dated outside their day, or that lie outside the clock."""
    outside = f"CAST({quoted(contract.dated_by or '')} AS DATE) <> day"
    if contract.starts_before:
        outside = f"{outside} AND NOT (day = $start AND {quoted(contract.dated_by or '')} < $start)"
    rows = connection.execute(
        f"SELECT day, count(*) FROM {table_name(scenario.name, contract)}"
        f" WHERE ({outside}) OR day NOT BETWEEN $start AND $end GROUP BY day ORDER BY day",
        {"start": scenario.clock.start, "end": scenario.clock.end},
    ).fetchall()
    return [{"day": str(day), "rows": count} for day, count in rows]


def reference_violations(
    connection: Connection,
    scenario: str,
    child: TableContract,
    key: ForeignKey,
    parent: TableContract,
    complete: date | None,
) -> tuple[int, int]:
    """Rows whose parent is missing or younger, and rows that cannot be judged yet.

    A missing parent can be judged only where every earlier day has landed (`complete`).
    """
    younger = "false"
    if parent.dated_by and child.dated_by:
        younger = f"p.{quoted(parent.dated_by)} > c.{quoted(child.dated_by)}"
    verifiable = "c.day <= $complete" if parent.daily else "true"
    parameters = {"complete": complete or date.min} if parent.daily else {}
    (parent_key,) = parent.primary_key
    wrong, unknown = _one(
        connection,
        f"SELECT count(*) FILTER (WHERE (p.{quoted(parent_key)} IS NULL AND {verifiable}) OR {younger}),"
        f" count(*) FILTER (WHERE p.{quoted(parent_key)} IS NULL AND NOT ({verifiable}))"
        f" FROM {table_name(scenario, child)} c LEFT JOIN {table_name(scenario, parent)} p"
        f" ON p.{quoted(parent_key)} = c.{quoted(key.column)}",
        parameters,  # type: ignore[arg-type]
    )
    return wrong, unknown


def counts_per_day(
    connection: Connection, scenario: str, contract: TableContract, days: Sequence[date]
) -> np.ndarray:
    """Rows of each of `days`, shape (len(days),)."""
    found = rows_per_day(connection, scenario, contract)
    return np.array([found.get(day, 0) for day in days], float)


def counts_per_hour(connection: Connection, scenario: str, contract: TableContract) -> np.ndarray:
    """Rows of each hour of the day, shape (24,)."""
    rows = connection.execute(
        f"SELECT hour({quoted(contract.dated_by or '')}), count(*)"
        f" FROM {table_name(scenario, contract)} GROUP BY 1"
    ).fetchall()
    counts = np.zeros(24)
    for hour, count in rows:
        counts[hour] = count
    return counts


def counts_per_value(
    connection: Connection, scenario: str, contract: TableContract, declared: DeclaredShares
) -> dict[str, int]:
    """Rows of each value that the declared shares speak of."""
    schema = quoted(scenario)
    expression = declared.expression.format(schema=schema)
    rows = connection.execute(
        f"SELECT CAST({expression} AS VARCHAR), count(*) FROM {table_name(scenario, contract)} t"
        f" WHERE {declared.where.format(schema=schema)} GROUP BY 1"
    ).fetchall()
    return {str(value): count for value, count in rows}


@dataclass(frozen=True)
class RowDifferences:
    """How a landed day differs from the same day simulated.

    Attributes
    ----------
    rows : how many rows differ, are there in one of them only, or come more often in one.
    examples : the first of them: key, column, what was simulated and what landed.
    """

    rows: int
    examples: tuple[Row, ...]


MAX_EXAMPLES = 10
SAME = 1e-12
"""DOUBLE columns may differ by this much, relative to the larger of one and themselves."""


def differing_rows(
    connection: Connection,
    scenario: str,
    contract: TableContract,
    day: date | None,
    simulated: pa.Table,
    by_any_code: bool = True,
) -> RowDifferences:
    """How a landed day (or a constant table) differs from what was simulated, `by_any_code` or by this one.

    Rows of one key are told apart by their number in order of all their values.
    """
    name = table_name(scenario, contract)
    # Through a table of the same types, so that both sides compare as the database stores them.
    connection.execute(f"CREATE OR REPLACE TEMP TABLE simtom_replay AS FROM {name} LIMIT 0")
    connection.register("simtom_rows", simulated)
    connection.execute("INSERT INTO simtom_replay BY NAME SELECT * FROM simtom_rows")
    connection.unregister("simtom_rows")
    landed = f"{name} WHERE day = DATE '{day}'" if day else name
    if _same_hashes(connection, contract, landed, "simtom_replay"):
        connection.execute("DROP TABLE simtom_replay")
        return RowDifferences(0, ())
    values = [c for c in contract.columns if c.name not in contract.primary_key]
    values = [c for c in values if not (by_any_code and c.tells_code)]
    differing = [unlike(c, "l", "s") for c in values]
    key = [quoted(column) for column in contract.primary_key]
    same_key = " AND ".join(f"l.{part} IS NOT DISTINCT FROM s.{part}" for part in [*key, COPY])
    one, other = _numbered(contract, landed), _numbered(contract, "simtom_replay")
    joined = f"FROM {one} l FULL JOIN {other} s ON {same_key}"
    differ = " OR ".join([f"l.{COPY} IS NULL", f"s.{COPY} IS NULL", *differing])
    (rows,) = _one(connection, f"SELECT count(*) {joined} WHERE {differ}")
    examples = _examples(connection, contract, values, joined, differ) if rows else ()
    connection.execute("DROP TABLE simtom_replay")
    return RowDifferences(rows, examples)


def _same_hashes(connection: Connection, contract: TableContract, one: str, other: str) -> bool:
    """Whether two relations have as many rows and the same sum of their hashes, each of 64 bits.

    Then they are the same rows, in a fraction of the time that joining them takes.
    """
    columns = ", ".join(quoted(column) for column in contract.column_names)
    sums = [f"(SELECT (count(*), sum(CAST(hash({columns}) AS HUGEINT))) FROM {of})" for of in (one, other)]
    return bool(connection.execute(f"SELECT {sums[0]} = {sums[1]}").fetchall()[0][0])


COPY = "simtom_copy"


def _numbered(contract: TableContract, rows: str) -> str:
    key = ", ".join(quoted(column) for column in contract.primary_key)
    order = ", ".join(quoted(column) for column in contract.column_names)
    return f"(SELECT *, row_number() OVER (PARTITION BY {key} ORDER BY {order}) AS {COPY} FROM {rows})"


def unlike(column: Column, one: str, other: str) -> str:
    """SQL condition: the column differs between two relations, of a DOUBLE by more than `SAME`."""
    a, b = f"{one}.{quoted(column.name)}", f"{other}.{quoted(column.name)}"
    if column.type.sql != "DOUBLE":
        return f"{a} IS DISTINCT FROM {b}"
    near = f"abs({a} - {b}) <= {SAME} * greatest(1, abs({a}), abs({b}))"
    return f"({a} IS DISTINCT FROM {b} AND NOT coalesce({near}, false))"


def _examples(
    connection: Connection, contract: TableContract, values: Sequence[Column], joined: str, differ: str
) -> tuple[Row, ...]:
    """One for each value that differs, of the first rows; of a whole row that is there once only, one."""
    key = ", ".join(f"coalesce(l.{quoted(c)}, s.{quoted(c)})" for c in contract.primary_key)
    columns = ", ".join(
        f"{unlike(c, 'l', 's')}, CAST(s.{quoted(c.name)} AS VARCHAR), CAST(l.{quoted(c.name)} AS VARCHAR)"
        for c in values
    )
    found = connection.execute(
        f"SELECT concat_ws(', ', {key}), l.{COPY} IS NULL, s.{COPY} IS NULL, {columns} {joined}"
        f" WHERE {differ} ORDER BY {key} LIMIT {MAX_EXAMPLES}"
    ).fetchall()
    examples: list[Row] = []
    for name, is_missing, is_added, *cells in found:
        if is_missing or is_added:
            said = ("a row", "no such row") if is_missing else ("no such row", "a row")
            examples.append({"key": name, "column": WHOLE_ROW, "simulated": said[0], "landed": said[1]})
            continue
        examples += [
            {
                "key": name,
                "column": c.name,
                "simulated": str(cells[3 * n + 1]),
                "landed": str(cells[3 * n + 2]),
            }
            for n, c in enumerate(values)
            if cells[3 * n]
        ]
    return tuple(examples[:MAX_EXAMPLES])


def violations(connection: Connection, scenario: str, claim: Claim) -> int:
    """Rows that contradict a claim."""
    (count,) = _one(connection, claim.violations.format(schema=quoted(scenario)))
    return count


def rows_per_day(
    connection: Connection, scenario: str, contract: TableContract, where: str = "true"
) -> dict[date, int]:
    """Rows of a table, those that fulfil a condition, on each day that has any."""
    return dict(
        connection.execute(
            f"SELECT day, count(*) FROM {table_name(scenario, contract)} WHERE {where} GROUP BY day"
        ).fetchall()
    )


def profile(
    connection: Connection, scenario: str, relation: str, metrics: Sequence[ProfileMetric]
) -> dict[date, dict[str, float]]:
    """Value of every metric on each day that has events."""
    aggregates = ", ".join(metric.aggregate for metric in metrics)
    rows = connection.execute(
        f"SELECT t.day, {aggregates} FROM {relation.format(schema=quoted(scenario))} GROUP BY t.day"
    ).fetchall()
    names = [metric.name for metric in metrics]
    return {day: dict(zip(names, values, strict=True)) for day, *values in rows}


@dataclass(frozen=True)
class LedgerEntry:
    """What drift_ledger says of one target of one drift; of its first movement, what differs between them."""

    kind: str
    schedule: str
    schedule_from: date
    schedule_to: date | None
    width_days: float | None
    period_days: float | None
    onset: date
    before: tuple[float, ...]
    after: tuple[float, ...]
    measured_from: str | None
    measured_as: str | None
    categories: tuple[str, ...]
    bin_edges: tuple[float, ...]
    reference_shares: tuple[float, ...]
    reference_from: date
    reference_to: date | None
    causal_descendants: tuple[str, ...]


def ledger_entry(connection: Connection, scenario: str, drift_id: str, target: str) -> LedgerEntry | None:
    """The landed ledger's entry, None if it has none."""
    names = [field.name for field in fields(LedgerEntry)]
    rows = connection.execute(
        f"SELECT {', '.join(names)} FROM {quoted(truth_schema(scenario), 'drift_ledger')}"
        " WHERE drift_id = ? AND target = ? ORDER BY phase LIMIT 1",
        [drift_id, target],
    ).fetchall()
    if not rows:
        return None
    lists = {"before", "after", "categories", "bin_edges", "reference_shares", "causal_descendants"}
    found: dict[str, Any] = dict(zip(names, rows[0], strict=True))
    values: dict[str, Any] = {n: tuple(v or ()) if n in lists else v for n, v in found.items()}
    return LedgerEntry(**values)


def measured(scenario: str, entry: LedgerEntry) -> str:
    """Relation of day and value of every row that shows a target; a category is its number."""
    value = f"CAST({entry.measured_as} AS DOUBLE)"
    if entry.categories:
        categories = ", ".join(text(category) for category in entry.categories)
        value = f"list_position([{categories}], CAST({entry.measured_as} AS VARCHAR)) - 1"
    relation = (entry.measured_from or "").format(schema=quoted(scenario))
    return f"(SELECT t.day AS day, {value} AS value FROM {relation})"


def public_columns(connection: Connection, relation: str, not_public: Collection[str]) -> dict[str, str]:
    """SQL type of each column of a relation that is public, by name."""
    described = connection.execute(f"DESCRIBE FROM {relation}").fetchall()
    return {name: kind for name, kind, *_ in described if name not in not_public}


def spread_over(days: Sequence[date], count: int) -> list[date]:
    """At most `count` of the days, evenly spread, the last one among them."""
    if len(days) <= count:
        return list(days)
    return sorted({days[round((n + 1) * len(days) / count) - 1] for n in range(count)})
