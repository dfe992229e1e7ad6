"""A world of three small tables to land: events, their truth, and a constant."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from simtom_pipeline.contracts import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    MONEY,
    TEXT,
    TIMESTAMP,
    Column,
    TableContract,
    ViewColumn,
    ViewContract,
    enum,
)
from simtom_pipeline.landing import Database
from simtom_pipeline.relations import Relations

SCENARIO = "world"
FIRST = date(2024, 1, 1)
COLORS = enum(Literal["red", "it's green", 'the "blue"', "ünïcode"])

EVENTS = TableContract(
    name="events",
    row="one event, the customer's own",
    primary_key=("event_id",),
    dated_by="event_time",
    columns=(
        Column("event_id", BIGINT, "key"),
        Column("day", DATE, "simulated day"),
        Column("event_time", TIMESTAMP, "moment of the event"),
        Column("amount", MONEY, "what it's worth", "USD"),
        Column("color", COLORS, "its colour"),
        Column("is_first", BOOLEAN, "whether it is the first"),
        Column("note", TEXT, "a word about it"),
        Column("score", DOUBLE, "score", "0 to 1"),
    ),
)

RISKS = TableContract(
    name="risks",
    row="one event's risk",
    primary_key=("event_id",),
    truth=True,
    columns=(
        Column("event_id", BIGINT, "key"),
        Column("day", DATE, "simulated day"),
        Column("risk", DOUBLE, "risk", "0 to 1"),
    ),
)

COLORS_SOLD = TableContract(
    name="colors",
    row="a colour on sale",
    primary_key=("color",),
    daily=False,
    columns=(Column("color", COLORS, "the colour"), Column("price", MONEY, "price", "USD")),
)

CONTRACTS = (EVENTS, RISKS, COLORS_SOLD)

RED = ViewContract(
    name="red_events",
    row="a red event, if it's one",
    from_sql="FROM {schema}.events WHERE color = 'red'",
    columns=(
        ViewColumn("event_id", BIGINT, "the event's key", "", "event_id", ("events", "event_id")),
        ViewColumn("amount", MONEY, "worth", "USD", "amount", ("events", "amount")),
    ),
)

Tables = dict[str, pa.Table]


class Declared(Relations):
    """Tables and views as they are given, without those that are measured or kept of every landing."""

    tables = property(lambda self: self.true)
    views = property(lambda self: self.true_views)


def declared(
    tables: Sequence[TableContract] = CONTRACTS, views: Sequence[ViewContract] = (RED,), name: str = SCENARIO
) -> Relations:
    return Declared(SimpleNamespace(name=name), tuple(tables), tuple(views), tables[0].name)


def day(n: int) -> date:
    return FIRST + timedelta(n)


def number(when: date) -> int:
    return (when - date(1970, 1, 1)).days


def events(n: int, version: int = 0, rows: int = 3, **changed: np.ndarray) -> pa.Table:
    """Events of the n-th day; `version` is told by their amounts."""
    ids = n * 1000 + np.arange(rows, dtype=np.int64)
    midnight = number(day(n)) * 86_400_000_000
    columns: dict[str, Any] = {
        "event_id": ids,
        "day": np.full(rows, number(day(n)), np.int32),
        "event_time": midnight + np.arange(rows, dtype=np.int64) * 1_000_001,
        "amount": np.full(rows, version, np.int64),
        "color": np.arange(rows) % 4,
        "is_first": np.arange(rows) % 2 == 0,
        "note": np.array([f"note {i}" for i in ids], object),
        "score": ids / 7.0,
    }
    return EVENTS.table(columns | changed)


def risks(n: int, version: int = 0, rows: int = 3) -> pa.Table:
    ids = n * 1000 + np.arange(rows, dtype=np.int64)
    days = np.full(rows, number(day(n)), np.int32)
    return RISKS.table({"event_id": ids, "day": days, "risk": np.full(rows, float(version))})


def colors(version: int = 0) -> pa.Table:
    return COLORS_SOLD.table({"color": np.arange(4), "price": np.full(4, version)})


def batch(numbers: Sequence[int], version: int = 0, rows: int = 3) -> Tables:
    """All three tables of those days."""
    return {
        "events": pa.concat_tables([events(n, version, rows) for n in numbers]),
        "risks": pa.concat_tables([risks(n, version, rows) for n in numbers]),
        "colors": colors(version),
    }


def land(database: Database, numbers: Sequence[int], version: int = 0, rows: int = 3) -> None:
    replace(database, numbers, batch(numbers, version, rows))


def replace(database: Database, numbers: Sequence[int], tables: Mapping[str, pa.Table]) -> None:
    database.replace_days(declared(), [day(n) for n in numbers], tables)


def snapshot(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table in the file, and the DDL of what is there."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    names = database.connection.execute(
        "SELECT schema_name, table_name, sql FROM duckdb_tables() ORDER BY 1, 2"
    )
    for schema, table, sql in names.fetchall():
        rows = database.connection.execute(f'FROM "{schema}"."{table}" ORDER BY ALL').fetchall()
        found[f"{schema}.{table}"] = [(sql,), *rows]
    return found


def versions(database: Database) -> dict[int, set[int]]:
    """Version of each day, as the events and the risks have it."""
    rows = database.connection.execute(
        f"SELECT day, CAST(amount * 100 AS INTEGER) FROM {SCENARIO}.events"
        f" UNION SELECT day, CAST(risk AS INTEGER) FROM {SCENARIO}_truth.risks"
    ).fetchall()
    found: dict[int, set[int]] = {}
    for when, version in rows:
        found.setdefault((when - FIRST).days, set()).add(version)
    return found
