"""What a scenario may say of the ads, in its section `ad_clicks`."""

from typing import Annotated, Literal

from pydantic import Field

from simtom_pipeline.scenarios.base import (
    DriftVocabulary,
    FrozenModel,
    GeneratorSettings,
    Positive,
    Shares,
    equal_shares,
)

Placement = Literal["search", "feed", "video", "sidebar"]
Coefficient = Annotated[float, Field(ge=-5, le=5, allow_inf_nan=False)]
Spread = Annotated[float, Field(ge=0, le=3, allow_inf_nan=False)]
Rate = Annotated[float, Field(ge=1e-4, le=0.9, allow_inf_nan=False)]


class Response(FrozenModel):
    """A yes-or-no response: its mean probability, and what the log-odds gain.

    `price` counts for each unit of the price's logarithm, `placement` for the place of the ad.
    """

    rate: Rate = 0.05
    price: Coefficient = 0.0
    placement: dict[Placement, Coefficient] = {}


class AdSettings(GeneratorSettings):
    """The section `ad_clicks`.

    Prices are lognormal around `median_price`. `intent` is the standard deviation of the visitor's unobserved
    log-odds of clicking, and of buying. A click converts within `attribution_days` or never; the time it
    takes is exponential with mean `conversion_delay_days`, given that it is within them.
    """

    drift_vocabulary = DriftVocabulary(("covariate", "concept", "volume"))

    placement: Shares[Placement] = equal_shares(Placement)
    median_price: Positive = 40.0
    price_sigma: Spread = 0.5
    intent: Spread = 0.0
    click: Response = Response()
    conversion: Response = Response()
    attribution_days: Annotated[int, Field(ge=1, le=365)] = 30
    conversion_delay_days: Positive = 5.0
