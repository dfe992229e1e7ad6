"""What can drift of the ads, a row each, and the reference population on which sizes are solved.

The log-odds of a click, and of a conversion of a click, are linear:

    intercept + placement's own + price coefficient * ln(price / median price) + intent

The visitor's intent is in no table and works on both: who clicks is keener than who does not.
"""

from collections.abc import Mapping
from datetime import date
from functools import cached_property
from typing import get_args

import numpy as np
from scipy.special import expit

from simtom_pipeline.claims import Measured
from simtom_pipeline.generators.drift import domain, targets
from simtom_pipeline.generators.drift.parameters import ParameterKind, Parameters, Value
from simtom_pipeline.generators.drift.profile import ProfileDeclaration
from simtom_pipeline.generators.drift.reachable import whole
from simtom_pipeline.generators.drift.targets import Target
from simtom_pipeline.generators.exact import exact_mean, intercept_of_rate
from simtom_pipeline.generators.random_streams import RandomStreams, categorical

from .tables import AD_TRUTH, CLICKS, CONVERSIONS, IMPRESSIONS, AdSettings, Placement

Drawn = tuple[np.ndarray, np.ndarray, np.ndarray]
CENTS = targets.WholeUnits(per_unit=100.0, smallest=1.0)
SEEN = "{schema}.impressions t"
OF_CLICKS = "{schema}.clicks t JOIN {schema}.conversions v USING (impression_id)"
CLICKED = Measured(SEEN, "t.clicked", ("false", "true"))
CONVERTED = Measured(OF_CLICKS, "v.converted", ("false", "true"))

# What differs from the twin once a drift has changed who clicks, who converts, or how many see an ad.
CONVERSION = ("ad_truth.conversion_probability", "conversions.converted", "conversions.converted_at")
CLICK = ("ad_truth.click_probability", "impressions.clicked", *targets.rows_of(CLICKS, CONVERSIONS))
TABLES = (IMPRESSIONS, CLICKS, CONVERSIONS, AD_TRUTH)
VOLUME = (*targets.values_of(*TABLES), *targets.rows_of(*TABLES), *targets.RECORD_OF_VOLUME)


def by_name(figures: Mapping[Placement, float]) -> np.ndarray:
    """One figure for each placement in order, 0 where none is stated, shape (k,)."""
    return np.array([figures.get(name, 0.0) for name in get_args(Placement)])


def draw_impressions(
    settings: AdSettings, streams: RandomStreams, day: date | None, count: int, placements: Value
) -> Drawn:
    """Code of the placement, price in cents before factor and rounding, intent; shapes (count,)."""
    placement = categorical(streams.uniform("placement", day, count), placements)
    cents = 100 * settings.median_price * np.exp(settings.price_sigma * streams.normal("price", day, count))
    return placement, cents, settings.intent * streams.normal("intent", day, count)


def log_odds(
    settings: AdSettings, response: str, parameters: Mapping[str, Value], impressions: Drawn
) -> np.ndarray:
    """Of a "click" or a "conversion" of impressions as they are drawn, but with prices as they land; (n,)."""
    placement, cents, intent = impressions
    by_placement = by_name(getattr(settings, response).placement)[placement]
    by_price = parameters[f"{response}.price"] * np.log(cents / (100 * settings.median_price))
    return parameters[f"{response}.log_odds"] + by_placement + by_price + intent


def _covariate(name: str, kind: ParameterKind, values: tuple[str, ...], stated: targets.Stated) -> Target:
    follows = (f"impressions.{name}", *CLICK, *CONVERSION)
    return Target(name, "covariate", kind, stated, Measured(SEEN, f"t.{name}", values), follows, lands=CENTS)


def _coefficient(name: str, outcome: str, stated: targets.Stated) -> Target:
    measured, follows = (CLICKED, CLICK) if outcome == "clicked" else (CONVERTED, CONVERSION)
    kind, is_intercept = ParameterKind.COEFFICIENT, name.endswith("log_odds")
    return Target(name, "concept", kind, stated, measured, follows, outcome, is_intercept)


TARGETS = targets.TargetTable((
    _covariate("price", ParameterKind.FACTOR, (), targets.no_change),
    _covariate("placement", ParameterKind.SHARES, get_args(Placement), lambda s: by_name(s.placement)),
    _coefficient("conversion.log_odds", "converted", lambda s: Reference.once(s).intercepts["conversion"]),
    _coefficient("conversion.price", "converted", lambda s: s.conversion.price),
    _coefficient("click.log_odds", "clicked", lambda s: Reference.once(s).intercepts["click"]),
    _coefficient("click.price", "clicked", lambda s: s.click.price),
    targets.volume_target(VOLUME),
))  # fmt: skip


class Reference(domain.ReferencePopulation):
    """Impressions without drift, the same for every scenario with these settings."""

    size = 2**16

    def __init__(self, settings: AdSettings) -> None:
        self.settings, streams = settings, RandomStreams(0)
        drawn = draw_impressions(settings, streams, None, self.size, by_name(settings.placement))
        self.placement, self.cents, self.intent = drawn

    def codes(self, name: str) -> np.ndarray:
        """Code of the placement, shape (N,)."""
        return self.placement

    def exact(self, name: str) -> np.ndarray:
        """Prices in cents before any factor and rounding, shape (N,)."""
        return self.cents

    def base_rate(self, outcome: str) -> float:
        """As the settings have it."""
        return float((self.settings.conversion if outcome == "converted" else self.settings.click).rate)

    def _log_odds(self, response: str, parameters: Mapping[str, Value], factor: Value = 1.0) -> np.ndarray:
        landed = whole(self.cents, factor, CENTS.smallest)
        return log_odds(self.settings, response, parameters, (self.placement, landed, self.intent))

    @cached_property
    def intercepts(self) -> dict[str, float]:
        """With them clicks, and conversions among them, are as frequent as the settings say."""
        found, weight = dict[str, float](), np.ones(self.size)
        for response in ("click", "conversion"):
            stated = getattr(self.settings, response)
            parameters = {f"{response}.price": stated.price, f"{response}.log_odds": 0.0}
            rest = self._log_odds(response, parameters)
            found[response] = intercept_of_rate(rest, stated.rate, weight)
            weight = weight * expit(found[response] + rest)
        return found

    def under(self, parameters: Parameters) -> domain.WeightedPopulation:
        """Impressions weighed by their placement; every click is an event of the second outcome."""
        stated = by_name(self.settings.placement)
        weight = (parameters["placement"] / np.where(stated > 0, stated, 1.0))[self.placement]
        weight = weight / exact_mean(weight)
        click, conversion = (
            expit(self._log_odds(name, parameters, parameters["price"])) for name in ("click", "conversion")
        )
        clicks = exact_mean(weight * click)
        outcomes = {
            "clicked": domain.OutcomeEvents(weight, click),
            "converted": domain.OutcomeEvents(weight * click / clicks, conversion, clicks),
        }
        return domain.WeightedPopulation(weight, outcomes)


class AdDrift(domain.DriftDomain):
    """The ads' part in the drift engine."""

    targets = TARGETS
    profile = ProfileDeclaration(
        from_sql=f"{SEEN} LEFT JOIN {{schema}}.conversions v USING (impression_id)",
        events="impressions",
        rates={"click_rate": ("clicked", "t.clicked"), "conversion_rate": ("converted", "v.converted")},
        numbers=("price",),
        shares=("placement",),
    )

    @property
    def population(self) -> Reference:
        """Impressions without drift."""
        return Reference.once(self.settings)
