"""How likely a purchase is to default: `logit p = a + s * x'beta + frailty`.

The signals x are what the lender's tables show at the moment of the purchase, the frailty is the
customer's own and in no table. How (a, s) are found: `reference_population.py`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from math import log
from typing import get_args

import numpy as np
from scipy.special import expit

from ..drift.parameters import Parameters, Value
from ..exact import exact_mean, exact_sum, root, rounded_root
from . import config
from .catalog import Catalog
from .parameters import LOG_ODDS, coefficients

MAX_LOG_ODDS = 60.0
LOG_ODDS_STEP = 0.01
NORMAL_NODES = np.arange(-32, 33) * 0.3125
"""For means over a standard normal by the trapezoidal rule, which converges geometrically."""
SAME_AUC = 1e-4

Signals = Mapping[str, np.ndarray]


class UnreachableAucError(ValueError):
    """No scale of the signals gives the stated Bayes AUC; `low` and `high` bound what can be reached."""

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, high
        reach = "" if high - low < SAME_AUC else f"between {low:.4f} and "
        super().__init__(f"{reach}{high:.4f}, which is what this frailty and these coefficients can give")


def signals(
    credit: config.Credit, catalog: Catalog, buyer: np.ndarray, purchases: Mapping[str, np.ndarray]
) -> Signals:
    """The signals of default by the name of their coefficient, each in [0, 1] and of shape (n,).

    `buyer` is of dtype PROFILE, `purchases` are columns of the table transactions.
    """
    product_risk = catalog.columns["product_risk_category"][purchases["product_id"] - 1]
    poor_credit = 1 - _band(buyer["credit_score_range"], config.CreditScoreRange)
    low_income = 1 - _band(buyer["income_bracket"], config.IncomeBracket)
    trusted = purchases["device_is_trusted"].astype(float)
    newness = np.exp(-purchases["customer_tenure_days"] / credit.tenure_scale_days)
    stretch = purchases["credit_utilization"]
    scenario = _band(purchases["risk_scenario"], config.RiskScenario)
    stress = purchases["economic_stress_factor"]
    return {
        "credit_score_range": poor_credit,
        "verification_level": 1 - _band(buyer["verification_level"], config.VerificationLevel),
        "income_bracket": low_income,
        "device_trust": trusted,
        "tenure": 1 - newness,
        "product_risk": _band(product_risk, config.ProductRisk),
        "amount_to_limit": stretch,
        "risk_scenario": scenario,
        "economic_stress": stress,
        "stretched_with_poor_credit": stretch * poor_credit,
        "newcomer_at_risk": newness * scenario,
        "stranger_on_old_account": (1 - trusted) * (1 - newness),
        "stress_on_low_income": stress * low_income,
    }


def _band(code: np.ndarray, vocabulary: object) -> np.ndarray:
    return code / (len(get_args(vocabulary)) - 1)


def weighted(beta: Mapping[str, Value], by_name: Signals) -> np.ndarray:
    """x'beta, shape (n,); a name a*b stands for the product of two signals."""
    return sum(
        (value * _signal(by_name, name) for name, value in beta.items() if np.any(value)),
        start=np.zeros(len(by_name["tenure"])),
    )


def _signal(by_name: Signals, name: str) -> np.ndarray:
    factors = [by_name[part] for part in name.split("*")]
    return np.prod(factors, axis=0) if len(factors) > 1 else factors[0]


@dataclass(frozen=True)
class DefaultModel:
    """The solved model of default and of arrears.

    Attributes
    ----------
    intercept, scale : a and s.
    frailty : standard deviation of the frailty.
    arrears_intercept : of the log-odds of a spell of arrears.
    expected_rate : mean default probability of the reference population at the scenario's stress.
    expected_auc : its Bayes AUC at the scenario's stress.
    """

    intercept: float
    scale: float
    frailty: float
    arrears_intercept: float
    expected_rate: float
    expected_auc: float

    def known_log_odds(self, xbeta: np.ndarray) -> np.ndarray:
        """a + s * x'beta, shape (n,)."""
        return self.intercept + self.scale * xbeta

    def probability_given_signals(self, known_log_odds: np.ndarray) -> np.ndarray:
        """Mean of expit(known + frailty) over the normal frailty, to six digits; shape (n,)."""
        if self.frailty == 0:
            return expit(known_log_odds)
        grid, log_mean = _frailty_mean(self.frailty)
        return np.exp(np.interp(known_log_odds, grid, log_mean))

    def arrears_probability(
        self, arrears: config.Arrears, log_odds: np.ndarray, low_income: np.ndarray
    ) -> np.ndarray:
        """Probability of a spell of arrears of a loan that does not end in it, shape (n,)."""
        return expit(
            self.arrears_intercept + arrears.risk_slope * log_odds + arrears.income_slope * low_income**2
        )


