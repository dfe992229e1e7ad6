"""What can drift of the ads, a row each, and the reference population on which sizes are solved.

The log-odds of a click, and of a conversion of a click, are linear:

    intercept + placement's own + price coefficient * ln(price / median price) + intent

The visitor's intent is in no table and works on both: who clicks is keener than who does not.
"""

from collections.abc import Mapping
from datetime import date
from functools import cached_property, lru_cache
from typing import get_args

import numpy as np
from scipy.special import expit

from simtom_pipeline.claims import Measured
from simtom_pipeline.generators.drift import domain, targets
from simtom_pipeline.generators.drift.parameters import ParameterKind, Parameters, Value
from simtom_pipeline.generators.drift.profile import ProfileDeclaration
from simtom_pipeline.generators.drift.reachable import whole
from simtom_pipeline.generators.drift.targets import Target
from simtom_pipeline.generators.exact import exact_mean, rounded_root
from simtom_pipeline.generators.random_streams import RandomStreams, categorical

from .tables import AD_TRUTH, CLICKS, CONVERSIONS, IMPRESSIONS, AdSettings, Placement

CENTS = targets.WholeUnits(per_unit=100.0, smallest=1.0)
SEEN = "{schema}.impressions t"
OF_CLICKS = "{schema}.clicks t JOIN {schema}.conversions v USING (impression_id)"
CLICKED = Measured(SEEN, "t.clicked", ("false", "true"))
CONVERTED = Measured(OF_CLICKS, "v.converted", ("false", "true"))

# What differs from the twin once a drift has changed who clicks, who converts, or how many see an ad.
CONVERSION = ("ad_truth.conversion_probability", "conversions.converted", "conversions.converted_at")
CLICK = ("ad_truth.click_probability", "impressions.clicked", *targets.rows_of(CLICKS, CONVERSIONS))
TABLES = (IMPRESSIONS, CLICKS, CONVERSIONS, AD_TRUTH)
INTENSITY = tuple(f"daily_intensity.{name}" for name in ("drift", "spillover", "expected_count"))
VOLUME = (*targets.values_of(*TABLES), *targets.rows_of(*TABLES), *INTENSITY)


def draw_impressions(
    settings: AdSettings, streams: RandomStreams, day: date | None, count: int, placements: Value
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Code of the placement, price in cents before factor and rounding, intent; shapes (count,)."""
    placement = categorical(streams.uniform("placement", day, count), placements)
    cents = 100 * settings.median_price * np.exp(settings.price_sigma * streams.normal("price", day, count))
    return placement, cents, settings.intent * streams.normal("intent", day, count)


def log_odds(
    settings: AdSettings,
    response: str,
    parameters: Mapping[str, Value],
    impressions: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> np.ndarray:
    """Of a "click" or a "conversion" of impressions as they are drawn, but with prices as they land; (n,)."""
    placement, cents, intent = impressions
    stated = getattr(settings, response).placement
    by_placement = np.array([stated.get(name, 0.0) for name in get_args(Placement)])[placement]
    by_price = parameters[f"{response}.price"] * np.log(cents / (100 * settings.median_price))
    return parameters[f"{response}.log_odds"] + by_placement + by_price + intent


def stated_placements(settings: AdSettings) -> np.ndarray:
    """How often each placement occurs without drift, shape (k,)."""
    return np.array([settings.placement.get(name, 0.0) for name in get_args(Placement)])


def _covariate(name: str, kind: ParameterKind, values: tuple[str, ...], stated: targets.Stated) -> Target:
    follows = (f"impressions.{name}", *CLICK, *CONVERSION)
    return Target(name, "covariate", kind, stated, Measured(SEEN, f"t.{name}", values), follows, lands=CENTS)


def _coefficient(name: str, outcome: str, stated: targets.Stated) -> Target:
    measured, follows = (CLICKED, CLICK) if outcome == "clicked" else (CONVERTED, CONVERSION)
    kind, is_intercept = ParameterKind.COEFFICIENT, name.endswith("log_odds")
    return Target(name, "concept", kind, stated, measured, follows, outcome, is_intercept)


TARGETS = targets.TargetTable((
    _covariate("price", ParameterKind.FACTOR, (), targets.no_change),
    _covariate("placement", ParameterKind.SHARES, get_args(Placement), stated_placements),
    _coefficient("conversion.log_odds", "converted", lambda s: reference(s).intercepts["conversion"]),
    _coefficient("conversion.price", "converted", lambda s: s.conversion.price),
    _coefficient("click.log_odds", "clicked", lambda s: reference(s).intercepts["click"]),
    _coefficient("click.price", "clicked", lambda s: s.click.price),
    targets.volume_target(VOLUME),
))  # fmt: skip


class ReferenceImpressions(domain.ReferencePopulation):
    """Impressions without drift, the same for every scenario with these settings."""

    size = 2**16

    def __init__(self, settings: AdSettings) -> None:
        self.settings, streams = settings, RandomStreams(0)
        drawn = draw_impressions(settings, streams, None, self.size, stated_placements(settings))
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
            found[response] = _intercept(weight, rest, stated.rate)
            weight = weight * expit(found[response] + rest)
        return found

    def under(self, parameters: Parameters) -> domain.WeightedPopulation:
        """Impressions weighed by their placement; every click is an event of the second outcome."""
        stated = stated_placements(self.settings)
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


def _intercept(weight: np.ndarray, rest: np.ndarray, rate: float) -> float:
    """What has to be added to the log-odds for a weighted mean probability of `rate`."""
    return rounded_root(lambda a: exact_mean(weight * (expit(a + rest) - rate)), -40.0, 40.0)


@lru_cache(maxsize=4)
def _drawn(settings_json: str) -> ReferenceImpressions:
    return ReferenceImpressions(AdSettings.model_validate_json(settings_json))


def reference(settings: AdSettings) -> ReferenceImpressions:
    """The reference population of a scenario, drawn once in a process."""
    return _drawn(settings.model_dump_json())


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
    def population(self) -> ReferenceImpressions:
        """Impressions without drift."""
        return reference(self.settings)
