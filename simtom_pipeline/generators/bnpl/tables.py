"""The tables of the BNPL domain as contracts."""

from collections.abc import Mapping
from typing import Any

from ...contracts import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    INTEGER,
    MONEY,
    SMALLINT,
    TEXT,
    TIMESTAMP,
    Column,
    ForeignKey,
    TableContract,
    enum,
)
from . import config

A_SHARE: Mapping[str, Any] = {"is_measurement": True, "decimals": 4, "low": 0.0, "high": 1.0}
A_TIME: Mapping[str, Any] = {"unit": "seconds", "is_measurement": True, "low": 1.0}

DAY = Column("day", DATE, "simulated day, the partition that wrote the row")

CUSTOMERS = TableContract(
    name="customers",
    row="a customer, as known at signup",
    primary_key=("customer_id",),
    dated_by="signup_at",
    starts_before=True,
    columns=(
        Column("customer_id", BIGINT, "key; cust_000001 in the flat record"),
        DAY,
        Column("signup_at", TIMESTAMP, "moment of signup, which is the first purchase's (simulated clock)"),
        Column("birth_date", DATE, "date of birth"),
        Column("income_bracket", enum(config.IncomeBracket), "yearly income at signup", "USD"),
        Column("credit_score_range", enum(config.CreditScoreRange), "credit band at signup, worst first"),
        Column("verification_level", enum(config.VerificationLevel), "how far identity was verified"),
        Column("address_stability", enum(config.AddressStability), "how settled the address is"),
        Column("state", enum(config.State), "US state or DC"),
    ),
)

PRODUCTS = TableContract(
    name="products",
    row="a catalog item",
    primary_key=("product_id",),
    daily=False,
    columns=(
        Column("product_id", BIGINT, "key; prod_000001 in the flat record"),
        Column("product_category", enum(config.ProductCategory), "category"),
        Column("product_subcategory", TEXT, "subcategory within the category"),
        Column("product_brand", TEXT, "brand; belongs to one category"),
        Column("list_price", MONEY, "price before discounts", "USD"),
        Column("product_bnpl_eligible", BOOLEAN, "list price of at least 50 USD in an eligible category"),
        Column("product_risk_category", enum(config.ProductRisk), "the lender's risk class of the product"),
    ),
)

DEVICES = TableContract(
    name="devices",
    row="a customer's device",
    primary_key=("device_id",),
    foreign_keys=(ForeignKey("customer_id", "customers"),),
    dated_by="first_seen_at",
    starts_before=True,
    columns=(
        Column("device_id", BIGINT, "key: customer_id * 10 + number of the customer's device"),
        DAY,
        Column("customer_id", BIGINT, "owner"),
        Column("first_seen_at", TIMESTAMP, "moment the device was first seen (simulated clock)"),
        Column("device_type", enum(config.DeviceType), "kind of device"),
        Column("device_os", enum(config.DeviceOs), "operating system"),
    ),
)

PAYMENT_METHODS = TableContract(
    name="payment_methods",
    row="a customer's account with a provider",
    primary_key=("payment_method_id",),
    foreign_keys=(ForeignKey("customer_id", "customers"),),
    dated_by="created_at",
    starts_before=True,
    columns=(
        Column("payment_method_id", BIGINT, "key: customer_id * 10 + number of the customer's account"),
        DAY,
        Column("customer_id", BIGINT, "holder"),
        Column("created_at", TIMESTAMP, "moment the account was opened (simulated clock)"),
        Column("payment_provider", enum(config.PaymentProvider), "provider"),
        Column("payment_type", enum(config.PaymentType), "kind of account"),
        Column("payment_credit_limit", INTEGER, "credit limit", "USD"),
    ),
)

BY_DEVICE = "device_id // 10 = customer_id"
BY_ACCOUNT = "payment_method_id // 10 = customer_id"
BY_BOTH = "device_id // 10 = payment_method_id // 10"

