"""Coins that were tossed, as rows in a database: draws made from arrays, and a small world of them."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from simtom_pipeline.claims import DeclaredOutcome
from simtom_pipeline.contracts import BIGINT, BOOLEAN, DATE, DOUBLE, Column, TableContract
from simtom_pipeline.landing.duckdb_file import DuckDBDatabase
from simtom_pipeline.verification.draws import Draws
from simtom_pipeline.verification.history import LandedHistory
from tests.support.small_world import declared

FIRST = date(2024, 2, 27)
WORLD = "world"
KEY_AND_DAY = (Column("toss_id", BIGINT, "key"), Column("day", DATE, "day"))
TOSSES = TableContract(
    "tosses", "a toss", (*KEY_AND_DAY, Column("coin", BIGINT, "the coin")), primary_key=("toss_id",)
)
RESULTS = TableContract(
    "results",
    "how it fell",
    (*KEY_AND_DAY, Column("heads", BOOLEAN, "heads", nullable=True)),
    primary_key=("toss_id",),
)
CHANCES = TableContract(
    "chances",
    "how it could fall",
    (*KEY_AND_DAY, Column("chance", DOUBLE, "of heads", nullable=True)),
    primary_key=("toss_id",),
    truth=True,
)


def day(n: int) -> date:
    """The n-th day, over the end of a leap February."""
    return FIRST + timedelta(int(n))


def tosses(n: int, seed: int = 1, bends: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Outcomes and their probabilities, shapes (n,); of `bends` different ones, or all of their own."""
    random = np.random.default_rng(seed)
    probability = random.random(n) if bends == 0 else random.integers(1, bends + 1, n) / (bends + 1)
    return (random.random(n) < probability).astype(float), probability


def table(connection: duckdb.DuckDBPyConnection, name: str, columns: Mapping[str, Any]) -> str:
    """Make a table of arrays, or of lists in which None is NULL; returns its name."""
    rows = pa.table({column: pa.array(values) for column, values in columns.items()})
    connection.register("simtom_test_rows", rows)
    connection.execute(f"CREATE OR REPLACE TABLE {name} AS FROM simtom_test_rows")
    connection.unregister("simtom_test_rows")
    return name


def drawn(
    connection: duckdb.DuckDBPyConnection,
    outcome: Sequence[float | None] | np.ndarray,
    probability: Sequence[float | None] | np.ndarray,
    cluster: Sequence[int] | np.ndarray | None = None,
    days: Sequence[int] | np.ndarray | None = None,
) -> Draws:
    """Draws with the keys 0 ... n - 1; each a cluster of its own, and all on one day, unless it is said."""
    n = len(outcome)
    columns = {
        "key": range(n),
        "outcome": pa.array(outcome, pa.float64()),
        "probability": pa.array(probability, pa.float64()),
        "cluster": np.arange(n) if cluster is None else cluster,
        "day": [day(number) for number in ([0] * n if days is None else days)],
    }
    return Draws(connection, table(connection, "draws", columns))


def landed_tosses(
    connection: duckdb.DuckDBPyConnection,
    outcome: np.ndarray,
    probability: np.ndarray,
    views: Sequence[Any] = (),
) -> LandedHistory:
    """A world of tosses, keys 0 ... n - 1 in some other order, twenty days; as its checks see it."""
    relations = declared((TOSSES, RESULTS, CHANCES), views, WORLD)
    n = len(outcome)
    key = np.random.default_rng(0).permutation(n)
    days = [day(number * 20 // n) for number in key]
    database = DuckDBDatabase(connection)
    database.ensure(relations)
    columns = {
        "tosses": {"coin": key % 7},
        "results": {"heads": outcome[key] > 0},
        "chances": {"chance": probability[key]},
    }
    for contract in relations.tables:
        rows = pa.table({"toss_id": key, "day": days, **columns[contract.name]})
        database.insert(relations.name_of(contract), rows)
    tolerances = SimpleNamespace(family_wise_error=1e-3, rate_tolerance=0.1, auc_tolerance=0.05)
    simulation = SimpleNamespace(
        scenario=SimpleNamespace(name=WORLD, checks=tolerances),
        relations=relations,
        generator=SimpleNamespace(declared_outcomes=lambda: [declared_heads()]),
    )
    return LandedHistory(simulation, connection)


def declared_heads(public: Mapping[str, str] | None = None, **said: Any) -> DeclaredOutcome:
    """Heads: by the integral over all bends their rate is a half, and the AUC five sixths."""
    values: dict[str, Any] = {
        "table": "results",
        "column": "heads",
        "cluster": "toss_id",
        "truth": "chances",
        "probability": "chance",
        "rate": lambda _: 0.5,
        "auc": 5 / 6,
        "drifts_from": None,
        "is_reference": True,
        "public": {"tosses": "toss_id"} if public is None else public,
    }
    return DeclaredOutcome(**values | said)
