"""Checks of what is on record of the landed days: their content is what landed, and they are of one world."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from ..content import ALGORITHM, NO_ROWS, Digest, digests, works
from ..contracts import TableContract
from ..generators.base import BaseGenerator
from ..landing import Connection, table_name
from ..record_tables import LANDED_DAYS, RUNS
from ..records import Kept, differences, kept
from ..scenarios.models import Scenario
from ..scenarios.world import World
from ..validation.decisions import Finding, Verdict
from . import questions as ask

CONTENT, ONE_WORLD = "landed_content", "one_world"


@dataclass
class Content:
    """The landed days of a scenario, and what is on record of them."""

    scenario: Scenario
    expectations: BaseGenerator
    connection: Connection
    world: World

    @cached_property
    def kept(self) -> Kept:
        """Which world each landed day is of."""
        return kept(self.connection, self.scenario.name)

    @cached_property
    def recorded(self) -> Mapping[str, Mapping[date | None, tuple[Digest, str]]]:
        """Digest and algorithm of each day, by table; the day of a constant table is None."""
        found: dict[str, dict[date | None, tuple[Digest, str]]] = {}
        for table, day, rows, digest, algorithm in self.connection.execute(
            "SELECT table_name, day, rows, digest, algorithm"
            f" FROM {table_name(self.scenario.name, LANDED_DAYS)}"
        ).fetchall():
            found.setdefault(table, {})[day] = (Digest(rows, digest), algorithm)
        return found

    @cached_property
    def works(self) -> bool:
        """Whether this version of DuckDB can make the digests."""
        return works(self.connection)


def landed_content(content: Content, contract: TableContract) -> Finding:
    """The rows of every landed day are those that landed: nothing was changed, added or lost since."""
    recorded = content.recorded.get(contract.name, {})
    unknown = sorted({algorithm for _, algorithm in recorded.values() if algorithm != ALGORITHM})
    if unknown or not content.works:
        why = f"digests of algorithm {', '.join(unknown)}" if unknown else "this version of DuckDB"
        return Finding(Verdict.INCONCLUSIVE, f"{why}: not known here, so nothing can be said")
    found = digests(content.connection, contract, table_name(content.scenario.name, contract))
    if not recorded and not found:
        return Finding(Verdict.INCONCLUSIVE, "nothing has landed yet")
    days = recorded.keys() | (content.kept.worlds if contract.daily else {None}) | found.keys()
    silent = _without_record(content, contract) - recorded.keys()
    rows = [
        _day_row(day, found.get(day, NO_ROWS), recorded.get(day))
        for day in sorted(days - silent, key=lambda day: day or date.min)
        if day not in recorded or found.get(day, NO_ROWS) != recorded[day][0]
    ]
    if rows:
        return _changed(content, contract, rows)
    if silent:
        return Finding(
            Verdict.INCONCLUSIVE,
            f"{len(silent)} days are of a version that kept no record of them",
            {"days": len(recorded), "without_record": len(silent)},
        )
    summary = f"the rows of {len(recorded)} days are those that landed"
    return Finding(Verdict.PASSED, summary if contract.daily else "the rows are those that landed")


def _without_record(content: Content, contract: TableContract) -> set[date | None]:
    """Days that a version landed which kept no record; of a constant table its only one, None."""
    if contract.daily:
        return set(content.kept.unrecorded)
    return {None} if content.kept.world is None else set()


def _day_row(day: date | None, found: Digest, recorded: tuple[Digest, str] | None) -> ask.Row:
    return {
        "day": str(day or ""), "key": "", "column": "", "expected": "", "found": "",
        "rows_recorded": recorded[0].rows if recorded else 0, "rows_found": found.rows,
    }  # fmt: skip


def _changed(content: Content, contract: TableContract, days: list[ask.Row]) -> Finding:
    """Every day that differs and, of the first, keys, columns and values as they are simulated."""
    first = next((date.fromisoformat(str(row["day"])) for row in days if row["day"]), None)
    names = ", ".join(str(row["day"]) or "no day" for row in days[:5]) + (", ..." if len(days) > 5 else "")
    where = f"{len(days)} days of {contract.name} ({names}) are" if contract.daily else f"{contract.name} is"
    restored = "landing them" if contract.daily else f"simtom run {content.scenario.name} --fresh lands it"
    differing = _simulated_again(content, contract, first)
    shown = [
        {
            **days[0], "day": str(first or ""), "key": one["key"], "column": one["column"],
            "expected": one["simulated"], "found": one["landed"],
        }
        for one in (differing.examples if differing else ())
    ]  # fmt: skip
    summary = f"{where} not as landed{_in_words(differing, first or contract.name)} ({restored} again)"
    return Finding(Verdict.FAILED, summary, {"violations": len(days)}, (*shown, *days))


def _in_words(differing: ask.RowDifferences | None, what: date | str) -> str:
    if differing is None:
        return ""
    if not differing.rows:
        return f": {what} is as it is simulated, so its record was changed, or a last digit"
    one = differing.examples[0]
    example = f"key {one['key']}, {one['column']}: {one['landed']} where {one['simulated']} is simulated"
    return f": {differing.rows} rows of {what} differ, first {example}"


def _simulated_again(
    content: Content, contract: TableContract, day: date | None
) -> ask.RowDifferences | None:
    """How a table differs from what is drawn; None where the scenario draws another world or no such day."""
    clock, world = content.scenario.clock, content.world.digest
    drawn = day or clock.start
    of_this_world = content.kept.world == world and content.kept.worlds.get(drawn, world) == world
    if not of_this_world or not clock.start <= drawn <= clock.end:
        return None
    simulated = content.expectations.simulate_day(drawn)[contract.name]
    return ask.differing_rows(content.connection, content.scenario.name, contract, day, simulated)


def one_world(content: Content, contract: TableContract) -> Finding:
    """Every landed day is of the world that the scenario now describes."""
    kept, world = content.kept, content.world
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


def not_of_this_world(content: Content) -> Finding | None:
    """What every other check has to say where landed days are not all of the scenario's world."""
    others = content.kept.of_other_worlds(content.world)
    if not others:
        return None
    summary = f"{_days(others)} are of another world (see {ONE_WORLD} of {RUNS.name})"
    return Finding(Verdict.INCONCLUSIVE, summary, {"days_of_other_worlds": len(others)})
