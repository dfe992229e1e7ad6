"""Checks of noise and faults: undone, they leave the clean twin; done again, what landed; and they have the
declared rates and laws.

What a fault may do is said here in plain SQL and distribution functions, from the scenario's words alone.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from functools import cached_property
from math import ceil, floor
from typing import Any

import duckdb
import numpy as np
from scipy import stats

from ..contracts import WHOLE_ROW, Column, ColumnType, TableContract
from ..generators.base import BaseGenerator
from ..generators.clean_views import CLEAN_MARK
from ..generators.drift import Course
from ..generators.fault_contracts import (
    FAULT_LEDGER,
    NOISE_LEDGER,
    columns_that_can_be_hit,
    spoilt_contracts,
    spoilt_tables,
)
from ..landing import quoted, table_name
from ..scenarios.drifts import Linear, Pulse
from ..scenarios.faults import (
    LONGEST_DELAY_HOURS,
    Delay,
    DroppedDay,
    Duplicate,
    ExponentialDelay,
    Fault,
    GaussianNoise,
    Late,
    LognormalDelay,
    Missing,
    NewCategory,
    Noise,
    Outliers,
    OutOfOrder,
    OutOfRange,
    Stuck,
    Truncated,
    Typo,
    UniformDelay,
    UnitChange,
    columns_of,
    on_table,
)
from ..scenarios.models import Scenario
from ..simulation import make_generator
from ..validation.decisions import Finding, Verdict, holm, logical, worst
from ..validation.drift import scheduled_weight
from ..validation.faults import law_p, rate_p, spread_over_unit
from . import questions as ask
from .undone import undone

Rows = list[dict[str, str | int | float]]


@dataclass
class Spoilt:
    """A scenario with noise or faults, and what of it has landed."""

    scenario: Scenario
    generator: type[BaseGenerator]
    connection: duckdb.DuckDBPyConnection
    days: Sequence[date]
    alpha: float
    copied: set[str] = field(default_factory=set)

    @cached_property
    def landed(self) -> dict[str, TableContract]:
        """Contract by table name, as the tables land."""
        return {contract.name: contract for contract in self.generator.contracts(self.scenario)}

    @cached_property
    def measured(self) -> dict[str, TableContract]:
        """Contracts of the tables that faults can hit, as the clean twin's land."""
        twin = spoilt_contracts(self.generator.clean_contracts(), self.scenario.faultless)
        return {contract.name: contract for contract in spoilt_tables(twin, self.scenario)}

    @property
    def fault_ledger(self) -> str:
        """Quoted name of the ledger."""
        return table_name(self.scenario.name, FAULT_LEDGER)

    def clean(self, table: str) -> str:
        """Quoted name of a table's rows before any fault: a copy, or the table where no fault can be."""
        if table not in self.measured:
            return quoted(self.scenario.name, table)
        if table not in self.copied:
            view = quoted(f"{self.scenario.name}_truth", CLEAN_MARK + table)
            self.connection.execute(f"CREATE OR REPLACE TEMP TABLE {_copy(table)} AS FROM {view}")
            self.copied.add(table)
        return _copy(table)

    def probability(self, fault: Fault) -> np.ndarray:
        """Of a hit on each landed day, shape (days,)."""
        if (schedule := fault.schedule) is None:
            return np.full(len(self.days), fault.rate)
        course = Course(schedule, self.scenario.clock)
        first, last = (
            (schedule.from_, schedule.to) if isinstance(schedule, (Linear, Pulse)) else (schedule.at, None)
        )
        days = course.position(first), None if last is None else course.position(last)
        width, period = (getattr(schedule, name, None) for name in ("width_days", "period_days"))
        weights = [scheduled_weight(schedule.kind, *days, width, period, day) for day in self.days]
        return fault.rate * np.array(weights)

    def per_day(self, sql: str, parameters: Mapping[str, Any] | None = None) -> np.ndarray:
        """Counts of a query that yields (day, count), shape (days,)."""
        found = dict(self.connection.execute(sql, parameters or {}).fetchall())
        return np.array([found.get(day, 0) for day in self.days])

    def count(self, sql: str, parameters: Mapping[str, Any] | None = None) -> int:
        """The one number that a query yields."""
        (count,) = self.connection.execute(sql, parameters or {}).fetchall()[0]
        return int(count or 0)


