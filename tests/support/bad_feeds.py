"""A feed with noise and faults, and ways in which what landed of it can be wrong."""

from collections.abc import Mapping
from typing import Any

from tests.support.faults import EVERY_KIND, NOISE

LEDGER, NOISY = "baseline_truth.fault_ledger", "baseline_truth.noise_ledger"

DIRTY: Mapping[str, Any] = {
    "volume.base_daily_volume": 150,
    "clock": {"start": "2024-01-01", "end": "2024-01-20"},
    "bnpl.population.customer_lifetime_days": 30,
    "noise": list(NOISE),
    "faults": [
        {**said, "id": f"f{n}_{said['kind']}", "rate": 0.2 if said["kind"] == "dropped_day" else 0.15}
        for n, said in enumerate(EVERY_KIND)
    ],
}

OF_AMOUNT = "table_name = 'transactions' AND column_name = 'amount'"


def of_kind(kind: str, change: str) -> str:
    """Change the corrupted value of every entry of a kind, in the ledger."""
    return f"UPDATE {LEDGER} SET spoilt_value = {change} WHERE kind = '{kind}' AND spoilt_value IS NOT NULL"


CORRUPTED: dict[str, tuple[str, str, str]] = {
    "an original value is another one": (
        "faults_undone",
        "fault_ledger",
        f"UPDATE {LEDGER} SET original_value = '1.00' WHERE {OF_AMOUNT} AND day = DATE '2024-01-20'",
    ),
    "entries of the last day are missing": (
        "faults_undone",
        "fault_ledger",
        f"DELETE FROM {LEDGER} WHERE kind = 'typo' AND day = DATE '2024-01-20'",
    ),
    "an undeclared copy of a row": (
        "no_other_faults",
        "fault_ledger",
        "INSERT INTO baseline.devices SELECT * FROM baseline.devices LIMIT 1",
    ),
    "a corrupted value was repaired by hand": (
        "no_other_faults",
        "fault_ledger",
        "UPDATE baseline.transactions SET amount = 12.34 WHERE amount IS NULL",
    ),
    "a row of a lost day arrived": (
        "no_other_faults",
        "fault_ledger",
        f"INSERT INTO baseline.outcomes SELECT key[1], day, false, NULL, '2024-05-01', '2024-05-01'"
        f" FROM {LEDGER} WHERE table_name = 'outcomes' AND column_name = '(row)'"
        " AND kind = 'dropped_day' LIMIT 1",
    ),
    "a fault that nobody declared": (
        "no_other_faults",
        "fault_ledger",
        f"UPDATE {LEDGER} SET fault_id = 'unknown' WHERE kind = 'late'",
    ),
    "too few rows are doubled": (
        "faults_as_declared",
        "fault_ledger",
        f"DELETE FROM {LEDGER} WHERE kind = 'duplicate' AND column_name = '(row)' AND key[1] % 2 = 0",
    ),
    "too few values are hit": (
        "faults_as_declared",
        "fault_ledger",
        f"DELETE FROM {LEDGER} WHERE kind = 'truncated' AND key[1] % 2 = 0",
    ),
    "every hit of one day is missing": (
        "faults_as_declared",
        "fault_ledger",
        f"DELETE FROM {LEDGER} WHERE kind = 'missing'"
        f" AND day = (SELECT min(day) FROM {LEDGER} WHERE kind = 'missing')",
    ),
    "values get lost where the condition does not hold": (
        "faults_as_declared",
        "fault_ledger",
        f"UPDATE {LEDGER} SET fault_id = 'f1_missing', column_name = 'risk_score'"
        f" WHERE fault_id = 'f2_missing' AND key NOT IN (SELECT key FROM {LEDGER}"
        " WHERE column_name = 'risk_score')",
    ),
    "what is missing has a value": (
        "faults_as_declared",
        "fault_ledger",
        f"UPDATE {LEDGER} SET spoilt_value = '1' WHERE kind = 'missing'",
    ),
    "two slips": ("faults_as_declared", "fault_ledger", of_kind("typo", "spoilt_value || 'xy'")),
    "beyond the range": ("faults_as_declared", "fault_ledger", of_kind("out_of_range", "'-99'")),
    "always the same value of the range": (
        "faults_as_declared",
        "fault_ledger",
        of_kind("out_of_range", "'-3'"),
    ),
    "another factor": (
        "faults_as_declared",
        "fault_ledger",
        of_kind("unit_change", "CAST(CAST(spoilt_value AS DOUBLE) * 2 AS VARCHAR)"),
    ),
    "another category": ("faults_as_declared", "fault_ledger", of_kind("new_category", "'other'")),
    "cut elsewhere": ("faults_as_declared", "fault_ledger", of_kind("truncated", "left(original_value, 2)")),
    "stuck at another value": (
        "faults_as_declared",
        "fault_ledger",
        f"UPDATE {LEDGER} SET spoilt_value = '0.5' WHERE kind = 'stuck' AND column_name = 'risk_score'",
    ),
    "always the same delay": (
        "faults_as_declared",
        "fault_ledger",
        f"UPDATE {LEDGER} SET spoilt_value = CAST(CAST(original_value AS TIMESTAMP) + INTERVAL 3 HOUR"
        " AS VARCHAR) WHERE kind = 'late'",
    ),
    "late before it happened": (
        "faults_as_declared",
        "fault_ledger",
        f"UPDATE {LEDGER} SET spoilt_value = '2020-01-01 00:00:00' WHERE kind = 'late'",
    ),
    "overtaken at another moment": (
        "faults_as_declared",
        "fault_ledger",
        of_kind("out_of_order", "CAST(CAST(spoilt_value AS TIMESTAMP) + INTERVAL 1 SECOND AS VARCHAR)"),
    ),
    "the copy has a value that no row has": (
        "faults_as_declared",
        "fault_ledger",
        f"UPDATE {LEDGER} SET spoilt_value = '0.07' WHERE kind = 'duplicate' AND {OF_AMOUNT}",
    ),
    "a day too many is lost": (
        "faults_as_declared",
        "fault_ledger",
        f"INSERT INTO {LEDGER} SELECT 'outcomes', [transaction_id], '(row)', day, 'f19_dropped_day',"
        " 'dropped_day', NULL, NULL FROM baseline.outcomes",
    ),
    "two entries of one value": (
        "primary_key",
        "fault_ledger",
        f"INSERT INTO {LEDGER} SELECT * FROM {LEDGER} LIMIT 1",
    ),
    "the ledger is not the simulated one": (
        "replay",
        "fault_ledger",
        f"UPDATE {LEDGER} SET kind = 'late' WHERE day = DATE '2024-01-20'",
    ),
    "purchases were seen before they truly arrived": (
        "views_know_no_more",
        "fault_ledger",
        f"UPDATE {LEDGER} SET original_value = '2024-12-24 00:00:00' WHERE column_name = 'ingested_at'",
    ),
    "two true values": (
        "primary_key",
        "noise_ledger",
        f"INSERT INTO {NOISY} SELECT * FROM {NOISY} LIMIT 1",
    ),
    "the noise is not the simulated one": (
        "replay",
        "noise_ledger",
        f"DELETE FROM {NOISY} WHERE day = DATE '2024-01-20'",
    ),
    "a true value is another one": (
        "noise_undone",
        "noise_ledger",
        f"UPDATE {NOISY} SET true_value = true_value + 1 WHERE day = DATE '2024-01-20'",
    ),
    "noise on another column": (
        "noise_as_declared",
        "noise_ledger",
        f"UPDATE {NOISY} SET column_name = 'amount' WHERE column_name = 'risk_score'",
    ),
    "what was measured is not what landed": (
        "noise_as_declared",
        "noise_ledger",
        f"UPDATE {NOISY} SET measured_value = measured_value * 1.01",
    ),
    "twice the noise": (
        "noise_as_declared",
        "noise_ledger",
        f"UPDATE {NOISY} SET true_value = measured_value + 2 * (true_value - measured_value)"
        " WHERE noise_type = 'gaussian'",
    ),
    "uniform noise of one sign": (
        "noise_as_declared",
        "noise_ledger",
        f"UPDATE {NOISY} SET true_value = measured_value - abs(true_value - measured_value)"
        " WHERE noise_type = 'uniform'",
    ),
    "too few outliers": (
        "noise_as_declared",
        "noise_ledger",
        f"DELETE FROM {NOISY} WHERE noise_type = 'outliers' AND key[1] % 2 = 0",
    ),
    "outliers of another size": (
        "noise_as_declared",
        "noise_ledger",
        f"UPDATE {NOISY} SET true_value = true_value * 2 WHERE noise_type = 'outliers'",
    ),
}

