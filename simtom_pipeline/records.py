"""Which world each landed day is of: read from the file, kept with every landing, and refused where two meet.

A file holds one world of a scenario at a time. The last entry of `runs` says which; it changes only where
somebody asks for a fresh one, which then takes the old one's place day by day.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from importlib.metadata import version
from json import loads
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from . import landing
from .content import ALGORITHM, NO_ROWS, Digest, digests
from .contracts import TableContract
from .landing import Connection, LandingError, table_name
from .record_tables import LANDED_DAYS, RUNS
from .scenarios.models import Clock
from .scenarios.world import World, changes
from .sql import quoted, truth_schema

MAX_CHANGES_SHOWN = 12
LANDED, FRESH, ADOPTED = "landed", "fresh", "adopted"


class AnotherWorldError(LandingError):
    """The file holds days of another world, and nobody asked for a fresh one."""


@dataclass(frozen=True)
class Kept:
    """What a file holds of one scenario.

    Attributes
    ----------
    world : digest of the world that days may land of; None if nothing has been recorded.
    document : what decides the rows of that world.
    worlds : digest of the world of each landed day; None for a day that nothing is recorded of.
    """

    world: str | None = None
    document: Mapping[str, Any] = field(default_factory=dict)
    worlds: Mapping[date, str | None] = field(default_factory=dict)

    @property
    def unrecorded(self) -> list[date]:
        """Days that a version landed which kept no record, ascending."""
        return sorted(day for day, world in self.worlds.items() if world is None)

    def of_other_worlds(self, world: World) -> list[date]:
        """Days of another world, ascending; days without a record are, once a world is on record."""
        same = {world.digest, None} if self.world is None else {world.digest}
        return sorted(day for day, known in self.worlds.items() if known not in same)


def kept(connection: Connection, scenario: str) -> Kept:
    """What the file holds of a scenario, by its name."""
    truth = truth_schema(scenario)
    tables = {
        name
        for (name,) in connection.execute(
            "SELECT table_name FROM duckdb_tables() WHERE database_name = current_database()"
            " AND schema_name = ?",
            [truth],
        ).fetchall()
    }
    if "daily_intensity" not in tables:
        return Kept()
    landed = [
        day for (day,) in connection.execute(f"SELECT day FROM {quoted(truth, 'daily_intensity')}").fetchall()
    ]
    if RUNS.name not in tables:
        return Kept(worlds=dict.fromkeys(landed))
    last = connection.execute(
        f"SELECT world, decides_rows FROM {table_name(scenario, RUNS)} ORDER BY run DESC LIMIT 1"
    ).fetchall()
    recorded = dict(
        connection.execute(
            f"SELECT day, any_value(world) FROM {table_name(scenario, LANDED_DAYS)}"
            " WHERE day IS NOT NULL GROUP BY day"
        ).fetchall()
    )
    worlds = {day: recorded.get(day) for day in landed}
    return Kept(last[0][0], loads(last[0][1]), worlds) if last else Kept(worlds=worlds)


@dataclass
class Recorder:
    """Keeps the record of one run that lands days of a world, and refuses to where another world's are.

    Attributes
    ----------
    fresh : whether the world may take the place of another one.
    days : what the run was asked for; none where only constant tables land.
    how : what `runs` calls it.
    restores : whether constant tables land also where they are on record as the same. A run that is about
        days leaves those as they are, so that what was done to them since is found, not repaired in silence.
    """

    scenario: str
    world: World
    clock: Clock
    fresh: bool
    days: Sequence[date]
    how: str = LANDED
    restores: bool = False
    _run: int | None = None

    def check(self, connection: Connection) -> Kept:
        """What the file holds, once it is seen that days of this world may land in it.

        Raises
        ------
        AnotherWorldError : it holds another world, or days outside the clock, and no fresh one was asked for.
        """
        found = kept(connection, self.scenario)
        outside = sorted(day for day in found.worlds if not self.clock.start <= day <= self.clock.end)
        if outside and not self.fresh and found.world in (None, self.world.digest):
            raise AnotherWorldError(
                f"{landing.path_of(connection)} holds {_span(outside)} of {self.scenario} outside its clock,"
                f" {self.clock.start} to {self.clock.end}. Either land in another file (--database FILE), or"
                " let them go with --fresh."
            )
        if found.worlds and found.world not in (None, self.world.digest) and not self.fresh:
            raise AnotherWorldError(self._refusal(connection, found))
        return found

    def __call__(
        self,
        connection: Connection,
        contracts: Sequence[TableContract],
        days: Collection[date],
        tables: Mapping[str, pa.Table],
    ) -> set[str]:
        """Record rows that land in this transaction: `days` of daily tables, constant ones whole.

        Returns the names of constant tables that are on record as the same already.
        """
        found, same = self.check(connection), set[str]()
        if self._run is None:
            self._run = self._begin(connection, contracts, found)
        for contract in contracts:
            if contract.name not in tables:
                continue
            connection.register("simtom_content", tables[contract.name])
            try:
                of_day = digests(connection, contract, "simtom_content")
            finally:
                connection.unregister("simtom_content")
            if contract.daily:
                self._keep(connection, contract, {day: of_day.get(day, NO_ROWS) for day in sorted(days)})
            elif self._is_there(connection, contract, of_day.get(None, NO_ROWS)):
                same.add(contract.name)
            else:
                self._keep(connection, contract, {None: of_day.get(None, NO_ROWS)})
        return same

    def _is_there(self, connection: Connection, contract: TableContract, content: Digest) -> bool:
        """Whether a constant table is on record with that content and may stay as it is."""
        recorded = connection.execute(
            f"SELECT world, rows, digest, algorithm FROM {table_name(self.scenario, LANDED_DAYS)}"
            " WHERE table_name = ? AND day IS NULL",
            [contract.name],
        ).fetchall()
        restores = self.restores or self.fresh
        return not restores and recorded == [(self.world.digest, content.rows, content.sum, ALGORITHM)]

    def adopt(
        self, connection: Connection, contracts: Sequence[TableContract], days: Collection[date]
    ) -> None:
        """Record days of daily tables as they are in the file: they have been seen to be of this world."""
        if self._run is None:
            self._run = self._begin(connection, contracts, self.check(connection))
        for contract in contracts:
            of_day = digests(connection, contract, table_name(self.scenario, contract))
            self._keep(connection, contract, {day: of_day.get(day, NO_ROWS) for day in sorted(days)})

    def _keep(
        self, connection: Connection, contract: TableContract, of_day: Mapping[date | None, Digest]
    ) -> None:
        table, n = table_name(self.scenario, LANDED_DAYS), len(of_day)
        rows = LANDED_DAYS.table({
            "table_name": pa.repeat(contract.name, n),
            "day": pa.array(list(of_day), pa.date32()),
            "world": pa.repeat(self.world.digest, n),
            "run": pa.repeat(pa.scalar(self._run, pa.int32()), n),
            "rows": np.array([digest.rows for digest in of_day.values()], np.int64),
            "digest": pa.array([digest.sum for digest in of_day.values()]),
            "algorithm": pa.repeat(ALGORITHM, n),
        })  # fmt: skip
        connection.execute(
            f"DELETE FROM {table} WHERE table_name = ? AND (day IS NULL OR list_contains(?, day))",
            [contract.name, [day for day in of_day if day is not None]],
        )
        landing.insert(connection, table, rows)

    def _begin(self, connection: Connection, contracts: Sequence[TableContract], found: Kept) -> int:
        """The number of this run, noted in `runs`; a new world leaves no day outside its clock behind."""
        is_new = self.fresh and bool(found.worlds) and found.world != self.world.digest
        if self.fresh:
            for contract in contracts:
                if contract.daily:
                    self._drop_outside(connection, contract)
            connection.execute(
                f"DELETE FROM {table_name(self.scenario, LANDED_DAYS)} WHERE day NOT BETWEEN ? AND ?",
                [self.clock.start, self.clock.end],
            )
        table = table_name(self.scenario, RUNS)
        last = connection.execute(
            f"SELECT run, world, first_day FROM {table} ORDER BY run DESC LIMIT 1"
        ).fetchall()
        run, world, first_day = last[0] if last else (0, None, None)
        if world == self.world.digest and not self.days:
            return int(run)  # constant tables alone are no run of their own
        if world == self.world.digest and first_day is None:
            connection.execute(
                f"UPDATE {table} SET first_day = ?, last_day = ?, how = if(how = ?, how, ?) WHERE run = ?",
                [min(self.days), max(self.days), FRESH, self.how, run],
            )
            return int(run)
        landing.insert(connection, table, self._row(run + 1, is_new))
        return int(run) + 1

    def _drop_outside(self, connection: Connection, contract: TableContract) -> None:
        connection.execute(
            f"DELETE FROM {table_name(self.scenario, contract)} WHERE day NOT BETWEEN ? AND ?",
            [self.clock.start, self.clock.end],
        )

    def _row(self, run: int, is_new: bool) -> pa.Table:
        document = self.world.document
        row = {
            "run": run,
            "how": FRESH if is_new else self.how,
            "first_day": min(self.days, default=None),
            "last_day": max(self.days, default=None),
            "world": self.world.digest,
            "generator": document["generator"],
            "model_version": document["model_version"],
            "engine_version": document["engine_version"],
            "decides_rows": self.world.text,
            "scenario": self.world.scenario,
            "versions": f"simtom_pipeline {version('simtom-pipeline')}, numpy {np.__version__},"
            f" duckdb {duckdb.__version__}",
        }
        return RUNS.table({c.name: pa.array([row[c.name]], c.type.arrow) for c in RUNS.columns})

    def _refusal(self, connection: Connection, found: Kept) -> str:
        file, days = landing.path_of(connection), sorted(found.worlds)
        return (
            f"{file} holds {_span(days)} of {self.scenario} from another world than this one:\n"
            + differences(found, self.world)
            + "\nDays of two worlds never lie side by side. Either land in another file"
            " (--database FILE), or let this world take the place of the other, day by day, with --fresh (in"
            f" Dagster: the run tag {FRESH_TAG} = true), or remove the other first, with"
            f" simtom forget {self.scenario}."
        )


FRESH_TAG = "simtom/fresh"
"""Tag of a run in Dagster that may let its world take the place of another one."""


def differences(found: Kept, world: World) -> str:
    """What differs between the file's world and another, a line each."""
    found_changes = changes(found.document, world.document)
    lines = [f"  {change}" for change in found_changes[:MAX_CHANGES_SHOWN]]
    if more := len(found_changes) - len(lines):
        lines.append(f"  and {more} more")
    return "\n".join(lines)


def _span(days: Sequence[date]) -> str:
    if len(days) == 1:
        return f"1 day ({days[0]})"
    return f"{len(days)} days ({days[0]} to {days[-1]})"