def _copy(table: str) -> str:
    return quoted("temp", "main", f"simtom_{CLEAN_MARK}{table}")


def faults_undone(spoilt: Spoilt) -> Finding:
    """The ledger applied backwards to a sample of landed days is the clean twin, value by value."""
    twin = make_generator(spoilt.scenario.faultless)
    contracts = [replace(c, name=CLEAN_MARK + c.name, truth=True) for c in spoilt.measured.values()]
    return _same_as(spoilt, contracts, twin.simulate_day, "with every fault undone, are the clean twin's")


def noise_undone(spoilt: Spoilt) -> Finding:
    """With faults and noise undone, a sample of landed days is what the world was drawn with."""
    noisy = {noise.table for noise in spoilt.scenario.noise}
    contracts = [c for c in spoilt.generator.clean_contracts() if c.name in noisy]
    with undone(spoilt.connection, spoilt.scenario, spoilt.generator):
        clean_day = make_generator(spoilt.scenario).clean_day
        return _same_as(spoilt, contracts, clean_day, "with faults and noise undone, are the true ones")


def _same_as(
    spoilt: Spoilt,
    contracts: Sequence[TableContract],
    simulate: Callable[[date], Mapping[str, Any]],
    claim: str,
) -> Finding:
    sample = ask.spread_over(spoilt.days, spoilt.scenario.checks.replay_days)
    rows: Rows = []
    for day in sample:
        simulated = simulate(day)
        for contract in contracts:
            name = contract.name.removeprefix(CLEAN_MARK)
            differing = ask.differing_rows(
                spoilt.connection, spoilt.scenario.name, contract, day, simulated[name]
            )
            if differing:
                rows.append({"table": name, "day": str(day), "rows": differing})
    return logical(sum(int(row["rows"]) for row in rows), f"{len(sample)} landed days, {claim}", rows)


def no_other_faults(spoilt: Spoilt) -> Finding:
    """The ledger applied to the clean rows yields what landed: nothing is spoilt that it does not tell."""
    rows: Rows = [
        {"table": contract.name, "rows": found}
        for contract in spoilt.measured.values()
        if (found := spoilt.count(_not_explained(spoilt, contract)))
    ]
    stray = spoilt.count(_stray_entries(spoilt), {"known": _known_places(spoilt)})
    if stray:
        rows.append({"table": FAULT_LEDGER.name, "rows": stray})
    claim = "every landed row is its clean one with the ledger's faults, and every fault is declared"
    return logical(sum(int(row["rows"]) for row in rows), claim, rows)


def _known_places(spoilt: Spoilt) -> list[str]:
    """What an entry may say of fault, kind, table and column."""
    places = []
    for table, contract in spoilt.measured.items():
        for fault in on_table(spoilt.scenario.faults, table):
            columns = [WHOLE_ROW, *columns_of(fault)]
            if isinstance(fault, DroppedDay):
                columns = [WHOLE_ROW, *columns_that_can_be_hit(contract)]
            elif isinstance(fault, (Late, OutOfOrder)):
                columns = [contract.arrives_at or ""]
            elif not isinstance(fault, Duplicate):
                columns = list(columns_of(fault))
            places += ["/".join((fault.id, fault.kind, table, column)) for column in columns]
    return places


def _stray_entries(spoilt: Spoilt) -> str:
    return (
        f"SELECT count(*) FROM {spoilt.fault_ledger} WHERE NOT list_contains($known,"
        " concat_ws('/', fault_id, kind, table_name, column_name))"
    )