RATE, DISTRIBUTION = "values hit of those it can hit", "distribution of the values: median"
NULL, ERRORS = "is NULL, and the condition holds", "distribution of the relative error: spread"

SHOWN_BY: tuple[Mapping[str, tuple[str, str]], ...] = (
    {
        "too few rows are doubled": ("duplicate", RATE),
        "too few values are hit": ("truncated", RATE),
        "every hit of one day is missing": ("missing", RATE),
        "two slips": ("typo", "one slip away from the true value"),
        "beyond the range": ("out_of_range", "within the stated range"),
        "another factor": ("unit_change", "the true value times the factor"),
        "another category": ("new_category", "the new category"),
        "always the same delay": ("late", DISTRIBUTION),
    },
    {
        "values get lost where the condition does not hold": ("missing", NULL),
        "always the same value of the range": ("out_of_range", DISTRIBUTION),
        "cut elsewhere": ("truncated", "the first characters"),
        "late before it happened": ("late", "arrives after it happened"),
    },
    {
        "stuck at another value": ("stuck", "the stretch's first value"),
        "overtaken at another moment": ("out_of_order", "arrives just after a later row happened"),
        "the copy has a value that no row has": ("duplicate", "the copy has another row's value"),
        "what is missing has a value": ("missing", NULL),
        "a day too many is lost": ("dropped_day", "days hit of those it can hit"),
    },
    {
        "twice the noise": ("gaussian", ERRORS),
        "uniform noise of one sign": ("uniform", ERRORS),
        "too few outliers": ("outliers", "values that are outliers"),
        "outliers of another size": (
            "outliers",
            "an outlier is size times the true value, or the end of the range",
        ),
    },
    {
        "noise on another column": ("", "noise that is not declared"),
        "what was measured is not what landed": (
            "gaussian",
            "what was measured is what stands before any fault",
        ),
    },
)
"""Cases of `CORRUPTED` that can be seen beside each other: kind of fault or noise, and what is not met."""
