"""What a view says that it reads is what the database reads for it: the query plan tells, not the view."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from typing import Any

import duckdb
import pytest

from simtom_pipeline.assets.metadata import upstream
from simtom_pipeline.landing.duckdb_file import DuckDBDatabase
from simtom_pipeline.relations import Relations
from simtom_pipeline.simulation import Simulation, load_scenario, scenario_files


def relations_of_every_scenario() -> dict[str, Relations]:
    return {name: Simulation(load_scenario(name)).relations for name in scenario_files()}


RELATIONS = relations_of_every_scenario()
VIEWS = {
    (view.name, view.sql("s", "t")): (name, view.name)
    for name, relations in RELATIONS.items()
    for view in relations.views
}
"""Each view once, however many scenarios have it."""


def tables_in(plan: dict[str, Any]) -> set[str]:
    info = plan.get("extra_info") or {}
    found = {info["Table"].split(".")[-1]} if isinstance(info, dict) and "Table" in info else set()
    return found.union(*(tables_in(child) for child in plan.get("children", ())))


def tables_behind(relations: Relations, name: str) -> set[str]:
    if name in relations:
        return {name}
    return {table for read in relations.relation(name).reads for table in tables_behind(relations, read)}


Databases = Callable[[str], duckdb.DuckDBPyConnection]


@pytest.fixture(scope="module")
def databases() -> Iterator[Databases]:
    """An empty database with the tables and views of a scenario, one for each that is asked for."""
    with ExitStack() as stack:

        @cache
        def database(scenario: str) -> duckdb.DuckDBPyConnection:
            connection = stack.enter_context(duckdb.connect())
            DuckDBDatabase(connection).ensure(RELATIONS[scenario])
            connection.execute("PRAGMA disable_optimizer")  # it would leave out what a query does not need
            return connection

        yield database


@pytest.mark.parametrize(("scenario", "view"), sorted(VIEWS.values()))
def test_a_view_reads_what_it_declares(scenario: str, view: str, databases: Databases) -> None:
    relations = RELATIONS[scenario]
    contract = relations.relation(view)
    moments = ", ".join(["TIMESTAMP '2024-06-01'"] * len(contract.parameters))
    name = relations.name_of(contract)
    call = f"{name}({moments})" if contract.parameters else name
    ((_, plan),) = databases(scenario).execute(f"EXPLAIN (FORMAT JSON) FROM {call}").fetchall()
    (root,) = json.loads(plan)
    assert tables_in(root) == tables_behind(relations, view)


def test_dagster_is_told_of_all_that_a_view_reads_in_both_schemas() -> None:
    relations = RELATIONS["dirty_feed"]
    keys = [key.path for key in upstream(relations, relations.relation("clean_transactions"))]
    assert keys == [["dirty_feed", "transactions"], ["dirty_feed", "truth", "fault_ledger"]]
