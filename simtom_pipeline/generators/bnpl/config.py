"""The section `bnpl` of a scenario: who buys what, with which device and account.

Vocabularies are those of the flat record (`bnpl_records`); how often each value occurs is the
scenario's to say. Defaults are neutral: equal shares, nothing correlated, no repeat purchases.
"""

from typing import Annotated, Literal, Self

import numpy as np
from pydantic import AfterValidator, Field, model_validator

from ...scenarios.base import (
    DriftVocabulary,
    FrozenModel,
    GeneratorSettings,
    Positive,
    Probability,
    Shares,
    equal_shares,
)
from ..exact import lower_factor

AgeBracket = Literal["18-24", "25-34", "35-44", "45-54", "55+"]
IncomeBracket = Literal["<25k", "25k-50k", "50k-75k", "75k-100k", "100k+"]
CreditScoreRange = Literal["poor", "fair", "good", "excellent"]
VerificationLevel = Literal["unverified", "partial", "verified"]
AddressStability = Literal["frequent_mover", "new", "stable"]
State = Literal[
    "AL", "AK", "AZ", "AR", "CA", "CO", "CT", "DE", "DC", "FL", "GA", "HI", "ID", "IL", "IN", "IA", "KS",
    "KY", "LA", "ME", "MD", "MA", "MI", "MN", "MS", "MO", "MT", "NE", "NV", "NH", "NJ", "NM", "NY", "NC",
    "ND", "OH", "OK", "OR", "PA", "RI", "SC", "SD", "TN", "TX", "UT", "VT", "VA", "WA", "WV", "WI", "WY",
]  # fmt: skip
DeviceType = Literal["mobile", "desktop", "tablet"]
DeviceOs = Literal["iOS", "Android", "Windows", "macOS", "Linux"]
PaymentProvider = Literal["affirm", "klarna", "afterpay", "sezzle"]
PaymentType = Literal["bnpl_account"]
ProductCategory = Literal["electronics", "clothing", "home", "beauty", "sports"]
ProductRisk = Literal["low", "medium", "high"]
RiskScenario = Literal["low_risk_purchase", "impulse_purchase", "credit_stretched", "high_risk_behavior"]
RiskLevel = Literal["low", "medium", "high", "very_high"]
PurchaseContext = Literal["normal", "impulse", "rushed"]
CheckoutSpeed = Literal["very_fast", "fast", "normal", "slow"]
Currency = Literal["USD"]
Status = Literal["completed"]
PaymentFrequency = Literal["bi_weekly"]
RepaymentMethod = Literal["debit_card", "credit_card", "bank_account"]

Correlation = Annotated[float, Field(gt=-1, lt=1, allow_inf_nan=False)]
Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]


CORRELATED = (
    "age_bracket",
    "income_bracket",
    "credit_score_range",
    "verification_level",
    "address_stability",
)
"""Attributes with a latent normal, in the order of the correlation matrix."""


class AttributeCorrelation(FrozenModel):
    """Correlations of the latent normals behind a customer's attributes.

    Positive: older customers earn more, have better credit, are better verified, move less.
    """

    age_income: Correlation = 0.0
    age_credit: Correlation = 0.0
    age_stability: Correlation = 0.0
    income_credit: Correlation = 0.0
    income_verification: Correlation = 0.0
    credit_verification: Correlation = 0.0
    credit_stability: Correlation = 0.0

    def matrix(self) -> np.ndarray:
        """Correlation matrix of the latents (age, income, credit, verification, stability), (5, 5)."""
        order = ("age", "income", "credit", "verification", "stability")
        matrix = np.eye(len(order))
        for name, value in self.model_dump().items():
            i, j = (order.index(part) for part in name.split("_"))
            matrix[i, j] = matrix[j, i] = value
        return matrix

    def between(self, one: str, other: str) -> float:
        """Correlation behind two attributes, by name; 0 with what is independent of all others."""
        if one not in CORRELATED or other not in CORRELATED:
            return 0.0
        return float(self.matrix()[CORRELATED.index(one), CORRELATED.index(other)])

    @model_validator(mode="after")
    def _positive_definite(self) -> Self:
        try:
            lower_factor(self.matrix())
        except ArithmeticError:
            allowed = "correlations that can hold together (no such five attributes can exist)"
            raise ValueError(allowed) from None
        return self


