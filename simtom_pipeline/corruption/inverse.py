"""Views that apply the fault ledger backwards: of every table that faults can hit, the rows without them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta

from ..contracts import TEXT, WHOLE_ROW, TableContract, ViewColumn, ViewContract
from ..scenarios.models import Clock, Scenario
from .fault_contracts import FAULT_LEDGER, columns_that_can_be_hit, spoilt_contracts, spoilt_tables
from .known_rows import known_rows

CLEAN_MARK = "clean_"


def landed_views(
    views: Sequence[ViewContract], contracts: Sequence[TableContract], scenario: Scenario
) -> tuple[ViewContract, ...]:
    """The generator's views with the types that land, and the views without faults."""
    typed = views_over(views, spoilt_contracts(contracts, scenario), contracts, scenario)
    if not scenario.faults:
        return typed
    twin = spoilt_contracts(contracts, scenario.faultless)
    return (*typed, *(clean_view(contract) for contract in spoilt_tables(twin, scenario)))


def views_over(
    views: Sequence[ViewContract],
    landed: Sequence[TableContract],
    contracts: Sequence[TableContract],
    scenario: Scenario,
) -> tuple[ViewContract, ...]:
    """Views that read tables as they land, a row that a fault can double once, with the types that land."""
    clean: dict[str, TableContract | ViewContract] = {contract.name: contract for contract in contracts}
    read: dict[str, TableContract | ViewContract] = {c.name: known_rows(c, scenario) for c in landed}
    delivered = delivered_sql(scenario.clock)

    def fitted(view: ViewContract) -> ViewContract:
        for one in view.over:
            if one.name not in read and isinstance(one, ViewContract):
                read[one.name], clean[one.name] = fitted(one), one
        columns = tuple(_as_landed(column, clean, read) for column in view.columns)
        over = tuple(read.get(one.name, one) for one in view.over)
        return replace(view, columns=columns, over=over, delivered=delivered)

    for view in views:
        read[view.name], clean[view.name] = fitted(view), view
    return tuple(one for view in views if isinstance(one := read[view.name], ViewContract))


def _as_landed(
    column: ViewColumn,
    clean: Mapping[str, TableContract | ViewContract],
    landed: Mapping[str, TableContract | ViewContract],
) -> ViewColumn:
    """A column; if it repeats one of a table or view, with the type that lands."""
    source, name = column.source
    if source in clean and name in clean[source].column_names:
        was, now = (next(c for c in of[source].columns if c.name == name) for of in (clean, landed))
        return replace(column, type=now.type) if column.type == was.type else column
    return column


def clocks_start(clock: Clock) -> tuple[int, int]:
    """Where the simulated and the delivered clock start, in microseconds since 1970-01-01."""
    first, microsecond = datetime.combine(date(1970, 1, 1), time()), timedelta(microseconds=1)
    simulated = datetime.combine(clock.start, time())
    return (simulated - first) // microsecond, (clock.delivery_epoch - first) // microsecond


def delivered_sql(clock: Clock) -> str:
    """SQL of the delivered time of `{moment}`: epoch + (moment - start) / c, as generators work it out."""
    start, epoch = clocks_start(clock)
    elapsed = f"epoch_us({{moment}}) - ({start})"
    if clock.time_compression != 1:
        compression = f"CAST({clock.time_compression!r} AS DOUBLE)"
        elapsed = f"CAST(floor(({elapsed}) / {compression}) AS BIGINT)"
    return f"make_timestamp({epoch} + {elapsed})"


def clean_view(contract: TableContract) -> ViewContract:
    """The rows of a table as they were before any fault; `contract` is the clean table's.

    An ENUM is text in it: the type cannot be named in a view that older databases read, too.
    """
    columns = tuple(replace(c, type=TEXT) if c.type.values else c for c in contract.columns)
    portable = replace(contract, columns=columns)
    return ViewContract(
        name=CLEAN_MARK + contract.name,
        row=f"{contract.row}: with every fault undone",
        truth=True,
        from_sql=f"FROM ({clean_rows(portable, '{schema}', '{truth}')})",
        columns=tuple(
            ViewColumn.like(column, column.name, _name(column.name), (contract.name, column.name))
            for column in columns
        ),
    )


def clean_rows(contract: TableContract, schema: str, truth: str) -> str:
    """SELECT of the table's rows before any fault, from what landed and the fault ledger.

    Spoilt values are put back, doubled rows are one again, dropped rows come from the ledger alone. It has
    no common table expressions: DuckDB before 1.5 does not find them in a view that a later one has stored.
    """
    columns = columns_that_can_be_hit(contract)
    key = [f"key[{n}] AS {_name(name)}" for n, name in enumerate(contract.primary_key, 1)]
    pivot = [
        f"max(original_value) FILTER (column_name = {_text(name)}) AS {_name('was_' + name)},"
        f" bool_or(column_name = {_text(name)}) AS {_name('hit_' + name)}"
        for name in columns
    ]
    of_table = f"FROM {truth}.{FAULT_LEDGER.name} WHERE table_name = {_text(contract.name)}"
    by_key = ", ".join(str(n) for n in range(1, len(key) + 1))
    hit = (
        f"SELECT {', '.join(key)}, bool_or(column_name = {_text(WHOLE_ROW)}) AS is_doubled,"
        f" {', '.join(pivot)} {of_table} AND kind <> 'dropped_day' GROUP BY {by_key}"
    )
    restored = [
        f"CASE WHEN {_name('hit_' + column.name)}"
        f" THEN TRY_CAST({_name('was_' + column.name)} AS {column.type.sql})"
        f" ELSE TRY_CAST(l.{_name(column.name)} AS {column.type.sql}) END AS {_name(column.name)}"
        if column.name in columns
        else f"CAST(l.{_name(column.name)} AS {column.type.sql}) AS {_name(column.name)}"
        for column in contract.columns
    ]
    dropped = [
        f"TRY_CAST({_name('was_' + column.name)} AS {column.type.sql}) AS {_name(column.name)}"
        if column.name in columns
        else f"CAST({_name(column.name)} AS {column.type.sql}) AS {_name(column.name)}"
        for column in contract.columns
    ]
    names = ", ".join(_name(column.name) for column in contract.columns)
    on = " AND ".join(f"l.{_name(name)} = f.{_name(name)}" for name in contract.primary_key)
    joined = (
        f"SELECT {', '.join(restored)} FROM {schema}.{_name(contract.name)} l LEFT JOIN ({hit}) f ON {on}"
    )
    return (
        f"{joined} WHERE NOT coalesce(f.is_doubled, false)"
        f" UNION ALL SELECT DISTINCT {names} FROM ({joined} WHERE f.is_doubled)"
        f" UNION ALL SELECT {', '.join(dropped)} FROM (SELECT {', '.join(key)}, any_value(day) AS day,"
        f" {', '.join(pivot)} {of_table} AND kind = 'dropped_day' GROUP BY {by_key})"
    )


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
