"""Statistics of outcomes that the database sums up, against the same worked out on arrays."""

from collections import Counter
from collections.abc import Iterator
from math import inf, isnan, nan

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from simtom_pipeline.validation.outcomes import compare_groups
from simtom_pipeline.verification.draws import Draws, group_sums, keep_draws
from tests.support.oracles import auc_of_clusters, rate_of_clusters, totals_of
from tests.support.tosses import day, declared_heads, drawn, landed_tosses, table, tosses

EXACT = 1e-12


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


World = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Outcomes, probabilities with many ties, clusters across days, and days, shapes (n,)."""
    n = draw(st.integers(6, 40))
    random = np.random.default_rng(draw(st.integers(0, 10_000)))
    outcome = (random.random(n) < 0.4).astype(float)
    outcome[:4] = [0, 1, 0, 1]
    ties = draw(st.sampled_from([[0.0, 1.0], [0.1, 0.3, 0.5], list(np.linspace(0, 1, 200))]))
    most = draw(st.sampled_from([1, 3, 40]))
    return outcome, random.choice(ties, n), random.integers(0, most, n), random.integers(0, 4, n)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(world=worlds())
def test_sums_in_the_database_are_those_of_arrays(
    connection: duckdb.DuckDBPyConnection, world: World
) -> None:
    outcome, probability, cluster, days = world
    draws = drawn(connection, outcome, probability, cluster, days)
    found, true = draws.totals, totals_of(outcome, probability)
    assert (found.rows, found.yes, found.impossible) == (true.rows, true.yes, true.impossible)
    for sum_of in ("expected", "variance", "skewness"):
        assert getattr(found, sum_of) == pytest.approx(getattr(true, sum_of), abs=EXACT), sum_of
    assert draws.unusable == 0
    assert draws.per_day == {day(n): count for n, count in Counter(days).items()}
    assert list(draws.per_day) == sorted(draws.per_day)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(world=worlds())
def test_a_rate_and_its_error_are_those_of_clusters(
    connection: duckdb.DuckDBPyConnection, world: World
) -> None:
    outcome, probability, cluster, days = world
    found = drawn(connection, outcome, probability, cluster, days).rate
    assert found == pytest.approx(rate_of_clusters(outcome, cluster), abs=EXACT)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(world=worlds())
def test_an_auc_compares_every_yes_with_every_no(connection: duckdb.DuckDBPyConnection, world: World) -> None:
    """Obuchowski's standard error of clusters; without them, or with one each, it is DeLong's."""
    outcome, probability, cluster, days = world
    draws = drawn(connection, outcome, probability, cluster, days)
    alone = np.arange(len(outcome))
    assert draws.auc() == pytest.approx(auc_of_clusters(outcome, probability, cluster), abs=EXACT)
    independent = pytest.approx(auc_of_clusters(outcome, probability, alone), abs=EXACT)
    assert draws.auc(clustered=False) == independent
    assert drawn(connection, outcome, probability, alone).auc() == independent
    assert draws.auc()[0] == pytest.approx(roc_auc_score(outcome, probability), abs=EXACT)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(world=worlds(), wanted=st.sets(st.integers(0, 5)))
def test_some_days_are_as_if_there_were_no_others(
    connection: duckdb.DuckDBPyConnection, world: World, wanted: set[int]
) -> None:
    """Clusters that reach into other days count with what they have here."""
    outcome, probability, cluster, days = world
    some = np.isin(days, list(wanted))
    draws = drawn(connection, outcome, probability, cluster, days).on([day(n) for n in wanted])
    assert draws.totals.rows == some.sum()
    assert draws.totals.yes == outcome[some].sum()
    if some.any():
        assert draws.rate == pytest.approx(rate_of_clusters(outcome[some], cluster[some]), abs=EXACT)
    if min(outcome[some].sum(), (1 - outcome[some]).sum()) >= 2:
        true = auc_of_clusters(outcome[some], probability[some], cluster[some])
        assert draws.auc() == pytest.approx(true, abs=EXACT)


def test_on_no_day_there_is_no_draw(connection: duckdb.DuckDBPyConnection) -> None:
    for nothing in (drawn(connection, *tosses(9)).on([]), drawn(connection, [], [])):
        assert nothing.totals == totals_of(np.empty(0), np.empty(0))
        assert (nothing.unusable, nothing.per_day) == (0, {})
        with pytest.raises(ValueError, match="two outcomes of each kind"):
            nothing.auc()


def test_before_a_day_are_the_days_before_it(connection: duckdb.DuckDBPyConnection) -> None:
    draws = drawn(connection, *tosses(8), days=[3, 0, 1, 2, 0, 1, 3, 3])
    assert draws.before(day(2)).per_day == {day(0): 2, day(1): 2}
    assert draws.before(day(0)).totals.rows == 0
    assert draws.before(None).totals.rows == 8


def test_one_cluster_tells_nothing_of_its_own_spread(connection: duckdb.DuckDBPyConnection) -> None:
    """All its rows could be like one: whatever differs from the mean adds up to nothing."""
    outcome, probability = tosses(50)
    draws = drawn(connection, outcome, probability, np.zeros(50, int))
    assert draws.rate == pytest.approx((outcome.mean(), 0.0), abs=EXACT)
    assert draws.auc()[0] == pytest.approx(roc_auc_score(outcome, probability), abs=EXACT)


def test_zero_is_zero_whatever_its_sign(connection: duckdb.DuckDBPyConnection) -> None:
    """A probability of -0.0 is a tie with 0.0, as in arrays."""
    outcome, probability = np.array([0.0, 1, 0, 1, 1]), np.array([0.0, -0.0, -0.0, 0.5, 0.0])
    found = drawn(connection, outcome, probability).auc()
    assert found == pytest.approx(auc_of_clusters(outcome, probability, np.arange(5)), abs=EXACT)


@pytest.mark.parametrize(
    ("outcome", "probability", "unusable"),
    [
        ([1, 0, None, 1, 0], [0.5] * 5, 1),
        ([1, 0, nan, 1, 0], [0.5] * 5, 1),
        ([1, 0, 0, 1, 0], [0.5, None, 0.5, None, 0.5], 2),
        ([1, 0, 0, 1, 0], [0.5, nan, 0.5, 0.5, 0.5], 1),
        ([None, 0, 0, 1, 1], [None, 0.5, 0.5, 0.5, 0.5], 1),
        ([1, 0, 0, 1, 0], [0.5, inf, -0.1, 1.0000001, 1.0], 3),
        ([1, 0, 0, 1, 0], [0.0, 1.0, -0.0, 0.5, 0.5], 0),
    ],
)
def test_what_has_no_outcome_or_no_probability_is_unusable(
    connection: duckdb.DuckDBPyConnection,
    outcome: list[float | None],
    probability: list[float | None],
    unusable: int,
) -> None:
    """And no figure that would need it is made up: it is not a number."""
    draws = drawn(connection, outcome, probability)
    assert draws.unusable == unusable
    undrawn, unknown = (any(v is None or isnan(v) for v in of) for of in (outcome, probability))
    assert (isnan(draws.totals.yes), isnan(draws.rate[0]), isnan(draws.rate[1])) == (undrawn,) * 3
    if undrawn or unknown:
        assert isnan(draws.totals.expected) == unknown
        assert all(map(isnan, (*draws.auc(), *draws.auc(clustered=False))))


def test_what_its_probability_rules_out_is_impossible(connection: duckdb.DuckDBPyConnection) -> None:
    outcome, probability = np.array([1.0, 0, 1, 0, 1, 0]), np.array([0.0, 1, 1, 0, 0.5, 1])
    assert drawn(connection, outcome, probability).totals.impossible == 3
    assert totals_of(outcome, probability).impossible == 3


def test_an_auc_of_the_database_needs_both_outcomes(connection: duckdb.DuckDBPyConnection) -> None:
    for outcome in ([0, 0, 0, 1], [1, 1, 1, 0], [1, 1, 1, 1]):
        with pytest.raises(ValueError, match="two outcomes of each kind"):
            drawn(connection, outcome, [0.1, 0.2, 0.3, 0.4]).auc()


def test_sums_of_no_group_are_none() -> None:
    sums = group_sums([])
    assert len(sums.rows) == 0
    assert compare_groups(sums).p_value == 1.0


@pytest.fixture
def file() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


def kept(connection: duckdb.DuckDBPyConnection, **said: str) -> Draws:
    return keep_draws(connection, "world", declared_heads(**said), "tosses", "toss_id")


def rows_of(draws: Draws) -> list[tuple[object, ...]]:
    return draws.connection.execute(f"SELECT rowid, * FROM {draws.rows} ORDER BY rowid").fetchall()


def test_draws_are_kept_in_the_order_of_their_key_on_any_number_of_threads(
    file: duckdb.DuckDBPyConnection,
) -> None:
    """Every other one, by its number, is of the first half: as if the rows were an array."""
    outcome, probability = tosses(400_000)
    landed_tosses(file, outcome, probability)
    file.execute("SET threads = 4")
    draws = kept(file, cluster="coin")
    found = file.execute(f"FROM {draws.rows} ORDER BY rowid").fetchnumpy()
    np.testing.assert_array_equal(found["key"], np.arange(400_000))
    np.testing.assert_array_equal(found["outcome"], outcome)
    np.testing.assert_array_equal(found["probability"], probability)
    np.testing.assert_array_equal(found["cluster"], np.arange(400_000) % 7)
    ((first, last),) = file.execute(f"SELECT min(rowid), max(rowid) FROM {draws.rows}").fetchall()
    assert (first, last) == (0, 399_999)
    assert draws.per_day == {day(n): 20_000 for n in range(20)}


def test_a_draw_without_outcome_or_truth_is_kept_and_one_that_has_two_comes_twice(
    file: duckdb.DuckDBPyConnection,
) -> None:
    landed_tosses(file, np.array([1.0, 0, 1, 0]), np.full(4, 0.25))
    file.execute(
        "DELETE FROM world.results WHERE toss_id = 1; DELETE FROM world_truth.chances WHERE toss_id = 2;"
        "INSERT INTO world.results FROM world.results WHERE toss_id = 3;"
        "INSERT INTO world.results VALUES (77, '2024-01-01', true)"
    )
    assert [row[1:4] for row in rows_of(kept(file))] == [
        (0, 1.0, 0.25),
        (1, None, 0.25),
        (2, 1.0, None),
        (3, 0.0, 0.25),
        (3, 0.0, 0.25),
    ]


def test_an_outcome_and_its_probability_are_numbers_of_any_type(file: duckdb.DuckDBPyConnection) -> None:
    landed_tosses(file, np.array([1.0, 0, 1, 0]), np.full(4, 0.25))
    file.execute("ALTER TABLE world.results ALTER heads TYPE DECIMAL(4,2)")
    file.execute("ALTER TABLE world_truth.chances ALTER chance TYPE DECIMAL(4,2)")
    draws = kept(file)
    assert (draws.totals.yes, draws.totals.expected) == (2.0, 1.0)
    types = file.execute(f"SELECT typeof(outcome), typeof(probability) FROM {draws.rows}").fetchall()
    assert set(types) == {("DOUBLE", "DOUBLE")}


def test_names_that_run_together_to_the_same_are_kept_apart(file: duckdb.DuckDBPyConnection) -> None:
    """The table of one outcome is another one's table and the beginning of its column, and so for worlds."""
    file.execute('CREATE SCHEMA s; CREATE SCHEMA s_truth; CREATE SCHEMA "s.a"; CREATE SCHEMA "s.a_truth"')
    tables = [("s", "a_b", "c", 1), ("s", "a", "b_c", 0), ("s.a", "a", "b_c", 1), ("s", "a.a", "b_c", 1)]
    found = []
    for scenario, name, column, outcome in tables:
        schema = f'"{scenario}"'
        file.execute(
            f"CREATE OR REPLACE TABLE {schema}.tosses AS SELECT 1 AS toss_id, DATE '2024-01-01' AS day;"
            f'CREATE TABLE {schema}."{name}" AS SELECT 1 AS toss_id, {outcome} AS "{column}";'
            f'CREATE OR REPLACE TABLE "{scenario}_truth".chances AS SELECT 1 AS toss_id, 0.5 AS chance'
        )
        declared = declared_heads(table=name, column=column)
        found.append(keep_draws(file, scenario, declared, "tosses", "toss_id"))
    assert [draws.totals.yes for draws in found] == [1, 0, 1, 1]


