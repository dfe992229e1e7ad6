"""Twenty and more broken scenario files, each with its exact message."""

from pathlib import Path

import pytest

from simtom_pipeline import ScenarioError, load_scenario
from tests.unit.scenarios.test_scenarios import BUILT_IN

CHILD = "name: mine\nextends: baseline\n"
SCENARIOS = ", ".join(sorted(BUILT_IN))

BROKEN: dict[str, tuple[str | bytes, list[str]]] = {
    'wrong_type': (CHILD + 'volume:\n  base_daily_volume: many\n', ["mine.yaml:4: volume.base_daily_volume: found 'many'; allowed: a valid number"]),
    'unknown_key': (CHILD + 'volume:\n  base_daily_volme: 5\n', ["mine.yaml:4: volume.base_daily_volme: found the unknown key 'base_daily_volme'; allowed: 'base_daily_volume'? (all: base_daily_volume, rate_per_second, day_of_week, week_of_month, month, events, daily_noise)"]),
    'unknown_section': (CHILD + 'colck: {}\n', ["mine.yaml:3: colck: found the unknown key 'colck'; allowed: 'clock'? (all: arrivals, checks, clock, description, drift_strength, drift_type, drifts, extends, faults, generator, name, noise, seed, volume, bnpl)"]),
    'end_before_start': (CHILD + 'clock:\n  end: 2023-12-31\n', ['mine.yaml:3: clock: found a mapping; allowed: an end on or after the start (2023-12-31 is before 2024-01-01)']),
    'impossible_date': (CHILD + 'clock:\n  start: 2024-02-30\n', ["mine.yaml:4: clock.start: found '2024-02-30'; allowed: a valid date in the format YYYY-MM-DD, day value is outside expected range"]),
    'peak_hour_24': (CHILD + 'arrivals:\n  peak_hours: [12, 24]\n', ['mine.yaml:4: arrivals.peak_hours.1: found 24; allowed: less than or equal to 23']),
    'probability_1_2': (CHILD + 'arrivals:\n  burst_probability: 1.2\n', ['mine.yaml:4: arrivals.burst_probability: found 1.2; allowed: less than or equal to 0.99']),
    'negative_rate': (CHILD + 'volume:\n  rate_per_second: -1\n  base_daily_volume: null\n', ['mine.yaml:4: volume.rate_per_second: found -1; allowed: greater than 0']),
    'shares_that_do_not_add_up': (CHILD + 'bnpl:\n  devices:\n    device_type: {mobile: 0.9}\n', ['mine.yaml:5: bnpl.devices.device_type: found a mapping; allowed: shares that add up to 1 (these add up to 1.159)']),
    'extends_itself': ('name: mine\nextends: mine\n', ['mine.yaml:2: extends: found itself; allowed: a scenario that does not lead back here']),
    'missing_parent': ('name: mine\nextends: basline\n', [f"mine.yaml:2: extends: found 'basline', which is no scenario; allowed: 'baseline'? (all: {SCENARIOS})"]),
    'empty': ('', ['mine.yaml: found an empty file; allowed: a mapping with at least name, clock and volume']),
    'a_list_for_a_scenario': ('- a\n- b\n', ['mine.yaml:1: found a list; allowed: a mapping with at least name, clock and volume']),
    'a_list_for_a_mapping': (CHILD + 'volume: [1, 2]\n', ['mine.yaml:3: volume: found a list of 2; allowed: a mapping']),
    'duplicate_key': (CHILD + 'volume:\n  daily_noise: 0.1\n  daily_noise: 0.2\n', ["mine.yaml:5: volume.daily_noise: found the key 'daily_noise' a second time (first on line 4); allowed: each key once"]),
    'tab': (CHILD + 'volume:\n\tdaily_noise: 0.1\n', ['mine.yaml:4: found a tab in the indentation (YAML is indented with spaces); allowed: valid YAML']),
    'not_utf8': (b'name: mine\nextends: baseline\ndescription: caf\xe9\n', ['mine.yaml:3: found byte 0xe9, which is not UTF-8; allowed: a text file in UTF-8']),
    'yaml_bomb': (CHILD + 'a: &a [x, x]\nb: [*a, *a]\n', ['mine.yaml:3: found an anchor or alias; allowed: values written out (use extends to share them)']),
    'python_tag': (CHILD + "description: !!python/object/apply:os.system ['id']\n", ['mine.yaml:3: found the tag tag:yaml.org,2002:python/object/apply:os.system; allowed: plain values without tags']),
    'name_is_sql': ('name: "x; DROP TABLE t"\nextends: baseline\n', ["mine.yaml:1: name: found 'x; DROP TABLE t'; allowed: a name of lower-case letters, digits and underscores that starts with a letter"]),
    'name_is_a_path': ('name: ../evil\nextends: baseline\n', ["mine.yaml:1: name: found '../evil'; allowed: a name of lower-case letters, digits and underscores that starts with a letter"]),
    'extends_is_a_path': ('name: mine\nextends: ../../etc/passwd\n', ["mine.yaml:2: extends: found '../../etc/passwd'; allowed: null, or a name of lower-case letters, digits and underscores that starts with a letter"]),
    'yes_for_a_number': (CHILD + 'seed: yes\n', ["mine.yaml:3: seed: found 'yes'; allowed: a valid integer"]),
    'quoted_number': (CHILD + 'seed: "42"\n', ["mine.yaml:3: seed: found '42'; allowed: a valid integer"]),
    'two_rates': (CHILD + 'volume:\n  rate_per_second: 2\n', ['mine.yaml:3: volume: found a mapping; allowed: exactly one of base_daily_volume and rate_per_second (both given; null resets one)']),
    'no_rate': ('name: mine\nclock: {start: 2024-01-01, end: 2024-01-02}\nvolume: {}\n', ['mine.yaml:3: volume: found a mapping; allowed: exactly one of base_daily_volume and rate_per_second (neither given; null resets one)']),
    'nothing_but_a_name': ('name: mine\n', ['mine.yaml:1: clock: found nothing; allowed: a value, it is required', 'mine.yaml:1: volume: found nothing; allowed: a value, it is required']),
    'drift_without_anything': (CHILD + 'drifts:\n  - {id: x}\n', ['mine.yaml:4: drifts.0.effect: found nothing; allowed: a value, it is required', 'mine.yaml:4: drifts.0.kind: found nothing; allowed: a value, it is required', 'mine.yaml:4: drifts.0.schedule: found nothing; allowed: a value, it is required']),
    'unknown_schedule': (CHILD + 'drifts:\n  - {id: x, kind: volume, schedule: {kind: suden, at: 2024-06-01}, effect: {mean_ratio: 2}}\n', ["mine.yaml:4: drifts.0.schedule.kind: found 'suden'; allowed: one of sudden, gradual, linear, seasonal, pulse"]),
    'schedule_without_kind': (CHILD + 'drifts:\n  - {id: x, kind: volume, schedule: {at: 2024-06-01}, effect: {mean_ratio: 2}}\n', ['mine.yaml:4: drifts.0.schedule.kind: found nothing (null); allowed: one of sudden, gradual, linear, seasonal, pulse']),
    'key_of_another_schedule': (CHILD + 'drifts:\n  - {id: x, kind: volume, schedule: {kind: sudden, at: 2024-06-01, width_days: 3}, effect: {mean_ratio: 2}}\n', ["mine.yaml:4: drifts.0.schedule.width_days: found the unknown key 'width_days'; allowed: one of kind, at"]),
    'bad_position': (CHILD + 'drifts:\n  - {id: x, kind: volume, schedule: {kind: sudden, at: 2024-13-01}, effect: {mean_ratio: 2}}\n', ["mine.yaml:4: drifts.0.schedule.at: found '2024-13-01'; allowed: a day from 1901-01-01 to 2099-12-31, or a fraction of the clock's range from 0 to 1"]),
    'fraction_above_one': (CHILD + 'drifts:\n  - {id: x, kind: volume, schedule: {kind: sudden, at: 1.5}, effect: {mean_ratio: 2}}\n', ["mine.yaml:4: drifts.0.schedule.at: found 1.5; allowed: a day from 1901-01-01 to 2099-12-31, or a fraction of the clock's range from 0 to 1"]),
    'pulse_backwards': (CHILD + 'drifts:\n  - {id: x, kind: volume, schedule: {kind: pulse, from: 2024-06-02, to: 2024-06-01}, effect: {mean_ratio: 2}}\n', ['mine.yaml:4: drifts.0.schedule: found a mapping; allowed: a `to` that is not before `from` (2024-06-01 is before 2024-06-02)']),
    'pulse_backwards_by_fraction': (CHILD + 'drifts:\n  - {id: x, kind: volume, schedule: {kind: pulse, from: 0.9, to: 2024-06-01}, effect: {mean_ratio: 2}}\n', ["mine.yaml:4: drifts.0.schedule: found '2024-11-25 to 2024-06-01'; allowed: a `to` after `from`"]),
    'missing_to': (CHILD + 'drifts:\n  - {id: x, kind: volume, schedule: {kind: linear, from: 0.1}, effect: {mean_ratio: 2}}\n', ['mine.yaml:4: drifts.0.schedule.to: found nothing; allowed: a value, it is required']),
    'two_sizes': (CHILD + 'drifts:\n  - {id: x, kind: covariate, schedule: {kind: sudden, at: 2024-06-01}, effect: {psi: 0.1, ks: 0.2}}\n', ['mine.yaml:4: drifts.0.effect: found a mapping; allowed: exactly one of to, shares, mean_ratio, psi, ks, hellinger and default_rate, or to with default_rate (psi and ks given)']),
    'no_size': (CHILD + 'drifts:\n  - {id: x, kind: covariate, schedule: {kind: sudden, at: 2024-06-01}, effect: {}}\n', ['mine.yaml:4: drifts.0.effect: found a mapping; allowed: exactly one of to, shares, mean_ratio, psi, ks, hellinger and default_rate, or to with default_rate (none given)']),
    'size_of_another_target': (CHILD + 'drifts:\n  - {id: x, kind: volume, schedule: {kind: sudden, at: 2024-06-01}, effect: {psi: 0.2}}\n', ['mine.yaml:4: drifts.0.effect.psi: found 0.2; allowed: for volume one of mean_ratio']),
    'impossible_psi': (CHILD + 'drifts:\n  - {id: x, kind: covariate, target: amount, schedule: {kind: sudden, at: 2024-06-01}, effect: {psi: 90}}\n', ['mine.yaml:4: drifts.0.effect.psi: found 90.0; allowed: between 0 and 11.29, which is what can be reached']),
    'impossible_rate': (CHILD + 'drifts:\n  - {id: x, kind: prior, schedule: {kind: sudden, at: 2024-06-01}, effect: {default_rate: 0.9}}\n', ['mine.yaml:4: drifts.0.effect.default_rate: found 0.9; allowed: between 0.0003727 and 0.4824 (0.0183 without drift)']),
    'unknown_target': (CHILD + 'drifts:\n  - {id: x, kind: covariate, target: amunt, schedule: {kind: sudden, at: 2024-06-01}, effect: {psi: 0.2}}\n', ["mine.yaml:4: drifts.0.target: found 'amunt'; allowed: one of amount, time_on_site_seconds, price_comparison_time, economic_stress_factor, product_category, risk_scenario, device_type, payment_provider, age_bracket, income_bracket, credit_score_range, verification_level, address_stability, state"]),
    'target_of_another_kind': (CHILD + 'drifts:\n  - {id: x, kind: concept, target: amount, schedule: {kind: sudden, at: 2024-06-01}, effect: {to: 2}}\n', ["mine.yaml:4: drifts.0.target: found 'amount'; allowed: one of credit.log_odds, credit.coefficients.credit_score_range, credit.coefficients.verification_level, credit.coefficients.income_bracket, credit.coefficients.device_trust, credit.coefficients.tenure, credit.coefficients.product_risk, credit.coefficients.amount_to_limit, credit.coefficients.risk_scenario, credit.coefficients.economic_stress, credit.coefficients.stretched_with_poor_credit, credit.coefficients.newcomer_at_risk, credit.coefficients.stranger_on_old_account, credit.coefficients.stress_on_low_income, credit.interactions.a*b with two signals a and b"]),
    'no_direction': (CHILD + 'drifts:\n  - {id: x, kind: covariate, target: device_type, schedule: {kind: sudden, at: 2024-06-01}, effect: {psi: 0.2}}\n', ['mine.yaml:4: drifts.0.effect.towards: found nothing (null); allowed: one of mobile, desktop, tablet']),
    'unknown_value': (CHILD + 'drifts:\n  - {id: x, kind: covariate, target: device_type, schedule: {kind: sudden, at: 2024-06-01}, effect: {shares: {mobile: 0.9, phone: 0.1}}}\n', ["mine.yaml:4: drifts.0.effect.shares.phone: found 'phone'; allowed: one of mobile, desktop, tablet"]),
    'customers_vanish': (CHILD + 'drifts:\n  - {id: x, kind: covariate, target: device_type, schedule: {kind: sudden, at: 2024-06-01}, effect: {shares: {mobile: 1}}}\n', ['mine.yaml:4: drifts.0.effect.shares: found a mapping; allowed: mobile 0.03705 to 1, desktop 0.01045 to 1, tablet 0.0025 to 1']),
    'nothing_to_spread': ('name: mine\nclock: {start: 2024-01-01, end: 2024-01-20}\nvolume: {base_daily_volume: 10}\ndrifts:\n  - {id: x, kind: covariate, target: amount, schedule: {kind: sudden, at: 0.5}, effect: {psi: 0.25}}\n', ['mine.yaml:5: drifts.0.effect.psi: found 0.25; allowed: 0, which is all that can be reached']),
    'all_or_nothing': ('name: mine\nclock: {start: 2024-01-01, end: 2024-01-20}\nvolume: {base_daily_volume: 10}\ndrifts:\n  - {id: x, kind: covariate, target: time_on_site_seconds, schedule: {kind: sudden, at: 0.5}, effect: {ks: 0.3}}\n', ['mine.yaml:5: drifts.0.effect.ks: found 0.3; allowed: 0 or 1, the nearest that can be reached']),
    'half_a_cent': ('name: mine\nclock: {start: 2024-01-01, end: 2024-01-20}\nvolume: {base_daily_volume: 10}\nbnpl: {catalog: {average_purchase: 1}}\ndrifts:\n  - {id: x, kind: covariate, target: amount, schedule: {kind: sudden, at: 0.5}, effect: {mean_ratio: 1.002}}\n', ['mine.yaml:6: drifts.0.effect.mean_ratio: found 1.002; allowed: 1 or 1.01, the nearest that can be reached']),
    'short_form_without_spread': ('name: mine\nclock: {start: 2024-01-01, end: 2024-01-20}\nvolume: {base_daily_volume: 10}\ndrift_type: sudden\ndrift_strength: 0.2\n', ['mine.yaml:5: drift_strength: found 0.2; allowed: 0, which is all that can be reached']),
    'signal_without_effect': ('name: mine\nclock: {start: 2024-01-01, end: 2024-01-20}\nvolume: {base_daily_volume: 10}\ndrifts:\n  - {id: x, kind: concept, target: credit.coefficients.tenure, schedule: {kind: sudden, at: 0.5}, effect: {to: 2}}\n', ["mine.yaml:5: drifts.0.target: found 'credit.coefficients.tenure'; allowed: a coefficient that moves probabilities of default, which this one does not here"]),
    'stress_that_never_is': (CHILD + 'drifts:\n  - {id: x, kind: concept, target: credit.coefficients.economic_stress, schedule: {kind: sudden, at: 0.5}, effect: {to: 3}}\n', ["mine.yaml:4: drifts.0.target: found 'credit.coefficients.economic_stress'; allowed: a coefficient that moves probabilities of default, which this one does not here"]),
    'correlated_attributes': (CHILD + 'drifts:\n  - {id: x, kind: covariate, target: credit_score_range, schedule: {kind: sudden, at: 2024-06-01}, effect: {psi: 0.25, towards: excellent}}\n  - {id: y, kind: covariate, target: income_bracket, schedule: {kind: pulse, from: 2024-03-01, to: 2024-06-01}, effect: {psi: 0.25, towards: <25k}}\n', ["mine.yaml:5: drifts.1.target: found 'income_bracket'; allowed: a target that is not correlated with credit_score_range, which drifts at the same time (x): neither would have its shares"]),
    'a_value_that_nobody_has': (CHILD + 'bnpl: {devices: {device_type: {mobile: 0.8, desktop: 0.2, tablet: 0}}}\ndrifts:\n  - {id: x, kind: covariate, target: device_type, schedule: {kind: sudden, at: 0.5}, effect: {psi: 0.25, towards: tablet}}\n', ["mine.yaml:5: drifts.0.effect.towards: found 'tablet'; allowed: one of mobile, desktop"]),
    'shares_of_what_never_is': (CHILD + 'bnpl: {catalog: {categories: {home: {share: 0}, clothing: {share: 0.51}}}}\ndrifts:\n  - {id: x, kind: covariate, target: product_category, schedule: {kind: sudden, at: 0.5}, effect: {shares: {home: 0.3, beauty: 0.7}}}\n', ['mine.yaml:5: drifts.0.effect.shares: found a mapping; allowed: electronics 0 to 1, clothing 0 to 1, home 0 to 0, beauty 0 to 1, sports 0 to 1']),
    'a_delay_of_decades': (CHILD + 'bnpl: {credit: {reporting_delay_days: 20}}\ndrifts:\n  - {id: x, kind: label_delay, schedule: {kind: sudden, at: 0.5}, effect: {mean_ratio: 999}}\n', ['mine.yaml:5: drifts.0.effect.mean_ratio: found 999.0; allowed: mean days from 0 to 3650 (not 19980)']),
    'stress_above_one': (CHILD + 'drifts:\n  - {id: x, kind: economic_stress, schedule: {kind: sudden, at: 2024-06-01}, effect: {to: 1.5}}\n', ['mine.yaml:4: drifts.0.effect.to: found 1.5; allowed: a stress from 0 to 1']),
    'direction_of_a_number': (CHILD + 'drifts:\n  - {id: x, kind: covariate, target: amount, schedule: {kind: sudden, at: 2024-06-01}, effect: {psi: 0.2, towards: up}}\n', ["mine.yaml:4: drifts.0.effect.towards: found 'up'; allowed: higher or lower"]),
    'impossible_coefficient': (CHILD + 'drifts:\n  - {id: x, kind: concept, target: credit.coefficients.tenure, schedule: {kind: sudden, at: 2024-06-01}, effect: {default_rate: 0.9}}\n', ['mine.yaml:4: drifts.0.effect.default_rate: found 0.9; allowed: between 0.004936 and 0.7976, which is what can be reached']),
    'same_id_twice': (CHILD + 'drifts:\n  - {id: x, kind: volume, schedule: {kind: sudden, at: 0.5}, effect: {mean_ratio: 2}}\n  - {id: x, kind: volume, schedule: {kind: sudden, at: 0.5}, effect: {mean_ratio: 2}}\n', ['mine.yaml:3: drifts: found a list of 2; allowed: ids that occur once and are none of drifts, faults, drift_type (not so: x)']),
    'no_pair': (CHILD + 'bnpl:\n  credit:\n    interactions: {tenure: 1}\n', ["mine.yaml:5: bnpl.credit.interactions: found a mapping; allowed: keys a*b of two signals out of credit_score_range, verification_level, income_bracket, device_trust, tenure, product_risk, amount_to_limit, risk_scenario, economic_stress, stretched_with_poor_credit, newcomer_at_risk, stranger_on_old_account, stress_on_low_income ('tenure' is none)"]),
    "unknown_generator": (
        "name: mine\nextends: baseline\ngenerator: clicks\n",
        ["mine.yaml:3: generator: found 'clicks'; allowed: one of bnpl"],
    ),
    'unknown_arrival_pattern': (CHILD + 'arrivals:\n  arrival_pattern: posson\n', ["mine.yaml:4: arrivals.arrival_pattern: found 'posson'; allowed: 'uniform', 'poisson', 'nhpp', 'burst' or 'hawkes'"]),
    'unknown_event': (CHILD + 'volume:\n  events: {blackfriday: 3}\n', ["mine.yaml:4: volume.events.blackfriday: found 'blackfriday'; allowed: 'new_year_week', 'martin_luther_king_day', 'valentines_day', 'presidents_day', 'easter_sunday', 'mothers_day', 'memorial_day', 'fathers_day', 'juneteenth', 'independence_day', 'labor_day', 'columbus_day', 'halloween', 'veterans_day', 'thanksgiving', 'black_friday', 'thanksgiving_weekend', 'cyber_monday', 'cyber_week', 'christmas_shopping', 'christmas_eve', 'christmas_day' or 'day_after_christmas'"]),
    'nan': (CHILD + 'volume:\n  daily_noise: .nan\n', ['mine.yaml:4: volume.daily_noise: found nan; allowed: a finite number']),
    'inf': (CHILD + 'volume:\n  base_daily_volume: 1e999\n', ['mine.yaml:4: volume.base_daily_volume: found inf; allowed: a finite number']),
    'too_deep': (CHILD + 'bnpl: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]\n', ['mine.yaml:3: found more than 20 levels of nesting; allowed: a flatter file']),
    'two_documents': (CHILD + '---\nname: b\n', ['mine.yaml:3: found a second document; allowed: one document a file']),
    "control_character": (
        CHILD + "description: \x00\n",
        ["mine.yaml:3: found a character that YAML does not allow (#x0000); allowed: printable text"],
    ),
    "half_a_character": (
        CHILD + 'description: "\\ud800"\n',
        ["mine.yaml:3: found half of a character (a lone surrogate); allowed: printable text"],
    ),
    "infinite_volume": (
        CHILD + "volume:\n  base_daily_volume: .INF\n",
        ["mine.yaml:4: volume.base_daily_volume: found inf; allowed: a finite number"],
    ),
    'unclosed_brace': (CHILD + 'volume: {daily_noise: 0.1\n', ["mine.yaml:4: found a syntax error (expected ',' or '}', but got '<stream end>'); allowed: valid YAML"]),
    'impossible_moment': (CHILD + 'arrivals:\n  flash_sales:\n    - {start: noon, duration_minutes: 5, multiplier: 2}\n', ["mine.yaml:5: arrivals.flash_sales.0.start: found 'noon'; allowed: a moment such as 2024-11-29T18:00:00 (Invalid isoformat string: 'noon')"]),
    'flash_sale_without_duration': (CHILD + 'arrivals:\n  flash_sales:\n    - {start: 2024-03-01, multiplier: 2}\n', ['mine.yaml:5: arrivals.flash_sales.0.duration_minutes: found nothing; allowed: a value, it is required']),
    'reserved_name': ('name: main\nextends: baseline\n', ["mine.yaml:1: name: found 'main'; allowed: a name that is not reserved (names ending in _truth, and information_schema, main, pg_catalog, simtom, system, temp, are)"]),
    'name_of_a_truth_schema': ('name: my_truth\nextends: baseline\n', ["mine.yaml:1: name: found 'my_truth'; allowed: a name that is not reserved (names ending in _truth, and information_schema, main, pg_catalog, simtom, system, temp, are)"]),
    'impossible_correlations': (CHILD + 'bnpl:\n  population:\n    correlation: {age_income: 0.9, age_credit: 0.9, income_credit: -0.9}\n', ['mine.yaml:5: bnpl.population.correlation: found a mapping; allowed: correlations that can hold together (no such five attributes can exist)']),
    'everything_at_once': ('name: Mine\nextends: baseline\nclock:\n  end: 2023-01-01\nvolume:\n  daily_noise: -1\n  evnts: {}\nbnpl:\n  catalog:\n    average_purchase: free\n    categories: {toys: {share: 1}}\n', ["mine.yaml:1: name: found 'Mine'; allowed: a name of lower-case letters, digits and underscores that starts with a letter", 'mine.yaml:3: clock: found a mapping; allowed: an end on or after the start (2023-01-01 is before 2024-01-01)', 'mine.yaml:6: volume.daily_noise: found -1; allowed: greater than or equal to 0', "mine.yaml:7: volume.evnts: found the unknown key 'evnts'; allowed: 'events'? (all: base_daily_volume, rate_per_second, day_of_week, week_of_month, month, events, daily_noise)", "mine.yaml:10: bnpl.catalog.average_purchase: found 'free'; allowed: a valid number", "mine.yaml:11: bnpl.catalog.categories.toys: found the unknown key 'toys'; allowed: one of electronics, clothing, home, beauty, sports"]),
    'integer_of_5000_digits': (CHILD + "seed: " + "9" * 5000 + "\n", ["mine.yaml:3: seed: found '9999999999999999999999999999999999999999999999999999999999999999999999999999...; allowed: a valid integer"]),
    'negative_seed': (CHILD + 'seed: -1\n', ['mine.yaml:3: seed: found -1; allowed: greater than or equal to 0']),
    'three_hours_a_day': (CHILD + 'arrivals:\n  hourly_profile: [1, 2, 3]\n', ['mine.yaml:4: arrivals.hourly_profile: found a list of 3; allowed: a list of at least 24']),
    'endless_clusters': (CHILD + 'arrivals:\n  arrival_pattern: hawkes\n  decay_minutes: 100000\n', ['mine.yaml:3: arrivals: found a mapping; allowed: decay_minutes / (1 - branching_ratio) of at most 1785.6 (it is 200000; longer clusters span more than 31 days)']),
    'a_single_value': ('just words\n', ['mine.yaml:1: found a single value; allowed: a mapping with at least name, clock and volume']),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_file_gets_its_exact_message(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, expected = BROKEN[case]
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ScenarioError) as raised:
        load_scenario("mine.yaml")
    assert [str(problem) for problem in raised.value.problems] == expected


NOTHING = {
    "amount": ("covariate", "{mean_ratio: 1}", "mean_ratio: found 1.0"),
    "device_type": (
        "covariate",
        "{shares: {mobile: 0.741, desktop: 0.209, tablet: 0.05}}",
        "shares: found a mapping",
    ),
    "economic_stress_factor": ("covariate", "{to: 0}", "to: found 0.0"),
    "credit.coefficients.tenure": ("concept", "{to: -0.3}", "to: found -0.3"),
    "credit.log_odds": ("concept", "{default_rate: 0.0183}", "default_rate: found 0.0183"),
    "will_default": ("prior", "{default_rate: 0.0183}", "default_rate: found 0.0183"),
    "reporting_delay_days": ("label_delay", "{to: 0}", "to: found 0.0"),
    "volume": ("volume", "{mean_ratio: 1}", "mean_ratio: found 1.0"),
}


@pytest.mark.parametrize("target", NOTHING)
def test_a_drift_that_changes_nothing_is_refused(target: str, tmp_path: Path) -> None:
    kind, effect, found = NOTHING[target]
    drift = (
        f"{{id: x, kind: {kind}, target: {target}, schedule: {{kind: sudden, at: 0.5}}, effect: {effect}}}"
    )
    (tmp_path / "mine.yaml").write_text(f"{CHILD}drifts:\n  - {drift}\n")
    with pytest.raises(ScenarioError) as raised:
        load_scenario(tmp_path / "mine.yaml")
    (problem,) = raised.value.problems
    assert str(problem).endswith(
        f"mine.yaml:4: drifts.0.effect.{found}; allowed: another value: it is so without the drift"
    )


def test_extending_in_a_circle_names_the_circle(home: Path) -> None:
    folder = home / "scenarios"
    folder.mkdir()
    for name, parent in (("ping", "pong"), ("pong", "pang"), ("pang", "ping")):
        (folder / f"{name}.yaml").write_text(f"name: {name}\nextends: {parent}\n")
    with pytest.raises(ScenarioError) as raised:
        load_scenario("ping")
    assert str(raised.value) == (
        f"{folder / 'pang.yaml'}:2: extends: found a circle (ping -> pong -> pang -> ping);"
        " allowed: a scenario that does not lead back here"
    )


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (
            "nowhere.yaml",
            "nowhere.yaml: found no such file or directory; allowed: a YAML file that can be read",
        ),
        (
            "basline",
            f"scenario: found 'basline', which is no scenario; allowed: 'baseline'? (all: {SCENARIOS})",
        ),
        (
            "../x",
            "scenario: found '../x'; allowed: a name of lower-case letters, digits and underscores"
            " that starts with a letter, or a file ending in .yaml",
        ),
    ],
)
def test_a_scenario_that_is_not_there(
    asked: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ScenarioError) as raised:
        load_scenario(asked)
    assert str(raised.value) == message


