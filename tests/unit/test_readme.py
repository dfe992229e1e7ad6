"""The README is true: its queries give its output, its template and its error message are the real ones."""

import re
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from simtom_pipeline import ScenarioError, load_scenario
from simtom_pipeline.landing import connect
from tests.landed import land_and_measure
from tools.calibration import CALIBRATION_FILE, calibration_text

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
QUERIES = re.findall(r"```sql\n(.*?)```\n```\n(.*?)```", README, re.DOTALL)


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """The whole baseline, landed as the assets land it."""
    file = tmp_path_factory.mktemp("year") / "simtom.duckdb"
    with connect(land_and_measure(load_scenario("baseline"), file)) as connection:
        yield connection


def test_there_are_four_queries_with_their_output() -> None:
    assert len(QUERIES) == 4


@pytest.mark.parametrize("number", range(len(QUERIES)))
def test_a_query_of_the_readme_gives_its_output(number: int, year: duckdb.DuckDBPyConnection) -> None:
    query, expected = QUERIES[number]
    found = [line.rstrip() for line in str(year.sql(query)).rstrip().split("\n")]
    assert found == expected.rstrip().split("\n")


def test_the_row_counts_of_the_readme_are_those_of_the_baseline(year: duckdb.DuckDBPyConnection) -> None:
    stated = re.findall(r"^ (baseline\w*\.\w+) +([\d,]+)", README, re.MULTILINE)
    assert len(stated) == 14
    for table, count in stated:
        assert f"{year.sql(f'SELECT count(*) FROM {table}').fetchall()[0][0]:,}" == count, table


def test_the_page_of_published_figures_is_what_the_baseline_gives(year: duckdb.DuckDBPyConnection) -> None:
    assert calibration_text(year) == CALIBRATION_FILE.read_text()


def test_no_published_figure_is_missed_but_the_plan_of_four(year: duckdb.DuckDBPyConnection) -> None:
    """The flat record's longer plans and the published product contradict each other."""
    missed = [line for line in calibration_text(year).splitlines() if "fail" in line]
    assert [line.split("|")[1].strip() for line in missed] == ["purchases in four payments"]


def test_the_template_of_the_readme_is_the_one_that_init_writes() -> None:
    template = (ROOT / "simtom_pipeline" / "scenarios" / "template.yaml").read_text()
    assert f"```yaml\n{template}```" in README


def test_the_mistake_of_the_readme_is_answered_as_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text(
        "name: mine\nextends: baseline\nclock:\n  end: 2023-12-31\nvolume:\n  base_daily_volme: 500\n"
        "arrivals:\n  peak_hours: [12, 24]\n"
    )
    with pytest.raises(ScenarioError) as raised:
        load_scenario("mine.yaml")
    assert f"$ simtom check mine.yaml\n{raised.value}\n" in README
