"""Checks are found where they are put, share one bound on false alarms, and need no Dagster to be run."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from simtom_pipeline import load_scenario, verify
from simtom_pipeline.assets.checks import check_specs
from simtom_pipeline.landing import LandingError
from simtom_pipeline.scenarios.models import Scenario
from simtom_pipeline.simulation import Simulation
from simtom_pipeline.validation.decisions import Verdict
from simtom_pipeline.verification import checks as subjects
from simtom_pipeline.verification.as_simulated import as_simulated
from simtom_pipeline.verification.verify import checks_of
from tests.support.landed import found, history_of, land, land_and_measure, opened
from tests.support.visits import furnish

FOLDER = Path(subjects.__file__).parent
SUBJECTS = sorted(file.stem for file in FOLDER.glob("*.py") if file.stem != "__init__")


# found ---------------------------------------------------------------------------------------------------


def test_every_file_of_checks_is_found_and_no_check_is_there_twice() -> None:
    """Of a scenario with noise and faults every subject has something to say."""
    simulation = Simulation(load_scenario("dirty_feed"))
    by_subject = {
        name: [
            (check.table, check.name)
            for check in import_module(f"{subjects.__name__}.{name}").checks(simulation)
        ]
        for name in SUBJECTS
    }
    assert [name for name, checks in by_subject.items() if not checks] == []
    every = [(check.table, check.name) for check in checks_of(simulation)]
    assert sorted(every) == sorted(check for checks in by_subject.values() for check in checks)
    assert len(set(every)) == len(every)


NEW_SUBJECT = '''
"""A check as somebody adds it: no purchase is free."""

from simtom_pipeline.validation.decisions import logical
from simtom_pipeline.verification.check import Check


def checks(simulation):
    yield Check("transactions", "nothing_is_free", "Every purchase costs something.", nothing_is_free)


def nothing_is_free(history):
    free = history.count(f"SELECT count(*) FROM {history.relations.schema}.transactions WHERE amount <= 0")
    return logical(free, "every purchase costs something")
'''


@pytest.fixture
def new_subject(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A file more beside those of the package."""
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "prices.py").write_text(NEW_SUBJECT)
    monkeypatch.setattr(subjects, "__path__", [*subjects.__path__, str(tmp_path / "more")])
    yield
    del sys.modules[f"{subjects.__name__}.prices"], subjects.prices


def small(**more: object) -> Scenario:
    few = {"volume.base_daily_volume": 20, "bnpl.population.initial_customers": 20, "clock.end": "2024-01-02"}
    return load_scenario("baseline", {**few, **more})


@pytest.mark.usefixtures("new_subject")
def test_a_file_dropped_among_the_checks_is_run_and_shown_without_being_named_elsewhere(
    tmp_path: Path,
) -> None:
    scenario, it = small(), ("transactions", "nothing_is_free")
    told = {
        (spec.asset_key.path[-1], spec.name): spec.description for spec in check_specs(Simulation(scenario))
    }
    assert told[it] == "Every purchase costs something."
    with opened(land_and_measure(scenario, tmp_path / "x.duckdb")) as connection:
        history = history_of(scenario, connection)
        assert found(history)[it].verdict is Verdict.PASSED
        connection.execute("UPDATE baseline.transactions SET amount = 0 WHERE transaction_id = 1")
        assert found(history, [it])[it].verdict is Verdict.FAILED


# the family-wise bound -----------------------------------------------------------------------------------

WORLD = {"volume", "hours", "shares"}
OF_DEFAULT = {f"{check} of outcomes.will_default" for check in ("declared_probability", "leakage")}
NOISE = [{"table": "transactions", "columns": ["amount"], "noise_type": "gaussian", "noise_level": 0.1}]
FAULTS = [{"id": "f", "kind": "missing", "table": "transactions", "columns": ["amount"], "rate": 0.1}]


@pytest.mark.parametrize(
    ("corrupted", "more"),
    [
        ({}, set()),
        ({"noise": NOISE}, {"noise"}),
        ({"faults": FAULTS}, {"faults"}),
        ({"noise": NOISE, "faults": FAULTS}, {"noise", "faults"}),
    ],
    ids=["a clean feed", "noise", "faults", "both"],
)
def test_the_family_wise_bound_is_shared_by_the_families_of_the_checks_there_are(
    corrupted: dict[str, object], more: set[str], tmp_path: Path
) -> None:
    scenario = small(**corrupted)
    families = {check.family for check in checks_of(Simulation(scenario)) if check.family}
    assert families == WORLD | OF_DEFAULT | more
    with opened(land(scenario, tmp_path / "x.duckdb")) as connection:
        history = history_of(scenario, connection)
        with as_simulated(history) as true:
            bound = scenario.checks.family_wise_error / len(families)
            assert history.alpha == true.alpha == pytest.approx(bound)