def test_a_directory_is_no_scenario(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder.yaml").mkdir()
    with pytest.raises(ScenarioError, match="found is a directory"):
        load_scenario("folder.yaml")


def test_a_file_of_over_a_megabyte_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text(CHILD + "#" * 1_000_001)
    with pytest.raises(ScenarioError, match="over a megabyte"):
        load_scenario("mine.yaml")


def test_a_file_in_a_scenarios_folder_is_named_as_its_file(home: Path) -> None:
    (home / "scenarios").mkdir()
    path = home / "scenarios" / "mine.yaml"
    path.write_text("name: yours\nextends: baseline\n")
    with pytest.raises(ScenarioError) as raised:
        load_scenario("mine")
    assert str(raised.value) == (
        f"{path}:1: name: found 'yours'; allowed: 'mine', the name of its file, in a scenarios folder"
    )


def test_a_users_scenario_cannot_take_a_built_in_name(home: Path) -> None:
    (home / "scenarios").mkdir()
    path = home / "scenarios" / "baseline.yaml"
    path.write_text("name: baseline\nextends: bursty\n")
    with pytest.raises(ScenarioError) as raised:
        load_scenario("baseline")
    assert load_scenario("bursty").name == "bursty"
    assert str(raised.value) == (
        f"{path}: found the name of the built-in scenario 'baseline'; allowed: another file name"
    )


def test_a_problem_inherited_from_a_parent_is_reported_where_it_was_written(home: Path) -> None:
    (home / "scenarios").mkdir()
    parent = home / "scenarios" / "parent.yaml"
    parent.write_text("name: parent\nextends: baseline\nseed: -3\n")
    (home / "scenarios" / "child.yaml").write_text("name: child\nextends: parent\n")
    with pytest.raises(ScenarioError) as raised:
        load_scenario("child")
    assert str(raised.value) == f"{parent}:3: seed: found -3; allowed: greater than or equal to 0"


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        (
            "volume.base_daily_volume",
            -5,
            "override volume.base_daily_volume: volume.base_daily_volume: found -5; allowed: greater than 0",
        ),
        (
            "clock..start",
            1,
            "override clock..start: found the key 'clock..start'; allowed: a dotted path such as"
            " volume.base_daily_volume (extends cannot be overridden)",
        ),
        (
            "clock",
            7,
            "override clock: clock: found 7; allowed: a mapping",
        ),
    ],
)
def test_a_bad_override_names_itself(key: str, value: object, message: str) -> None:
    with pytest.raises(ScenarioError) as raised:
        load_scenario("baseline", {key: value})
    assert str(raised.value) == message


