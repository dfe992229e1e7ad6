"""Checks of the fault ledger: undone, faults leave the twin without them; done again, what landed."""

from collections.abc import Iterator
from dataclasses import replace

from ...contracts import WHOLE_ROW, Column, TableContract
from ...corruption.inverse import CLEAN_MARK
from ...corruption.landed_types import columns_that_faults_can_hit
from ...corruption.ledgers import FAULT_LEDGER
from ...scenarios.faults import columns_of, on_table
from ...simulation import Simulation
from ...sql import quoted
from ...validation.decisions import Finding, Row, logical
from ..check import Check
from ..corrupted_history import fault_ledger, key_in_ledger, key_of, rows_without_faults, tables_with_faults
from ..history import LandedHistory
from ..same_rows import same_rows

UNDONE = "The ledger applied backwards to a sample of landed days is the clean twin, value by value."
NO_OTHER = "The ledger applied to the clean rows yields what landed: it tells of all that is corrupted."


def checks(simulation: Simulation) -> Iterator[Check]:
    """Two, of a scenario with faults."""
    if simulation.scenario.faults:
        yield Check(FAULT_LEDGER.name, "faults_undone", UNDONE, faults_undone, "landed")
        yield Check(FAULT_LEDGER.name, "no_other_faults", NO_OTHER, no_other_faults, "landed")


def faults_undone(history: LandedHistory) -> Finding:
    """The ledger applied backwards to a sample of landed days is the clean twin, value by value."""
    twin = Simulation(history.scenario.faultless)
    contracts = [
        replace(contract, name=CLEAN_MARK + contract.name, truth=True)
        for contract in tables_with_faults(history).values()
    ]
    claim = "with every fault undone, are the clean twin's"
    found = same_rows(history, contracts, twin.simulate_day, claim)
    twin.forget()
    return found


def no_other_faults(history: LandedHistory) -> Finding:
    """The ledger applied to the clean rows yields what landed: it tells of all that is corrupted."""
    rows: list[Row] = [
        {"table": contract.name, "rows": found}
        for contract in tables_with_faults(history).values()
        if (found := history.count(_not_explained(history, contract)))
    ]
    stray = history.count(_stray_entries(history), {"known": _known_places(history)})
    if stray:
        rows.append({"table": FAULT_LEDGER.name, "rows": stray})
    claim = "every landed row is its clean one with the ledger's faults, and every fault is declared"
    return logical(sum(int(row["rows"]) for row in rows), claim, rows)


def _known_places(history: LandedHistory) -> list[str]:
    """What an entry may say of fault, kind, table and column."""
    places = []
    for table, contract in tables_with_faults(history).items():
        for fault in on_table(history.scenario.faults, table):
            columns = {
                "values": list(columns_of(fault)),
                "arrival": [contract.arrives_at or ""],
                "rows": [WHOLE_ROW, *columns_of(fault)],
                "day": [WHOLE_ROW, *columns_that_faults_can_hit(contract)],
            }[fault.hits]
            places += ["/".join((fault.id, fault.kind, table, column)) for column in columns]
    return places


def _stray_entries(history: LandedHistory) -> str:
    return (
        f"SELECT count(*) FROM {fault_ledger(history)} WHERE NOT list_contains($known,"
        " concat_ws('/', fault_id, kind, table_name, column_name))"
    )


def _not_explained(history: LandedHistory, contract: TableContract) -> str:
    """Rows that the clean rows and the ledger do not explain, and the other way round."""
    landed = history.relations.table(contract.name)
    key = key_of(contract)
    hit = [
        f"max(spoilt_value) FILTER (column_name = '{name}' AND {which}) AS {quoted(prefix + name)},"
        f" coalesce(bool_or(column_name = '{name}' AND {which}), false) AS {quoted('has_' + prefix + name)}"
        for name in columns_that_faults_can_hit(contract)
        for prefix, which in (("own_", "kind <> 'duplicate'"), ("copy_", "kind = 'duplicate'"))
    ]
    entries = (
        f"SELECT {key_in_ledger(contract)}, bool_or(kind = 'dropped_day') AS is_dropped,"
        f" bool_or(kind = 'duplicate' AND column_name = '{WHOLE_ROW}') AS is_doubled, {', '.join(hit)}"
        f" FROM {fault_ledger(history)} WHERE table_name = '{contract.name}' GROUP BY ALL"
    )
    own = {c.name: _own_value(c) for c in landed.columns if c.name in columns_that_faults_can_hit(contract)}
    rows = [own.get(c.name, f"c.{quoted(c.name)}") for c in landed.columns]
    copies = [
        f"CASE WHEN {quoted('has_copy_' + c.name)} THEN TRY_CAST({quoted('copy_' + c.name)} AS {c.type.sql})"
        f" ELSE {own[c.name]} END"
        if c.name in own
        else f"c.{quoted(c.name)}"
        for c in landed.columns
    ]
    joined = f"FROM {rows_without_faults(history, contract.name)} c JOIN entries e USING ({key})"
    table = quoted(history.name, contract.name)
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
