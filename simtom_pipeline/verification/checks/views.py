"""What views show of a history with faults, against the same history without: no more than was known.

Views are made again over three worlds: what landed; the same with every fault undone; what landed, less
everything that by its true moments was not known yet at a moment. Nothing is written to the file.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from ...contracts import WHOLE_ROW, TableContract, ViewColumn, ViewContract
from ...corruption.ledgers import FAULT_LEDGER
from ...relations import Relations
from ...simulation import Simulation
from ...sql import listed, quoted, truth_schema
from ...validation.decisions import Finding, Verdict, logical
from ..check import Check
from ..corrupted_history import rows_without_faults
from ..history import LandedHistory

MAX_EVENTS = 50_000
"""Of more, the events of every second, third, ... cluster are looked at: a history is of a cluster."""
CATALOG = "simtom_views"
LANDED, CLEAN, EARLIER = "landed", "clean", "earlier"
KEYS_SHOWN = 3
BEYOND = {"equal": "IS DISTINCT FROM", "at_most": ">", "at_least": "<"}


MEANING = "At no moment does a view show what was not known yet, a row twice, or a value of another row."


def checks(simulation: Simulation) -> Iterator[Check]:
    """One, of a scenario with faults and views that say what identifies their rows."""
    if simulation.scenario.faults and views_to_check(simulation.relations):
        yield Check(FAULT_LEDGER.name, "views_know_no_more", MEANING, views_know_no_more, "landed")


def views_know_no_more(history: LandedHistory) -> Finding:
    """At no moment does a view show what was not known yet, a row twice, or a value of another row."""
    check = _Worlds(history)
    with check.catalog():
        check.make(LANDED, check.views)
        check.make(CLEAN, check.views_without_faults)
        rows = [row for view in check.views if not view.parameters for row in check.beyond_the_clean(view)]
        moments = check.moments()
        for moment in moments:
            check.cut_off(moment)
            check.make(EARLIER, check.views)
            rows += [row for view in check.views for row in check.ahead_of_time(view, moment)]
    if not moments:
        return Finding(Verdict.INCONCLUSIVE, "nothing has landed that a view could show", {"violations": 0})
    claim = f"{len(check.views)} views show no more than was known without faults"
    return logical(sum(int(row["rows"]) for row in rows), claim, rows)


def views_to_check(relations: Relations) -> list[ViewContract]:
    """Those that say what identifies their rows; a macro is asked about moments."""
    return [view for view in relations.views if view.key and len(view.parameters) <= 1]


@dataclass
class _Worlds:
    """The worlds of a scenario, and what views show of them."""

    history: LandedHistory

    def __post_init__(self) -> None:
        self.views = views_to_check(self.history.relations)
        self.views_without_faults = views_to_check(Simulation(self.history.scenario.faultless).relations)

    @contextmanager
    def catalog(self) -> Iterator[None]:
        """The worlds' schemas, in memory, with the tables of what landed and of the world without faults."""
        self._run(f"ATTACH ':memory:' AS {CATALOG}")
        try:
            for world in (LANDED, CLEAN, EARLIER):
                self._run(f"CREATE SCHEMA {CATALOG}.{world}")
            chosen = self._choose()
            for contract in self._tables:
                clean = self._located(rows_without_faults(self.history, contract.name))
                landed = self._located(quoted(self.history.name, contract.name))
                where = chosen.get(contract.name, "")
                for world, rows in ((LANDED, landed), (CLEAN, clean)):
                    # A view cannot see a temporary table.
                    kind = "TABLE" if where or rows.startswith('"temp"') else "VIEW"
                    self._put(world, contract, kind, f"FROM {rows}{where}")
            yield
        finally:
            self._run(f"DETACH {CATALOG}")

    def _choose(self) -> dict[str, str]:
        """Conditions, by table, that keep the events of some of the clusters where there are many."""
        events = next(c for c in self._tables if c.name == self.history.relations.event_table)
        clean = rows_without_faults(self.history, events.name)
        ((count,),) = self._run(f"SELECT count(*) // {MAX_EVENTS} + 1 FROM {clean}")
        if count == 1:
            return {}
        declared = next(iter(self.history.expectations.declared_outcomes()), None)
        if declared is None:
            return {}
        of_cluster = f"hash({quoted(declared.cluster)}) % {count} = 0"
        self._run(
            f"CREATE TABLE {CATALOG}.chosen AS"
            f" SELECT {listed(events.primary_key)} FROM {clean} WHERE {of_cluster}"
        )
        keys = {events.name: events.primary_key[0]} | {
            contract.name: key.column
            for contract in self._tables
            for key in contract.foreign_keys
            if key.parent == events.name
        }
        return {
            table: f" WHERE {quoted(column)} IN (FROM {CATALOG}.chosen)" for table, column in keys.items()
        }

    @property
    def _tables(self) -> list[TableContract]:
        return [contract for contract in self.history.relations.simulated if not contract.truth]

    def _run(self, sql: str) -> list[tuple[object, ...]]:
        return self.history.connection.execute(sql).fetchall()

    def _located(self, name: str) -> str:
        """A name that also other catalogs understand."""
        if name.count(".") == 2:
            return name
        ((file,),) = self._run("SELECT current_database()")
        return f"{quoted(str(file))}.{name}"

    def _put(self, world: str, contract: TableContract | ViewContract, kind: str, sql: str) -> None:
        self._run(f"CREATE OR REPLACE {kind} {_place(world, contract.name)} AS {sql}")

    def make(self, world: str, views: Sequence[ViewContract]) -> None:
        """The rows of views, and macros, over the tables of a world."""
        schema, truth = f"{CATALOG}.{world}", quoted(truth_schema(self.history.name))
        made = {view.name for view in views}
        for view in views:
            over = tuple(stored(one) if one.name in made else one for one in view.over)
            sql = replace(view, over=over).sql(schema, truth)
            if view.parameters:
                macro = f"{_place(world, view.name)}({view.parameters[0]})"
                self._run(f"CREATE OR REPLACE MACRO {macro} AS TABLE {sql}")
            else:
                self._put(world, view, "TABLE", sql)

    def moments(self) -> list[datetime]:
        """The middle one at which rows came to be known, of the views in which that is first and last."""
        middle = [
            found
            for view in self.views
            if view.known_at
            for ((found,),) in [
                self._run(
                    f"SELECT quantile_disc({quoted(view.known_at)}, 0.5) FROM {_place(CLEAN, view.name)}"
                )
            ]
            if isinstance(found, datetime)
        ]
        return sorted({min(middle), max(middle)}) if middle else []

    def cut_off(self, moment: datetime) -> None:
        """Tables as they landed, less the rows and values that were not known at a moment."""
        for contract in self._tables:
            arrived = self._arrived(contract, moment)
            if not arrived and not any(column.known_from for column in contract.columns):
                self._put(EARLIER, contract, "VIEW", f"FROM {_place(LANDED, contract.name)}")
                continue
            values = [
                f"CASE WHEN c.{quoted(c.known_from)} <= {_sql(moment)} THEN l.{quoted(c.name)} END"
                f" AS {quoted(c.name)}"
                if c.known_from
                else f"l.{quoted(c.name)}"
                for c in contract.columns
            ]
            self._put(
                EARLIER,
                contract,
                "TABLE",
                f"SELECT {', '.join(values)} FROM {_place(LANDED, contract.name)} l"
                f" JOIN {_place(CLEAN, contract.name)} c USING ({listed(contract.primary_key)})"
                f" WHERE {' AND '.join(arrived) or 'true'}",
            )

    def _arrived(self, contract: TableContract, moment: datetime) -> list[str]:
        """Conditions that a row, and what it points to, had arrived by a moment; none if they do not say."""
        tables = {one.name: one for one in self._tables}
        arrivals = [
            (f"l.{quoted(key.column)}", tables[key.parent])
            for key in contract.foreign_keys
            if tables[key.parent].arrives_at
        ]
        if contract.arrives_at:
            arrivals.append((f"l.{quoted(contract.primary_key[0])}", contract))
        return [
            f"{column} IN (SELECT {quoted(parent.primary_key[0])} FROM {_place(CLEAN, parent.name)}"
            f" WHERE {quoted(parent.arrives_at or '')} <= {_sql(moment)})"
            for column, parent in arrivals
        ]

    def beyond_the_clean(self, view: ViewContract) -> Iterator[dict[str, str | int | float]]:
        """Rows that the world without faults has not, or twice; values that it contradicts."""
        ours, theirs = _place(LANDED, view.name), _place(CLEAN, view.name)
        key = listed(view.key)
        conditions = {WHOLE_ROW: "is_there IS NULL OR copies > 1"} | {
            c.name: f"l.{quoted(c.name)} IS NOT NULL AND is_there IS NOT NULL AND (c.{quoted(c.name)} IS NULL"
            f" OR l.{quoted(c.name)} {BEYOND[c.against_truth]} c.{quoted(c.name)})"
            for c in view.columns
            if c.against_truth
        }
        yield from self._found(
            view,
            conditions,
            f"FROM (SELECT *, count(*) OVER (PARTITION BY {key}) AS copies FROM {ours}) l"
            f" LEFT JOIN (SELECT *, true AS is_there FROM {theirs}) c USING ({key})",
            "",
        )

    def ahead_of_time(self, view: ViewContract, moment: datetime) -> Iterator[dict[str, str | int | float]]:
        """Rows and values known at a moment that are others if what was not known is not there."""
        if not (view.known_at or view.parameters):
            return
        call, known = (f"({_sql(moment)})", "true") if view.parameters else ("", "")
        known = known or f"{quoted(view.known_at or '')} <= {_sql(moment)}"
        ours, theirs = (
            f"(SELECT *, true AS is_there FROM {_place(world, view.name)}{call} WHERE {known})"
            for world in (LANDED, EARLIER)
        )
        conditions = {WHOLE_ROW: "l.is_there IS DISTINCT FROM c.is_there"} | {
            c.name: f"l.is_there AND c.is_there AND l.{quoted(c.name)} IS DISTINCT FROM c.{quoted(c.name)}"
            for c in view.columns
            if c.name not in view.key
        }
        yield from self._found(
            view, conditions, f"FROM {ours} l FULL JOIN {theirs} c USING ({listed(view.key)})", str(moment)
        )

    def _found(
        self, view: ViewContract, conditions: dict[str, str], rows: str, at: str
    ) -> Iterator[dict[str, str | int | float]]:
        anything = " OR ".join(f"({condition})" for condition in conditions.values())
        if not self._run(f"SELECT 1 {rows} WHERE {anything} LIMIT 1"):
            return
        key = f"concat_ws('/', {listed(view.key)})"
        counts = [
            f"count(*) FILTER (WHERE {condition}), min({key}, {KEYS_SHOWN}) FILTER (WHERE {condition})"
            for condition in conditions.values()
        ]
        ((*found,),) = self._run(f"SELECT {', '.join(counts)} {rows}")
        for name, count, keys in zip(conditions, found[::2], found[1::2], strict=True):
            if isinstance(count, int) and isinstance(keys, list) and count:
                some = ", ".join(str(one) for one in keys)
                yield {"view": view.name, "column": name, "known at": at, "rows": count, "keys": some}


def stored(view: TableContract | ViewContract) -> ViewContract:
    """A view that reads what has been made of it."""
    columns = tuple(ViewColumn(c.name, c.type, c.meaning, expression=quoted(c.name)) for c in view.columns)
    return ViewContract(view.name, view.row, columns, f"FROM {{schema}}.{quoted(view.name)}")


def _sql(moment: datetime) -> str:
    return f"TIMESTAMP '{moment}'"


def _place(world: str, name: str) -> str:
    return f"{CATALOG}.{world}.{quoted(name)}"