class Population(FrozenModel):
    """Who the customers are, how often they come back, when they leave.

    `initial_customers` null: as many as the arrivals and departures sustain. `customer_lifetime_days`
    null: nobody leaves.
    """

    initial_customers: Annotated[int, Field(ge=0, le=100_000_000)] | None = None
    repeat_customer_rate: Probability = 0.0
    purchase_rate_shape: Annotated[float, Field(ge=0.05, le=1000, allow_inf_nan=False)] = 1.0
    customer_lifetime_days: Annotated[float, Field(ge=1, le=100_000, allow_inf_nan=False)] | None = None
    age_bracket: Shares[AgeBracket] = equal_shares(AgeBracket)
    income_bracket: Shares[IncomeBracket] = equal_shares(IncomeBracket)
    credit_score_range: Shares[CreditScoreRange] = equal_shares(CreditScoreRange)
    verification_level: Shares[VerificationLevel] = equal_shares(VerificationLevel)
    address_stability: Shares[AddressStability] = equal_shares(AddressStability)
    state: Shares[State] = equal_shares(State)
    correlation: AttributeCorrelation = AttributeCorrelation()


class OsShares(FrozenModel):
    """Operating systems of each kind of device."""

    mobile: Shares[Literal["iOS", "Android"]] = equal_shares(Literal["iOS", "Android"])
    desktop: Shares[Literal["Windows", "macOS", "Linux"]] = equal_shares(Literal["Windows", "macOS", "Linux"])
    tablet: Shares[Literal["iOS", "Android", "Windows"]] = equal_shares(Literal["iOS", "Android", "Windows"])


class Devices(FrozenModel):
    """Devices: one from signup on, a second and a third after exponential waits (null: never)."""

    device_type: Shares[DeviceType] = equal_shares(DeviceType)
    device_os: OsShares = OsShares()
    days_between_devices: Annotated[float, Field(ge=1, le=100_000, allow_inf_nan=False)] | None = None


class CreditLimit(FrozenModel):
    """minimum * (maximum / minimum) ** score, in steps; score = weighted income, credit and chance.

    Income and credit count from 0 (lowest band) to 1 (highest); chance has the weight that is left.
    """

    minimum: Annotated[int, Field(gt=0, le=100_000)] = 500
    maximum: Annotated[int, Field(gt=0, le=100_000)] = 5000
    step: Annotated[int, Field(gt=0, le=10_000)] = 50
    income_weight: Probability = 0.0
    credit_weight: Probability = 0.0

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if self.maximum < self.minimum:
            raise ValueError(f"a maximum of at least the minimum ({self.maximum} is below {self.minimum})")
        if self.income_weight + self.credit_weight > 1:
            raise ValueError("income_weight and credit_weight that add up to at most 1")
        return self


class PaymentMethods(FrozenModel):
    """Accounts with a provider: one from signup on, more after exponential waits (null: never)."""

    payment_provider: Shares[PaymentProvider] = equal_shares(PaymentProvider)
    days_between_accounts: Annotated[float, Field(ge=1, le=100_000, allow_inf_nan=False)] | None = None
    credit_limit: CreditLimit = CreditLimit()


class Category(FrozenModel):
    """One product category; `relative_price` is the median price relative to the other categories'."""

    share: Probability = 0.2
    relative_price: Positive = 1.0
    price_sigma: Annotated[float, Field(ge=0, le=3, allow_inf_nan=False)] = 0.0
    bnpl_eligible: bool = True
    subcategories: Annotated[tuple[str, ...], Field(min_length=1)] = ("general",)
    brands: Annotated[tuple[str, ...], Field(min_length=1)] = ("unbranded",)