def _not_explained(spoilt: Spoilt, contract: TableContract) -> str:
    """Rows that the clean rows and the ledger do not explain, and the other way round."""
    landed = spoilt.landed[contract.name]
    key = [quoted(name) for name in contract.primary_key]
    keys = [f"key[{n}] AS {name}" for n, name in enumerate(key, 1)]
    hit = [
        f"max(spoilt_value) FILTER (column_name = '{name}' AND {which}) AS {quoted(prefix + name)},"
        f" coalesce(bool_or(column_name = '{name}' AND {which}), false) AS {quoted('has_' + prefix + name)}"
        for name in columns_that_can_be_hit(contract)
        for prefix, which in (("own_", "kind <> 'duplicate'"), ("copy_", "kind = 'duplicate'"))
    ]
    entries = (
        f"SELECT {', '.join(keys)}, bool_or(kind = 'dropped_day') AS is_dropped,"
        f" bool_or(kind = 'duplicate' AND column_name = '{WHOLE_ROW}') AS is_doubled, {', '.join(hit)}"
        f" FROM {spoilt.fault_ledger} WHERE table_name = '{contract.name}'"
        f" GROUP BY {', '.join(str(n) for n in range(1, len(key) + 1))}"
    )
    own = {c.name: _own_value(c) for c in landed.columns if c.name in columns_that_can_be_hit(contract)}
    rows = [own.get(c.name, f"c.{quoted(c.name)}") for c in landed.columns]
    copies = [
        f"CASE WHEN {quoted('has_copy_' + c.name)} THEN TRY_CAST({quoted('copy_' + c.name)} AS {c.type.sql})"
        f" ELSE {own[c.name]} END"
        if c.name in own
        else f"c.{quoted(c.name)}"
        for c in landed.columns
    ]
    joined = f"FROM {spoilt.clean(contract.name)} c JOIN entries e USING ({', '.join(key)})"
    table = quoted(spoilt.scenario.name, contract.name)
    names = ", ".join(f"l.{quoted(c.name)}" for c in landed.columns)
    by_key = f"({', '.join(f'l.{name}' for name in key)})"
    return (
        f"WITH entries AS ({entries}), told AS (SELECT {', '.join(rows)} {joined} WHERE NOT is_dropped"
        f" UNION ALL SELECT {', '.join(copies)} {joined} WHERE is_doubled),"
        f" found AS (SELECT {names} FROM {table} l SEMI JOIN entries USING ({', '.join(key)})),"
        f" rest AS (SELECT count(*) - count(DISTINCT {by_key}) AS surplus"
        f" FROM {table} l ANTI JOIN entries USING ({', '.join(key)}))"
        " SELECT (SELECT count(*) FROM (FROM told EXCEPT ALL FROM found))"
        " + (SELECT count(*) FROM (FROM found EXCEPT ALL FROM told)) + (SELECT surplus FROM rest)"
    )


def _own_value(column: Column) -> str:
    own = quoted("own_" + column.name)
    return (
        f"CASE WHEN {quoted('has_own_' + column.name)} THEN TRY_CAST({own} AS {column.type.sql})"
        f" ELSE CAST(c.{quoted(column.name)} AS {column.type.sql}) END"
    )


# rates and laws ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Statement:
    """One statement about a fault or noise on a column: violations where it is logical, else a p-value."""

    fault: str
    table: str
    column: str
    about: str
    n: int
    expected: float
    found: float
    violations: int = 0
    p_value: float = 1.0


def faults_as_declared(spoilt: Spoilt) -> Finding:
    """Each fault hits as often as declared, and does what its kind does, on every landed day."""
    statements: list[Statement] = []
    for n, fault in enumerate(spoilt.scenario.faults):
        earlier = spoilt.scenario.faults[:n]
        if isinstance(fault, DroppedDay):
            statements += _of_dropped_days(spoilt, fault, earlier)
            continue
        contract = spoilt.measured[str(fault.table)]
        if isinstance(fault, Duplicate):
            statements += _of_rows(spoilt, fault, contract, earlier)
            continue
        columns = columns_of(fault) or (contract.arrives_at or "",)
        for name in columns:
            statements += _of_values(spoilt, fault, contract, contract.column(name), earlier)
    return _judged(statements, spoilt.alpha, "fault")


def _judged(statements: Sequence[Statement], alpha: float, what: str) -> Finding:
    adjusted = holm([statement.p_value for statement in statements]) if statements else np.empty(0)
    rows: Rows = []
    verdicts = []
    for statement, p in zip(statements, adjusted, strict=True):
        verdict = Verdict.FAILED if statement.violations or not p >= alpha else Verdict.PASSED
        verdicts.append(verdict)
        rows.append({
            what: statement.fault, "table": statement.table, "column": statement.column,
            "statement": statement.about, "n": statement.n, "expected": float(statement.expected),
            "found": float(statement.found), "violations": statement.violations, "adjusted_p": float(p),
            "verdict": verdict.value,
        })  # fmt: skip
    failed = sum(verdict is Verdict.FAILED for verdict in verdicts)
    summary = f"{failed} of {len(rows)} statements about what was spoilt are not met"
    return Finding(worst(verdicts), summary, {"statements": len(rows), "failed": failed}, tuple(rows))


