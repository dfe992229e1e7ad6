"""What can drift of the ads, a row each, and the reference population on which sizes are solved."""

from functools import cached_property, lru_cache
from typing import Any, get_args

import numpy as np
from scipy.special import expit

from simtom_pipeline.claims import Measured
from simtom_pipeline.generators.drift.domain import (
    DriftDomain,
    OutcomeEvents,
    ReferencePopulation,
    WeightedPopulation,
)
from simtom_pipeline.generators.drift.parameters import ParameterKind, Parameters
from simtom_pipeline.generators.drift.profile import ProfileDeclaration
from simtom_pipeline.generators.drift.reachable import whole
from simtom_pipeline.generators.drift.targets import (
    Target,
    TargetTable,
    WholeUnits,
    no_change,
    rows_of,
    values_of,
    volume_target,
)
from simtom_pipeline.generators.exact import exact_mean, rounded_root
from simtom_pipeline.generators.random_streams import RandomStreams, categorical

from .response import MIN_CENTS, exact_cents, log_odds
from .settings import AdSettings, Placement
from .tables import AD_TRUTH, CLICKS, CONVERSIONS, IMPRESSIONS

SEEN = "{schema}.impressions t"
BOUGHT = "{schema}.clicks t JOIN {schema}.conversions v USING (impression_id)"
CLICKED = Measured(SEEN, "t.clicked", ("false", "true"))
CONVERTED = Measured(BOUGHT, "v.converted", ("false", "true"))

CONVERSION = ("ad_truth.conversion_probability", "conversions.converted", "conversions.converted_at")
CLICK = ("ad_truth.click_probability", "impressions.clicked", *rows_of(CLICKS, CONVERSIONS))
TABLES = (IMPRESSIONS, CLICKS, CONVERSIONS, AD_TRUTH)
EVERYTHING = (
    *values_of(*TABLES),
    *rows_of(*TABLES),
    *(f"daily_intensity.{name}" for name in ("drift", "spillover", "expected_count")),
)


def shares_of_placements(settings: AdSettings) -> np.ndarray:
    """How often each placement occurs, shape (k,)."""
    return np.array([settings.placement.get(name, 0.0) for name in get_args(Placement)])


def _coefficient(response: str, name: str, outcome: str, measured: Measured, follows: Any) -> Target:
    """A coefficient of a response: stated in the settings, but for the intercept, which is solved."""
    is_intercept = name == "log_odds"

    def stated(settings: AdSettings) -> float:
        if is_intercept:
            return reference_impressions(settings).intercepts[response]
        return float(getattr(getattr(settings, response), name))

    kind = ParameterKind.COEFFICIENT
    full = f"{response}.{name}"
    return Target(full, "concept", kind, stated, measured, follows, outcome, is_intercept=is_intercept)


TARGETS = TargetTable(
    rows=(
        Target(
            "price",
            "covariate",
            ParameterKind.FACTOR,
            no_change,
            Measured(SEEN, "t.price"),
            ("impressions.price", *CLICK, *CONVERSION),
            lands=WholeUnits(100.0, MIN_CENTS),
        ),
        Target(
            "placement",
            "covariate",
            ParameterKind.SHARES,
            shares_of_placements,
            Measured(SEEN, "t.placement", get_args(Placement)),
            ("impressions.placement", *CLICK, *CONVERSION),
        ),
        _coefficient("conversion", "log_odds", "converted", CONVERTED, CONVERSION),
        _coefficient("conversion", "price", "converted", CONVERTED, CONVERSION),
        _coefficient("click", "log_odds", "clicked", CLICKED, CLICK),
        _coefficient("click", "price", "clicked", CLICKED, CLICK),
        volume_target(EVERYTHING),
    )
)


class ReferenceImpressions(ReferencePopulation):
    """N impressions without drift, the same for every scenario with these settings."""

    size = 2**16

    def __init__(self, settings: AdSettings) -> None:
        self.settings, streams = settings, RandomStreams(0)
        self.placement = categorical(
            streams.uniform("placement", None, self.size), shares_of_placements(settings)
        )
        self.cents = exact_cents(settings, streams.normal("price", None, self.size))
        self.intent = settings.intent * streams.normal("intent", None, self.size)

    def codes(self, name: str) -> np.ndarray:
        """Number of each impression's placement, shape (N,)."""
        return self.placement

    def exact(self, name: str) -> np.ndarray:
        """Prices in cents before any factor and rounding, shape (N,)."""
        return self.cents

    @cached_property
    def intercepts(self) -> dict[str, float]:
        """With them clicks and conversions are as frequent as the settings say."""
        cents, found, weight = whole(self.cents, 1.0, MIN_CENTS), dict[str, float](), np.ones(self.size)
        for response in ("click", "conversion"):
            stated = getattr(self.settings, response)
            parameters = {f"{response}.price": stated.price, f"{response}.log_odds": 0.0}
            without = log_odds(self.settings, response, parameters, self.placement, cents, self.intent)

            def excess(
                a: float, x: np.ndarray = without, w: np.ndarray = weight, rate: float = stated.rate
            ) -> float:
                return exact_mean(w * (expit(a + x) - rate))

            found[response] = rounded_root(excess, -40.0, 40.0)
            weight = weight * expit(found[response] + without)
        return found

    def base_rate(self, outcome: str) -> float:
        """As the settings have it."""
        rate: float = getattr(self.settings, "conversion" if outcome == "converted" else "click").rate
        return rate

    def under(self, parameters: Parameters) -> WeightedPopulation:
        """Impressions weighed by their placement; a click is an event of the conversion."""
        stated = np.asarray(parameters.stated["placement"])
        weight = (parameters["placement"] / np.where(stated > 0, stated, 1.0))[self.placement]
        weight = weight / exact_mean(weight)
        cents = whole(self.cents, parameters["price"], MIN_CENTS)
        click, conversion = (
            expit(log_odds(self.settings, name, parameters, self.placement, cents, self.intent))
            for name in ("click", "conversion")
        )
        clicks = exact_mean(weight * click)
        return WeightedPopulation(
            weight,
            {
                "clicked": OutcomeEvents(weight, click),
                "converted": OutcomeEvents(weight * click / clicks, conversion, clicks),
            },
        )


@lru_cache(maxsize=4)
def _drawn(settings_json: str) -> ReferenceImpressions:
    return ReferenceImpressions(AdSettings.model_validate_json(settings_json))


def reference_impressions(settings: AdSettings) -> ReferenceImpressions:
    """The reference population of a scenario."""
    return _drawn(settings.model_dump_json())


class AdDrift(DriftDomain):
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
        return reference_impressions(self.settings)