class Categories(FrozenModel):
    """The five categories of the record; their shares add up to one."""

    electronics: Category = Category()
    clothing: Category = Category()
    home: Category = Category()
    beauty: Category = Category()
    sports: Category = Category()

    def all(self) -> dict[str, Category]:
        """Category by name, in the order of the ENUM."""
        return {name: getattr(self, name) for name in type(self).model_fields}

    @model_validator(mode="after")
    def _add_up(self) -> Self:
        total = sum(category.share for category in self.all().values())
        if abs(total - 1) > 1e-6:
            raise ValueError(f"shares that add up to 1 (these add up to {total:.6g})")
        return self


class Catalog(FrozenModel):
    """What is for sale. Prices are scaled so that the expected purchase is `average_purchase` USD."""

    product_count: Annotated[int, Field(ge=5, le=1_000_000)] = 500
    average_purchase: Annotated[float, Field(ge=1, le=50_000, allow_inf_nan=False)] = 100.0
    popularity_exponent: Annotated[float, Field(ge=0, le=3, allow_inf_nan=False)] = 0.0
    discount_probability: Probability = 0.0
    largest_discount: Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)] = 0.0
    longer_plan_share: Probability = 0.0
    product_risk_category: Shares[ProductRisk] = equal_shares(ProductRisk)
    categories: Categories = Categories()


class Behavior(FrozenModel):
    """How a purchase of one risk scenario looks; medians and means over purchases.

    `price_tilt` above one favours the dearer products of a category.
    """

    share: Probability = 0.25
    price_tilt: Annotated[float, Field(ge=0.1, le=20, allow_inf_nan=False)] = 1.0
    purchase_context: PurchaseContext = "normal"
    checkout_speed: Shares[CheckoutSpeed] = equal_shares(CheckoutSpeed)
    time_on_site_median_seconds: Seconds = 300.0
    price_comparison_median_seconds: Seconds = 60.0
    sigma: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] = 0.0
    cart_abandonment_mean: Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)] = 0.0


class RiskScenarios(FrozenModel):
    """The four kinds of purchase; their shares add up to one."""

    low_risk_purchase: Behavior = Behavior()
    impulse_purchase: Behavior = Behavior()
    credit_stretched: Behavior = Behavior()
    high_risk_behavior: Behavior = Behavior()

    def all(self) -> dict[str, Behavior]:
        """Behavior by risk scenario, in the order of the ENUM."""
        return {name: getattr(self, name) for name in type(self).model_fields}

    @model_validator(mode="after")
    def _add_up(self) -> Self:
        total = sum(behavior.share for behavior in self.all().values())
        if abs(total - 1) > 1e-6:
            raise ValueError(f"shares that add up to 1 (these add up to {total:.6g})")
        return self


Coefficient = Annotated[float, Field(ge=-20, le=20, allow_inf_nan=False)]


def _whole_cents(amount: float) -> float:
    if abs(amount * 100 - round(amount * 100)) > 1e-6:
        raise ValueError("an amount in whole cents")
    return amount


class Coefficients(FrozenModel):
    """Coefficients of the signals of default, each signal between 0 and 1; only their ratios matter.

    Bands count from 0 (excellent, verified, 100k+, low, low_risk_purchase) to 1 in equal steps.
    """

    credit_score_range: Coefficient = 0.0
    verification_level: Coefficient = 0.0
    income_bracket: Coefficient = 0.0
    device_trust: Coefficient = 0.0
    tenure: Coefficient = 0.0
    product_risk: Coefficient = 0.0
    amount_to_limit: Coefficient = 0.0
    risk_scenario: Coefficient = 0.0
    economic_stress: Coefficient = 0.0
    stretched_with_poor_credit: Coefficient = 0.0
    newcomer_at_risk: Coefficient = 0.0
    stranger_on_old_account: Coefficient = 0.0
    stress_on_low_income: Coefficient = 0.0


