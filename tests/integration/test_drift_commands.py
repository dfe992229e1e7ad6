"""simtom twin, diff and preview, from the YAML file to what a person reads."""

from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner, Result

from simtom_pipeline import load_scenario
from simtom_pipeline.cli import app
from tests.support.landed import land_and_measure

SCENARIO = """\
name: pricey
extends: baseline
clock: {start: 2024-01-01, end: 2024-01-04}
volume: {base_daily_volume: 60}
drifts:
  - id: dearer
    kind: covariate
    target: amount
    schedule: {kind: sudden, at: 2024-01-03}
    effect: {mean_ratio: 2}
"""


@pytest.fixture
def simtom(home: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    (home / "scenarios").mkdir()
    (home / "scenarios" / "pricey.yaml").write_text(SCENARIO)
    monkeypatch.setenv("COLUMNS", "200")
    return CliRunner()


def said(result: Result) -> str:
    return " ".join((result.stdout + result.stderr).split())


def test_a_twin_lands_beside_its_scenario_and_differs_where_the_drift_says(
    simtom: CliRunner, home: Path
) -> None:
    land_and_measure(load_scenario("pricey"), home / "simtom.duckdb")
    twin = simtom.invoke(app, ["twin", "pricey", "--without", "dearer"])
    assert twin.exit_code == 0, said(twin)
    assert "4 days of pricey and pricey__without_dearer: these columns differ" in said(twin)
    again = simtom.invoke(app, ["diff", "pricey", "pricey__without_dearer"])
    lines = [line.split() for line in again.stdout.splitlines() if line.startswith(" transactions ")]
    assert {line[1] for line in lines} >= {"amount", "credit_utilization"}
    assert {line[4] for line in lines} == {"2024-01-03"}
    same = simtom.invoke(app, ["diff", "pricey", "pricey"])
    assert "every value is the same" in said(same)
    with duckdb.connect(str(home / "simtom.duckdb"), read_only=True) as connection:
        ledger = connection.execute("SELECT drift_id, onset FROM pricey_truth.drift_ledger").fetchall()
        realised = connection.execute(
            "SELECT count(*) FROM pricey_truth.drift_ledger_daily WHERE realised_mean IS NOT NULL"
        ).fetchall()
    assert [name for name, _ in ledger] == ["dearer"]
    assert realised == [(4,)]


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["twin", "pricey", "--without", "cheaper"], "found no 'cheaper' in pricey; allowed: dearer, drifts"),
        (["twin", "baseline"], "found no drift or fault in baseline; allowed: a scenario with one"),
        (["diff", "pricey", "pricey__without_dearer"], "does not exist: land a scenario first"),
        (["preview", "dearer"], "found 'dearer', which is no scenario"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_message_and_exit_code_two(
    simtom: CliRunner, command: list[str], message: str
) -> None:
    result = simtom.invoke(app, command)
    assert result.exit_code == 2
    assert message in said(result)
    assert "Traceback" not in said(result)


def test_a_preview_is_a_page_and_pictures_and_simulates_nothing(simtom: CliRunner, home: Path) -> None:
    result = simtom.invoke(app, ["preview", "pricey", "--folder", str(home / "drawn")])
    assert result.exit_code == 0
    written = [Path(line) for line in result.stdout.split()]
    assert [path.name for path in written] == [
        "pricey.html", "pricey_volume.png", "pricey_hours.png", "pricey_drift_dearer.png",
    ]  # fmt: skip
    assert all(path.stat().st_size > 1000 for path in written)
    assert not (home / "simtom.duckdb").exists()
