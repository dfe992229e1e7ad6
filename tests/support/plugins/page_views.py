"""A small second generator, as somebody outside the package would write it: visits to a web site."""

from collections.abc import Mapping, Sequence
from typing import Literal

from simtom_pipeline.contracts import (
    BIGINT,
    DATE,
    TIMESTAMP,
    Column,
    DeclaredShares,
    TableContract,
    enum,
)
from simtom_pipeline.generators.base import BaseGenerator, Columns, Day
from simtom_pipeline.generators.random_streams import categorical
from simtom_pipeline.generators.registry import register_generator
from simtom_pipeline.scenarios.base import GeneratorSettings, Shares, equal_shares

Page = Literal["home", "search", "basket"]

VIEWS = TableContract(
    name="page_views",
    row="a page that somebody looked at",
    primary_key=("view_id",),
    dated_by="event_time",
    columns=(
        Column("view_id", BIGINT, "key"),
        Column("day", DATE, "simulated day"),
        Column("event_time", TIMESTAMP, "moment of the view"),
        Column("page", enum(Page), "page"),
    ),
)


class PageViewSettings(GeneratorSettings):
    """The section `page_views`."""

    page: Shares[Page] = equal_shares(Page)


@register_generator("page_views")
class PageViews(BaseGenerator):
    """Independent visits."""

    settings_model = PageViewSettings
    tables = (VIEWS,)
    event_table = "page_views"

    def draw_day(self, day: Day) -> Mapping[str, Columns]:
        """Each arrival looks at one page."""
        n = len(day.event_time)
        shares = [self.settings.page[page] for page in ("home", "search", "basket")]
        page = categorical(self.streams.uniform("page", day.date, n), shares)
        return {
            "page_views": {
                "view_id": day.keys(n),
                "day": day.filled(n),
                "event_time": day.event_time,
                "page": page,
            }
        }

    def declared_shares(self) -> Sequence[DeclaredShares]:
        """The pages' shares."""
        return [DeclaredShares("page_views", "page", self.settings.page)]
