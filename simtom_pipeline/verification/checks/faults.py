"""Checks of noise and faults: undone, they leave the clean twin; done again, what landed; as declared."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from ..contracts import WHOLE_ROW, Column, TableContract
from ..generators.clean_views import CLEAN_MARK
from ..generators.fault_contracts import (
    FAULT_LEDGER,
    NOISE_LEDGER,
    columns_that_can_be_hit,
)
from ..landing import quoted
from ..scenarios.faults import (
    DroppedDay,
    Duplicate,
    Late,
    OutOfOrder,
    columns_of,
    on_table,
)
from ..simulation import make_generator
from ..validation.decisions import Finding, logical
from . import questions as ask
from .fault_law_checks import faults_as_declared
from .noise_checks import noise_as_declared
from .spoilt import Rows, Spoilt, key_in_ledger, key_of
from .undone import undone
from .view_checks import views_know_no_more


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
            ).rows
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
    key = key_of(contract)
    hit = [
        f"max(spoilt_value) FILTER (column_name = '{name}' AND {which}) AS {quoted(prefix + name)},"
        f" coalesce(bool_or(column_name = '{name}' AND {which}), false) AS {quoted('has_' + prefix + name)}"
        for name in columns_that_can_be_hit(contract)
        for prefix, which in (("own_", "kind <> 'duplicate'"), ("copy_", "kind = 'duplicate'"))
    ]
    entries = (
        f"SELECT {key_in_ledger(contract)}, bool_or(kind = 'dropped_day') AS is_dropped,"
        f" bool_or(kind = 'duplicate' AND column_name = '{WHOLE_ROW}') AS is_doubled, {', '.join(hit)}"
        f" FROM {spoilt.fault_ledger} WHERE table_name = '{contract.name}' GROUP BY ALL"
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
    joined = f"FROM {spoilt.clean(contract.name)} c JOIN entries e USING ({key})"
    table = quoted(spoilt.scenario.name, contract.name)
    names = ", ".join(f"l.{quoted(c.name)}" for c in landed.columns)
    return (
        f"WITH entries AS ({entries}), told AS (SELECT {', '.join(rows)} {joined} WHERE NOT is_dropped"
        f" UNION ALL SELECT {', '.join(copies)} {joined} WHERE is_doubled),"
        f" found AS (SELECT {names} FROM {table} l SEMI JOIN entries USING ({key})),"
        f" rest AS (SELECT count(*) - count(DISTINCT ({key})) AS surplus"
        f" FROM {table} l ANTI JOIN entries USING ({key}))"
        " SELECT (SELECT count(*) FROM (FROM told EXCEPT ALL FROM found))"
        " + (SELECT count(*) FROM (FROM found EXCEPT ALL FROM told)) + (SELECT surplus FROM rest)"
    )


def _own_value(column: Column) -> str:
    own = quoted("own_" + column.name)
    return (
        f"CASE WHEN {quoted('has_own_' + column.name)} THEN TRY_CAST({own} AS {column.type.sql})"
        f" ELSE CAST(c.{quoted(column.name)} AS {column.type.sql}) END"
    )


OF_SPOILT: Mapping[tuple[str, str], Callable[[Spoilt], Finding]] = {
    (FAULT_LEDGER.name, "faults_undone"): faults_undone,
    (FAULT_LEDGER.name, "no_other_faults"): no_other_faults,
    (FAULT_LEDGER.name, "faults_as_declared"): faults_as_declared,
    (FAULT_LEDGER.name, "views_know_no_more"): views_know_no_more,
    (NOISE_LEDGER.name, "noise_undone"): noise_undone,
    (NOISE_LEDGER.name, "noise_as_declared"): noise_as_declared,
}
"""Check by table and name; a scenario without faults or without noise has no such table."""