def _rate(
    spoilt: Spoilt,
    fault: Fault,
    table: str,
    column: str,
    hits: np.ndarray,
    eligible: np.ndarray,
    unit: str = "values",
) -> Statement:
    probability = spoilt.probability(fault)
    return Statement(
        fault.id, table, column, f"{unit} hit of those it can hit", int(eligible.sum()),
        float((eligible * probability).sum()), float(hits.sum()),
        p_value=rate_p(hits, eligible, probability),
    )  # fmt: skip


def _of_dropped_days(spoilt: Spoilt, fault: DroppedDay, earlier: Sequence[Fault]) -> Iterator[Statement]:
    """Days that are lost, and that nothing of them landed."""
    tables = [fault.table] if fault.table else list(spoilt.measured)
    before = [one.id for one in earlier if isinstance(one, DroppedDay)]
    there = " UNION ".join(
        f"SELECT day FROM {spoilt.clean(table)} ANTI JOIN (SELECT DISTINCT day FROM {spoilt.fault_ledger}"
        f" WHERE table_name = '{table}' AND list_contains($before, fault_id)) USING (day)"
        for table in tables
    )
    eligible = spoilt.per_day(f"SELECT day, 1 FROM ({there}) GROUP BY day", {"before": before})
    lost = f"SELECT day FROM {spoilt.fault_ledger} WHERE fault_id = $id"
    hits = spoilt.per_day(f"SELECT day, 1 FROM ({lost}) GROUP BY day", {"id": fault.id})
    yield _rate(spoilt, fault, fault.table or "every table", WHOLE_ROW, hits, eligible, "days")
    for table in tables:
        landed = spoilt.count(
            f"SELECT count(*) FROM {quoted(spoilt.scenario.name, table)} SEMI JOIN ({lost}) USING (day)",
            {"id": fault.id},
        )
        about = "nothing landed of a lost day"
        yield Statement(fault.id, table, WHOLE_ROW, about, int(hits.sum()), 0, landed, violations=landed)


def _of_rows(
    spoilt: Spoilt, fault: Duplicate, contract: TableContract, earlier: Sequence[Fault]
) -> Iterator[Statement]:
    """Rows that are doubled, and that the copy's other values are another row's."""
    rows = _before(spoilt, contract, WHOLE_ROW, [one for one in earlier if isinstance(one, Duplicate)])
    eligible = spoilt.per_day(f"SELECT day, count(*) FROM {rows} GROUP BY day")
    yield _rate(spoilt, fault, contract.name, WHOLE_ROW, _hits(spoilt, fault, contract, WHOLE_ROW), eligible)
    for name in fault.columns:
        entries = _entries(spoilt, fault, contract, name)
        kind = contract.column(name).type.sql
        unheard = spoilt.count(
            f"SELECT count(*) FROM {entries} f WHERE spoilt_value IS NOT DISTINCT FROM original_value"
            " OR NOT EXISTS (SELECT 1 FROM"
            f" (SELECT DISTINCT day, {quoted(name)} AS value FROM {spoilt.clean(contract.name)}) c"
            f" WHERE c.day = f.day AND c.value IS NOT DISTINCT FROM TRY_CAST(f.spoilt_value AS {kind}))"
        )
        n = spoilt.count(f"SELECT count(*) FROM {entries}")
        about = "the copy has another row's value"
        yield Statement(fault.id, contract.name, name, about, n, n, n - unheard, violations=unheard)


