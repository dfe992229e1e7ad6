"""Table contracts: a table is declared once, here is the language it is declared in.

DDL, comments, Dagster column schema, key checks and the data dictionary are all derived from a
contract; nothing in this module knows a particular table, a database or an orchestrator.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import ceil, floor
from typing import Any, Literal, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .claims import Claim, DeclaredOutcome, DeclaredShares, Measured, ProfileMetric
from .sql import quoted, text

__all__ = ["Claim", "DeclaredOutcome", "DeclaredShares", "Measured", "ProfileMetric"]  # generators of others

WHOLE_ROW = "(row)"
"""In place of a column: rows are there in one of two worlds only."""


@dataclass(frozen=True)
class ColumnType:
    """One type in its two languages: the Arrow type that is simulated, the SQL type that is landed."""

    arrow: pa.DataType
    sql: str
    values: tuple[str, ...] = ()  # of an ENUM, in order

    def array(self, values: np.ndarray | pa.Array) -> pa.Array:
        """Arrow array of the NumPy representation, shape (n,).

        Timestamps are int64 microseconds and dates int32 days since 1970-01-01; money is int64
        cents; an ENUM is the integer code of its value; text is an object array. What a masked array
        hides is NULL.
        """
        if isinstance(values, pa.Array):
            return values
        if isinstance(values, np.ma.MaskedArray):
            known = pa.array(~np.ma.getmaskarray(values))
            return pc.if_else(known, self.array(values.data), pa.scalar(None, self.arrow))
        if self.values:
            codes = pa.array(values.astype(np.int8, copy=False))
            return pa.DictionaryArray.from_arrays(codes, pa.array(self.values, pa.string()))
        if pa.types.is_decimal(self.arrow):
            return _decimal_from_cents(values, self.arrow)
        if pa.types.is_timestamp(self.arrow):
            return pa.array(values.astype(np.int64, copy=False)).view(self.arrow)
        if pa.types.is_date32(self.arrow):
            return pa.array(values.astype(np.int32, copy=False)).view(self.arrow)
        return pa.array(values, self.arrow)

    def numbers(self, array: pa.Array) -> np.ndarray:
        """The NumPy representation of a number, a moment or an amount, shape (n,); any number for NULL."""
        if pa.types.is_decimal(self.arrow):
            return _cents_from_decimal(array)
        if pa.types.is_timestamp(self.arrow):
            array = array.view(pa.int64())
        return np.asarray(array.fill_null(0).to_numpy(zero_copy_only=False))

    def in_numbers(self, figure: float) -> float:
        """A figure in the unit of `numbers`: an amount in cents."""
        return round(figure * 100, 6) if self.is_money else figure

    @property
    def is_text(self) -> bool:
        """Whether its values are words: free text or an ENUM."""
        return bool(self.values) or pa.types.is_string(self.arrow)

    @property
    def is_whole(self) -> bool:
        """Whether its values are whole numbers."""
        return pa.types.is_integer(self.arrow)

    @property
    def is_money(self) -> bool:
        """Whether its values are amounts, in whole cents."""
        return pa.types.is_decimal(self.arrow)

    @property
    def is_number(self) -> bool:
        """Whether one can calculate with its values."""
        return self.is_whole or self.is_money or pa.types.is_floating(self.arrow)


def _decimal_from_cents(cents: np.ndarray, arrow_type: pa.DataType) -> pa.Array:
    if len(cents) and np.abs(cents).max() >= 10**arrow_type.precision:
        raise ValueError(f"an amount of money has more than {arrow_type.precision} digits")
    words = np.empty((len(cents), 2), np.int64)  # 128-bit little endian: low word, sign extension
    words[:, 0] = cents
    words[:, 1] = cents >> 63
    return pa.Array.from_buffers(arrow_type, len(cents), [None, pa.py_buffer(words)])


def _cents_from_decimal(array: pa.Array) -> np.ndarray:
    words = np.frombuffer(array.buffers()[1], np.int64).reshape(-1, 2)  # low word first, as they were made
    return words[array.offset : array.offset + len(array), 0]


BIGINT = ColumnType(pa.int64(), "BIGINT")
INTEGER = ColumnType(pa.int32(), "INTEGER")
SMALLINT = ColumnType(pa.int16(), "SMALLINT")
DOUBLE = ColumnType(pa.float64(), "DOUBLE")
BOOLEAN = ColumnType(pa.bool_(), "BOOLEAN")
DATE = ColumnType(pa.date32(), "DATE")
TIMESTAMP = ColumnType(pa.timestamp("us"), "TIMESTAMP")
TEXT = ColumnType(pa.string(), "VARCHAR")
MONEY = ColumnType(pa.decimal128(10, 2), "DECIMAL(10,2)")
WIDE_MONEY = ColumnType(pa.decimal128(18, 2), "DECIMAL(18,2)")
BIGINTS = ColumnType(pa.list_(pa.int64()), "BIGINT[]")
DOUBLES = ColumnType(pa.list_(pa.float64()), "DOUBLE[]")
TEXTS = ColumnType(pa.list_(pa.string()), "VARCHAR[]")


def enum(values: object) -> ColumnType:
    """The ENUM whose values are those of a `Literal`, in its order."""
    names = get_args(values)
    values_in_sql = ", ".join(map(text, names))
    return ColumnType(pa.dictionary(pa.int8(), pa.string()), f"ENUM({values_in_sql})", names)


@dataclass(frozen=True)
class Column:
    """A column: what it holds, in which unit, what it means.

    Attributes
    ----------
    is_measurement : whether its values are measured, so that noise may be on them.
    known_from : name of the moment column of its row from which the value is known, where that is later than
        the row itself; of such a moment its own name.
    decimals : how many a number that is not exact is rounded to.
    low, high : bounds of what it can hold, both included, in its unit.
    tells_code : whether it names the code that wrote the row, so that another version says something else.
    """

    name: str
    type: ColumnType
    meaning: str
    unit: str = ""
    nullable: bool = field(default=False, kw_only=True)
    is_measurement: bool = field(default=False, kw_only=True)
    known_from: str = field(default="", kw_only=True)
    decimals: int | None = field(default=None, kw_only=True)
    low: float | None = field(default=None, kw_only=True)
    high: float | None = field(default=None, kw_only=True)
    tells_code: bool = field(default=False, kw_only=True)

    @property
    def description(self) -> str:
        """What it means, and to how many decimals."""
        return self.meaning if self.decimals is None else f"{self.meaning}, {self.decimals} decimals"

    @property
    def scale(self) -> str:
        """Its unit and its range, as far as it has them."""
        low, high = ("" if bound is None else f"{bound:g}" for bound in (self.low, self.high))
        bounds = f"{low} to {high}" if low and high else f"from {low} on" if low else f"up to {high}"
        return ", ".join(filter(None, [self.unit, bounds if low or high else ""]))

    @property
    def comment(self) -> str:
        """Description and scale in one line."""
        return f"{self.description} [{self.scale}]" if self.scale else self.description

    @property
    def step(self) -> float:
        """Distance between neighbouring values in the column's unit; 0 if there are no neighbours."""
        if self.type.is_money:
            return 0.01
        return 1.0 if self.type.is_whole else 0.0 if self.decimals is None else 10.0**-self.decimals

    def to_steps(self, numbers: Any) -> Any:
        """Numbers (as `ColumnType.numbers` has them) in steps; free of what binary fractions add."""
        return numbers if self.decimals is None else np.round(numbers * 10.0**self.decimals, 6)

    def from_steps(self, steps: np.ndarray) -> np.ndarray:
        """The other way round, for whole steps, shape (n,)."""
        whole = np.rint(steps).astype(np.int64)
        return whole if self.decimals is None else whole / 10.0**self.decimals

    def steps_between(self, low: float, high: float) -> tuple[int, int]:
        """First and last whole step from `low` to `high`, both in the column's unit."""
        first, last = (self.to_steps(self.type.in_numbers(bound)) for bound in (low, high))
        return ceil(first), floor(last)

    def nearest(self, numbers: np.ndarray) -> np.ndarray:
        """The nearest values that the column can hold, both as `ColumnType.numbers` has them, shape (n,)."""
        low, high = (None if b is None else self.type.in_numbers(b) for b in (self.low, self.high))
        if low is not None or high is not None:
            numbers = np.clip(numbers, low, high)
        return self.from_steps(self.to_steps(numbers)) if self.step else numbers


