"""Generators from outside: found in three places, usable to the end, never skipped in silence."""

import shutil
import sys
from datetime import date
from pathlib import Path

import dagster as dg
import duckdb
import pytest
from typer.testing import CliRunner

from simtom_pipeline import ScenarioError, generators, load_scenario, simulate_day
from simtom_pipeline.cli import app
from simtom_pipeline.generators.registry import DuplicateGeneratorError, discover, register_generator
from simtom_pipeline.simulation import registry
from tests.support.dagster_runs import land
from tests.support.visits import PLUGIN, furnish

HOURS_AND_PAGES = """\
arrivals: {arrival_pattern: nhpp, peak_hours: [12, 19]}
page_views:
  page: {home: 0.5, search: 0.3, basket: 0.2}
"""


@pytest.fixture
def visits(home: Path) -> Path:
    """A home with the plugin and a scenario of it."""
    furnish(home, "2024-01-01", "2024-03-10", 700, HOURS_AND_PAGES)
    return home


def test_a_generator_in_the_users_home_goes_all_the_way_to_duckdb_and_dagster(visits: Path) -> None:
    result = CliRunner().invoke(app, ["run", "visits"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert "cannot tell" not in result.output
    with duckdb.connect(str(visits / "simtom.duckdb"), read_only=True) as connection:
        rows = connection.execute(
            "SELECT page, count(*) / sum(count(*)) OVER () FROM visits.page_views GROUP BY page ORDER BY page"
        ).fetchall()
        assert [page for page, _ in rows] == ["home", "search", "basket"]
        assert [share for _, share in rows] == pytest.approx([0.5, 0.3, 0.2], abs=0.01)
        days = connection.execute("SELECT count(*) FROM visits_truth.daily_intensity").fetchall()
        assert days == [(70,)]


def test_dagster_shows_the_users_scenario_beside_the_built_in_ones(visits: Path) -> None:
    from simtom_pipeline.definitions import build

    definitions = build()
    keys = {spec.key for spec in definitions.resolve_all_asset_specs()}
    assert dg.AssetKey(["visits", "page_views"]) in keys
    assert dg.AssetKey(["baseline", "transactions"]) in keys


def test_an_entry_point_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    (tmp_path / "outside").mkdir()
    shutil.copy(PLUGIN, tmp_path / "outside" / "outside_page_views.py")
    metadata = tmp_path / "outside" / "outside-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: outside\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[simtom_pipeline.generators]\npage_views = outside_page_views:PageViews\n"
        "broken = outside_nothing:Nothing\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path / "outside"))
    found = discover(home)
    assert found.generator("page_views").__module__ == "outside_page_views"
    assert found.failures == {
        "entry point broken (outside_nothing:Nothing)": (
            "ModuleNotFoundError: No module named 'outside_nothing'"
        )
    }
    _unregister("outside_page_views")


def _unregister(module: str) -> None:
    from simtom_pipeline.generators import registry as room

    room._registered[:] = [one for one in room._registered if one.__module__ != module]
    sys.modules.pop(module, None)


def test_a_module_dropped_into_the_generators_folder_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    shutil.copy(PLUGIN, tmp_path / "dropped_page_views.py")
    monkeypatch.setattr(generators, "__path__", [*generators.__path__, str(tmp_path)])
    module = "simtom_pipeline.generators.dropped_page_views"
    assert discover(home).generator("page_views").__module__ == module
    _unregister(module)


def test_a_generator_that_fails_to_import_is_reported_by_name_with_its_error(home: Path) -> None:
    (home / "generators").mkdir()
    path = home / "generators" / "clicks.py"
    path.write_text("import numpy_of_the_future\n")
    (home / "mine.yaml").write_text("name: mine\nextends: baseline\ngenerator: clicks\nbnpl: null\n")
    with pytest.raises(ScenarioError) as raised:
        load_scenario(home / "mine.yaml")
    assert str(raised.value) == (
        f"{home / 'mine.yaml'}:3: generator: found 'clicks'; allowed: one of bnpl; {path} failed to import:"
        " ModuleNotFoundError: No module named 'numpy_of_the_future'"
    )
    listing = CliRunner().invoke(app, ["scenarios"])
    assert listing.exit_code == 0
    assert f"generator left out: {path}: ModuleNotFoundError" in listing.output
    assert load_scenario("baseline").generator == "bnpl"


def test_two_generators_with_one_name_are_an_error_that_names_both(home: Path) -> None:
    (home / "generators").mkdir()
    for name in ("one", "two"):
        shutil.copy(PLUGIN, home / "generators" / f"{name}.py")
    with pytest.raises(DuplicateGeneratorError) as raised:
        registry()
    message = str(raised.value)
    assert message.startswith("two generators are called 'page_views': PageViews in ")
    assert str(home / "generators" / "one.py") in message
    assert str(home / "generators" / "two.py") in message
    assert CliRunner().invoke(app, ["scenarios"]).exit_code == 2


def test_what_is_no_generator_cannot_be_registered() -> None:
    with pytest.raises(ValueError, match="does not inherit from BaseGenerator"):
        register_generator("clicks")(dict)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="does not match"):
        register_generator("../clicks")


def test_a_plugins_columns_must_be_those_of_its_contract(visits: Path) -> None:
    path = visits / "generators" / "page_views.py"
    path.write_text(path.read_text().replace('"page": page,', '"pages": page,'))
    with pytest.raises(
        ValueError, match=r"table page_views: columns missing \['page'\], not in the contract"
    ):
        simulate_day(load_scenario("visits"), date(2024, 1, 1))


def test_a_plugins_rows_must_be_of_their_day(visits: Path) -> None:
    path = visits / "generators" / "page_views.py"
    path.write_text(path.read_text().replace("day.filled(n)", "day.filled(n) + 1"))
    with pytest.raises(ValueError, match="table page_views has rows of another day than 2024-01-01"):
        simulate_day(load_scenario("visits"), date(2024, 1, 1))


def test_tables_may_be_declared_in_any_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dagster wants parents first; a generator's author need not know."""
    from simtom_pipeline.generators.bnpl import BnplGenerator

    monkeypatch.setattr(BnplGenerator, "tables", BnplGenerator.tables[::-1])
    small = {"volume.base_daily_volume": 50, "bnpl.population.initial_customers": 100}
    with dg.DagsterInstance.ephemeral() as instance:
        result = land(
            load_scenario("baseline", small), tmp_path / "x.duckdb", instance, "2024-01-01", "2024-01-02"
        )
    assert result.success
