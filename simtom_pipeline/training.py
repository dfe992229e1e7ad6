"""What a training job reads: the events whose labels must be known at a moment, with their features."""

from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal, overload

import duckdb
import pyarrow as pa

from .home import default_database, run_command
from .landing import DuckDBFile, LandingError
from .scenarios.base import valid_name
from .scenarios.models import Scenario
from .sql import quoted

if TYPE_CHECKING:
    import pandas as pd

AsOf = str | date | datetime


@overload
def training_set(
    scenario: Scenario | str,
    *,
    as_of: AsOf,
    database: Path | str | None = None,
    format: Literal["pandas"] = "pandas",
) -> "pd.DataFrame": ...
@overload
def training_set(
    scenario: Scenario | str,
    *,
    as_of: AsOf,
    database: Path | str | None = None,
    format: Literal["arrow"],
) -> pa.Table: ...
def training_set(
    scenario: Scenario | str,
    *,
    as_of: AsOf,
    database: Path | str | None = None,
    format: Literal["pandas", "arrow"] = "pandas",
) -> "pd.DataFrame | pa.Table":
    """What an honest training job could have seen at `as_of`: one row an event, in order of time.

    Of a lender only purchases that have matured are in it, so that defaults, which are known earlier, are
    not over-represented, and only those whose label was not lost; features of the customer's history are as
    of the purchase. The columns are those of the table macro `<scenario>.training_set(as_of)`: first what
    identifies the event, last the label.

    Parameters
    ----------
    scenario : a landed scenario, or its name.
    as_of : a moment of the simulated clock; a date means its midnight.
    database : the DuckDB file; by default `$SIMTOM_HOME/simtom.duckdb`.
    format : "arrow", or "pandas": text is a category, yes or no a bool, every other column a number or a
        moment; amounts, and where a value is missing whole numbers and yes or no (1 and 0), are float64.

    Returns
    -------
    A data frame or an Arrow table, as `format` says.

    Raises
    ------
    LandingError : there is no such file, or the scenario has not landed in it.
    ValueError : `as_of` is not a moment without a time zone, the scenario no name, or the format another one.

    Examples
    --------
    >>> from simtom_pipeline import training_set
    >>> training_set("baseline", as_of="2024-12-31", database=database, format="arrow").column_names[-1]
    'will_default'
    """
    if format not in ("pandas", "arrow"):
        raise ValueError(f"format: found {format!r}; allowed: 'pandas', 'arrow'")
    moment, name = _moment(as_of), scenario.name if isinstance(scenario, Scenario) else str(scenario)
    file = Path(database or default_database())
    if not file.is_file():
        raise LandingError(f"There is no file {file}. Land the scenario first: {run_command(name, file)}")
    if not valid_name(name):
        raise ValueError(f"scenario: found {scenario!r}; allowed: a scenario, or the name of one")
    with DuckDBFile(file).open(read_only=True) as landed:
        try:
            rows = _in_order_of_time(landed.connection, f"FROM {quoted(name, 'training_set')}(?)", moment)
        except duckdb.CatalogException as error:
            raise LandingError(
                f"{file} has no training set of {name!r}. Land the scenario first: {run_command(name, file)}"
            ) from error
        return _frame(rows) if format == "pandas" else rows.to_arrow_table()


def _in_order_of_time(
    connection: duckdb.DuckDBPyConnection, query: str, moment: datetime
) -> duckdb.DuckDBPyConnection:
    """A query about a moment, ordered by the first column of moments and by its first column."""
    columns = connection.execute(f"{query} LIMIT 0", [moment]).description
    of_moments = [column for column, kind, *_ in columns if str(kind) == "TIMESTAMP"]
    order = ", ".join(quoted(column) for column in [*of_moments[:1], columns[0][0]])
    return connection.execute(f"{query} ORDER BY {order}", [moment])


def _frame(rows: duckdb.DuckDBPyConnection) -> "pd.DataFrame":
    """Rows in dtypes that learners take."""
    import pandas as pd

    text = [name for name, kind, *_ in rows.description if str(kind) == "VARCHAR"]
    frame = rows.df().astype(dict.fromkeys(text, "category"))
    gaps = [c for c in frame if pd.api.types.is_numeric_dtype(frame[c]) and frame[c].isna().any()]
    return frame.astype(dict.fromkeys(gaps, "float64"))


def _moment(as_of: AsOf) -> datetime:
    try:
        moment = datetime.fromisoformat(str(as_of))
    except ValueError as error:
        raise ValueError(f"as_of: found {as_of!r}; allowed: a moment such as 2024-12-31 ({error})") from None
    if moment.tzinfo is not None:
        raise ValueError(f"as_of: found {as_of!r}; allowed: a moment without a time zone")
    return moment