@dataclass(frozen=True)
class ForeignKey:
    """`column` points to the primary key of `parent`, whose row exists from its dating column on.

    `told_by` holds other columns of the row that tell the same, each with the condition in SQL that holds
    when both are right.
    """

    column: str
    parent: str
    told_by: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class TableContract:
    """A table: what a row is, its columns, its keys and the column that dates it.

    Attributes
    ----------
    dated_by : name of the timestamp column that says when the row came to exist; it lies within `day`.
    arrives_at : name of the timestamp column that says when the row was known; from `dated_by` on.
    daily : whether the table is partitioned by day (it then has a column `day`); otherwise it is a
        constant of the scenario.
    truth : whether it holds what only the simulator knows (schema `<scenario>_truth`).
    starts_before : whether rows of the first day may be dated before `clock.start`.
    """

    name: str
    row: str
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...]
    foreign_keys: tuple[ForeignKey, ...] = ()
    dated_by: str | None = None
    arrives_at: str | None = None
    daily: bool = True
    truth: bool = False
    starts_before: bool = False
    schema: pa.Schema = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        arrow = pa.schema([pa.field(c.name, c.type.arrow, nullable=c.nullable) for c in self.columns])
        object.__setattr__(self, "schema", arrow)

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        return tuple(column.name for column in self.columns)

    def relation(self, schema: str, truth: str) -> str:
        """What a query selects from, in one of two quoted schemas."""
        return f"{truth if self.truth else schema}.{quoted(self.name)}"

    def column(self, name: str) -> Column:
        """The column of that name."""
        return next(column for column in self.columns if column.name == name)

    def table(self, columns: Mapping[str, np.ndarray | pa.Array]) -> pa.Table:
        """Arrow table of this contract's schema from one array a column, each of shape (n,).

        Raises
        ------
        ValueError : a column is missing, or one is there that the contract does not declare.
        """
        if set(columns) != set(self.column_names):
            missing = sorted(set(self.column_names) - set(columns))
            unknown = sorted(set(columns) - set(self.column_names))
            raise ValueError(f"table {self.name}: columns missing {missing}, not in the contract {unknown}")
        arrays = [column.type.array(columns[column.name]) for column in self.columns]
        return pa.Table.from_arrays(arrays, schema=self.schema)