TRANSACTIONS = TableContract(
    name="transactions",
    row="one BNPL purchase: only what was known at that moment",
    primary_key=("transaction_id",),
    foreign_keys=(
        ForeignKey("customer_id", "customers", (("device_id", BY_DEVICE), ("payment_method_id", BY_ACCOUNT))),
        ForeignKey("product_id", "products"),
        ForeignKey("device_id", "devices", (("customer_id", BY_DEVICE), ("payment_method_id", BY_BOTH))),
        ForeignKey(
            "payment_method_id", "payment_methods", (("customer_id", BY_ACCOUNT), ("device_id", BY_BOTH))
        ),
    ),
    dated_by="event_time",
    arrives_at="ingested_at",
    columns=(
        Column("transaction_id", BIGINT, "key, ascending in time; txn_00000001 in the flat record"),
        DAY,
        Column("event_time", TIMESTAMP, "moment of the purchase (simulated clock)"),
        Column("ingested_at", TIMESTAMP, "moment the lender's lake had it; event_time, unless it came late"),
        Column(
            "delivered_at",
            TIMESTAMP,
            "epoch + (event_time - start) / time_compression: of event_time, however late it arrived",
        ),
        Column("customer_id", BIGINT, "buyer"),
        Column("product_id", BIGINT, "item bought"),
        Column("device_id", BIGINT, "device used"),
        Column("payment_method_id", BIGINT, "account used"),
        Column("is_first_purchase", BOOLEAN, "the purchase with which the customer signed up"),
        Column("amount", MONEY, "price at the moment of sale", "USD", is_measurement=True, low=0.01),
        Column("currency", enum(config.Currency), "currency"),
        Column("status", enum(config.Status), "status"),
        Column("risk_scenario", enum(config.RiskScenario), "kind of purchase"),
        Column("risk_score", DOUBLE, "the lender's screening score", **A_SHARE),
        Column("risk_level", enum(config.RiskLevel), "low < .3, medium < .6, high < .8, very_high"),
        Column("installment_count", SMALLINT, "number of payments"),
        Column("first_payment_amount", MONEY, "25 % of the amount, paid at checkout", "USD"),
        Column("payment_frequency", enum(config.PaymentFrequency), "rhythm of the payments"),
        Column("purchase_context", enum(config.PurchaseContext), "mood of the purchase"),
        Column("checkout_speed", enum(config.CheckoutSpeed), "speed of the checkout"),
        Column("cart_abandonment_count", INTEGER, "carts abandoned before this purchase"),
        Column("price_comparison_time", INTEGER, "time spent comparing prices", **A_TIME),
        Column("time_on_site_seconds", INTEGER, "time spent on the site", **A_TIME),
        Column("credit_utilization", DOUBLE, "amount over the account's credit limit", **A_SHARE),
        Column("economic_stress_factor", DOUBLE, "0 normal to 1 recession"),
        Column("customer_age_bracket", enum(config.AgeBracket), "age at event_time", "years"),
        Column("customer_tenure_days", INTEGER, "whole days from signup to event_time", "days"),
        Column("device_is_trusted", BOOLEAN, "device first seen over 30 days before event_time"),
    ),
)

PURCHASE_KEY = (ForeignKey("transaction_id", "transactions"),)

INSTALLMENTS = TableContract(
    name="installments",
    row="one scheduled payment and what became of it in the end",
    primary_key=("transaction_id", "installment_number"),
    foreign_keys=PURCHASE_KEY,
    columns=(
        Column("transaction_id", BIGINT, "the purchase that is paid"),
        Column("installment_number", SMALLINT, "1 is the payment at checkout"),
        DAY,
        Column("due_at", TIMESTAMP, "moment it falls due: every 14 days from the purchase (simulated clock)"),
        Column("amount_due", MONEY, "what is due; the payments of a purchase add up to its amount", "USD"),
        Column(
            "paid_at",
            TIMESTAMP,
            "moment it was paid in full; NULL: never",
            nullable=True,
            known_from="paid_at",
        ),
        Column("amount_paid", MONEY, "what was paid in the end", "USD", known_from="paid_at"),
        Column(
            "partial_amount",
            MONEY,
            "the part of it that was paid ahead of the rest, 0 if none",
            "USD",
            known_from="partial_paid_at",
        ),
        Column(
            "partial_paid_at",
            TIMESTAMP,
            "moment of the partial payment",
            nullable=True,
            known_from="partial_paid_at",
        ),
        Column(
            "days_past_due",
            INTEGER,
            "from due_at to paid_at, 0 if it was in time; counting ends with the charge-off",
            "days",
            known_from="paid_at",
        ),
        Column(
            "late_fee",
            MONEY,
            "fee charged for being late, at most one a purchase",
            "USD",
            known_from="paid_at",
        ),
        Column(
            "repayment_method",
            enum(config.RepaymentMethod),
            "how it was paid; NULL if nothing was",
            nullable=True,
            known_from="paid_at",
        ),
    ),
)

OUTCOMES = TableContract(
    name="outcomes",
    row="what a purchase turned out to be; not to be used before label_available_at",
    primary_key=("transaction_id",),
    foreign_keys=PURCHASE_KEY,
    columns=(
        Column("transaction_id", BIGINT, "the purchase"),
        DAY,
        Column(
            "will_default",
            BOOLEAN,
            "a payment stays unpaid until its charge-off: a label, not a feature",
            known_from="label_available_at",
        ),
        Column(
            "days_to_first_missed_payment",
            INTEGER,
            "from the purchase to the due date of the first payment never made; NULL without default",
            "days",
            nullable=True,
            known_from="label_available_at",
        ),
        Column(
            "label_available_at",
            TIMESTAMP,
            "charge-off of the first missed payment; without default the same as matured_at",
            known_from="label_available_at",
        ),
        Column(
            "matured_at",
            TIMESTAMP,
            "when the last payment could have been charged off: the label is known then, whatever it is",
        ),
    ),
)

DEFAULT_RISK = TableContract(
    name="default_risk",
    row="the true default probability of a purchase",
    primary_key=("transaction_id",),
    foreign_keys=PURCHASE_KEY,
    truth=True,
    columns=(
        Column("transaction_id", BIGINT, "the purchase"),
        DAY,
        Column("default_probability", DOUBLE, "what the label was drawn with", "0 to 1"),
        Column(
            "default_probability_given_signals",
            DOUBLE,
            "its mean over the frailty: the best that can be known from the purchase's own columns",
            "0 to 1",
        ),
        Column("frailty", DOUBLE, "the customer's unobserved contribution", "log-odds"),
        Column("arrears_probability", DOUBLE, "of a spell of late payments", "0 to 1"),
    ),
)