WRONGLY_CORRUPTED = [
    ('noise', '{table: transactions, columns: [transaction_id, device_is_trusted, installment_count, shoe_size], noise_type: gaussian, noise_level: 0.1}', ["noise.0.columns.0: found 'transaction_id'; allowed: a measurement of transactions: amount, risk_score, price_comparison_time, time_on_site_seconds, credit_utilization (transaction_id is an identifier)", "noise.0.columns.1: found 'device_is_trusted'; allowed: a measurement of transactions: amount, risk_score, price_comparison_time, time_on_site_seconds, credit_utilization (device_is_trusted is yes or no: a flag or a label)", "noise.0.columns.2: found 'installment_count'; allowed: a measurement of transactions: amount, risk_score, price_comparison_time, time_on_site_seconds, credit_utilization (installment_count is no measurement: number of payments)", "noise.0.columns.3: found 'shoe_size'; allowed: a measurement of transactions: amount, risk_score, price_comparison_time, time_on_site_seconds, credit_utilization (shoe_size is no column of it)"]),
    ('noise', '{table: outcomes, columns: [will_default], noise_type: uniform, noise_level: 0.1}', ["noise.0.columns.0: found 'will_default'; allowed: a measurement of outcomes: it has none (will_default is yes or no: a flag or a label)"]),
    ('noise', '{table: shops, columns: [amount], noise_type: gaussian, noise_level: 0.1}', ["noise.0.table: found 'shops'; allowed: a table that lands by the day: customers, devices, payment_methods, transactions, installments, outcomes"]),
    ('faults', '{id: a, kind: missing, table: transactions, columns: [day, ingested_at], rate: 0.1}', ["faults.0.columns.0: found 'day'; allowed: a column of transactions that can be hit: event_time, delivered_at, customer_id, product_id, device_id, payment_method_id, is_first_purchase, amount, currency, status, risk_scenario, risk_score, risk_level, installment_count, first_payment_amount, payment_frequency, purchase_context, checkout_speed, cart_abandonment_count, price_comparison_time, time_on_site_seconds, credit_utilization, economic_stress_factor, customer_age_bracket, customer_tenure_days, device_is_trusted (day says which row it is: the ledger needs it)", "faults.0.columns.1: found 'ingested_at'; allowed: a column of transactions that can be hit: event_time, delivered_at, customer_id, product_id, device_id, payment_method_id, is_first_purchase, amount, currency, status, risk_scenario, risk_score, risk_level, installment_count, first_payment_amount, payment_frequency, purchase_context, checkout_speed, cart_abandonment_count, price_comparison_time, time_on_site_seconds, credit_utilization, economic_stress_factor, customer_age_bracket, customer_tenure_days, device_is_trusted (ingested_at is corrupted by the kinds late and out_of_order)"]),
    ('faults', '{id: b, kind: typo, table: transactions, columns: [risk_score], rate: 0.1}', ["faults.0.columns.0: found 'risk_score'; allowed: a column of transactions that can be hit: customer_id, product_id, device_id, payment_method_id, amount, currency, status, risk_scenario, risk_level, installment_count, first_payment_amount, payment_frequency, purchase_context, checkout_speed, cart_abandonment_count, price_comparison_time, time_on_site_seconds, customer_age_bracket, customer_tenure_days (risk_score is neither text nor a whole number nor an amount)"]),
    ('faults', '{id: c, kind: new_category, table: transactions, columns: [checkout_speed], rate: 0.1, category: fast}', ["faults.0.columns.0: found 'checkout_speed'; allowed: a column of transactions that can be hit: currency, status, risk_scenario, risk_level, payment_frequency, purchase_context, customer_age_bracket (fast is a known value of checkout_speed)"]),
    ('faults', '{id: d, kind: late, table: customers, rate: 0.1, delay: {kind: exponential, mean_hours: 2}}', ["faults.0.table: found 'customers'; allowed: a table whose rows say when they arrived: transactions"]),
    ('faults', '{id: e, kind: stuck, table: outcomes, columns: [matured_at], rate: 0.1}', ["faults.0.table: found 'outcomes'; allowed: a table whose rows are dated: customers, devices, payment_methods, transactions"]),
    ('faults', '{id: f, kind: missing, table: transactions, columns: [amount], rate: 0.1, given: {column: purchase_context, above: 2}}', ["faults.0.given.above: found 2.0; allowed: `values`, for transactions.purchase_context is no number"]),
    ('faults', '{id: g, kind: missing, table: transactions, columns: [amount], rate: 0.1, given: {column: purchase_context, values: [angry]}}', ["faults.0.given.values: found 'angry'; allowed: values of purchase_context: normal, impulse, rushed"]),
    ('faults', '{id: h, kind: truncated, table: default_risk, columns: [frailty], rate: 0.1, length: 2}', ["faults.0.table: found 'default_risk'; allowed: a table that lands by the day: customers, devices, payment_methods, transactions, installments, outcomes"]),
    ('faults', '{id: i, kind: duplicate, table: transactions, rate: 0.1, schedule: {kind: linear, from: 2024-05-01, to: 0.1}}', ["faults.0.schedule: found '`to` before `from`'; allowed: a `to` that is not before `from`"]),
    ('faults', '{id: j, kind: missing, table: transactions, columns: [amount], rate: 0.1, given: {column: event_time, above: 2}}', ['faults.0.given.above: found 2.0; allowed: another column, for transactions.event_time is a moment: a condition cannot be said of it']),
    ('faults', '{id: k, kind: missing, table: transactions, columns: [event_time], rate: 0.1, given: {values: [x]}}', ['faults.0.given.values: found a list of 1; allowed: another column, for transactions.event_time is a moment: a condition cannot be said of it']),
    ('faults', '{id: l, kind: missing, table: transactions, columns: [amount], rate: 0.1, given: {column: device_is_trusted, values: ["True"]}}', ["faults.0.given.values: found 'True'; allowed: values of device_is_trusted: false, true"]),
    ('faults', '{id: m, kind: missing, table: transactions, columns: [amount], rate: 0.1, given: {column: installment_count, values: [four, "4"]}}', ["faults.0.given.values: found 'four'; allowed: whole numbers in quotes, such as transactions.installment_count has"]),
    ('faults', '{id: n, kind: missing, table: transactions, columns: [amount], rate: 0.1, given: {column: installment_count, values: [4]}}', ['faults.0.given.values.0: found 4; allowed: text']),
    ('faults', '{id: o, kind: missing, table: transactions, columns: [amount], rate: 0.1, given: {column: risk_score, values: [high]}}', ['faults.0.given.values: found a list of 1; allowed: `above` or `below`, for transactions.risk_score is no word']),
    ('faults', '{id: p, kind: missing, table: transactions, columns: [amount], rate: 0.1, given: }', ['faults.0.given: found nothing (null); allowed: a mapping']),
    ('faults', '{id: q, kind: out_of_range, table: transactions, columns: [amount], rate: 0.1, low: 0.001, high: 0.009}', ['faults.0.columns.0: found \'amount\'; allowed: a column of transactions that can be hit: risk_score, credit_utilization, economic_stress_factor (amount is in whole cents, and there is none from 0.001 to 0.009)']),
    ('faults', '{id: r, kind: new_category, table: transactions, columns: [currency], rate: 0.1, category: "x\\0y"}', ["faults.0.category: found 'x\\x00y'; allowed: text without control characters"]),
    ('noise', '{table: transactions, columns: [risk_score], noise_type: gaussian, noise_level: 1.0e-16}', ['noise.0.noise_level: found 1e-16; allowed: greater than or equal to 0.000001']),
    ('noise', '{table: transactions, columns: [amount], noise_type: pink, noise_level: 0.1}', ["noise.0.noise_type: found 'pink'; allowed: one of gaussian, uniform, outliers"]),
    ('noise', '{table: transactions, columns: [], noise_type: gaussian, level: 0.1}', ['noise.0.columns: found a list of 0; allowed: a list of at least 1', "noise.0.level: found the unknown key 'level'; allowed: 'noise_level'? (all: table, columns, noise_type, noise_level)", 'noise.0.noise_level: found nothing; allowed: a value, it is required']),
    ('faults', '{id: a, kind: lost, table: transactions, columns: [amount], rate: 0.1}', ["faults.0.kind: found 'lost'; allowed: one of missing, duplicate, late, out_of_order, typo, out_of_range, unit_change, stuck, new_category, truncated, dropped_day"]),
    ('faults', '{id: b, kind: missing, table: transactions, columns: [amount], rate: 1.5, given: {above: 1, below: 3}}', ['faults.0.given: found a mapping; allowed: exactly one of above, below and values (above and below given)', 'faults.0.rate: found 1.5; allowed: less than or equal to 1']),
    ('faults', '{id: c, kind: late, table: transactions, rate: 0.1, delay: {kind: normal, mean_hours: 2}}', ["faults.0.delay.kind: found 'normal'; allowed: one of exponential, lognormal, uniform"]),
    ('faults', '{id: d, kind: unit_change, table: transactions, columns: [amount], factor: 1.2}', ['faults.0.factor: found 1.2; allowed: a factor of at most 0.5 or at least 2']),
    ('faults', '{id: e, kind: out_of_range, table: transactions, columns: [amount], rate: 0.1, low: 3, high: 1}', ['faults.0: found a mapping; allowed: a high that is not below low (1 is below 3)']),
    ('faults', '{id: f, kind: typo, table: transactions, columns: [amount, amount], rate: 0.1}', ['faults.0.columns: found a list of 2; allowed: columns that are named once (not so: amount)']),
]  # fmt: skip


@pytest.mark.parametrize(("section", "entry", "expected"), WRONGLY_CORRUPTED)
def test_noise_and_faults_that_cannot_be_had_are_refused_by_name(
    section: str, entry: str, expected: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text(f"{CHILD}{section}:\n  - {entry}\n")
    with pytest.raises(ScenarioError) as raised:
        load_scenario("mine.yaml")
    assert [str(problem).removeprefix("mine.yaml:4: ") for problem in raised.value.problems] == expected
