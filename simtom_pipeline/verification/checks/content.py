"""Checks of what is on record of the landed days: their content is what landed, and they are of one world."""

from collections.abc import Iterator, Mapping
from datetime import date
from functools import partial

from ...content import ALGORITHM, NO_ROWS, Digest, digests, works
from ...contracts import TableContract
from ...record_tables import LANDED_DAYS, RUNS
from ...records import differences
from ...simulation import Simulation
from ...validation.decisions import Finding, Verdict
from .. import queries
from ..check import Check
from ..history import LandedHistory, once

ONE_WORLD = "one_world"
CONTENT = "The rows of every landed day are those that landed: nothing was changed, added or lost since."
WORLD = "Every landed day is of the world that the scenario now describes."


def checks(simulation: Simulation) -> Iterator[Check]:
    """Of every simulated table its content; of the file, that its days are of one world."""
    for contract in simulation.relations.simulated:
        run = partial(landed_content, contract=contract)
        yield Check(contract.name, "landed_content", CONTENT, run, "record")
    yield Check(RUNS.name, ONE_WORLD, WORLD, one_world, "record")


@once
def _recorded(history: LandedHistory) -> Mapping[str, Mapping[date | None, tuple[Digest, str]]]:
    """Digest and algorithm of each day, by table; the day of a constant table is None."""
    found: dict[str, dict[date | None, tuple[Digest, str]]] = {}
    for table, day, rows, digest, algorithm in history.connection.execute(
        f"SELECT table_name, day, rows, digest, algorithm FROM {history.relations.name_of(LANDED_DAYS)}"
    ).fetchall():
        found.setdefault(table, {})[day] = (Digest(rows, digest), algorithm)
    return found


@once
def _digests_work(history: LandedHistory) -> bool:
    """Whether this version of DuckDB can make the digests."""
    return works(history.connection)


def landed_content(history: LandedHistory, contract: TableContract) -> Finding:
    """The rows of every landed day are those that landed: nothing was changed, added or lost since."""
    recorded = _recorded(history).get(contract.name, {})
    unknown = sorted({algorithm for _, algorithm in recorded.values() if algorithm != ALGORITHM})
    if unknown or not _digests_work(history):
        why = f"digests of algorithm {', '.join(unknown)}" if unknown else "this version of DuckDB"
        return Finding(Verdict.INCONCLUSIVE, f"{why}: not known here, so nothing can be said")
    found = digests(history.connection, contract, history.relations.name_of(contract))
    if not recorded and not found:
        return Finding(Verdict.INCONCLUSIVE, "nothing has landed yet")
    days = recorded.keys() | (history.kept.worlds if contract.daily else {None}) | found.keys()
    silent = _without_record(history, contract) - recorded.keys()
    rows = [
        _day_row(day, found.get(day, NO_ROWS), recorded.get(day))
        for day in sorted(days - silent, key=lambda day: day or date.min)
        if day not in recorded or found.get(day, NO_ROWS) != recorded[day][0]
    ]
    if rows:
        return _changed(history, contract, rows)
    if silent:
        return Finding(
            Verdict.INCONCLUSIVE,
            f"{len(silent)} days are of a version that kept no record of them",
            {"days": len(recorded), "without_record": len(silent)},
        )
    summary = f"the rows of {len(recorded)} days are those that landed"
    return Finding(Verdict.PASSED, summary if contract.daily else "the rows are those that landed")


def _without_record(history: LandedHistory, contract: TableContract) -> set[date | None]:
    """Days that a version landed which kept no record; of a constant table its only one, None."""
    if contract.daily:
        return set(history.kept.unrecorded)
    return {None} if history.kept.world is None else set()


def _day_row(day: date | None, found: Digest, recorded: tuple[Digest, str] | None) -> queries.Row:
    return {
        "day": str(day or ""), "key": "", "column": "", "expected": "", "found": "",
        "rows_recorded": recorded[0].rows if recorded else 0, "rows_found": found.rows,
    }  # fmt: skip


