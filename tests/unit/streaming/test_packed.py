"""Packed rows are the rows that were packed."""

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from simtom_pipeline.streaming.packed import CHUNK, PackedRows


def table(n: int) -> pa.Table:
    words = pa.array([None if k % 7 == 0 else f"word {k % 5}" for k in range(n)])
    return pa.table(
        {
            "key": pa.array(range(n), pa.int64()),
            "word": words,
            "kind": words.dictionary_encode(),
            "amount": pa.array([Decimal(k) / 100 for k in range(n)], pa.decimal128(10, 2)),
            "lists": pa.array([[k, None] for k in range(n)], pa.list_(pa.int32())),
        }
    )


@pytest.mark.parametrize("n", [1, CHUNK, CHUNK + 1, 3 * CHUNK + 17])
def test_any_ascending_places_have_the_rows_that_were_there(n: int) -> None:
    rows, rng = table(n), np.random.default_rng(n)
    packed = PackedRows(rows)
    assert len(packed) == n
    for size in (1, min(n, 500), n):
        places = np.sort(rng.choice(n, size, replace=False))
        found = packed.take(places)
        assert found.schema == rows.schema
        assert found.to_pylist() == [rows.slice(int(place), 1).to_pylist()[0] for place in places[:200]] + (
            rows.take(pa.array(places[200:])).to_pylist()
        )


def test_rows_of_which_a_part_was_taken_are_had_again() -> None:
    rows = table(2 * CHUNK)
    packed = PackedRows(rows)
    for low in (CHUNK - 3, 0, CHUNK - 3):
        places = np.arange(low, low + 6)
        assert packed.take(places).equals(rows.take(pa.array(places)).combine_chunks())


def test_rows_whose_dictionaries_differ_by_part_are_packed_as_they_are() -> None:
    parts = [pa.table({"kind": pa.array([word] * CHUNK).dictionary_encode()}) for word in "abc"]
    rows = pa.concat_tables(parts).slice(100)
    packed = PackedRows(rows)
    assert packed.take(np.arange(len(rows)))["kind"].to_pylist() == rows["kind"].to_pylist()
