"""The truth about noise and faults as tables: every value that they changed, and what it was before."""

from ..contracts import BIGINTS, DATE, DOUBLE, TEXT, WHOLE_ROW, Column, TableContract

FAULT_LEDGER = TableContract(
    name="fault_ledger",
    row="a value that a fault corrupted, or a row it doubled or dropped; a value is corrupted at most once",
    truth=True,
    primary_key=("table_name", "key", "column_name"),
    columns=(
        Column("table_name", TEXT, "table of the value"),
        Column("key", BIGINTS, "values of the row's primary key, in its order"),
        Column(
            "column_name", TEXT, f"column of the value; {WHOLE_ROW} for a row that was doubled or dropped"
        ),
        Column("day", DATE, "simulated day of the row"),
        Column("fault_id", TEXT, "the fault, as the scenario calls it"),
        Column("kind", TEXT, "kind of the fault; of a duplicate, a value that differs in the copy"),
        Column("original_value", TEXT, "what it was, as text; every value of a dropped row", nullable=True),
        Column("spoilt_value", TEXT, "what landed instead; NULL: nothing", nullable=True),
    ),
)

NOISE_LEDGER = TableContract(
    name="noise_ledger",
    row="a measured value that is not the true one",
    truth=True,
    primary_key=("table_name", "key", "column_name"),
    columns=(
        Column("table_name", TEXT, "table of the value"),
        Column("key", BIGINTS, "values of the row's primary key, in its order"),
        Column("column_name", TEXT, "column of the value"),
        Column("day", DATE, "simulated day of the row"),
        Column("noise_type", TEXT, "gaussian, uniform or outliers"),
        Column("true_value", DOUBLE, "what the world was drawn with, in the column's unit"),
        Column("measured_value", DOUBLE, "what was measured, before any fault, in the column's unit"),
    ),
)
