"""README and the pages it links are true: queries give their output, examples are valid, links lead on."""

import re
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

import simtom_pipeline
from simtom_pipeline import ScenarioError, load_scenario
from simtom_pipeline.cli import app
from tests.support.landed import land_and_measure, opened
from tools.calibration import CALIBRATION_FILE, calibration_text

ROOT = Path(__file__).parents[3]
README = (ROOT / "README.md").read_text()
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
WORDS = {page.relative_to(ROOT).as_posix(): page.read_text() for page in PAGES}
QUERIES = [
    (page, query, output)
    for page, words in WORDS.items()
    for query, output in re.findall(r"```sql\n(.*?)```\n```\n(.*?)```", words, re.DOTALL)
]
EXAMPLES = [
    (page, yaml)
    for page, words in WORDS.items()
    for yaml in re.findall(r"^```yaml\n(.*?)```", words, re.DOTALL | re.MULTILINE)
]
OF_ITS_OWN = "name: mine\nextends: baseline\n"


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """The whole baseline, landed as the assets land it."""
    file = tmp_path_factory.mktemp("year") / "simtom.duckdb"
    with opened(land_and_measure(load_scenario("baseline"), file)) as connection:
        yield connection


@pytest.fixture(scope="module")
def published(year: duckdb.DuckDBPyConnection) -> str:
    """The page of published figures, of what has landed."""
    return calibration_text(year)


def test_there_are_four_queries_with_their_output() -> None:
    assert [page for page, _, _ in QUERIES] == ["README.md"] * 2 + ["docs/queries.md"] * 2


@pytest.mark.parametrize("number", range(len(QUERIES)))
def test_a_query_gives_the_output_beside_it(number: int, year: duckdb.DuckDBPyConnection) -> None:
    _, query, expected = QUERIES[number]
    found = [line.rstrip() for line in str(year.sql(query)).rstrip().split("\n")]
    assert found == expected.rstrip().split("\n")


def test_the_row_counts_of_the_readme_are_those_of_the_baseline(year: duckdb.DuckDBPyConnection) -> None:
    stated = re.findall(r"^ (baseline\w*\.\w+) +([\d,]+)", README, re.MULTILINE)
    assert len(stated) == 14
    for table, count in stated:
        assert f"{year.sql(f'SELECT count(*) FROM {table}').fetchall()[0][0]:,}" == count, table


def test_the_page_of_published_figures_is_what_the_baseline_gives(published: str) -> None:
    assert published == CALIBRATION_FILE.read_text()


def test_no_published_figure_is_missed_but_the_plan_of_four(published: str) -> None:
    """The flat record's longer plans and the published product contradict each other."""
    missed = [line for line in published.splitlines() if "fail" in line]
    assert [line.split("|")[1].strip() for line in missed] == ["purchases in four payments"]


def test_the_readme_is_for_the_first_ten_minutes() -> None:
    assert len(README.splitlines()) < 250


def test_the_template_of_the_readme_is_the_one_that_init_writes() -> None:
    template = (ROOT / "simtom_pipeline" / "scenarios" / "template.yaml").read_text()
    assert f"```yaml\n{template}```" in README


def written(folder: Path, text: str) -> str:
    """A scenario of that text in a folder that is the working directory; its file's name."""
    (folder / "mine.yaml").write_text(text)
    return "mine.yaml"


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_every_example_of_a_scenario_is_valid(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _, text = EXAMPLES[number]
    assert load_scenario(written(tmp_path, text if "name: " in text else OF_ITS_OWN + text))


def test_the_mistake_of_the_readme_is_answered_as_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    mistaken = (
        "name: mine\nextends: baseline\nclock:\n  end: 2023-12-31\nvolume:\n  base_daily_volme: 500\n"
        "arrivals:\n  peak_hours: [12, 24]\n"
    )
    with pytest.raises(ScenarioError) as raised:
        load_scenario(written(tmp_path, mistaken))
    assert f"$ simtom check mine.yaml\n{raised.value}\n" in README


def test_a_size_that_is_not_reachable_is_refused_as_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    mistaken = OF_ITS_OWN + (
        "drifts:\n  - {id: too_far, kind: prior, effect: {default_rate: 0.9},"
        " schedule: {kind: sudden, at: 0.5}}\n"
    )
    with pytest.raises(ScenarioError) as raised:
        load_scenario(written(tmp_path, mistaken))
    assert f"```\n{raised.value}\n```" in WORDS["docs/drifts.md"]


def test_every_built_in_scenario_is_on_the_page_that_lists_them() -> None:
    listed = WORDS["docs/writing_scenarios.md"]
    built_in = sorted((ROOT / "simtom_pipeline" / "scenarios" / "builtin").glob("*.yaml"))
    assert [file.stem for file in built_in if f"`{file.stem}`" not in listed] == []


def test_the_page_of_commands_lists_them_all() -> None:
    listed = re.findall(r"^\| `simtom (\w+)", WORDS["docs/commands.md"], re.MULTILINE)
    assert sorted(listed) == sorted(command.callback.__name__ for command in app.registered_commands)


def test_what_the_pages_import_from_the_package_is_there() -> None:
    words = "\n".join(WORDS.values())
    imported = {
        name
        for names in re.findall(r"^from simtom_pipeline import (.*)$", words, re.MULTILINE)
        for name in names.split(", ")
    }
    assert imported
    assert imported <= set(simtom_pipeline.__all__)


def headings(words: str) -> set[str]:
    """What links can point to in a page: its headings, in lower case with hyphens."""
    without_code = re.sub(r"```.*?```", "", words, flags=re.DOTALL)
    titles = re.findall(r"^#+ (.*)$", without_code, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", WORDS)
def test_every_link_leads_somewhere(page: str) -> None:
    words = re.sub(r"```.*?```", "", WORDS[page], flags=re.DOTALL)
    for link in re.findall(r"\]\((?!http)([^)\s]+)\)", words):
        path, _, part = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.exists(), link
        assert not part or part in headings(target.read_text()), link


def test_every_page_of_docs_is_linked_from_another() -> None:
    linked = {
        ((ROOT / page).parent / link.partition("#")[0]).resolve()
        for page, words in WORDS.items()
        for link in re.findall(r"\]\((?!http)([^)\s]+)\)", words)
    }
    assert [page for page in PAGES if ROOT / "docs" in page.parents and page.resolve() not in linked] == []
