"""Noise on measurements: what lands is not quite what the world was drawn with, nor beyond what can be."""

from collections.abc import Iterator
from datetime import date

import numpy as np
import pyarrow as pa
from scipy.special import ndtri

from ..contracts import ColumnType, TableContract
from ..generators.random_streams import RandomStreams
from ..scenarios.faults import GaussianNoise, Noise, Outliers, UniformNoise
from .table_edit import TableEdit, keys_of


def relative_error(noise: Noise, uniform: np.ndarray) -> np.ndarray:
    """Error of each measured value over its true value, by inversion; the shape of `uniform`."""
    match noise:
        case GaussianNoise(noise_level=level):
            return level * ndtri(uniform)
        case UniformNoise(noise_level=level):
            return level * (2 * uniform - 1)
        case Outliers(share=share, size=size):
            return np.where(uniform < share, size - 1, 0.0)


def measure(edit: TableEdit, noises: list[Noise], streams: RandomStreams, day: date) -> Iterator[pa.Table]:
    """Put noise on a table's day; yields rows of the noise ledger, all columns but `day`."""
    for noise in noises:
        for name in noise.columns:
            column = edit.contract.column(name)
            kind = column.type
            uniform = streams.uniform(f"noise.{edit.contract.name}.{name}", day, edit.rows)
            true = kind.numbers(edit.columns[name])
            measured = column.nearest(true * (1 + relative_error(noise, uniform)))
            rows = np.flatnonzero(measured != true)
            edit.columns[name] = kind.array(measured)
            yield _entries(edit, name, noise, rows, _in_units(kind, true), _in_units(kind, measured))


def _in_units(kind: ColumnType, values: np.ndarray) -> np.ndarray:
    return values / 100 if kind.is_money else values.astype(float)


def _entries(
    edit: TableEdit, name: str, noise: Noise, rows: np.ndarray, true: np.ndarray, measured: np.ndarray
) -> pa.Table:
    n = len(rows)
    return pa.table({
        "table_name": pa.repeat(edit.contract.name, n),
        "key": keys_of(edit, rows),
        "column_name": pa.repeat(name, n),
        "noise_type": pa.repeat(noise.noise_type, n),
        "true_value": pa.array(true[rows]),
        "measured_value": pa.array(measured[rows]),
    })  # fmt: skip


def noise_on(noise: tuple[Noise, ...], contract: TableContract) -> list[Noise]:
    """The noise on a table's columns."""
    return [entry for entry in noise if entry.table == contract.name]