@pytest.mark.parametrize("database", ["plain", "it's", 'a "quoted" name', "my.data", "ünï; DROP"])
def test_names_need_no_care(database: str) -> None:
    """Of the database, and of tables and columns."""
    said = {"table": "re'sults", "column": 'he"ads', "truth": "ch ances", "probability": "1", "cluster": "of"}
    with duckdb.connect() as connection:
        quoted = '"' + database.replace('"', '""') + '"'
        connection.execute(f"ATTACH ':memory:' AS {quoted}; USE {quoted}")
        connection.execute(
            "CREATE SCHEMA world; CREATE SCHEMA world_truth;"
            'CREATE TABLE world."to;sses" AS SELECT 5 AS "the key", 6 AS of, DATE \'2024-02-27\' AS day;'
            'CREATE TABLE world."re\'sults" AS SELECT 5 AS "the key", true AS "he""ads";'
            'CREATE TABLE world_truth."ch ances" AS SELECT 5 AS "the key", 0.5 AS "1"'
        )
        draws = keep_draws(connection, "world", declared_heads(**said), "to;sses", "the key")
        assert rows_of(draws) == [(0, 5, 1.0, 0.5, 6, day(0))]


def test_draws_of_one_database_outlive_those_of_another_in_the_same_connection(
    file: duckdb.DuckDBPyConnection,
) -> None:
    """As where a history is seen as it landed, and as it was before faults."""
    landed_tosses(file, np.array([1.0, 1]), np.full(2, 0.25))
    landed = kept(file)
    file.execute("ATTACH ':memory:' AS undone; USE undone")
    landed_tosses(file, np.array([0.0, 1, 0]), np.full(3, 0.5))
    assert kept(file).totals.yes == 1
    assert landed.totals.yes == 2
    assert table(file, "another", {"a": [1]}) == "another"
