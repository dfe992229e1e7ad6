"""One table's day on its way to the database: its columns, and which of its values faults have changed."""

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from ..contracts import TableContract


@dataclass
class TableEdit:
    """A day of one table while noise and faults act on it.

    Attributes
    ----------
    contract : as the table lands.
    columns : by name, each of the type it lands in, shape (rows,).
    """

    contract: TableContract
    columns: dict[str, pa.Array]
    taken: dict[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def of(cls, contract: TableContract, table: pa.Table) -> "TableEdit":
        """The edit of a simulated day, its columns widened to what lands."""
        columns = {
            column.name: table[column.name].combine_chunks().cast(column.type.arrow)
            for column in contract.columns
        }
        return cls(contract, columns)

    @property
    def rows(self) -> int:
        """Rows of the day, before any is doubled or dropped."""
        return len(self.columns["day"])

    def free(self, name: str) -> np.ndarray:
        """Which values of a column no fault has hit, shape (rows,)."""
        return ~self.taken.get(name, np.zeros(self.rows, bool))

    def take(self, name: str, rows: np.ndarray) -> None:
        """Mark values as hit: no other fault may have them."""
        self.taken.setdefault(name, np.zeros(self.rows, bool))[rows] = True

    def put(self, name: str, rows: np.ndarray, values: pa.Array) -> None:
        """Replace values of a column; no other fault may have them."""
        self.take(name, rows)
        source = np.arange(self.rows)
        source[rows] = self.rows + np.arange(len(rows))
        self.columns[name] = pa.concat_arrays([self.columns[name], values]).take(pa.array(source))

    def table(self) -> pa.Table:
        """The columns as they are now."""
        return pa.Table.from_arrays(list(self.columns.values()), schema=self.contract.schema)


def keys_of(edit: TableEdit, rows: np.ndarray) -> pa.ListArray:
    """Primary keys of rows, as lists in the key's order, shape (len(rows),)."""
    parts = [
        edit.contract.column(name).type.numbers(edit.columns[name])[rows].astype(np.int64)
        for name in edit.contract.primary_key
    ]
    offsets = np.arange(len(rows) + 1, dtype=np.int32) * len(parts)
    flat = np.stack(parts, axis=1).ravel() if len(rows) else np.empty(0, np.int64)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(flat))