def _of_values(
    spoilt: Spoilt, fault: Fault, contract: TableContract, column: Column, earlier: Sequence[Fault]
) -> Iterator[Statement]:
    """Values that are hit, and what they became."""
    same = [one for one in earlier if column.name in _hit_by(one, contract)]
    free = _before(spoilt, contract, column.name, same)
    if isinstance(fault, OutOfOrder):
        free = f"({free} ANTI JOIN {_last_of_day(spoilt, contract)} USING ({_key(contract)}))"
    if isinstance(fault, Stuck):
        yield from _of_stuck(spoilt, fault, contract, column, free)
        return
    eligible = spoilt.per_day(
        f"SELECT day, count(*) FROM {free} WHERE {_eligible(fault, column)} GROUP BY day"
    )
    hits = _hits(spoilt, fault, contract, column.name)
    yield _rate(spoilt, fault, contract.name, column.name, hits, eligible)
    joined = _with_clean(spoilt, fault, contract, column.name)
    n = int(hits.sum())
    wrong = spoilt.count(
        f"SELECT count(*) FROM {joined} WHERE NOT coalesce({_law(fault, contract, column)}, false)"
    )
    yield Statement(
        fault.id, contract.name, column.name, LAWS_IN_WORDS[fault.kind], n, n, n - wrong, violations=wrong
    )
    if isinstance(fault, Late) or (isinstance(fault, OutOfRange) and _is_spread(fault)):
        yield _of_distribution(spoilt, fault, contract, column, joined)


def _hit_by(fault: Fault, contract: TableContract) -> tuple[str, ...]:
    if fault.table != contract.name or isinstance(fault, (DroppedDay, Duplicate)):
        return ()
    return (contract.arrives_at or "",) if isinstance(fault, (Late, OutOfOrder)) else columns_of(fault)


def _entries(spoilt: Spoilt, fault: Fault, contract: TableContract, column: str) -> str:
    return (
        f"(FROM {spoilt.fault_ledger} WHERE fault_id = '{fault.id}' AND table_name = '{contract.name}'"
        f" AND column_name = '{column}')"
    )


def _hits(spoilt: Spoilt, fault: Fault, contract: TableContract, column: str) -> np.ndarray:
    entries = _entries(spoilt, fault, contract, column)
    return spoilt.per_day(f"SELECT day, count(*) FROM {entries} GROUP BY day")


def _before(spoilt: Spoilt, contract: TableContract, column: str, earlier: Sequence[Fault]) -> str:
    """Clean rows of days that arrived, whose value no earlier fault has hit."""
    rows = spoilt.clean(contract.name)
    ledger, table = spoilt.fault_ledger, contract.name
    if any(isinstance(fault, DroppedDay) for fault in on_table(spoilt.scenario.faults, table)):
        rows = (
            f"(FROM {rows} ANTI JOIN (SELECT DISTINCT day FROM {ledger} WHERE table_name = '{table}'"
            " AND kind = 'dropped_day') USING (day))"
        )
    if earlier:
        ids = ", ".join(f"'{fault.id}'" for fault in earlier)
        keys = ", ".join(f"key[{n}] AS {quoted(name)}" for n, name in enumerate(contract.primary_key, 1))
        rows = (
            f"(FROM {rows} ANTI JOIN (SELECT {keys} FROM {ledger} WHERE table_name = '{table}' AND"
            f" column_name = '{column}' AND fault_id IN ({ids})) USING ({_key(contract)}))"
        )
    return rows


def _key(contract: TableContract) -> str:
    return ", ".join(quoted(name) for name in contract.primary_key)


def _last_of_day(spoilt: Spoilt, contract: TableContract) -> str:
    """The row of each day after which nothing happened."""
    backwards = ", ".join(f"{quoted(name)} DESC" for name in (contract.dated_by or "", *contract.primary_key))
    return (
        f"(SELECT {_key(contract)} FROM {spoilt.clean(contract.name)}"
        f" QUALIFY row_number() OVER (PARTITION BY day ORDER BY {backwards}) = 1)"
    )


def _with_clean(spoilt: Spoilt, fault: Fault, contract: TableContract, column: str) -> str:
    """Ledger entries of a fault beside the clean row, with the moment of the row `places` later."""
    keys = ", ".join(f"key[{n}] AS {quoted(name)}" for n, name in enumerate(contract.primary_key, 1))
    rows = spoilt.clean(contract.name)
    if isinstance(fault, OutOfOrder):
        moment = quoted(contract.dated_by or "")
        rows = (
            f"(SELECT *, coalesce(lead({moment}, {fault.places}) OVER in_time, last_value({moment})"
            f" OVER in_time) AS later_moment FROM {rows} WINDOW in_time AS (PARTITION BY day"
            f" ORDER BY {moment} ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING))"
        )
    return (
        f"(SELECT * FROM (SELECT {keys}, original_value, spoilt_value"
        f" FROM {_entries(spoilt, fault, contract, column)}) JOIN {rows} USING ({_key(contract)}))"
    )


