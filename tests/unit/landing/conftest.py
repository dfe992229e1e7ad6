"""Fixtures that several files of this folder share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from simtom_pipeline.landing import Database, DuckDBFile


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data" / "simtom.duckdb"


@pytest.fixture
def database(file: Path) -> Iterator[Database]:
    with DuckDBFile(file).open() as opened:
        yield opened
