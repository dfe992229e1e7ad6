"""What was known before an outcome: each relation once, in whatever order, and with a row for each draw."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from simtom_pipeline.contracts import BIGINT, DOUBLE, TEXT, ViewColumn, ViewContract
from simtom_pipeline.validation.decisions import Finding, Verdict
from simtom_pipeline.verification import groups
from simtom_pipeline.verification.checks import outcomes
from simtom_pipeline.verification.checks.outcomes import OUTCOME_CHECKS, Outcomes
from simtom_pipeline.verification.groups import Halves
from simtom_pipeline.verification.history import LandedHistory
from tests.support.oracles import quantile_groups, sums_of
from tests.support.tosses import declared_heads, landed_tosses, tosses

ROWS = 3000
SEEN = ViewContract(
    name="seen",
    row="a toss and what somebody saw of it",
    from_sql="FROM {schema}.tosses t",
    columns=(
        ViewColumn("of_toss", BIGINT, "the toss", expression="t.toss_id", source=("tosses", "toss_id")),
        ViewColumn("coin", BIGINT, "the coin", expression="t.coin", source=("tosses", "coin")),
        ViewColumn("nth", BIGINT, "how many asked", expression="nextval('asked')", source=("tosses", "day")),
        ViewColumn("half", DOUBLE, "which", expression="t.toss_id % 2 + 0.5", source=("tosses", "coin")),
        ViewColumn("sound", TEXT, "what was heard", expression="'a''b'", source=("tosses", "coin")),
    ),
)  # fmt: skip


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("CREATE SEQUENCE asked START 1; CREATE SCHEMA world; CREATE SCHEMA world_truth")
        yield connection


@pytest.fixture
def landed(connection: duckdb.DuckDBPyConnection) -> LandedHistory:
    return landed_tosses(connection, *tosses(ROWS), views=[SEEN])


def of(landed: LandedHistory, public: dict[str, str], *not_public: str) -> Outcomes:
    return Outcomes(landed, declared_heads(public, not_public=not_public))


def sums(found: Outcomes) -> dict[str, Halves | int]:
    return dict(outcomes._sums_by_public_column(found))


def names(found: Outcomes) -> list[str]:
    return [name for name, _ in outcomes._sums_by_public_column(found)]


def temporary(connection: duckdb.DuckDBPyConnection) -> list[str]:
    found = connection.execute(
        "SELECT table_name FROM duckdb_tables() WHERE temporary AND table_name NOT LIKE 'simtom_draws%'"
    ).fetchall()
    return [name for (name,) in found]


def test_a_view_is_made_once_however_many_columns_it_has(
    landed: LandedHistory, connection: duckdb.DuckDBPyConnection
) -> None:
    """Every row of it counts itself: it does so once. A column that is not asked for is not worked out."""
    found = sums(of(landed, {"seen": "of_toss"}))
    assert list(found) == ["of_toss", "coin", "nth", "half", "sound"]
    assert connection.execute("SELECT currval('asked')").fetchall() == [(ROWS,)]
    sums(of(landed, {"seen": "of_toss"}, "nth"))
    assert connection.execute("SELECT currval('asked')").fetchall() == [(ROWS,)]


def test_columns_of_a_table_and_of_a_view_are_summed_up(landed: LandedHistory) -> None:
    outcome, probability = tosses(ROWS)
    found = sums(of(landed, {"tosses": "toss_id", "seen": "of_toss"}))
    keys = np.arange(ROWS)
    groups_of = {
        "toss_id": quantile_groups(keys),
        "day": keys * 20 // ROWS,
        "coin": keys % 7,
        "half": keys % 2,
        "sound": np.zeros(ROWS, int),
    }
    for name, group in groups_of.items():
        halves, true = found[name], sums_of(outcome, probability, group)
        assert isinstance(halves, Halves)
        np.testing.assert_array_equal(halves.both.rows, true.rows, name)
        np.testing.assert_array_equal(halves.both.yes, true.yes, name)
        np.testing.assert_allclose(halves.both.expected, true.expected, rtol=1e-12, err_msg=name)


def test_a_name_that_comes_again_is_the_same_column_and_what_was_not_known_is_none(
    landed: LandedHistory,
) -> None:
    both = {"tosses": "toss_id", "seen": "of_toss"}
    assert names(of(landed, both)) == ["toss_id", "day", "coin", "of_toss", "nth", "half", "sound"]
    assert names(of(landed, both, "coin", "nth", "day")) == ["toss_id", "of_toss", "half", "sound"]
    assert names(of(landed, {"tosses": "toss_id"}, "toss_id", "day", "coin")) == []


def test_a_key_need_not_be_public(landed: LandedHistory) -> None:
    assert names(of(landed, {"seen": "of_toss"}, "of_toss", "nth")) == ["coin", "half", "sound"]


ASTRAY = {
    "a row is missing": ("DELETE FROM {0} WHERE toss_id = 5", 1),
    "rows are missing": ("DELETE FROM {0} WHERE toss_id % 1000 = 5", 3),
    "a row is there twice": ("INSERT INTO {0} FROM {0} WHERE toss_id = 5", 1),
    "rows are of other keys": ("UPDATE {0} SET toss_id = -toss_id - 1 WHERE toss_id % 1000 = 5", 3),
    "a row is of a key that another has": ("UPDATE {0} SET toss_id = 6 WHERE toss_id = 5", 1),
    "a row has no key": ("UPDATE {0} SET toss_id = NULL WHERE toss_id = 5", 1),
    "none is there": ("DELETE FROM {0}", ROWS),
}


@pytest.mark.parametrize(("sql", "count"), ASTRAY.values(), ids=ASTRAY)
@pytest.mark.parametrize("kind", ["table", "view"])
def test_a_relation_has_a_row_for_each_draw(
    landed: LandedHistory, connection: duckdb.DuckDBPyConnection, sql: str, count: int, kind: str
) -> None:
    """If not, that is said of its first column, with how many rows it is about."""
    connection.execute("CREATE TABLE world.copies AS FROM world.tosses")
    connection.execute(sql.format("world.copies"))
    where = f"world.{'seen' if kind == 'view' else 'more'}"
    connection.execute(
        f"CREATE OR REPLACE VIEW {where} AS SELECT toss_id AS of_toss, coin + 1 AS c FROM world.copies"
    )
    relation = where.removeprefix("world.")
    if kind == "table":
        connection.execute("DROP VIEW world.more; CREATE TABLE world.more AS"
                           " SELECT toss_id AS of_toss, coin + 1 AS c FROM world.copies")  # fmt: skip
        landed.relations._by_name["more"] = replace(landed.relations.table("tosses"), name="more")
    said = of(landed, {"tosses": "toss_id", relation: "of_toss"})
    found = list(outcomes._sums_by_public_column(said))
    assert found[3:] == [("of_toss", count)]
    finding = outcomes.leakage(said)
    assert finding.verdict is Verdict.FAILED
    assert finding.summary == f"the relation of of_toss has one row an event: {count} violations"
    assert temporary(connection) == []


def test_nothing_is_left_behind_where_a_column_cannot_be_summed_up(
    landed: LandedHistory, connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(groups, "MAX_GROUPS", "many")
    with pytest.raises(TypeError):
        sums(of(landed, {"seen": "of_toss"}))
    assert temporary(connection) == []


def judged(landed: LandedHistory, **said: Any) -> dict[str, Finding]:
    every = {"tosses": "toss_id", "seen": "of_toss"}
    return {
        name: find(Outcomes(landed, declared_heads(every, not_public=("nth",), **said)))
        for name, (_, find, _) in OUTCOME_CHECKS.items()
    }


def test_what_is_drawn_as_declared_passes_every_check(landed: LandedHistory) -> None:
    found = judged(landed)
    assert {finding.verdict for finding in found.values()} == {Verdict.PASSED}
    assert found["leakage"].figures["n"] == ROWS
    assert {str(row["column"]) for row in found["leakage"].rows} == {
        "toss_id", "day", "coin", "of_toss", "half", "sound",
    }  # fmt: skip


def test_a_column_that_gives_the_outcome_away_is_found(
    landed: LandedHistory, connection: duckdb.DuckDBPyConnection
) -> None:
    connection.execute(
        "UPDATE world.tosses SET coin = coin + 100 FROM world.results r"
        " WHERE r.toss_id = tosses.toss_id AND heads"
    )
    found = judged(landed)
    assert found["leakage"].verdict is Verdict.FAILED
    assert found["leakage"].summary.endswith(": coin")
    assert found["declared_probability"].verdict is Verdict.PASSED


def test_outcomes_of_other_probabilities_are_found(
    landed: LandedHistory, connection: duckdb.DuckDBPyConnection
) -> None:
    connection.execute("UPDATE world_truth.chances SET chance = 1 - chance")
    found = judged(landed)
    assert {name for name, finding in found.items() if finding.verdict is Verdict.FAILED} == {
        "bayes_auc", "declared_probability", "leakage",
    }  # fmt: skip


def test_before_a_drift_only_the_days_before_it_are_ranked(
    landed: LandedHistory, connection: duckdb.DuckDBPyConnection
) -> None:
    first = connection.execute("SELECT max(day) FROM world.tosses").fetchall()[0][0]
    connection.execute(f"UPDATE world_truth.chances SET chance = 1 - chance WHERE day = DATE '{first}'")
    before, whole = judged(landed, drifts_from=first)["bayes_auc"], judged(landed)["bayes_auc"]
    assert (before.figures["n"], whole.figures["n"]) == (ROWS * 19 // 20, ROWS)
    assert before.figures["auc"] > whole.figures["auc"] + 0.01


def test_a_toss_without_outcome_or_chance_is_said_before_anything_else(
    landed: LandedHistory, connection: duckdb.DuckDBPyConnection
) -> None:
    connection.execute(
        "UPDATE world.results SET heads = NULL WHERE toss_id = 1;"
        "UPDATE world_truth.chances SET chance = 'nan' WHERE toss_id = 2;"
        "DELETE FROM world_truth.chances WHERE toss_id = 3;"
        "INSERT INTO world.results FROM world.results WHERE toss_id = 4"
    )
    for finding in judged(landed).values():
        assert finding.summary.endswith("one probability between 0 and 1: 4 violations")


def test_checks_find_the_same_in_a_fraction_of_the_memory(tmp_path: Path) -> None:
    """The rows, and what is made of them, do not fit: the database puts them aside, on disk."""
    views = [replace(SEEN, columns=tuple(column for column in SEEN.columns if column.name != "nth"))]
    found = []
    for limit in ("4GB", "40MB"):
        with duckdb.connect(str(tmp_path / f"of_{limit}.duckdb")) as connection:
            landed = landed_tosses(connection, *tosses(400_000), views=views)
            connection.execute(f"CHECKPOINT; SET threads = 1; SET memory_limit = '{limit}'")
            found.append(judged(landed))
            aside = connection.execute("SELECT count(*) FROM duckdb_temporary_files()").fetchall()
            assert (aside[0][0] > 0) == (limit == "40MB")
    for name, plenty in found[0].items():
        little = found[1][name]
        assert (little.verdict, little.summary) == (plenty.verdict, plenty.summary)
        assert little.figures == pytest.approx(plenty.figures, rel=1e-9)
        assert len(little.rows) == len(plenty.rows)
