"""The examples run as their users run them."""

import re
import subprocess
import sys
from pathlib import Path

from simtom_pipeline import load_scenario
from tests.support.landed import land

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_the_default_model_is_trained_and_compared_with_its_ceiling(tmp_path: Path) -> None:
    """A lender with many defaults and a quick charge-off, so that a few months are enough to learn from."""
    file = tmp_path / "busy.duckdb"
    overrides = {
        "volume.base_daily_volume": 300,
        "bnpl.population.customer_lifetime_days": 20,
        "bnpl.credit.base_default_rate": 0.1,
        "bnpl.credit.charge_off_days": 14,
        "clock.end": "2024-04-10",
    }
    scenario = load_scenario("baseline", overrides)
    land(scenario, file)
    command = [sys.executable, str(EXAMPLES / "train_default_model.py"), "--database", str(file)]
    done = subprocess.run(
        [*command, "--train-on", "2024-03-20", "--judge-on", "2025-04-01"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    lines = re.findall(r"^([\w ,]+): +AUC ([\d.]+)", done.stdout, re.MULTILINE)
    auc = {name: float(value) for name, value in lines}
    assert set(auc) == {"logistic regression", "gradient boosting", "ceiling, signals only", "Bayes ceiling"}
    assert 0.65 < auc["gradient boosting"] < auc["Bayes ceiling"]
    assert auc["ceiling, signals only"] < auc["Bayes ceiling"]


def test_quality_rules_are_scored_against_the_ledger(tmp_path: Path) -> None:
    file = tmp_path / "dirty.duckdb"
    overrides = {"volume.base_daily_volume": 300, "clock.start": "2024-08-20", "clock.end": "2024-09-20"}
    scenario = load_scenario("dirty_feed", overrides)
    land(scenario, file)
    command = [sys.executable, str(EXAMPLES / "score_quality_rules.py"), "--database", str(file)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = [re.split(r"  +", line.strip()) for line in done.stdout.splitlines()[2:]]
    figures = {name: [float(share.rstrip("%")) for share in shares] for name, _, *shares in lines}
    assert len(figures) == 11
    assert figures["risk_score is there"][2:] == [100.0, 100.0]
    assert figures["the identifier is unique"][2:] == [100.0, 100.0]
    assert figures["amount below 2,500 USD"][2] == 100.0 > figures["amount below 2,500 USD"][3]
    assert figures["time on site below 1,000 s"][0] < 60
