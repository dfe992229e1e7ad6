"""Statistics that the database works out, against plain ones on arrays."""

from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from simtom_pipeline.sql import quoted
from simtom_pipeline.validation.outcomes import compare_groups, total_p
from simtom_pipeline.verification import by_day as portions
from simtom_pipeline.verification.by_day import by_day
from simtom_pipeline.verification.draws import Draws
from simtom_pipeline.verification.groups import Halves, grouping, sums_by_column, sums_by_probability
from tests.support.oracles import (
    auc_of_clusters,
    quantile_groups,
    rate_of_clusters,
    sums_of,
    totals_of,
)

START = date(2024, 1, 1)
N = 3_000


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        yield opened


class Drawn:
    """Draws as arrays, and the same in a database, in the order of their key."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, seed: int, levels: int = 0) -> None:
        random = np.random.default_rng(seed)
        self.probability = random.beta(1, 8, N)
        if levels:  # a score with ties
            self.probability = np.round(self.probability * levels) / levels * 0.9 + 0.05
        self.outcome = (random.random(N) < self.probability).astype(float)
        self.cluster = random.integers(0, N // 5, N)
        self.day = random.integers(0, 20, N)
        self.connection = connection
        self.rows = connection.from_arrow(
            pa.table(
                {
                    "key": np.arange(N),
                    "outcome": self.outcome,
                    "probability": self.probability,
                    "cluster": self.cluster,
                    "day": pa.array([START + timedelta(int(n)) for n in self.day]),
                }
            )
        )
        self.rows.create("drawn")
        self.draws = Draws(connection, "drawn")


@pytest.mark.parametrize("levels", [0, 12])
def test_totals_rate_and_auc_are_those_of_the_arrays(
    connection: duckdb.DuckDBPyConnection, levels: int
) -> None:
    drawn = Drawn(connection, 1, levels)
    totals, plain = drawn.draws.totals, totals_of(drawn.outcome, drawn.probability)
    assert vars(totals) == pytest.approx(vars(plain), rel=1e-12)
    assert total_p(totals) == pytest.approx(total_p(plain), rel=1e-9)
    assert drawn.draws.rate == pytest.approx(rate_of_clusters(drawn.outcome, drawn.cluster), rel=1e-12)
    of_clusters = auc_of_clusters(drawn.outcome, drawn.probability, drawn.cluster)
    assert drawn.draws.auc() == pytest.approx(of_clusters, rel=1e-10)
    alone = auc_of_clusters(drawn.outcome, drawn.probability, np.arange(N))
    assert drawn.draws.auc(clustered=False) == pytest.approx(alone, rel=1e-10)
    assert of_clusters[1] != pytest.approx(alone[1], rel=1e-4)


def test_some_days_are_those_rows(connection: duckdb.DuckDBPyConnection) -> None:
    drawn = Drawn(connection, 2)
    some = drawn.draws.on([START + timedelta(3), START + timedelta(17)])
    chosen = np.isin(drawn.day, [3, 17])
    assert vars(some.totals) == pytest.approx(
        vars(totals_of(drawn.outcome[chosen], drawn.probability[chosen])), rel=1e-12
    )
    cluster = np.unique(drawn.cluster[chosen], return_inverse=True)[1]
    assert some.rate == pytest.approx(rate_of_clusters(drawn.outcome[chosen], cluster), rel=1e-12)
    assert drawn.draws.before(START + timedelta(5)).totals.rows == (drawn.day < 5).sum()
    assert drawn.draws.before(None).totals.rows == N
    assert drawn.draws.on([]).totals.rows == 0
    rows = Counter(drawn.day.tolist())
    assert drawn.draws.per_day == {START + timedelta(n): rows[n] for n in sorted(rows)}


@pytest.mark.parametrize(
    ("change", "unusable", "nan"),
    [
        ("outcome = NULL", 1, {"yes"}),
        ("outcome = 'nan'", 1, {"yes"}),
        ("probability = NULL", 1, {"expected"}),
        ("probability = 'nan'", 1, {"expected"}),
        ("probability = 1.0001", 1, set()),
        ("probability = -0.0001", 1, set()),
        ("probability = 1", 0, set()),
    ],
)
def test_a_draw_that_is_none_is_counted_and_spoils_what_it_is_part_of(
    connection: duckdb.DuckDBPyConnection, change: str, unusable: int, nan: set[str]
) -> None:
    drawn = Drawn(connection, 3)
    connection.execute(f"UPDATE drawn SET {change} WHERE key = 7")
    assert drawn.draws.unusable == unusable
    assert {name for name in ("yes", "expected") if np.isnan(getattr(drawn.draws.totals, name))} == nan


def test_groups_of_like_probability_are_the_quantiles(connection: duckdb.DuckDBPyConnection) -> None:
    for seed, levels in ((4, 0), (5, 12)):
        connection.execute("DROP TABLE IF EXISTS drawn")
        drawn = Drawn(connection, seed, levels)
        plain = sums_of(drawn.outcome, drawn.probability, quantile_groups(drawn.probability))
        found = sums_by_probability(drawn.draws)
        for name in vars(plain):
            assert getattr(found, name) == pytest.approx(getattr(plain, name), rel=1e-12), name
        assert compare_groups(found).p_value == pytest.approx(compare_groups(plain).p_value, rel=1e-9)


GREEK = [f"letter {n}" for n in (3, 1, 2)]
COLUMNS = {
    "many": ("BIGINT", "CAST(hash(key) % 1000 AS BIGINT)"),
    "many with none": ("BIGINT", "if(key % 7 = 0, NULL, CAST(hash(key) % 1000 AS BIGINT))"),
    "mostly none": ("DOUBLE", "if(key % 7 = 0, sin(key), NULL)"),
    "none": ("INTEGER", "NULL"),
    "one": ("VARCHAR", "'same'"),
    "fifty": ("INTEGER", "CAST(hash(key) % 50 AS INTEGER)"),
    "fifty and none": ("INTEGER", "if(key % 3 = 0, NULL, CAST(hash(key) % 50 AS INTEGER))"),
    "fifty-one": ("INTEGER", "CAST(hash(key) % 51 AS INTEGER)"),
    "money": ("DECIMAL(10,2)", "CAST(hash(key) % 100000 AS DECIMAL(12,2)) / 100"),
    "moment": ("TIMESTAMP", "TIMESTAMP '2024-01-01' + INTERVAL (hash(key) % 900000) SECOND"),
    "day of": ("DATE", "DATE '2024-01-01' + CAST(hash(key) % 300 AS INTEGER)"),
    "flag": ("BOOLEAN", "hash(key) % 2 = 0"),
    "word": ("VARCHAR", "'it''s ' || (hash(key) % 400)"),
    "category": ("greek", f"{GREEK}[1 + key % 3]::greek"),
    "unbounded": ("DOUBLE", "if(key % 50 = 0, 'inf'::DOUBLE, tan(key))"),
    'a "quoted" name': ("INTEGER", "CAST(key % 5 AS INTEGER)"),
}


def test_groups_of_any_column_are_those_of_its_ranks(connection: duckdb.DuckDBPyConnection) -> None:
    """A value a group where they are few, otherwise quantiles; NULL comes first, an ENUM in its own order."""
    drawn = Drawn(connection, 6)
    connection.execute(f"CREATE TYPE greek AS ENUM ({', '.join(map(repr, GREEK))})")
    made = ", ".join(f"CAST({sql} AS {kind}) AS {quoted(name)}" for name, (kind, sql) in COLUMNS.items())
    connection.execute(f"CREATE TABLE public AS SELECT key, {made} FROM drawn ORDER BY hash(key, 1)")
    described = connection.execute("DESCRIBE public").fetchall()
    columns = {name: kind for name, kind, *_ in described if name != "key"}
    assert columns.keys() == COLUMNS.keys()
    found = sums_by_column(drawn.draws, "public", "key", columns)
    for name in columns:
        ranks = connection.execute(
            f"SELECT dense_rank() OVER (ORDER BY {quoted(name)} NULLS FIRST) - 1 AS rank, key FROM public"
            " ORDER BY key"
        ).fetchnumpy()["rank"]
        group = quantile_groups(ranks) if ranks.max() >= 50 else ranks
        assert_halves(found[name], drawn, group)
    left = connection.execute("SELECT table_name FROM duckdb_tables() WHERE temporary").fetchall()
    assert left == []


def assert_halves(found: Halves, drawn: Drawn, group: np.ndarray) -> None:
    """The sums over all draws, those of even and those of odd place, are those over the groups."""
    even, k = np.arange(N) % 2 == 0, group.max() + 1
    there = np.bincount(group) > 0
    for sums, half in ((found.both, np.ones(N, bool)), (found.first, even), (found.second, ~even)):
        plain = sums_of(drawn.outcome[half], drawn.probability[half], group[half], k)
        for name in vars(plain):
            assert getattr(sums, name) == pytest.approx(getattr(plain, name)[there], rel=1e-12), name


def test_equal_values_are_never_parted(connection: duckdb.DuckDBPyConnection) -> None:
    lumps = "SELECT CAST(power(range, 2) / 4e4 AS INTEGER) AS x FROM range(2000)"
    connection.execute(f"CREATE TABLE lumps AS {lumps}")
    groups = grouping(connection, "lumps", "x", "INTEGER")
    parted = connection.execute(
        f"SELECT x FROM (SELECT x, {groups.number('edge')} AS number FROM lumps) GROUP BY x"
        " HAVING count(DISTINCT number) > 1",
        groups.parameters("edge"),
    ).fetchall()
    assert parted == []
    assert 20 < len(groups.edges) < 50


@pytest.mark.parametrize("rows_at_once", [1, 7, 100, 10**6])
def test_days_come_whole_and_in_order_whatever_a_portion_holds(
    connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch, rows_at_once: int
) -> None:
    monkeypatch.setattr(portions, "ROWS_AT_ONCE", rows_at_once)
    drawn = Drawn(connection, 8)
    found = list(by_day(connection, "drawn", ("probability",), order=("probability",)))
    assert [day for day, _ in found] == [START + timedelta(n) for n in range(20)]
    for n, (_, of) in enumerate(found):
        assert of["probability"].tolist() == sorted(drawn.probability[drawn.day == n])
