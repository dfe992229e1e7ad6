"""Whether each fault hits as often as declared and does what its kind does.

What a fault may do is said here in plain SQL and distribution functions, from the scenario's words alone.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from math import ceil, floor

import numpy as np

from ...contracts import WHOLE_ROW, Column, TableContract
from ...corruption.ledgers import FAULT_LEDGER
from ...scenarios.faults import (
    MAX_DELAY_HOURS,
    Delay,
    DroppedDay,
    Duplicate,
    ExponentialDelay,
    Fault,
    Late,
    LognormalDelay,
    Missing,
    NewCategory,
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
from ...simulation import Simulation
from ...sql import quoted, text
from ...validation.decisions import Finding
from ...validation.faults import law_p, rate_p, spread_over_unit
from ...validation.laws import Exponential, Lognormal, Uniform
from ..check import Check
from ..corrupted_history import (
    fault_ledger,
    hit_probability,
    key_in_ledger,
    key_of,
    rows_without_faults,
    tables_with_faults,
)
from ..history import LandedHistory
from ..statements import Statement, judged

MEANING = "Each fault hits as often as declared, and does what its kind does, on every landed day."


def checks(simulation: Simulation) -> Iterator[Check]:
    """One, of a scenario with faults."""
    if simulation.scenario.faults:
        yield Check(
            FAULT_LEDGER.name, "faults_as_declared", MEANING, faults_as_declared, "landed", family="faults"
        )


def faults_as_declared(history: LandedHistory) -> Finding:
    """Each fault hits as often as declared, and does what its kind does, on every landed day."""
    statements: list[Statement] = []
    for n, fault in enumerate(history.scenario.faults):
        earlier = history.scenario.faults[:n]
        if isinstance(fault, DroppedDay):
            statements += _dropped_day_statements(history, fault, earlier)
            continue
        contract = tables_with_faults(history)[str(fault.table)]
        if isinstance(fault, Duplicate):
            statements += _row_statements(history, fault, contract, earlier)
            continue
        columns = columns_of(fault) or (contract.arrives_at or "",)
        for name in columns:
            statements += _value_statements(history, fault, contract, contract.column(name), earlier)
    return judged(statements, history.alpha, "fault")


def _rate(
    history: LandedHistory,
    fault: Fault,
    table: str,
    column: str,
    hits: np.ndarray,
    eligible: np.ndarray,
    unit: str = "values",
) -> Statement:
    probability = hit_probability(history, fault)
    return Statement(
        fault.id, table, column, f"{unit} hit of those it can hit", int(eligible.sum()),
        float((eligible * probability).sum()), float(hits.sum()),
        p_value=rate_p(hits, eligible, probability),
    )  # fmt: skip


def _dropped_day_statements(
    history: LandedHistory, fault: DroppedDay, earlier: Sequence[Fault]
) -> Iterator[Statement]:
    """Days that are lost, and that nothing of them landed."""
    tables, ledger = (
        [fault.table] if fault.table else list(tables_with_faults(history)),
        fault_ledger(history),
    )
    before = [one.id for one in earlier if isinstance(one, DroppedDay)]
    there = " UNION ".join(
        f"SELECT day FROM {rows_without_faults(history, table)} ANTI JOIN (SELECT DISTINCT day FROM {ledger}"
        f" WHERE table_name = '{table}' AND list_contains($before, fault_id)) USING (day)"
        for table in tables
    )
    eligible = history.per_day(f"SELECT day, 1 FROM ({there}) GROUP BY day", {"before": before})
    lost = f"SELECT day FROM {fault_ledger(history)} WHERE fault_id = $id"
    hits = history.per_day(f"SELECT day, 1 FROM ({lost}) GROUP BY day", {"id": fault.id})
    yield _rate(history, fault, fault.table or "every table", WHOLE_ROW, hits, eligible, "days")
    for table in tables:
        landed = history.count(
            f"SELECT count(*) FROM {quoted(history.name, table)} SEMI JOIN ({lost}) USING (day)",
            {"id": fault.id},
        )
        about = "nothing landed of a lost day"
        yield Statement(fault.id, table, WHOLE_ROW, about, int(hits.sum()), 0, landed, violations=landed)


def _row_statements(
    history: LandedHistory, fault: Duplicate, contract: TableContract, earlier: Sequence[Fault]
) -> Iterator[Statement]:
    """Rows that are doubled, and that the copy's other values are another row's."""
    rows = _before(history, contract, WHOLE_ROW, [one for one in earlier if isinstance(one, Duplicate)])
    eligible = history.per_day(f"SELECT day, count(*) FROM {rows} GROUP BY day")
    yield _rate(
        history, fault, contract.name, WHOLE_ROW, _hits(history, fault, contract, WHOLE_ROW), eligible
    )
    for name in fault.columns:
        entries = _entries(history, fault, contract, name)
        kind = contract.column(name).type.sql
        unheard = history.count(
            f"SELECT count(*) FROM {entries} f WHERE spoilt_value IS NOT DISTINCT FROM original_value"
            " OR NOT EXISTS (SELECT 1 FROM"
            f" (SELECT DISTINCT day, {quoted(name)} AS value"
            f" FROM {rows_without_faults(history, contract.name)}) c"
            f" WHERE c.day = f.day AND c.value IS NOT DISTINCT FROM TRY_CAST(f.spoilt_value AS {kind}))"
        )
        n = history.count(f"SELECT count(*) FROM {entries}")
        about = "the copy has another row's value"
        yield Statement(fault.id, contract.name, name, about, n, n, n - unheard, violations=unheard)


def _value_statements(
    history: LandedHistory, fault: Fault, contract: TableContract, column: Column, earlier: Sequence[Fault]
) -> Iterator[Statement]:
    """Values that are hit, and what they became."""
    same = [one for one in earlier if column.name in _hit_by(one, contract)]
    free = _before(history, contract, column.name, same)
    if isinstance(fault, OutOfOrder):
        free = f"({free} ANTI JOIN {_last_of_day(history, contract)} USING ({key_of(contract)}))"
    if isinstance(fault, Stuck):
        yield from _stuck_statements(history, fault, contract, column, free)
        return
    eligible = history.per_day(
        f"SELECT day, count(*) FROM {free} WHERE {_eligible(fault, column)} GROUP BY day"
    )
    hits = _hits(history, fault, contract, column.name)
    yield _rate(history, fault, contract.name, column.name, hits, eligible)
    joined = _with_clean(history, fault, contract, column.name)
    n = int(hits.sum())
    wrong = history.count(
        f"SELECT count(*) FROM {joined} WHERE NOT coalesce({_law(fault, contract, column)}, false)"
    )
    yield Statement(
        fault.id, contract.name, column.name, LAWS_IN_WORDS[fault.kind], n, n, n - wrong, violations=wrong
    )
    if isinstance(fault, Late) or (isinstance(fault, OutOfRange) and _is_spread(fault)):
        yield _distribution_statement(history, fault, contract, column, joined)


def _hit_by(fault: Fault, contract: TableContract) -> tuple[str, ...]:
    """Columns whose values a fault can take; a duplicate takes them for the copy."""
    if fault.table != contract.name:
        return ()
    return (contract.arrives_at or "",) if fault.hits == "arrival" else columns_of(fault)


def _entries(history: LandedHistory, fault: Fault, contract: TableContract, column: str) -> str:
    return (
        f"(FROM {fault_ledger(history)} WHERE fault_id = '{fault.id}' AND table_name = '{contract.name}'"
        f" AND column_name = '{column}')"
    )


def _hits(history: LandedHistory, fault: Fault, contract: TableContract, column: str) -> np.ndarray:
    entries = _entries(history, fault, contract, column)
    return history.per_day(f"SELECT day, count(*) FROM {entries} GROUP BY day")


def _before(history: LandedHistory, contract: TableContract, column: str, earlier: Sequence[Fault]) -> str:
    """Clean rows of days that arrived, whose value no earlier fault has hit."""
    rows = rows_without_faults(history, contract.name)
    ledger, table = fault_ledger(history), contract.name
    if any(isinstance(fault, DroppedDay) for fault in on_table(history.scenario.faults, table)):
        rows = (
            f"(FROM {rows} ANTI JOIN (SELECT DISTINCT day FROM {ledger} WHERE table_name = '{table}'"
            " AND kind = 'dropped_day') USING (day))"
        )
    if earlier:
        ids = ", ".join(f"'{fault.id}'" for fault in earlier)
        keys = key_in_ledger(contract)
        rows = (
            f"(FROM {rows} ANTI JOIN (SELECT {keys} FROM {ledger} WHERE table_name = '{table}' AND"
            f" column_name = '{column}' AND fault_id IN ({ids})) USING ({key_of(contract)}))"
        )
    return rows


def _last_of_day(history: LandedHistory, contract: TableContract) -> str:
    """The row of each day after which nothing happened."""
    backwards = ", ".join(f"{quoted(name)} DESC" for name in (contract.dated_by or "", *contract.primary_key))
    return (
        f"(SELECT {key_of(contract)} FROM {rows_without_faults(history, contract.name)}"
        f" QUALIFY row_number() OVER (PARTITION BY day ORDER BY {backwards}) = 1)"
    )


def _with_clean(history: LandedHistory, fault: Fault, contract: TableContract, column: str) -> str:
    """Ledger entries of a fault beside the clean row, with the moment of the row `places` later."""
    keys = key_in_ledger(contract)
    rows = rows_without_faults(history, contract.name)
    if isinstance(fault, OutOfOrder):
        moment, keys_in_order = quoted(contract.dated_by or ""), key_of(contract)
        rows = (
            f"(SELECT *, coalesce(lead({moment}, {fault.places}) OVER in_time, last_value({moment})"
            f" OVER in_time) AS later_moment FROM {rows} WINDOW in_time AS (PARTITION BY day"
            f" ORDER BY {moment}, {keys_in_order} ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING))"
        )
    return (
        f"(SELECT * FROM (SELECT {keys}, original_value, spoilt_value"
        f" FROM {_entries(history, fault, contract, column)}) JOIN {rows} USING ({key_of(contract)}))"
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
            return f"CAST({value} AS VARCHAR) <> {text(category)}"
        case Truncated(length=length):
            return f"length(CAST({value} AS VARCHAR)) > {length}"
    return "true"


def _condition(fault: Missing, column: str) -> str:
    if fault.given is None:
        return "true"
    given = fault.given
    name = quoted(given.column or column)
    if given.values is not None:
        return f"CAST({name} AS VARCHAR) IN ({', '.join(map(text, given.values))})"
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
            return (
                f"abs({number[0]} - {number[1]} * {factor!r})"
                f" <= {column.step / 2} + 1e-9 * abs({number[1]} * {factor!r})"
            )
        case NewCategory(category=category):
            return f"{right} AND spoilt_value = {text(category)}"
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


def _distribution_statement(
    history: LandedHistory, fault: Late | OutOfRange, contract: TableContract, column: Column, joined: str
) -> Statement:
    value, unit = "CAST(spoilt_value AS DOUBLE)", column.step
    if isinstance(fault, Late):
        moment = quoted(contract.dated_by or "")
        value = f"(epoch_us(CAST(spoilt_value AS TIMESTAMP)) - epoch_us({moment})) / 3.6e9"
        law, unit = _delay(fault.delay), 0.0
        longest = float(law.cdf(MAX_DELAY_HOURS))
    elif unit:
        low, high = (Decimal(repr(bound)) / Decimal(repr(unit)) for bound in (fault.low, fault.high))
        law = Uniform(ceil(low) * unit, (floor(high) + 1) * unit)
        longest = 1.0
    else:
        law, longest = Uniform(fault.low, fault.high), 1.0
    found = history.connection.execute(f"SELECT {value} AS value FROM {joined} ORDER BY ALL").fetchnumpy()
    values = spread_over_unit(np.asarray(found["value"], float), unit)
    return Statement(
        fault.id, contract.name, column.name, "distribution of the values: median", len(values),
        law.median, float(np.median(values)) if len(values) else 0.0,
        p_value=law_p(values, lambda value: law.cdf(value) / longest),
    )  # fmt: skip


def _is_spread(fault: OutOfRange) -> bool:
    """Whether the range is more than one value, as far as binary numbers can tell."""
    return fault.high - fault.low > 1e-9 * max(abs(fault.low), abs(fault.high))


def _delay(delay: Delay) -> Exponential | Lognormal | Uniform:
    match delay:
        case ExponentialDelay(mean_hours=mean):
            return Exponential(mean)
        case LognormalDelay(median_hours=median, sigma=sigma):
            return Lognormal(median, sigma)
        case UniformDelay(low_hours=low, high_hours=high):
            return Uniform(low, high)


def _stuck_statements(
    history: LandedHistory, fault: Stuck, contract: TableContract, column: Column, free: str
) -> Iterator[Statement]:
    """Stretches that are hit of those in which something could change, and the value that is repeated."""
    moment, value = quoted(contract.dated_by or ""), quoted(column.name)
    number = (
        f"greatest(0, date_diff('microsecond', CAST(day AS TIMESTAMP), {moment}))"
        f" // {int(fault.stretch_minutes * 60_000_000)}"
    )
    first = (
        f"SELECT day, {number} AS stretch,"
        f" first({value} ORDER BY {moment}, {key_of(contract)}) FILTER ({value} IS NOT NULL) AS first_value"
        f" FROM {rows_without_faults(history, contract.name)} GROUP BY ALL"
    )
    eligible = history.per_day(
        f"SELECT day, count(DISTINCT stretch) FROM (SELECT *, {number} AS stretch FROM {free})"
        f" JOIN ({first}) USING (day, stretch) WHERE {value} IS DISTINCT FROM first_value GROUP BY day"
    )
    joined = (
        f"(SELECT *, {number} AS stretch FROM {_with_clean(history, fault, contract, column.name)})"
        f" JOIN ({first}) USING (day, stretch)"
    )
    hits = history.per_day(f"SELECT day, count(DISTINCT stretch) FROM {joined} GROUP BY day")
    yield _rate(history, fault, contract.name, column.name, hits, eligible, "stretches")
    n = history.count(f"SELECT count(*) FROM {joined}")
    wrong = history.count(
        f"SELECT count(*) FROM {joined}"
        f" WHERE TRY_CAST(spoilt_value AS {column.type.sql}) IS DISTINCT FROM first_value"
    )
    about = LAWS_IN_WORDS["stuck"]
    yield Statement(fault.id, contract.name, column.name, about, n, n, n - wrong, violations=wrong)