def _eligible(fault: Fault, column: Column) -> str:
    """SQL condition on a clean row: the fault would change its value."""
    value = quoted(column.name)
    match fault:
        case Missing():
            return f"{value} IS NOT NULL AND {_condition(fault, column.name)}"
        case Typo():
            return f"length(CAST({value} AS VARCHAR)) >= {2 if column.type.is_text else 1}"
        case OutOfRange(low=low, high=high):
            return f"{value} NOT BETWEEN {low!r} AND {high!r}"
        case UnitChange():
            return f"{value} <> 0"
        case NewCategory(category=category):
            return f"CAST({value} AS VARCHAR) <> {_text(category)}"
        case Truncated(length=length):
            return f"length(CAST({value} AS VARCHAR)) > {length}"
    return "true"


def _condition(fault: Missing, column: str) -> str:
    if fault.given is None:
        return "true"
    given = fault.given
    name = quoted(given.column or column)
    if given.values is not None:
        return f"CAST({name} AS VARCHAR) IN ({', '.join(map(_text, given.values))})"
    return f"{name} > {given.above!r}" if given.above is not None else f"{name} < {given.below!r}"


def _law(fault: Fault, contract: TableContract, column: Column) -> str:
    """SQL condition on an entry beside its clean row: this is what the fault does to a value."""
    right = f"original_value = CAST({quoted(column.name)} AS VARCHAR)"
    number = "CAST(spoilt_value AS DOUBLE)", f"CAST({quoted(column.name)} AS DOUBLE)"
    moment = "CAST(spoilt_value AS TIMESTAMP)"
    match fault:
        case Missing():
            return f"spoilt_value IS NULL AND {_condition(fault, column.name)}"
        case Typo() if column.type.is_text:
            return f"{right} AND damerau_levenshtein(original_value, spoilt_value) = 1"
        case Typo():
            same_length = "length(original_value) = length(spoilt_value)"
            return f"{right} AND CASE WHEN {same_length} THEN hamming(original_value, spoilt_value) = 1 END"
        case OutOfRange(low=low, high=high):
            return f"{number[0]} BETWEEN {low!r} AND {high!r}"
        case UnitChange(factor=factor):
            rounding = 0.005 if column.type.is_money else 0.5 if column.type.is_whole else 0.0
            return (
                f"abs({number[0]} - {number[1]} * {factor!r})"
                f" <= {rounding} + 1e-9 * abs({number[1]} * {factor!r})"
            )
        case NewCategory(category=category):
            return f"{right} AND spoilt_value = {_text(category)}"
        case Truncated(length=length):
            return f"{right} AND spoilt_value = left(original_value, {length})"
        case Late():
            return f"{moment} > {quoted(contract.dated_by or '')}"
        case OutOfOrder():
            return f"{moment} = later_moment + INTERVAL 1 MICROSECOND"
    raise TypeError(f"no law for a fault of kind {fault.kind}")