# every outcome is judged ---------------------------------------------------------------------------------

COINS = Path(__file__).parents[2] / "support" / "plugins" / "coins.py"
TOSSES = """\
name: coins
generator: coins
seed: 5
clock: {start: 2024-01-01, end: 2024-01-10}
volume: {base_daily_volume: 1500}
checks: {rate_tolerance: 0.1, auc_tolerance: 0.05}
"""
TRUTH_CHECKS = ("declared_probability", "bayes_auc", "leakage")
OF_OUTCOMES = {"outcome_rate": "results", **dict.fromkeys(TRUTH_CHECKS, "chances")}


@pytest.fixture
def coins(home: Path) -> Scenario:
    """A scenario with two outcomes of each event."""
    for folder in ("generators", "scenarios"):
        (home / folder).mkdir()
    shutil.copy(COINS, home / "generators")
    (home / "scenarios" / "coins.yaml").write_text(TOSSES)
    return load_scenario("coins")


def test_two_outcomes_have_checks_and_families_of_their_own(coins: Scenario) -> None:
    checks = checks_of(Simulation(coins))
    mine = {(check.table, check.name) for check in checks if check.name.startswith(tuple(OF_OUTCOMES))}
    both = ("gold", "silver")
    assert mine == {(table, f"{name}_of_{coin}") for name, table in OF_OUTCOMES.items() for coin in both}
    families = {check.family for check in checks if check.family}
    by_chance = ("declared_probability", "leakage")
    assert families == {"volume", "hours"} | {
        f"{name} of results.{coin}" for name in by_chance for coin in both
    }


@pytest.mark.parametrize(
    ("change", "failed"),
    [
        ("", set()),
        ("SET silver = toss_id % 3 > 0", {"outcome_rate", "declared_probability", "bayes_auc"}),
    ],
    ids=["as drawn", "the second is another coin's"],
)
def test_the_second_outcome_is_judged_and_the_first_is_not_blamed_for_it(
    coins: Scenario, tmp_path: Path, change: str, failed: set[str]
) -> None:
    with opened(land_and_measure(coins, tmp_path / "x.duckdb")) as connection:
        history = history_of(coins, connection)
        assert history.alpha == pytest.approx(coins.checks.family_wise_error / 6)
        if change:
            connection.execute(f"UPDATE coins.results {change}")
        wanted = [
            (table, f"{name}_of_{coin}") for name, table in OF_OUTCOMES.items() for coin in ("gold", "silver")
        ]
        verdicts = {name: finding.verdict for (_, name), finding in found(history, wanted).items()}
    assert {name for name, verdict in verdicts.items() if verdict is Verdict.FAILED} >= {
        f"{name}_of_silver" for name in failed
    }
    assert {verdict for name, verdict in verdicts.items() if name.endswith("gold")} == {Verdict.PASSED}
    if not change:
        assert set(verdicts.values()) == {Verdict.PASSED}


# without Dagster -----------------------------------------------------------------------------------------


def test_a_history_is_verified_without_dagster_and_its_file_is_only_read(home: Path) -> None:
    furnish(home, "2024-01-01", "2024-01-05")
    file = land_and_measure(load_scenario("visits"), home / "simtom.duckdb")
    file.chmod(0o444)
    content = file.read_bytes()
    script = """
import sys
sys.modules["dagster"] = None
from simtom_pipeline import load_scenario, verify
results = verify(load_scenario("visits"))
print(*sorted({str(result.verdict.value) for result in results}), len(results))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    expected = checks_of(Simulation(load_scenario("visits")))
    assert done.stderr == ""
    assert done.stdout.split() == ["passed", str(len(expected))]
    assert file.read_bytes() == content
    assert [path.name for path in home.glob("simtom.duckdb*")] == ["simtom.duckdb"]


def test_what_has_not_landed_cannot_be_verified(tmp_path: Path) -> None:
    with pytest.raises(LandingError, match=r"There is no file .*Land it first: simtom run baseline"):
        verify(small(), database=tmp_path / "none.duckdb")
    file = land(small(), tmp_path / "half.duckdb")
    with opened(file) as connection:
        connection.execute("DROP TABLE baseline.daily_profile")
    with pytest.raises(LandingError, match=r"does not hold all of baseline \(daily_profile missing\)"):
        verify(small(), database=file)
