"""The generator: a day's impressions, their clicks, and what comes of them."""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.special import expit

from simtom_pipeline.claims import Claim, DeclaredOutcome, DeclaredShares
from simtom_pipeline.generators.base import MICROSECONDS_PER_DAY, Columns, Day
from simtom_pipeline.generators.drift.generator import DriftingGenerator
from simtom_pipeline.generators.drift.reachable import whole
from simtom_pipeline.generators.random_streams import categorical, exponential
from simtom_pipeline.generators.registry import register_generator

from .drift import AdDrift
from .response import MIN_CENTS, exact_cents, log_odds
from .settings import AdSettings
from .tables import AD_TRUTH, CLICKED_ADS, CLICKS, CONVERSIONS, IMPRESSIONS, TRAINING_ROWS, TRAINING_SET

SECONDS_TO_CLICK = 4.0


@register_generator("ad_clicks")
class AdClicks(DriftingGenerator):
    """Each arrival is an ad that somebody sees, clicks or not, and after a click buys or not, days later."""

    settings_model = AdSettings
    drift_domain = AdDrift
    tables = (IMPRESSIONS, CLICKS, CONVERSIONS, AD_TRUTH)
    views = (CLICKED_ADS, TRAINING_ROWS, TRAINING_SET)
    event_table = IMPRESSIONS.name

    def draw_day(self, day: Day) -> Mapping[str, Columns]:
        """Impressions; clicks of some of them; conversions of some of these."""
        n, settings, streams = len(day.event_time), self.settings, self.streams
        parameters = self.resolution.parameters_of_records(streams, day.date, n)
        placement = categorical(streams.uniform("placement", day.date, n), parameters["placement"])
        exact = exact_cents(settings, streams.normal("price", day.date, n))
        cents = whole(exact, parameters["price"], MIN_CENTS)
        intent = settings.intent * streams.normal("intent", day.date, n)
        click, conversion = (
            expit(log_odds(settings, name, parameters, placement, cents, intent))
            for name in ("click", "conversion")
        )
        clicked = streams.uniform("click", day.date, n) < click
        row = {"impression_id": day.keys(n), "day": day.filled(n)}
        impressions = {
            **row,
            "event_time": day.event_time,
            "ingested_at": day.event_time,
            "placement": placement,
            "price": cents.astype(np.int64),
            "clicked": clicked,
        }
        truth = {"click_probability": click, "conversion_probability": conversion, "intent": intent}
        row_of_click = {name: values[clicked] for name, values in row.items()}
        clicks, outcomes = self._after_the_click(day, clicked, conversion)
        return {
            "impressions": impressions,
            "clicks": row_of_click | clicks,
            "conversions": row_of_click | outcomes,
            "ad_truth": row | truth,
        }

    def _after_the_click(
        self, day: Day, clicked: np.ndarray, conversion: np.ndarray
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Columns of `clicks` and of `conversions`; both arguments have a value an impression."""

        def uniform(variable: str) -> np.ndarray:
            # One a impression: a click more or less changes no other's.
            return self.streams.uniform(variable, day.date, len(clicked))[clicked]

        window, mean = self.settings.attribution_days, self.settings.conversion_delay_days
        waited = (exponential(uniform("seconds"), SECONDS_TO_CLICK) * 1e6).astype(np.int64)
        clicked_at = day.event_time[clicked] + waited
        converted = uniform("conversion") < conversion[clicked]
        within = -np.expm1(-window / mean)
        days = np.minimum(exponential(uniform("delay") * within, mean), window)
        converted_at = clicked_at + np.maximum(days * MICROSECONDS_PER_DAY, 1).astype(np.int64)
        return {"clicked_at": clicked_at}, {
            "converted": converted,
            "converted_at": np.ma.masked_array(converted_at, ~converted),
            "matured_at": clicked_at + window * MICROSECONDS_PER_DAY,
        }

    def declared_shares(self) -> Sequence[DeclaredShares]:
        """Placements occur as stated, or as drift has it."""
        drifts = any(part.target.name == "placement" for drift in self.drifts for part in drift.parts)
        by_day = (lambda day: self.expected.shares("placement", day)) if drifts else None
        return [DeclaredShares("impressions", "placement", self.settings.placement, drifting=by_day)]

    def claims(self) -> Sequence[Claim]:
        """A click is on record once, and a conversion lies within its window."""
        return [
            Claim(
                "clicks_are_on_record",
                "clicks",
                "an impression was clicked exactly when it has a click",
                "SELECT count(*) FROM {schema}.impressions i FULL JOIN {schema}.clicks c USING (impression_id)"
                " WHERE coalesce(i.clicked, false) <> (c.clicked_at IS NOT NULL)",
            ),
            Claim(
                "within_the_window",
                "conversions",
                "who buys does so after the click and within the attribution window",
                "SELECT count(*) FROM {schema}.conversions v LEFT JOIN {schema}.clicks c USING (impression_id)"
                " WHERE v.converted <> (v.converted_at IS NOT NULL)"
                " OR v.converted_at NOT BETWEEN c.clicked_at AND v.matured_at",
            ),
        ]

    def declared_outcomes(self) -> Sequence[DeclaredOutcome]:
        """A click of every impression, a conversion of every click."""
        return [
            self._outcome("clicked", "impressions", "click", "impressions", {"impressions": "impression_id"}),
            self._outcome(
                "converted", "conversions", "conversion", "clicks", {"clicked_ads": "impression_id"}
            ),
        ]

    def _outcome(
        self, column: str, table: str, name: str, events: str, public: Mapping[str, str]
    ) -> DeclaredOutcome:
        return DeclaredOutcome(
            table=table,
            column=column,
            cluster="impression_id",
            truth="ad_truth",
            probability=f"{name}_probability",
            rate=lambda day: self.expected.rate(day, column),
            auc=self.expected.without_drift[column][1],
            drifts_from=self.drifts_from,
            is_reference=True,
            public=public,
            not_public=(column,),
            events=events,
            name=name,
        )
