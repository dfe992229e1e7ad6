"""The tables of the BNPL domain as contracts, and the flat record as a view over them."""

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
    ViewContract,
    enum,
)
from . import config

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

TRANSACTIONS = TableContract(
    name="transactions",
    row="one BNPL purchase: only what was known at that moment",
    primary_key=("transaction_id",),
    foreign_keys=(
        ForeignKey("customer_id", "customers"),
        ForeignKey("product_id", "products"),
        ForeignKey("device_id", "devices"),
        ForeignKey("payment_method_id", "payment_methods"),
    ),
    dated_by="event_time",
    columns=(
        Column("transaction_id", BIGINT, "key, ascending in time; txn_00000001 in the flat record"),
        DAY,
        Column("event_time", TIMESTAMP, "moment of the purchase (simulated clock)"),
        Column("delivered_at", TIMESTAMP, "epoch + (event_time - start) / time_compression"),
        Column("customer_id", BIGINT, "buyer"),
        Column("product_id", BIGINT, "item bought"),
        Column("device_id", BIGINT, "device used"),
        Column("payment_method_id", BIGINT, "account used"),
        Column("is_first_purchase", BOOLEAN, "the purchase with which the customer signed up"),
        Column("amount", MONEY, "price at the moment of sale", "USD"),
        Column("currency", enum(config.Currency), "currency"),
        Column("status", enum(config.Status), "status"),
        Column("risk_scenario", enum(config.RiskScenario), "kind of purchase"),
        Column("risk_score", DOUBLE, "the lender's screening score, 4 decimals", "0 to 1"),
        Column("risk_level", enum(config.RiskLevel), "low < .3, medium < .6, high < .8, very_high"),
        Column("installment_count", SMALLINT, "number of payments"),
        Column("first_payment_amount", MONEY, "25 % of the amount, paid at checkout", "USD"),
        Column("payment_frequency", enum(config.PaymentFrequency), "rhythm of the payments"),
        Column("purchase_context", enum(config.PurchaseContext), "mood of the purchase"),
        Column("checkout_speed", enum(config.CheckoutSpeed), "speed of the checkout"),
        Column("cart_abandonment_count", INTEGER, "carts abandoned before this purchase"),
        Column("price_comparison_time", INTEGER, "time spent comparing prices", "seconds"),
        Column("time_on_site_seconds", INTEGER, "time spent on the site", "seconds"),
        Column("credit_utilization", DOUBLE, "amount over the account's credit limit, 4 decimals", "0 to 1"),
        Column("economic_stress_factor", DOUBLE, "0 normal to 1 recession"),
        Column("customer_age_bracket", enum(config.AgeBracket), "age at event_time", "years"),
        Column("customer_tenure_days", INTEGER, "whole days from signup to event_time", "days"),
        Column("device_is_trusted", BOOLEAN, "device first seen over 30 days before event_time"),
    ),
)

_RECORD_SQL = """
SELECT
  printf('txn_%08d', t.transaction_id) AS transaction_id,
  printf('cust_%06d', t.customer_id) AS customer_id,
  printf('prod_%06d', t.product_id) AS product_id,
  printf('cust_%06d_device_%d', t.device_id // 10, t.device_id % 10) AS device_id,
  printf('cust_%06d_pm_%d', t.payment_method_id // 10, t.payment_method_id % 10) AS payment_method_id,
  t.amount, t.currency, t.status, t.risk_scenario, t.risk_score, t.risk_level,
  t.installment_count, t.first_payment_amount, t.payment_frequency,
  t.purchase_context, t.checkout_speed, t.cart_abandonment_count,
  t.price_comparison_time, t.time_on_site_seconds, t.credit_utilization, t.economic_stress_factor,
  t.customer_age_bracket, t.customer_tenure_days,
  c.income_bracket AS customer_income_bracket,
  c.credit_score_range AS customer_credit_score_range,
  c.verification_level AS customer_verification_level,
  c.address_stability AS customer_address_stability,
  c.state AS customer_state,
  p.product_category, p.product_subcategory, p.product_brand,
  t.amount AS product_price, p.product_bnpl_eligible, p.product_risk_category,
  d.device_type, d.device_os, t.device_is_trusted,
  m.payment_provider, m.payment_type, m.payment_credit_limit,
  strftime(t.event_time, '%Y-%m-%dT%H:%M:%S.%f') AS _timestamp,
  t.transaction_id AS _record_id,
  'bnpl' AS _generator
FROM {schema}.transactions t
LEFT JOIN {schema}.customers c USING (customer_id)
LEFT JOIN {schema}.products p USING (product_id)
LEFT JOIN {schema}.devices d USING (device_id)
LEFT JOIN {schema}.payment_methods m USING (payment_method_id)
"""


def _described_in(table: TableContract, *names: str) -> tuple[Column, ...]:
    by_name = {column.name: column for column in table.columns}
    return tuple(by_name[name] for name in names)


def _customer(name: str) -> Column:
    (column,) = _described_in(CUSTOMERS, name)
    return Column(f"customer_{name}", column.type, column.meaning, column.unit)


BNPL_RECORDS = ViewContract(
    name="bnpl_records",
    row="one purchase as a flat record, with text identifiers",
    reads=("transactions", "customers", "products", "devices", "payment_methods"),
    sql=_RECORD_SQL,
    columns=(
        Column("transaction_id", TEXT, "txn_ and the key"),
        Column("customer_id", TEXT, "cust_ and the key"),
        Column("product_id", TEXT, "prod_ and the key"),
        Column("device_id", TEXT, "the customer's identifier, _device_ and the device's number"),
        Column("payment_method_id", TEXT, "the customer's identifier, _pm_ and the account's number"),
        *_described_in(
            TRANSACTIONS,
            *("amount", "currency", "status", "risk_scenario", "risk_score", "risk_level"),
            *("installment_count", "first_payment_amount", "payment_frequency"),
            *("purchase_context", "checkout_speed", "cart_abandonment_count", "price_comparison_time"),
            *("time_on_site_seconds", "credit_utilization", "economic_stress_factor"),
            *("customer_age_bracket", "customer_tenure_days"),
        ),
        *(_customer(n) for n in ("income_bracket", "credit_score_range", "verification_level")),
        *(_customer(n) for n in ("address_stability", "state")),
        *_described_in(PRODUCTS, "product_category", "product_subcategory", "product_brand"),
        Column("product_price", MONEY, "equals the amount", "USD"),
        *_described_in(PRODUCTS, "product_bnpl_eligible", "product_risk_category"),
        *_described_in(DEVICES, "device_type", "device_os"),
        *_described_in(TRANSACTIONS, "device_is_trusted"),
        *_described_in(PAYMENT_METHODS, "payment_provider", "payment_type", "payment_credit_limit"),
        Column("_timestamp", TEXT, "event_time in ISO 8601"),
        Column("_record_id", BIGINT, "running number, ascending in time (it has gaps between days)"),
        Column("_generator", TEXT, "name of the generator"),
    ),
)