def _changed(history: LandedHistory, contract: TableContract, days: list[queries.Row]) -> Finding:
    """Every day that differs and, of the first, keys, columns and values as they are simulated."""
    first = next((date.fromisoformat(str(row["day"])) for row in days if row["day"]), None)
    names = ", ".join(str(row["day"]) or "no day" for row in days[:5]) + (", ..." if len(days) > 5 else "")
    where = f"{len(days)} days of {contract.name} ({names}) are" if contract.daily else f"{contract.name} is"
    restored = "landing them" if contract.daily else f"simtom run {history.name} --fresh lands it"
    differing = _simulated_again(history, contract, first)
    shown = [
        {
            **days[0], "day": str(first or ""), "key": one["key"], "column": one["column"],
            "expected": one["simulated"], "found": one["landed"],
        }
        for one in (differing.examples if differing else ())
    ]  # fmt: skip
    summary = f"{where} not as landed{_in_words(differing, first or contract.name)} ({restored} again)"
    return Finding(Verdict.FAILED, summary, {"violations": len(days)}, (*shown, *days))


def _in_words(differing: queries.RowDifferences | None, what: date | str) -> str:
    if differing is None:
        return ""
    if not differing.rows:
        return f": {what} is as it is simulated, so its record was changed, or a last digit"
    one = differing.examples[0]
    example = f"key {one['key']}, {one['column']}: {one['landed']} where {one['simulated']} is simulated"
    return f": {differing.rows} rows of {what} differ, first {example}"


def _simulated_again(
    history: LandedHistory, contract: TableContract, day: date | None
) -> queries.RowDifferences | None:
    """How a table differs from what is drawn; None where the scenario draws another world or no such day."""
    clock, world = history.scenario.clock, history.simulation.world.digest
    drawn = day or clock.start
    of_this_world = history.kept.world == world and history.kept.worlds.get(drawn, world) == world
    if not of_this_world or not clock.start <= drawn <= clock.end:
        return None
    simulated = history.simulation.simulate_day(drawn)[contract.name]
    return queries.differing_rows(history.connection, history.name, contract, day, simulated)


def one_world(history: LandedHistory) -> Finding:
    """Every landed day is of the world that the scenario now describes."""
    kept, world = history.kept, history.simulation.world
    others = kept.of_other_worlds(world)
    figures = {
        "days": len(kept.worlds),
        "of_other_worlds": len(others),
        "without_record": len(kept.unrecorded),
    }
    rows = [{"day": str(day), "world": str(kept.worlds[day])[:16]} for day in others]
    if others and kept.world == world.digest:
        summary = f"{_days(others)} are still of the world before this one: land them too"
        return Finding(Verdict.INCONCLUSIVE, summary, figures, tuple(rows))
    if others:
        what = differences(kept, world).replace("\n ", ";").strip()
        summary = f"{_days(others)} are of another world than the scenario now describes: {what}"
        return Finding(Verdict.FAILED, summary, figures, tuple(rows))
    if not kept.worlds:
        return Finding(Verdict.INCONCLUSIVE, "nothing has landed yet")
    if kept.unrecorded:
        summary = f"{_days(kept.unrecorded)} were landed by a version that kept no record of their world"
        return Finding(Verdict.INCONCLUSIVE, summary, figures)
    return Finding(Verdict.PASSED, f"{len(kept.worlds)} days are of one world", figures)


def _days(days: list[date]) -> str:
    return f"{len(days)} landed days ({days[0]} to {days[-1]})"


def not_of_this_world(history: LandedHistory) -> Finding | None:
    """What every other check has to say where landed days are not all of the scenario's world."""
    others = history.kept.of_other_worlds(history.simulation.world)
    if not others:
        return None
    summary = f"{_days(others)} are of another world (see {ONE_WORLD} of {RUNS.name})"
    return Finding(Verdict.INCONCLUSIVE, summary, {"days_of_other_worlds": len(others)})
