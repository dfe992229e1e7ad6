"""The parameters of a stream of a named scenario."""

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from ..streaming.selection import Labels, Order
from ..streaming.sources import SourceName

DayFormat = Literal["json", "arrow", "parquet"]
MAX_LIMIT = 10**12


def _names(value: Any) -> Any:
    """Names, which in a URL have commas between them or are given one by one."""
    parts = value if isinstance(value, list) else [value]
    return [name for part in parts for name in str(part).split(",")]


Speed = Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False)] | Literal["max"]


class ScenarioRequest(BaseModel):
    """Parameters of a stream of a scenario; every one may be left out."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    first: Annotated[
        date | None, Field(alias="from", description="First day of delivery; the clock's first.")
    ] = None
    last: Annotated[
        date | None,
        Field(
            alias="to", description="Last day of delivery; the clock's last. Later, what is on its way comes."
        ),
    ] = None
    tables: Annotated[
        list[str],
        BeforeValidator(_names),
        Field(max_length=32, description="Daily tables, or the flat record, with commas; the events."),
    ] = []
    speed: Annotated[Speed, Field(description="Simulated seconds a second, or max.")] = "max"
    order: Annotated[
        Order,
        Field(description="By when rows came to be, or by when the lake had them: late, jumbled, double."),
    ] = "event_time"
    labels: Annotated[
        Labels, Field(description="as_known: each outcome as a record `label` when it is known.")
    ] = "none"
    source: Annotated[SourceName, Field(description="Drawn anew, or read from where it has landed.")] = (
        "simulated"
    )
    limit: Annotated[int | None, Field(ge=1, le=MAX_LIMIT, description="How many records.")] = None
    after: Annotated[
        str | None, Field(max_length=200, description="Id of the last record received; also Last-Event-ID.")
    ] = None
