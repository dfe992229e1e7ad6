"""How a scenario is put together: extends, overrides, resets, the library and the JSON schema."""

import json
import subprocess
import sys
from datetime import date, datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

from simtom_pipeline import ScenarioError, load_scenario
from simtom_pipeline.simulation import load_all, scenario_files
from tools.dictionary import DICTIONARY_FILE, dictionary_text
from tools.schema import SCHEMA_FILE, schema_text

BUILT_IN = {
    "baseline": "nhpp",
    "uniform_arrivals": "uniform",
    "poisson_arrivals": "poisson",
    "flash_sale": "nhpp",
    "bursty": "burst",
    "self_exciting": "hawkes",
    "holiday_season": "nhpp",
    "covariate_shift": "nhpp",
    "concept_shift": "nhpp",
    "prior_shift": "nhpp",
    "gradual_drift": "nhpp",
    "seasonal_drift": "nhpp",
    "recession": "nhpp",
    "fraud_wave": "nhpp",
    "credit_tightening": "nhpp",
    "slow_labels": "nhpp",
    "dirty_feed": "nhpp",
    "late_labels_and_events": "nhpp",
    "outage": "nhpp",
}


def write(home: Path, name: str, text: str) -> Path:
    path = home / "scenarios" / f"{name}.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"name: {name}\n{text}")
    return path


@pytest.mark.parametrize(("name", "pattern"), BUILT_IN.items())
def test_built_in_scenarios_are_valid(name: str, pattern: str) -> None:
    scenario = load_scenario(name)
    assert scenario.arrivals.arrival_pattern == pattern
    assert scenario.description


def test_the_holiday_season_spans_the_turn_of_the_year() -> None:
    clock = load_scenario("holiday_season").clock
    assert (clock.start, clock.end) == (date(2024, 11, 15), date(2025, 1, 5))


def test_mappings_merge_key_by_key_lists_and_scalars_replace_null_resets(home: Path) -> None:
    write(
        home,
        "parent",
        "extends: baseline\nvolume:\n  events: {halloween: 2}\narrivals:\n  peak_hours: [1, 2]\n",
    )
    write(
        home,
        "child",
        "extends: parent\nvolume:\n  events: {halloween: 3, labor_day: null}\n  month: null\n"
        "arrivals:\n  peak_hours: [5]\n  hourly_profile: null\n",
    )
    baseline, child = load_scenario("baseline"), load_scenario("child")
    expected = {**baseline.volume.events, "halloween": 3.0}
    del expected["labor_day"]
    assert child.volume.events == expected
    assert child.volume.month == {}
    assert child.arrivals.peak_hours == (5,)
    assert child.arrivals.hourly_profile == (1.0,) * 24
    assert child.volume.day_of_week == baseline.volume.day_of_week


def test_a_childs_name_and_description_are_its_own(home: Path) -> None:
    write(home, "child", "extends: baseline\n")
    assert load_scenario("child").description == ""


def test_a_scenario_may_extend_its_neighbour_in_any_folder(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text("name: one\nextends: baseline\nseed: 5\n")
    (tmp_path / "two.yaml").write_text("name: two\nextends: one\n")
    assert load_scenario(tmp_path / "two.yaml").seed == 5


def test_a_scenario_that_extends_nothing_is_neutral(tmp_path: Path) -> None:
    path = tmp_path / "plain.yaml"
    path.write_text(
        "name: plain\nclock: {start: 2024-01-01, end: 2024-01-03}\nvolume: {rate_per_second: 0.01}\n"
    )
    scenario = load_scenario(path)
    assert scenario.volume.events_per_day == 864
    assert scenario.volume.daily_noise == 0
    assert set(scenario.arrivals.hourly_profile) == {1.0}
    assert scenario.bnpl.population.repeat_customer_rate == 0


def test_overrides_go_by_dotted_path_and_null_resets() -> None:
    scenario = load_scenario(
        "baseline",
        {
            "volume.base_daily_volume": None,
            "volume.rate_per_second": 2,
            "clock.end": date(2024, 3, 1),
            "clock.epoch": "2030-05-01",
            "bnpl.devices.device_type": {"mobile": 0.7, "desktop": 0.25},
        },
    )
    assert scenario.volume.events_per_day == 172_800
    assert scenario.clock.end == date(2024, 3, 1)
    assert scenario.clock.epoch == datetime.fromisoformat("2030-05-01")
    assert scenario.bnpl.devices.device_type == {"mobile": 0.7, "desktop": 0.25, "tablet": 0.05}


def test_scenarios_are_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        load_scenario("baseline").seed = 3


def test_one_broken_file_does_not_take_the_others_down(home: Path) -> None:
    write(home, "broken", "volume: [")
    write(home, "fine", "extends: baseline\n")
    loaded, broken = load_all()
    assert {scenario.name for scenario in loaded} == {*BUILT_IN, "fine"}
    assert list(broken) == ["broken"]
    assert "broken.yaml:2" in str(broken["broken"])


def test_the_template_of_init_is_a_valid_scenario(home: Path) -> None:
    template = Path(__file__).parents[3] / "simtom_pipeline" / "scenarios" / "template.yaml"
    (home / "scenarios").mkdir()
    (home / "scenarios" / "my_scenario.yaml").write_text(template.read_text())
    assert load_scenario("my_scenario").volume.base_daily_volume == 2000
    assert "my_scenario" in scenario_files()


def test_values_that_yaml_1_1_would_misread_are_what_they_look_like(tmp_path: Path) -> None:
    path = tmp_path / "plain.yaml"
    path.write_text(
        "name: plain\nextends: baseline\ndescription: no\nvolume: {base_daily_volume: 1e3}\nseed: 010\n"
    )
    scenario = load_scenario(path)
    assert scenario.description == "no"
    assert scenario.volume.base_daily_volume == 1000
    assert scenario.seed == 10


def test_the_committed_json_schema_is_current() -> None:
    assert SCHEMA_FILE.read_text() == schema_text()


def test_the_json_schema_knows_every_key_of_the_built_in_scenarios() -> None:
    schema = json.loads(schema_text())

    def follow(node: dict[str, object]) -> dict[str, object]:
        while "$ref" in node or "anyOf" in node:
            node = node["anyOf"][0] if "anyOf" in node else schema["$defs"][node["$ref"].split("/")[-1]]  # type: ignore[index,union-attr]
        return node

    def check(data: object, node: dict[str, object]) -> None:
        node = follow(node)
        if isinstance(data, dict) and "properties" in node:
            assert set(data) <= set(node["properties"]), node  # type: ignore[call-overload]
            for key, value in data.items():
                check(value, node["properties"][key])  # type: ignore[index]

    import yaml

    for path in scenario_files().values():
        check(yaml.safe_load(path.read_text()), schema)


def test_the_committed_data_dictionary_is_current() -> None:
    assert DICTIONARY_FILE.read_text() == dictionary_text()


def test_simulating_imports_neither_dagster_nor_duckdb() -> None:
    program = (
        "import sys; from datetime import date; from simtom_pipeline import load_scenario, simulate_day;"
        "simulate_day(load_scenario('bursty'), date(2024, 1, 1));"
        "assert not {'dagster', 'duckdb'} & set(sys.modules), 'too much imported'"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_errors_travel_between_processes() -> None:
    import pickle

    with pytest.raises(ScenarioError) as raised:
        load_scenario("nope")
    assert str(pickle.loads(pickle.dumps(raised.value))) == str(raised.value)
