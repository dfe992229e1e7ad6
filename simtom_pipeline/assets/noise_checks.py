"""Whether measured values differ from the true ones by the declared law."""

from collections.abc import Iterator

import numpy as np
from scipy import stats

from ..generators.fault_contracts import (
    NOISE_LEDGER,
)
from ..landing import quoted, table_name
from ..scenarios.faults import (
    GaussianNoise,
    Noise,
    Outliers,
)
from ..validation.decisions import Finding
from ..validation.faults import law_p, rate_p
from .spoilt import Spoilt, Statement, judged, key_in_ledger, key_of, unit_of


def noise_as_declared(spoilt: Spoilt) -> Finding:
    """Measured values differ from the true ones by the declared law; no other column has noise."""
    places = {
        f"{noise.noise_type}/{noise.table}/{column}"
        for noise in spoilt.scenario.noise
        for column in noise.columns
    }
    ledger = table_name(spoilt.scenario.name, NOISE_LEDGER)
    stray = spoilt.count(
        f"SELECT count(*) FROM {ledger}"
        " WHERE NOT list_contains($places, concat_ws('/', noise_type, table_name, column_name))",
        {"places": sorted(places)},
    )
    statements = [Statement("", "", "", "noise that is not declared", stray, 0, stray, violations=stray)]
    for noise in spoilt.scenario.noise:
        for name in noise.columns:
            statements += _of_noise(spoilt, noise, name)
    return judged(statements, spoilt.alpha, "noise")


FEWEST_UNITS = 10.0
"""Noise is judged where its standard deviation is so many of the units that values are rounded to."""


def _of_noise(spoilt: Spoilt, noise: Noise, name: str) -> Iterator[Statement]:
    contract = next(c for c in spoilt.generator.clean_contracts() if c.name == noise.table)
    kind = contract.column(name).type
    unit = unit_of(kind)
    keys = key_in_ledger(contract)
    found = spoilt.connection.execute(
        f"SELECT CAST({quoted(name)} AS DOUBLE) AS landed, true_value, measured_value, noise_type"
        f" FROM {spoilt.clean(noise.table)} LEFT JOIN (SELECT {keys}, true_value, measured_value, noise_type"
        f" FROM {table_name(spoilt.scenario.name, NOISE_LEDGER)}"
        f" WHERE table_name = '{noise.table}' AND column_name = '{name}') USING ({key_of(contract)})"
        f" ORDER BY {key_of(contract)}"
    ).fetchnumpy()
    landed = np.asarray(found["landed"], float)
    in_ledger = ~np.ma.getmaskarray(np.ma.asarray(found["true_value"]))
    true = np.where(in_ledger, np.ma.filled(found["true_value"], 0.0), landed)
    measured = np.where(in_ledger, np.ma.filled(found["measured_value"], 0.0), landed)
    wrong = int((np.abs(measured - landed) > 1e-9 * np.abs(landed)).sum())
    about = "what was measured is what stands before any fault"
    yield Statement(noise.noise_type, noise.table, name, about, len(landed), 0, wrong, violations=wrong)
    if isinstance(noise, Outliers):
        yield from _of_outliers(noise, name, true, measured, in_ledger, unit)
        return
    judged = np.abs(true) * noise.noise_level >= max(FEWEST_UNITS * unit, np.finfo(float).tiny)
    error, level = measured[judged] / true[judged] - 1, noise.noise_level
    law = stats.norm(0, level) if isinstance(noise, GaussianNoise) else stats.uniform(-level, 2 * level)
    yield Statement(
        noise.noise_type, noise.table, name, "distribution of the relative error: spread", int(judged.sum()),
        float(law.std()), float(error.std()) if len(error) else 0.0, p_value=law_p(error, law.cdf),
    )  # fmt: skip


def _of_outliers(
    noise: Outliers, name: str, true: np.ndarray, measured: np.ndarray, is_off: np.ndarray, unit: float
) -> Iterator[Statement]:
    judged = np.abs(true) * (noise.size - 1) >= max(unit, np.finfo(float).tiny)
    n, hits = int(judged.sum()), int((judged & is_off).sum())
    yield Statement(
        noise.noise_type, noise.table, name, "values that are outliers", n, n * noise.share, hits,
        p_value=rate_p([hits], [n], [noise.share]),
    )  # fmt: skip
    off = np.abs(measured - true * noise.size)[is_off] > unit / 2 + 1e-9 * np.abs(true * noise.size)[is_off]
    about = "an outlier is size times the true value"
    yield Statement(
        noise.noise_type, noise.table, name, about, int(is_off.sum()), 0, int(off.sum()),
        violations=int(off.sum()),
    )  # fmt: skip