TruthBound = Literal["", "equal", "at_most", "at_least"]


@dataclass(frozen=True)
class ViewColumn(Column):
    """A column of a view: the SQL that yields it, and the (table, column) it comes from.

    `against_truth` says how its values, those that are known, compare with the same row's without faults;
    `is_delivered`, that it is the delivered time of the moment that the SQL yields.
    """

    expression: str = ""
    source: tuple[str, str] = ("", "")
    against_truth: TruthBound = field(default="", kw_only=True)
    is_delivered: bool = field(default=False, kw_only=True)

    @classmethod
    def like(cls, column: Column, name: str, expression: str, source: tuple[str, str]) -> "ViewColumn":
        """A column that shows another one."""
        said = ("type", "meaning", "unit", "decimals", "low", "high")
        kept: dict[str, Any] = {field: getattr(column, field) for field in said}
        return cls(name=name, **kept, expression=expression, source=source)


@dataclass(frozen=True)
class ViewContract:
    """A view over the tables of one scenario, for analysts; with a parameter, a table macro.

    `from_sql` is its FROM clause. In it `{schema}` and `{truth}` stand for the scenario's quoted schemas;
    `{rows[name]}` for the rows of a table or view of `over` as they can be believed: one a key, and NULL
    where copies contradict each other. The SELECT of a view takes the place of its `{rows[name]}`: what is
    landed reads tables only, so that a database can be exported, and imported in any order.

    Attributes
    ----------
    over : what it reads, and calls `{rows[name]}`.
    key : columns that identify a row.
    known_at : name of the column that says from when on the row was known.
    delivered : SQL of the delivered time of `{moment}`; where it is not given, delivered times are NULL.
    """

    name: str
    row: str
    columns: tuple[ViewColumn, ...]
    from_sql: str
    parameters: tuple[str, ...] = ()
    truth: bool = False
    over: tuple["TableContract | ViewContract", ...] = ()
    key: tuple[str, ...] = ()
    known_at: str | None = None
    delivered: str = "CAST(NULL AS TIMESTAMP)"

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        return tuple(column.name for column in self.columns)

    @property
    def reads(self) -> tuple[str, ...]:
        """Names of the tables and views it reads."""
        sources = (column.source[0] for column in self.columns)
        return tuple(dict.fromkeys([*sources, *(one.name for one in self.over)]))

    @property
    def call(self) -> str:
        """Its name as a query writes it: with its parameters, if it has any."""
        return f"{self.name}({', '.join(self.parameters)})" if self.parameters else self.name

    def sql(self, schema: str, truth: str) -> str:
        """The SELECT, over the tables of two quoted schemas."""
        columns = (f"{self._expression(column)} AS {quoted(column.name)}" for column in self.columns)
        rows = {one.name: one.relation(schema, truth) for one in self.over}
        return f"SELECT {', '.join(columns)} {self.from_sql.format(schema=schema, truth=truth, rows=rows)}"

    def _expression(self, column: ViewColumn) -> str:
        sql = column.expression
        return self.delivered.format(moment=sql) if column.is_delivered else sql

    def relation(self, schema: str, truth: str) -> str:
        """What a query of another view selects from."""
        return f"({self.sql(schema, truth)})"


def shown(
    source: TableContract | ViewContract, alias: str, *names: str, prefix: str = ""
) -> tuple[ViewColumn, ...]:
    """Columns of a table or of another view, unchanged, under their own names or prefixed ones."""

    def one(name: str) -> ViewColumn:
        column, at = next(c for c in source.columns if c.name == name), (source.name, name)
        if isinstance(column, ViewColumn):
            return replace(column, name=prefix + name, expression=f"{alias}.{name}", source=at)
        return ViewColumn.like(column, prefix + name, f"{alias}.{name}", at)

    return tuple(one(name) for name in names)


AS_OF = "CAST(as_of AS TIMESTAMP)"
"""The moment that a macro is asked about."""


def as_of(rows: ViewContract, name: str, row: str, *columns: ViewColumn) -> ViewContract:
    """The macro of the rows, `r`, that were known at a moment: what they show but moments, or `columns`."""
    names = [c.name for c in rows.columns if c.name != rows.known_at and not c.is_delivered]
    return ViewContract(
        name=name,
        row=row,
        parameters=("as_of",),
        key=rows.key,
        over=(rows,),
        from_sql=f"FROM {{rows[{rows.name}]}} r WHERE r.{rows.known_at} <= {AS_OF}",
        columns=columns or shown(rows, "r", *names),
    )
