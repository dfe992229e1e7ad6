"""The second domain, as somebody installs it: all that follows from what it declares, to the end."""

import sys
from collections.abc import Collection, Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from simtom_pipeline import load_scenario, simulate_day, training_set
from simtom_pipeline.generators import registry
from simtom_pipeline.preview.charts import scenario_charts
from simtom_pipeline.scenarios.models import Scenario
from simtom_pipeline.simulation import Simulation
from simtom_pipeline.validation.decisions import Finding, Verdict
from simtom_pipeline.verification.twins import allowed_differences, compared, differences
from simtom_pipeline.verification.verify import checks_of
from tests.support.digests import digest
from tests.support.landed import found, history_of, land_and_measure, opened, put

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples" / "ad_clicks"
CAMPAIGN = EXAMPLE / "ad_campaign.yaml"
ONSET = {"more_videos": date(2024, 9, 21), "higher_prices": date(2024, 9, 23), "fewer_buy": date(2024, 9, 26)}
FAULTS = [
    {"id": "late_log", "kind": "late", "table": "impressions", "rate": 0.2,
     "delay": {"kind": "exponential", "mean_hours": 30}},
    {"id": "lost_labels", "kind": "missing", "table": "conversions", "columns": ["converted"], "rate": 0.1},
    {"id": "lost_ends", "kind": "missing", "table": "conversions", "columns": ["matured_at"], "rate": 0.1},
    {"id": "twice", "kind": "duplicate", "table": "clicks", "rate": 0.05},
]  # fmt: skip
NOISE = [{"noise_type": "gaussian", "table": "impressions", "columns": ["price"], "noise_level": 0.05}]


