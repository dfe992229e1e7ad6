"""What a file keeps of how its days came about, as tables: declared here, written by `records`."""

from .contracts import BIGINT, DATE, INTEGER, TEXT, Column, TableContract

RUNS = TableContract(
    name="runs",
    row="a run that landed days, or took over those of an earlier version, with the scenario it had",
    truth=True,
    daily=False,
    primary_key=("run",),
    columns=(
        Column("run", INTEGER, "number of the run in this file, from 1"),
        Column(
            "how",
            TEXT,
            "landed; fresh: the first run of a new world, which replaces the one before; adopted: days of a"
            " version that kept no record, seen to be what this world draws",
        ),
        Column("first_day", DATE, "first day it was asked for; NULL: constant tables only", nullable=True),
        Column("last_day", DATE, "last day it was asked for", nullable=True),
        Column("world", TEXT, "SHA-256 of `decides_rows`: the world that the days are of"),
        Column("generator", TEXT, "generator that drew them"),
        Column("model_version", INTEGER, "version of what the generator draws"),
        Column("engine_version", INTEGER, "version of what is drawn for every generator"),
        Column("decides_rows", TEXT, "JSON of everything said that can change a row"),
        Column("scenario", TEXT, "JSON of the whole resolved scenario"),
        Column("versions", TEXT, "versions of simtom_pipeline, NumPy and DuckDB"),
    ),
)

LANDED_DAYS = TableContract(
    name="landed_days",
    row="one table's rows of one landed day: the world they are of, and a digest of their content",
    truth=True,
    daily=False,
    primary_key=("table_name", "day"),
    columns=(
        Column("table_name", TEXT, "the table"),
        Column("day", DATE, "simulated day; NULL for a table that is the same for every day", nullable=True),
        Column("world", TEXT, "the world they are of, as in `runs`"),
        Column("run", INTEGER, "run that landed them, as in `runs`"),
        Column("rows", BIGINT, "how many they are"),
        Column("digest", TEXT, "sum of a 128-bit hash of each row, hexadecimal", nullable=True),
        Column("algorithm", TEXT, "how the digest is made"),
    ),
)

RECORDS = (RUNS, LANDED_DAYS)
"""Tables that landing writes about itself."""
