"""What a scenario may say of the ads, their tables, and the training set whose labels come late."""

from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field

from simtom_pipeline import contracts as c
from simtom_pipeline.contracts import Column, ForeignKey, TableContract, ViewColumn, ViewContract
from simtom_pipeline.scenarios import base
from simtom_pipeline.sql import later_of

Placement = Literal["search", "feed", "video", "sidebar"]
Coefficient = Annotated[float, Field(ge=-5, le=5, allow_inf_nan=False)]
Spread = Annotated[float, Field(ge=0, le=3, allow_inf_nan=False)]


class Response(base.FrozenModel):
    """A click, or a conversion of a click: its mean probability, and what its log-odds gain.

    `price` counts for each unit of the price's logarithm, `placement` for the place of the ad.
    """

    rate: Annotated[float, Field(ge=1e-4, le=0.9, allow_inf_nan=False)] = 0.05
    price: Coefficient = 0.0
    placement: dict[Placement, Coefficient] = Field({})


class AdSettings(base.GeneratorSettings):
    """The section `ad_clicks`.

    Prices are lognormal around `median_price`. `intent` is the standard deviation of what the visitor adds to
    the log-odds and nobody observes. A click converts within `attribution_days` or never, after a time that
    is exponential with mean `conversion_delay_days`, given that it is within them.
    """

    drift_vocabulary = base.DriftVocabulary(("covariate", "concept", "volume"))

    placement: base.Shares[Placement] = base.equal_shares(Placement)
    median_price: base.Positive = 40.0
    price_sigma: Spread = 0.5
    intent: Spread = 0.0
    click: Response = Response()
    conversion: Response = Response()
    attribution_days: Annotated[int, Field(ge=1, le=365)] = 30
    conversion_delay_days: base.Positive = 5.0


KEY = (Column("impression_id", c.BIGINT, "the impression"), Column("day", c.DATE, "its simulated day"))

IMPRESSIONS = TableContract(
    name="impressions",
    row="an ad that somebody saw",
    primary_key=("impression_id",),
    dated_by="event_time",
    arrives_at="ingested_at",
    columns=(
        *KEY,
        Column("event_time", c.TIMESTAMP, "moment it was shown"),
        Column("ingested_at", c.TIMESTAMP, "moment the log had it; event_time, unless it came late"),
        Column("placement", c.enum(Placement), "where it was shown"),
        Column("price", c.MONEY, "price of the product", "USD", is_measurement=True),
        Column("clicked", c.BOOLEAN, "whether it was clicked, seconds later"),
    ),
)
CLICKS = TableContract(
    name="clicks",
    row="an impression that was clicked",
    primary_key=("impression_id",),
    foreign_keys=(ForeignKey("impression_id", "impressions"),),
    columns=(*KEY, Column("clicked_at", c.TIMESTAMP, "moment of the click")),
)
CONVERSIONS = TableContract(
    name="conversions",
    row="what came of a click; not to be used before it is known",
    primary_key=("impression_id",),
    foreign_keys=(ForeignKey("impression_id", "clicks"),),
    columns=(
        *KEY,
        Column("converted", c.BOOLEAN, "whether the product was bought: a label", known_from="matured_at"),
        Column("converted_at", c.TIMESTAMP, "when", nullable=True, known_from="converted_at"),
        Column("matured_at", c.TIMESTAMP, "end of the attribution window, when the label must be known"),
    ),
)
AD_TRUTH = TableContract(
    name="ad_truth",
    row="the true probabilities of an impression",
    truth=True,
    primary_key=("impression_id",),
    foreign_keys=(ForeignKey("impression_id", "impressions"),),
    columns=(
        *KEY,
        Column("click_probability", c.DOUBLE, "of a click", "0 to 1"),
        Column("conversion_probability", c.DOUBLE, "of a conversion, should it be clicked", "0 to 1"),
        Column("intent", c.DOUBLE, "what the visitor adds and nobody observes", "log-odds"),
    ),
)


FEATURES = (
    *c.shown(CLICKS, "c", "impression_id", "clicked_at"),
    *c.shown(IMPRESSIONS, "i", "placement", "price"),
)
TRAINING_ROWS = ViewContract(
    name="training_rows",
    row="a click with its features and its label, and from when on one may train on it",
    key=("impression_id",),
    known_at="known_at",
    over=(IMPRESSIONS, CLICKS, CONVERSIONS),
    from_sql="FROM {rows[clicks]} c JOIN {rows[impressions]} i USING (impression_id)"
    " JOIN {rows[conversions]} v USING (impression_id) WHERE v.converted IS NOT NULL",
    columns=(
        *FEATURES,
        ViewColumn(
            "known_at",
            c.TIMESTAMP,
            "when the window had ended and the impression had arrived; NULL if that is not known",
            expression=later_of("v.matured_at", "i.ingested_at"),
            source=("conversions", "matured_at"),
            against_truth="at_least",
        ),
        *(replace(label, against_truth="equal") for label in c.shown(CONVERSIONS, "v", "converted")),
    ),
)
TRAINING_SET = c.as_of(
    TRAINING_ROWS,
    "training_set",
    "a click with its features and its label, of those whose label must be known at as_of",
)