@pytest.fixture(scope="module", autouse=True)
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The package where Python finds it, with its entry point; gone again afterwards."""
    site, home = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("home")
    metadata = site / "simtom_ad_clicks-1.0.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: simtom-ad-clicks\nVersion: 1.0.0\n")
    (metadata / "entry_points.txt").write_text("[simtom_pipeline.generators]\nad_clicks = ad_clicks\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIMTOM_HOME", str(home))
        patch.syspath_prepend(str(site))
        patch.syspath_prepend(str(EXAMPLE))
        yield
    registered = [one for one in registry._registered if not one.__module__.startswith("ad_clicks")]
    registry._registered[:] = registered
    for name in [name for name in sys.modules if name.split(".")[0] == "ad_clicks"]:
        del sys.modules[name]


DRIFTS = {
    "more_videos": {"kind": "covariate", "target": "placement", "effect": {"psi": 0.2, "towards": "video"}},
    "higher_prices": {"kind": "covariate", "target": "price", "effect": {"mean_ratio": 1.25}},
    "fewer_buy": {"kind": "concept", "target": "conversion.log_odds", "effect": {"outcome_rate": 0.08}},
}
"""Those of the campaign; here each is sudden."""


def campaign(daily: int, drifts: Collection[str] = tuple(DRIFTS), **more: object) -> Scenario:
    """Two weeks of September, with some of its drifts within them."""
    stated = [
        {"id": name, "schedule": {"kind": "sudden", "at": ONSET[name].isoformat()}, **DRIFTS[name]}
        for name in drifts
    ]
    days = {"clock.start": "2024-09-17", "clock.end": "2024-09-30"}
    return load_scenario(CAMPAIGN, {"volume.base_daily_volume": daily, **days, "drifts": stated, **more})


@pytest.fixture(scope="module")
def landed(installed: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[Scenario, Path]:
    scenario = campaign(6_000, faults=FAULTS, noise=NOISE)
    return scenario, land_and_measure(scenario, tmp_path_factory.mktemp("ads") / "ads.duckdb")


@pytest.fixture(scope="module")
def findings(landed: tuple[Scenario, Path]) -> dict[tuple[str, str], Finding]:
    scenario, file = landed
    with opened(file) as connection:
        return found(history_of(scenario, connection))


def test_every_check_of_a_campaign_with_drifts_noise_and_faults_has_nothing_against_it(
    findings: dict[tuple[str, str], Finding],
) -> None:
    failed = {it: finding.summary for it, finding in findings.items() if finding.verdict is Verdict.FAILED}
    assert failed == {}
    told = {name for (_, name), finding in findings.items() if finding.verdict is Verdict.PASSED}
    assert told >= {"views_know_no_more", "twins", "faults_undone", "noise_as_declared", "replay"}


def test_a_click_and_a_conversion_are_judged_each_by_itself(
    findings: dict[tuple[str, str], Finding],
) -> None:
    each = ("declared_probability", "bayes_auc", "leakage")
    assert {name for _, name in findings if name.startswith(each)} == {
        f"{name}_of_{outcome}" for name in each for outcome in ("clicked", "converted")
    }
    assert {("impressions", "outcome_rate"), ("conversions", "outcome_rate")} <= set(findings)
    clicks, conversions = (
        int(findings["ad_truth", f"declared_probability_of_{outcome}"].figures["n"])
        for outcome in ("clicked", "converted")
    )
    assert conversions == findings["ad_truth", "declared_probability_of_clicked"].figures["count"]
    assert clicks > 10 * conversions
    families = {check.family for check in checks_of(Simulation(campaign(100))) if check.family}
    assert {f"leakage of {place}" for place in ("impressions.clicked", "conversions.converted")} <= families


@pytest.mark.parametrize(
    ("table", "column", "it"),
    [
        ("impressions", "clicked", ("ad_truth", "declared_probability_of_clicked")),
        ("conversions", "converted", ("ad_truth", "declared_probability_of_converted")),
    ],
)
def test_an_outcome_that_is_not_what_was_drawn_fails_its_own_check(
    tmp_path: Path, table: str, column: str, it: tuple[str, str]
) -> None:
    scenario, other = campaign(3_000), {"clicked": "converted", "converted": "clicked"}[column]
    with opened(land_and_measure(scenario, tmp_path / "x.duckdb")) as connection:
        connection.execute(
            f"UPDATE ad_campaign.{table} SET {column} = true"
            f" WHERE NOT {column} AND hash(impression_id) % 25 = 0"
        )
        told = found(history_of(scenario, connection), [it, (it[0], it[1].replace(column, other))])
    assert told[it].verdict is Verdict.FAILED
    if column == "converted":
        assert told["ad_truth", "declared_probability_of_clicked"].verdict is Verdict.PASSED


@pytest.fixture(params=DRIFTS)
def around_an_onset(request: pytest.FixtureRequest) -> tuple[str, list[dict[str, np.ndarray]]]:
    """A drift by itself, and columns of a day before its onset and of one after it."""
    scenario = campaign(60_000, [request.param])
    drawn = [simulate_day(scenario, day) for day in (date(2024, 9, 18), date(2024, 9, 28))]
    return request.param, [
        {
            "placement": np.asarray(tables["impressions"]["placement"].to_pylist()),
            "price": tables["impressions"]["price"].to_pandas().astype(float).to_numpy(),
            "converted": tables["conversions"]["converted"].to_numpy(),
        }
        for tables in drawn
    ]


def test_a_drift_has_its_stated_size_in_what_is_drawn(
    around_an_onset: tuple[str, list[dict[str, np.ndarray]]],
) -> None:
    """Worked out here from the rows alone; each bound lies four and a half standard errors away or more."""
    drift, (before, after) = around_an_onset
    if drift == "higher_prices":
        mean, n = before["price"].mean(), len(before["price"])
        error = before["price"].std() / mean / n**0.5
        assert after["price"].mean() / mean == pytest.approx(1.25, abs=4.5 * 2 * error)
    if drift == "more_videos":
        counts = [np.unique(side["placement"], return_counts=True)[1] for side in (before, after)]
        one, other = (count / count.sum() for count in counts)
        assert ((other - one) * np.log(other / one)).sum() == pytest.approx(0.2, rel=0.1)
    if drift == "fewer_buy":
        for side, rate in ((before, 0.12), (after, 0.08)):
            error = (rate * (1 - rate) / len(side["converted"])) ** 0.5
            assert side["converted"].mean() == pytest.approx(rate, abs=4.5 * error)


@pytest.mark.parametrize("drift", ONSET)
def test_a_twin_differs_after_onset_only_and_only_in_what_follows(tmp_path: Path, drift: str) -> None:
    scenario = campaign(300)
    twin, simulation = scenario.without(drift), Simulation(scenario)
    with opened(tmp_path / "twins.duckdb") as connection:
        for one in (scenario, twin):
            put(connection, one)
        differing = differences(connection, scenario.name, twin.name, compared(simulation.relations.true))
    parts = [part for part in simulation.generator.ledger_parts() if part.drift_id == drift]
    assert {f"{one.table}.{one.column}" for one in differing} <= set(allowed_differences(parts))
    assert min(one.first_day for one in differing if one.first_day) == ONSET[drift]


def test_one_trains_on_labels_whose_window_has_passed(landed: tuple[Scenario, Path]) -> None:
    scenario, file = landed
    assert len(training_set(scenario, as_of="2024-09-30", database=file)) == 0
    known = training_set(scenario, as_of="2024-10-09", database=file)
    assert 0 < len(known) < len(training_set(scenario, as_of="2024-12-31", database=file))
    assert list(known.columns[[0, -1]]) == ["impression_id", "converted"]
    assert known["clicked_at"].max() < np.datetime64("2024-09-26")


def test_what_drifts_is_drawn_in_its_preview() -> None:
    assert {f"drift_{drift}" for drift in ONSET} <= set(scenario_charts(campaign(300)))


def test_a_day_is_what_it_was() -> None:
    tables = simulate_day(campaign(300), date(2024, 9, 27))
    del tables["drift_ledger"]  # it names the version of the package
    assert digest(tables) == "22a86a3e0461aa65"


def test_it_is_short_and_nothing_of_the_package_names_it() -> None:
    lines = [line for file in EXAMPLE.rglob("*.py") for line in file.read_text().splitlines()]
    assert len(lines) < 400
    package = [file for folder in ("simtom_pipeline", "tools") for file in (ROOT / folder).rglob("*.py")]
    assert [file for file in package if "ad_click" in file.read_text()] == []
