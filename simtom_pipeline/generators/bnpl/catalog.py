"""What is for sale, and which product a purchase takes.

Within a category a buyer takes one of the products that fit the account's credit limit, by popularity.
Prices are scaled once so that the expected amount of a purchase is what the scenario states.
"""

from dataclasses import dataclass
from math import exp, log
from typing import get_args

import numpy as np
from scipy.special import ndtri

from ..base import Columns
from ..exact import exact_mean, rounded_root, steady
from ..random_streams import RandomStreams, categorical
from . import config
from .entities import attribute_latents, credit_limits, ordered

ELIGIBLE_FROM_CENTS = 5_000
REFERENCE_CUSTOMERS = 2**16
REFERENCE_SEED = 0


@dataclass(frozen=True)
class Catalog:
    """The products, sorted by category and, within it, by price; p of them in c categories.

    Attributes
    ----------
    price_cents : list price, shape (p,).
    by_price : category * WIDER_THAN_PRICES + price in cents, ascending, shape (p,).
    popularity : share of the category's sales up to and including the product, shape (p,).
    by_popularity : 2 * category + popularity, ascending, shape (p,).
    first : index of each category's first product, shape (c + 1,).
    """

    price_cents: np.ndarray
    by_price: np.ndarray
    popularity: np.ndarray
    by_popularity: np.ndarray
    first: np.ndarray
    columns: Columns

    def choose(
        self, uniform: np.ndarray, category: np.ndarray, limit_usd: np.ndarray, tilt: np.ndarray
    ) -> np.ndarray:
        """Index of the product taken, shape (n,): among those of at most the limit, by popularity**tilt.

        Where nothing is affordable the cheapest product of the category is taken.
        """
        category = category.astype(np.int64)
        affordable = np.searchsorted(self.by_price, category * WIDER_THAN_PRICES + limit_usd * 100, "right")
        cheapest = self.first[category]
        last = np.maximum(affordable - 1, cheapest)
        target = uniform ** (1 / tilt) * self.popularity[last]
        return np.clip(np.searchsorted(self.by_popularity, 2 * category + target), cheapest, last)


WIDER_THAN_PRICES = 10**12


def draw_catalog(settings: config.BnplSettings, streams: RandomStreams) -> Catalog:
    """Draw the catalog of a scenario; it does not depend on the day."""
    catalog = settings.catalog
    parts = [_draw_category(catalog, streams, name) for name in get_args(config.ProductCategory)]
    sizes = [len(part["relative_price"]) for part in parts]
    drawn = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    category = np.repeat(np.arange(len(parts)), sizes)
    first = np.concatenate([[0], np.cumsum(sizes)])
    scale = _price_scale(settings, drawn["relative_price"], drawn["popularity"], first)
    dollars = np.maximum(np.rint(scale * drawn["relative_price"]), 1.0)
    price_cents = (dollars * 100).astype(np.int64) - 1
    eligible = np.array([c.bnpl_eligible for c in catalog.categories.all().values()])[category]
    columns = {
        "product_id": np.arange(1, len(category) + 1),
        "product_category": category,
        "product_subcategory": drawn["subcategory"],
        "product_brand": drawn["brand"],
        "list_price": price_cents,
        "product_bnpl_eligible": eligible & (price_cents >= ELIGIBLE_FROM_CENTS),
        "product_risk_category": drawn["risk"],
    }
    popularity = drawn["popularity"]
    return Catalog(
        price_cents=price_cents,
        by_price=category * WIDER_THAN_PRICES + price_cents,
        popularity=popularity,
        by_popularity=2 * category + popularity,
        first=first,
        columns=columns,
    )


def _draw_category(catalog: config.Catalog, streams: RandomStreams, name: str) -> dict[str, np.ndarray]:
    """Products of one category by ascending price; prices are the quantiles of a lognormal."""
    category = catalog.categories.all()[name]
    size = max(round(catalog.product_count * category.share), 1)
    quantile = (np.arange(size) + 0.5) / size
    rank = np.argsort(streams.uniform(f"catalog.{name}.popularity", None, size)) + 1
    weight = rank**-catalog.popularity_exponent

    def pick(variable: str, values: tuple[str, ...]) -> np.ndarray:
        uniform = streams.uniform(f"catalog.{name}.{variable}", None, size)
        return np.array(values, object)[(uniform * len(values)).astype(int)]

    return {
        "relative_price": category.relative_price * np.exp(category.price_sigma * ndtri(quantile)),
        "popularity": np.cumsum(weight) / weight.sum(),
        "subcategory": pick("subcategory", category.subcategories),
        "brand": pick("brand", category.brands),
        "risk": categorical(
            streams.uniform(f"catalog.{name}.risk", None, size),
            ordered(catalog.product_risk_category, config.ProductRisk),
        ),
    }


def _price_scale(
    settings: config.BnplSettings, relative_price: np.ndarray, popularity: np.ndarray, first: np.ndarray
) -> float:
    """The factor on relative prices with which a purchase is expected to cost `average_purchase` USD."""
    limits, weights = np.unique(_reference_limits(settings), return_counts=True)
    target = settings.catalog.average_purchase

    def excess(log_scale: float) -> float:
        prices = np.exp(log_scale) * relative_price
        return _expected_amount(settings, prices, popularity, first, limits, weights / weights.sum()) - target

    centre = log(target / exact_mean(relative_price))
    return float(steady(exp(rounded_root(excess, centre - 10, centre + 10))))


def _reference_limits(settings: config.BnplSettings) -> np.ndarray:
    """Credit limits of a fixed reference population, the same for every seed and day."""
    streams, population = RandomStreams(REFERENCE_SEED), settings.population
    latents = attribute_latents(population.correlation, streams, None, REFERENCE_CUSTOMERS)
    return credit_limits(
        settings.payment_methods.credit_limit,
        categorical(latents[1], ordered(population.income_bracket, config.IncomeBracket)),
        categorical(latents[2], ordered(population.credit_score_range, config.CreditScoreRange)),
        streams.uniform("account.credit_limit", None, REFERENCE_CUSTOMERS),
    )


def _expected_amount(
    settings: config.BnplSettings,
    prices: np.ndarray,
    popularity: np.ndarray,
    first: np.ndarray,
    limits: np.ndarray,
    weights: np.ndarray,
) -> float:
    """Exact mean amount over limits, categories and risk scenarios, in USD."""
    catalog = settings.catalog
    expected = 0.0
    for behavior in settings.risk_scenarios.all().values():
        for number, category in enumerate(catalog.categories.all().values()):
            own = slice(first[number], first[number + 1])
            reached = popularity[own] ** behavior.price_tilt
            spent = np.cumsum(np.diff(reached, prepend=0.0) * prices[own])
            last = np.maximum(np.searchsorted(prices[own], limits, side="right") - 1, 0)
            mean = float((spent[last] / reached[last] * weights).sum())
            expected += behavior.share * category.share * mean
    return expected * (1 - catalog.discount_probability * catalog.largest_discount / 2)