LAWS_IN_WORDS = {
    "missing": "is NULL, and the condition holds",
    "typo": "one slip away from the true value",
    "out_of_range": "within the stated range",
    "unit_change": "the true value times the factor",
    "new_category": "the new category",
    "truncated": "the first characters",
    "late": "arrives after it happened",
    "out_of_order": "arrives just after a later row happened",
    "stuck": "the stretch's first value",
}


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _of_distribution(
    spoilt: Spoilt, fault: Late | OutOfRange, contract: TableContract, column: Column, joined: str
) -> Statement:
    value, unit = "CAST(spoilt_value AS DOUBLE)", _unit(column.type)
    if isinstance(fault, Late):
        moment = quoted(contract.dated_by or "")
        value = f"(epoch_us(CAST(spoilt_value AS TIMESTAMP)) - epoch_us({moment})) / 3.6e9"
        law, unit = _delay(fault.delay), 0.0
        longest = float(law.cdf(LONGEST_DELAY_HOURS))
    elif unit:
        low, high = (Decimal(repr(bound)) / Decimal(repr(unit)) for bound in (fault.low, fault.high))
        law = stats.uniform(ceil(low) * unit, (floor(high) - ceil(low) + 1) * unit)
        longest = 1.0
    else:
        law, longest = stats.uniform(fault.low, fault.high - fault.low), 1.0
    found = spoilt.connection.execute(f"SELECT {value} AS value FROM {joined} ORDER BY ALL").fetchnumpy()
    values = spread_over_unit(np.asarray(found["value"], float), unit)
    return Statement(
        fault.id, contract.name, column.name, "distribution of the values: median", len(values),
        float(law.median()), float(np.median(values)) if len(values) else 0.0,
        p_value=law_p(values, lambda value: law.cdf(value) / longest),
    )  # fmt: skip


def _is_spread(fault: OutOfRange) -> bool:
    """Whether the range is more than one value, as far as binary numbers can tell."""
    return fault.high - fault.low > 1e-9 * max(abs(fault.low), abs(fault.high))


def _unit(kind: ColumnType) -> float:
    """What values are rounded to: a cent, one, or nothing."""
    return 0.01 if kind.is_money else 1.0 if kind.is_whole else 0.0


def _delay(delay: Delay) -> Any:
    match delay:
        case ExponentialDelay(mean_hours=mean):
            return stats.expon(scale=mean)
        case LognormalDelay(median_hours=median, sigma=sigma):
            return stats.lognorm(sigma, scale=median)
        case UniformDelay(low_hours=low, high_hours=high):
            return stats.uniform(low, high - low)


def _of_stuck(
    spoilt: Spoilt, fault: Stuck, contract: TableContract, column: Column, free: str
) -> Iterator[Statement]:
    """Stretches that are hit of those in which something could change, and the value that is repeated."""
    moment, value = quoted(contract.dated_by or ""), quoted(column.name)
    number = (
        f"greatest(0, date_diff('microsecond', CAST(day AS TIMESTAMP), {moment}))"
        f" // {int(fault.stretch_minutes * 60_000_000)}"
    )
    first = (
        f"SELECT day, {number} AS stretch,"
        f" first({value} ORDER BY {moment}) FILTER ({value} IS NOT NULL) AS first_value"
        f" FROM {spoilt.clean(contract.name)} GROUP BY ALL"
    )
    eligible = spoilt.per_day(
        f"SELECT day, count(DISTINCT stretch) FROM (SELECT *, {number} AS stretch FROM {free})"
        f" JOIN ({first}) USING (day, stretch) WHERE {value} IS DISTINCT FROM first_value GROUP BY day"
    )
    joined = (
        f"(SELECT *, {number} AS stretch FROM {_with_clean(spoilt, fault, contract, column.name)})"
        f" JOIN ({first}) USING (day, stretch)"
    )
    hits = spoilt.per_day(f"SELECT day, count(DISTINCT stretch) FROM {joined} GROUP BY day")
    yield _rate(spoilt, fault, contract.name, column.name, hits, eligible, "stretches")
    n = spoilt.count(f"SELECT count(*) FROM {joined}")
    wrong = spoilt.count(
        f"SELECT count(*) FROM {joined}"
        f" WHERE TRY_CAST(spoilt_value AS {column.type.sql}) IS DISTINCT FROM first_value"
    )
    about = LAWS_IN_WORDS["stuck"]
    yield Statement(fault.id, contract.name, column.name, about, n, n, n - wrong, violations=wrong)


# noise -------------------------------------------------------------------------------------------------


def noise_as_declared(spoilt: Spoilt) -> Finding:
    """Measured values differ from the true ones by the declared law; no other column has noise."""
    places = {
        f"{noise.noise_type}/{noise.table}/{column}"
        for noise in spoilt.scenario.noise
        for column in noise.columns
    }
    ledger = table_name(spoilt.scenario.name, NOISE_LEDGER)
    stray = spoilt.count(
        f"SELECT count(*) FROM {ledger}"
        " WHERE NOT list_contains($places, concat_ws('/', noise_type, table_name, column_name))",
        {"places": sorted(places)},
    )
    statements = [Statement("", "", "", "noise that is not declared", stray, 0, stray, violations=stray)]
    for noise in spoilt.scenario.noise:
        for name in noise.columns:
            statements += _of_noise(spoilt, noise, name)
    return _judged(statements, spoilt.alpha, "noise")


