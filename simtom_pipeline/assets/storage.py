"""The storage as Dagster's resource `database`: the one place in this room that knows what kind it is."""

from pathlib import Path

import dagster as dg
from dagster_duckdb import DuckDBResource

from ..landing import DuckDBFile, Storage


class StorageResource(dg.ConfigurableResource[Storage]):
    """A DuckDB file; a step that opens it waits a little for others to close it, as with Dagster's own.

    Attributes
    ----------
    database : path of the file.
    """

    database: str

    def create_resource(self, context: dg.InitResourceContext) -> Storage:
        """The storage, closed."""
        return DuckDBFile(Path(self.database), DuckDBResource(database=self.database).get_connection)