def _pairs_of_signals(weights: dict[str, float]) -> dict[str, float]:
    for pair in weights:
        names = pair.split("*")
        if len(names) != 2 or not set(names) <= set(Coefficients.model_fields):
            raise ValueError(
                f"keys a*b of two signals out of {', '.join(Coefficients.model_fields)} ({pair!r} is none)"
            )
    return weights


class Arrears(FrozenModel):
    """Loans that are paid late but paid: at most one spell a loan.

    `rate` is the mean probability of a spell over the reference population; a loan whose very first
    payment after checkout is missed has none. Its log-odds rise by `risk_slope` with each unit of the
    log-odds of default and by `income_slope` from the highest to the lowest income. A spell is geometric
    with mean `mean_delay_days`, given that it is shorter than `charge_off_days`.
    """

    rate: Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)] = 0.05
    risk_slope: Coefficient = 0.0
    income_slope: Coefficient = 0.0
    mean_delay_days: Annotated[float, Field(gt=1, le=365, allow_inf_nan=False)] = 5.0


class Credit(FrozenModel):
    """Who defaults, who pays late, and when the lender knows.

    `base_default_rate` is the mean default probability, in normal times (stress 0), and `bayes_auc` the
    area under its ROC curve, both over the reference population. `frailty` is the standard deviation of
    the customers' unobserved log-odds. `interactions` are further coefficients, of the product of two
    signals, written a*b. A label is reported an exponential time of mean `reporting_delay_days` after its
    charge-off.
    """

    base_default_rate: Annotated[float, Field(ge=1e-5, le=0.95, allow_inf_nan=False)] = 0.02
    bayes_auc: Annotated[float, Field(ge=0.5, lt=1, allow_inf_nan=False)] = 0.5
    frailty: Annotated[float, Field(ge=0, le=3, allow_inf_nan=False)] = 0.0
    tenure_scale_days: Annotated[float, Field(ge=1, le=100_000, allow_inf_nan=False)] = 180.0
    coefficients: Coefficients = Coefficients()
    interactions: Annotated[dict[str, Coefficient], AfterValidator(_pairs_of_signals)] = Field({})
    arrears: Arrears = Arrears()
    charge_off_days: Annotated[int, Field(ge=3, le=3650)] = 90
    reporting_delay_days: Annotated[float, Field(ge=0, le=3650, allow_inf_nan=False)] = 0.0
    late_fee: Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False), AfterValidator(_whole_cents)] = 0.0
    late_fee_after_days: Annotated[int, Field(ge=1, le=3650)] = 7
    partial_payment_share: Probability = 0.0
    pays_ahead_share: Probability = 0.0
    repayment_method: Shares[RepaymentMethod] = equal_shares(RepaymentMethod)

    @model_validator(mode="after")
    def _fee_before_charge_off(self) -> Self:
        if self.late_fee_after_days > self.charge_off_days:
            raise ValueError(
                f"late_fee_after_days of at most charge_off_days ({self.late_fee_after_days} is above"
                f" {self.charge_off_days})"
            )
        return self


class UnderStress(FrozenModel):
    """What full economic stress (1) does besides the coefficients of default; less stress, less of it.

    `volume` and `amount` are factors; null shares stay as they are.
    """

    volume: Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)] = 1.0
    amount: Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)] = 1.0
    risk_scenario: Shares[RiskScenario] | None = None
    product_category: Shares[ProductCategory] | None = None


class BnplSettings(GeneratorSettings):
    """Everything the `bnpl` section may say."""

    drift_vocabulary = DriftVocabulary(
        ("covariate", "prior", "concept", "label_delay", "volume", "economic_stress"), "default_rate"
    )

    economic_stress_factor: Probability = 0.0
    under_stress: UnderStress = UnderStress()
    population: Population = Population()
    devices: Devices = Devices()
    payment_methods: PaymentMethods = PaymentMethods()
    catalog: Catalog = Catalog()
    risk_scenarios: RiskScenarios = RiskScenarios()
    credit: Credit = Credit()