def assess(
    credit: config.Credit,
    model: DefaultModel,
    catalog: Catalog,
    buyer: np.ndarray,
    purchases: Mapping[str, np.ndarray],
    parameters: Parameters,
) -> dict[str, np.ndarray]:
    """What is true of each purchase's risk: columns of the table default_risk without keys, shape (n,)."""
    by_name = signals(credit, catalog, buyer, purchases)
    known = model.known_log_odds(weighted(coefficients(parameters), by_name)) + parameters[LOG_ODDS]
    log_odds = known + buyer["frailty"]
    return {
        "default_probability": expit(log_odds),
        "default_probability_given_signals": model.probability_given_signals(known),
        "frailty": buyer["frailty"],
        "arrears_probability": model.arrears_probability(credit.arrears, log_odds, by_name["income_bracket"]),
    }


@lru_cache(maxsize=8)
def _frailty_mean(sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """A grid of log-odds and the log of the mean probability there, by quadrature."""
    grid = np.arange(-MAX_LOG_ODDS, MAX_LOG_ODDS, LOG_ODDS_STEP)
    weight = np.exp(-(NORMAL_NODES**2) / 2)
    mean = sum(w * expit(grid + sigma * z) for z, w in zip(NORMAL_NODES, weight / weight.sum(), strict=True))
    return grid, np.log(mean)


def bayes_auc(p: np.ndarray) -> float:
    """Area under the ROC curve that ranking by the true probabilities p, shape (n,), has in expectation.

    AUC* = sum_ij p_i (1 - p_j) [1{p_i > p_j} + 1/2 1{p_i = p_j}] / (sum p * sum (1 - p)). A pair counts
    max(p_i, p_j) - p_i p_j, so in ascending order the sum is that of (i - 1/2) p_i, less (sum p)^2 / 2.
    """
    p = np.sort(p)
    positives = exact_sum(p)
    negatives = len(p) - positives
    if positives == 0 or negatives == 0:  # all outcomes are the same: there is nothing to rank
        return 0.5
    beaten = exact_sum((np.arange(len(p)) + 0.5) * p) - positives**2 / 2
    return beaten / (positives * negatives)


def solve_scale(xbeta: np.ndarray, frailty: np.ndarray, rate: float, auc: float) -> tuple[float, float]:
    """(a, s) with mean probability `rate` and Bayes AUC `auc` over a population, arrays of shape (n,).

    Raises
    ------
    UnreachableAucError : no s >= 0 gives that AUC.
    """
    spread = float(np.std(xbeta))

    @cache
    def auc_at(scale: float) -> float:
        log_odds = scale * xbeta + frailty
        return bayes_auc(expit(root(*_rate_over(log_odds, rate)) + log_odds))

    largest = MAX_LOG_ODDS / 4 / spread if spread > 0 else 0.0
    low, high = auc_at(0.0), auc_at(largest)
    if not low - SAME_AUC <= auc <= high + SAME_AUC:
        raise UnreachableAucError(low, high)
    reached = min(auc, high)
    scale = rounded_root(lambda s: auc_at(s) - reached, 0.0, largest) if reached > low else 0.0
    return intercept_for(scale * xbeta + frailty, rate), scale


def intercept_for(log_odds: np.ndarray, rate: float) -> float:
    """The number to add to the log-odds so that their mean probability is `rate`."""
    return rounded_root(*_rate_over(log_odds, rate))


def _rate_over(log_odds: np.ndarray, rate: float) -> tuple[Callable[[float], float], float, float]:
    """By how much the mean probability exceeds `rate` with an intercept, and bounds of its root."""
    centre = log(rate / (1 - rate))
    low, high = centre - float(log_odds.max()) - 1, centre - float(log_odds.min()) + 1
    return lambda intercept: exact_mean(expit(intercept + log_odds)) - rate, low, high
