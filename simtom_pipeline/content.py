"""A digest of the rows of a table: the same for any order of rows, and for ENUMs and text alike.

Each row becomes text in one canonical way, the text an MD5 of 128 bits, and a day the sum of those; so a
doubled, lost or changed row shows. (An exclusive or would cancel rows that come in pairs.) MD5 is a
published standard and the text is made of integers, of decimals, of text with its length before it and of
C's `%.17g`: nothing depends on the version of DuckDB. `works` is a test of that.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import duckdb
import pyarrow as pa

from .contracts import (
    BIGINT,
    BIGINTS,
    BOOLEAN,
    DATE,
    DOUBLE,
    DOUBLES,
    MONEY,
    TEXT,
    TEXTS,
    TIMESTAMP,
    Column,
    TableContract,
)
from .sql import quoted

ALGORITHM = "md5-sum-1"
_LOWER = "18446744073709551615"


@dataclass(frozen=True)
class Digest:
    """How many rows, and the sum of their hashes; hexadecimal."""

    rows: int
    sum: str


NO_ROWS = Digest(0, "0")


def digests(
    connection: duckdb.DuckDBPyConnection, contract: TableContract, relation: str
) -> Mapping[date | None, Digest]:
    """Digest of each day's rows in a relation with the contract's columns; of all, if it has no days."""
    day = "day" if contract.daily else "NULL::DATE"
    names = sorted(column.name for column in contract.columns)
    values = ", ".join(_value(contract.column(name)) for name in names)
    rows = connection.execute(
        f"SELECT day, count(*), sum(CAST(hash >> 64 AS UBIGINT)), sum(CAST(hash & {_LOWER} AS UBIGINT))"
        f" FROM (SELECT {day} AS day, md5_number(concat_ws('|', {values})) AS hash FROM {relation})"
        " GROUP BY day"
    ).fetchall()
    return {day: Digest(count, f"{(upper << 64) + lower:x}") for day, count, upper, lower in rows}


def _value(column: Column) -> str:
    """SQL of the canonical text of a column's values, `~` for NULL."""
    name, kind = quoted(column.name), column.type
    text = _text(name, kind.arrow, kind.is_text)
    if pa.types.is_list(kind.arrow):
        of = kind.arrow.value_type
        element = f"coalesce({_text('element', of, pa.types.is_string(of))}, '~')"
        text = f"'[' || array_to_string([{element} for element in {name}], ',') || ']'"
    return f"coalesce({text}, '~')" if column.nullable else text


def _text(name: str, arrow: pa.DataType, is_text: bool) -> str:
    if is_text:
        return f"strlen(CAST({name} AS VARCHAR)) || ':' || CAST({name} AS VARCHAR)"
    if pa.types.is_floating(arrow):
        return f"printf('%.17g', {name} + 0.0)"  # negative zero is zero
    if pa.types.is_timestamp(arrow):
        return f"CAST(epoch_us({name}) AS VARCHAR)"
    if pa.types.is_date(arrow):
        return f"CAST({name} - DATE '1970-01-01' AS VARCHAR)"
    return f"CAST({name} AS VARCHAR)"


_PROBE = TableContract(
    name="probe",
    row="one value of every type",
    primary_key=("key",),
    daily=False,
    columns=tuple(
        Column(name, kind, name, nullable=True)
        for name, kind in {
            "key": BIGINT, "flag": BOOLEAN, "word": TEXT, "number": DOUBLE, "day": DATE, "moment": TIMESTAMP,
            "money": MONEY, "keys": BIGINTS, "numbers": DOUBLES, "words": TEXTS,
        }.items()
    ),
)  # fmt: skip
_PROBED = (
    "(SELECT -7::BIGINT AS key, true AS flag, 'it''s |~ ünïcode' AS word, 0.1::DOUBLE AS number,"
    " DATE '1969-12-31' AS day, TIMESTAMP '2024-02-29 23:59:59.000001' AS moment,"
    " -0.50::DECIMAL(10,2) AS money, [1, -2]::BIGINT[] AS keys,"
    " [1e-7, 123456789.123456789]::DOUBLE[] AS numbers, ['a,b', '', NULL] AS words"
    " UNION ALL SELECT 8, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)"
)
_PROBE_DIGEST = Digest(2, "f536b3deeee0ae5d0004c421c4f255b1")


def works(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether this version of DuckDB makes the digest that the algorithm's name stands for."""
    return digests(connection, _PROBE, _PROBED) == {None: _PROBE_DIGEST}
