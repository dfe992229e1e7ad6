"""The generator: a day's impressions, their clicks, what comes of them, and what the tables must show."""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.special import expit

from simtom_pipeline.claims import Claim, DeclaredOutcome, DeclaredShares
from simtom_pipeline.generators.base import MICROSECONDS_PER_DAY, Columns, Day
from simtom_pipeline.generators.drift.generator import DriftingGenerator
from simtom_pipeline.generators.drift.reachable import whole
from simtom_pipeline.generators.random_streams import exponential
from simtom_pipeline.generators.registry import register_generator

from . import tables as tb
from .drift import CENTS, AdDrift, draw_impressions, log_odds

SECONDS_TO_CLICK = 4.0


@register_generator("ad_clicks")
class AdClicks(DriftingGenerator):
    """Each arrival is an ad that somebody sees, clicks or not, and after a click buys or not, days later."""

    settings_model = tb.AdSettings
    drift_domain = AdDrift
    tables = (tb.IMPRESSIONS, tb.CLICKS, tb.CONVERSIONS, tb.AD_TRUTH)
    views = (tb.TRAINING_ROWS, tb.TRAINING_SET)
    event_table = "impressions"

    def draw_day(self, day: Day) -> Mapping[str, Columns]:
        """Impressions; clicks of some of them; conversions of some of these."""
        n, settings, streams = len(day.event_time), self.settings, self.streams
        parameters = self.resolution.parameters_of_records(streams, day.date, n)
        placement, exact, intent = draw_impressions(settings, streams, day.date, n, parameters["placement"])
        cents = whole(exact, parameters["price"], CENTS.smallest)
        click, conversion = (
            expit(log_odds(settings, name, parameters, (placement, cents, intent)))
            for name in ("click", "conversion")
        )
        clicked = streams.uniform("click", day.date, n) < click
        key = {"impression_id": day.keys(n), "day": day.filled(n)}
        key_of_click = {name: values[clicked] for name, values in key.items()}
        clicked_at, outcome = self._after_the_click(day, clicked, conversion)
        shown = {"event_time": day.event_time, "ingested_at": day.event_time, "placement": placement}
        truth = {"click_probability": click, "conversion_probability": conversion, "intent": intent}
        return {
            "impressions": key | shown | {"price": cents.astype(np.int64), "clicked": clicked},
            "clicks": key_of_click | {"clicked_at": clicked_at},
            "conversions": key_of_click | outcome,
            "ad_truth": key | truth,
        }

    def _after_the_click(
        self, day: Day, clicked: np.ndarray, conversion: np.ndarray
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Moments of the m clicks, and what comes of them; `clicked` and `conversion` have shape (n,)."""

        def uniform(variable: str) -> np.ndarray:
            # One for each impression: with or without a click, no other's draw is another.
            return self.streams.uniform(variable, day.date, len(clicked))[clicked]

        window, mean = self.settings.attribution_days, self.settings.conversion_delay_days
        waited = (exponential(uniform("seconds_to_click"), SECONDS_TO_CLICK) * 1e6).astype(np.int64)
        clicked_at = day.event_time[clicked] + waited
        converted = uniform("conversion") < conversion[clicked]
        days = exponential(uniform("conversion_delay") * -np.expm1(-window / mean), mean)
        wait = np.clip(days * MICROSECONDS_PER_DAY, 1, window * MICROSECONDS_PER_DAY).astype(np.int64)
        return clicked_at, {
            "converted": converted,
            "converted_at": np.ma.masked_array(clicked_at + wait, ~converted),
            "matured_at": clicked_at + window * MICROSECONDS_PER_DAY,
        }

    def declared_shares(self) -> Sequence[DeclaredShares]:
        """Placements occur as stated, or as drift has it."""
        return [self.drifting_shares("impressions", "placement")]

    def claims(self) -> Sequence[Claim]:
        """A click is on record once, and a conversion lies within its window."""
        clicks = "SELECT count(*) FROM {schema}.clicks c FULL JOIN {schema}"
        return [
            Claim(
                "clicks_are_on_record", "clicks", "an impression was clicked exactly when it has a click",
                f"{clicks}.impressions i USING (impression_id)"
                " WHERE coalesce(i.clicked, false) <> (c.clicked_at IS NOT NULL)",
            ),
            Claim(
                "within_the_window", "conversions", "who buys does so after the click and within the window",
                f"{clicks}.conversions v USING (impression_id)"
                " WHERE (v.converted <> (v.converted_at IS NOT NULL)) IS NOT false"
                " OR v.converted_at NOT BETWEEN c.clicked_at AND v.matured_at",
            ),
        ]  # fmt: skip

    def declared_outcomes(self) -> Sequence[DeclaredOutcome]:
        """A click of every impression, a conversion of every click."""
        return [
            self._outcome("clicked", "click", "impressions", "impressions", "impressions"),
            self._outcome("converted", "conversion", "conversions", "clicks", "training_rows"),
        ]

    def _outcome(self, column: str, name: str, table: str, events: str, public: str) -> DeclaredOutcome:
        return DeclaredOutcome(
            table, column, "impression_id", "ad_truth", f"{name}_probability",
            rate=lambda day: self.expected.rate(day, column), auc=self.expected.without_drift[column][1],
            drifts_from=self.drifts_from, is_stationary=lambda: True, public={public: "impression_id"},
            not_public=(column,), events=events, name=name,
        )  # fmt: skip
