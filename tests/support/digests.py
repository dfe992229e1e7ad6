"""A digest of simulated tables that says whether their content is the same."""

import hashlib

import pyarrow as pa


def digest(tables: dict[str, pa.Table]) -> str:
    """SHA-256 over every value as text; floats to nine digits, which survive another processor's libm."""
    content = hashlib.sha256()
    for name in sorted(tables):
        for column in tables[name].column_names:
            values = tables[name][column].to_pylist()
            text = [f"{value:.9g}" if isinstance(value, float) else str(value) for value in values]
            content.update("\x1f".join([name, column, *text]).encode())
    return content.hexdigest()[:16]