FEWEST_UNITS = 10.0
"""Noise is judged where its standard deviation is so many of the units that values are rounded to."""


def _of_noise(spoilt: Spoilt, noise: Noise, name: str) -> Iterator[Statement]:
    contract = next(c for c in spoilt.generator.clean_contracts() if c.name == noise.table)
    kind = contract.column(name).type
    unit = _unit(kind)
    keys = ", ".join(f"key[{n}] AS {quoted(key)}" for n, key in enumerate(contract.primary_key, 1))
    found = spoilt.connection.execute(
        f"SELECT CAST({quoted(name)} AS DOUBLE) AS landed, true_value, measured_value, noise_type"
        f" FROM {spoilt.clean(noise.table)} LEFT JOIN (SELECT {keys}, true_value, measured_value, noise_type"
        f" FROM {table_name(spoilt.scenario.name, NOISE_LEDGER)}"
        f" WHERE table_name = '{noise.table}' AND column_name = '{name}') USING ({_key(contract)})"
        f" ORDER BY {_key(contract)}"
    ).fetchnumpy()
    landed = np.asarray(found["landed"], float)
    in_ledger = ~np.ma.getmaskarray(np.ma.asarray(found["true_value"]))
    true = np.where(in_ledger, np.ma.filled(found["true_value"], 0.0), landed)
    measured = np.where(in_ledger, np.ma.filled(found["measured_value"], 0.0), landed)
    wrong = int((np.abs(measured - landed) > 1e-9 * np.abs(landed)).sum())
    about = "what was measured is what stands before any fault"
    yield Statement(noise.noise_type, noise.table, name, about, len(landed), 0, wrong, violations=wrong)
    if isinstance(noise, Outliers):
        yield from _of_outliers(noise, name, true, measured, in_ledger, unit)
        return
    judged = np.abs(true) * noise.noise_level >= max(FEWEST_UNITS * unit, np.finfo(float).tiny)
    error, level = measured[judged] / true[judged] - 1, noise.noise_level
    law = stats.norm(0, level) if isinstance(noise, GaussianNoise) else stats.uniform(-level, 2 * level)
    yield Statement(
        noise.noise_type, noise.table, name, "distribution of the relative error: spread", int(judged.sum()),
        float(law.std()), float(error.std()) if len(error) else 0.0, p_value=law_p(error, law.cdf),
    )  # fmt: skip


def _of_outliers(
    noise: Outliers, name: str, true: np.ndarray, measured: np.ndarray, is_off: np.ndarray, unit: float
) -> Iterator[Statement]:
    judged = np.abs(true) * (noise.size - 1) >= max(unit, np.finfo(float).tiny)
    n, hits = int(judged.sum()), int((judged & is_off).sum())
    yield Statement(
        noise.noise_type, noise.table, name, "values that are outliers", n, n * noise.share, hits,
        p_value=rate_p([hits], [n], [noise.share]),
    )  # fmt: skip
    off = np.abs(measured - true * noise.size)[is_off] > unit / 2 + 1e-9 * np.abs(true * noise.size)[is_off]
    about = "an outlier is size times the true value"
    yield Statement(
        noise.noise_type, noise.table, name, about, int(is_off.sum()), 0, int(off.sum()),
        violations=int(off.sum()),
    )  # fmt: skip


OF_SPOILT: Mapping[tuple[str, str], Callable[[Spoilt], Finding]] = {
    (FAULT_LEDGER.name, "faults_undone"): faults_undone,
    (FAULT_LEDGER.name, "no_other_faults"): no_other_faults,
    (FAULT_LEDGER.name, "faults_as_declared"): faults_as_declared,
    (NOISE_LEDGER.name, "noise_undone"): noise_undone,
    (NOISE_LEDGER.name, "noise_as_declared"): noise_as_declared,
}
"""Check by table and name; a scenario without faults or without noise has no such table."""
