"""Where histories land: storage behind one small interface, and what is kept of every landing.

`storage` is the interface, `duckdb_file` the storage that is one DuckDB file; `ddl` and `fit` say what tables
are made of and whether those in a database are still that. `records` keeps which world each landed day is of,
`content` digests its rows.

Promise: no orchestrator. Nobody outside knows a path: they are given a storage, and open it.
"""

from .ddl import create_table, create_view, schema_of, table_name
from .duckdb_file import DuckDBFile
from .storage import Connection, Database, InUseError, LandingError, Record, Storage

__all__ = [
    "Connection",
    "Database",
    "DuckDBFile",
    "InUseError",
    "LandingError",
    "Record",
    "Storage",
    "create_table",
    "create_view",
    "schema_of",
    "table_name",
]
