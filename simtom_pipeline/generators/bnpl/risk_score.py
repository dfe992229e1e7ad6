"""The lender's screening score: published weights over the risks a lender sees at checkout.

0.3 credit + 0.2 verification + 0.2 income + 0.1 device + 0.1 product + 0.1 scenario, times
1 + 0.2 * economic stress, capped at one. It is a rule, not the truth about default.
"""

import numpy as np

CREDIT_RISK = np.array([0.9, 0.6, 0.3, 0.1])  # poor, fair, good, excellent
VERIFICATION_RISK = np.array([0.8, 0.4, 0.1])  # unverified, partial, verified
INCOME_RISK = np.array([0.8, 0.6, 0.3, 0.2, 0.1])  # <25k ... 100k+
DEVICE_RISK = np.array([0.7, 0.2])  # untrusted, trusted
PRODUCT_RISK = np.array([0.1, 0.3, 0.6])  # low, medium, high
SCENARIO_RISK = np.array([0.1, 0.4, 0.7, 0.9])  # low-risk, impulse, stretched, high-risk
LEVEL_FROM = np.array([0.3, 0.6, 0.8])  # medium, high, very_high


def risk_score(
    credit: np.ndarray,
    verification: np.ndarray,
    income: np.ndarray,
    device_is_trusted: np.ndarray,
    product_risk: np.ndarray,
    risk_scenario: np.ndarray,
    economic_stress_factor: np.ndarray,
) -> np.ndarray:
    """Screening score in [0, 1], four decimals; arguments are ENUM codes of shape (n,)."""
    weighted = (
        0.3 * CREDIT_RISK[credit]
        + 0.2 * VERIFICATION_RISK[verification]
        + 0.2 * INCOME_RISK[income]
        + 0.1 * DEVICE_RISK[device_is_trusted.astype(np.int8)]
        + 0.1 * PRODUCT_RISK[product_risk]
        + 0.1 * SCENARIO_RISK[risk_scenario]
    )
    return np.round(np.minimum(weighted * (1 + 0.2 * economic_stress_factor), 1.0), 4)


def risk_level(score: np.ndarray) -> np.ndarray:
    """ENUM code of the risk level, shape (n,)."""
    return np.searchsorted(LEVEL_FROM, score, side="right").astype(np.int8)
