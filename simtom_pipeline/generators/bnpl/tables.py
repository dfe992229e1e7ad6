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
    ViewColumn,
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

_ALIASES = {
    "t": TRANSACTIONS,
    "c": CUSTOMERS,
    "p": PRODUCTS,
    "d": DEVICES,
    "m": PAYMENT_METHODS,
}


def _as_is(alias: str, *names: str, prefix: str = "") -> tuple[ViewColumn, ...]:
    """Columns of a table, unchanged, under their own names or prefixed ones."""
    table = _ALIASES[alias]
    columns = {column.name: column for column in table.columns}
    return tuple(
        ViewColumn(
            prefix + name,
            columns[name].type,
            columns[name].meaning,
            columns[name].unit,
            expression=f"{alias}.{name}",
            source=(table.name, name),
        )
        for name in names
    )


def _text(name: str, source: str, expression: str, meaning: str) -> ViewColumn:
    return ViewColumn(name, TEXT, meaning, expression=expression, source=("transactions", source))


def _numbered(name: str, key: str, kind: str) -> ViewColumn:
    """An identifier such as cust_000001_device_1."""
    pattern = f"printf('cust_%06d_{kind}_%d', t.{key} // 10, t.{key} % 10)"
    return _text(name, key, pattern, f"the customer's identifier, _{kind}_ and its number")


BNPL_RECORDS = ViewContract(
    name="bnpl_records",
    row="one purchase as a flat record, with text identifiers",
    from_sql="FROM {schema}.transactions t"
    " LEFT JOIN {schema}.customers c USING (customer_id)"
    " LEFT JOIN {schema}.products p USING (product_id)"
    " LEFT JOIN {schema}.devices d USING (device_id)"
    " LEFT JOIN {schema}.payment_methods m USING (payment_method_id)",
    columns=(
        _text("transaction_id", "transaction_id", "printf('txn_%08d', t.transaction_id)", "txn_ and the key"),
        _text("customer_id", "customer_id", "printf('cust_%06d', t.customer_id)", "cust_ and the key"),
        _text("product_id", "product_id", "printf('prod_%06d', t.product_id)", "prod_ and the key"),
        _numbered("device_id", "device_id", "device"),
        _numbered("payment_method_id", "payment_method_id", "pm"),
        *_as_is("t", "amount", "currency", "status", "risk_scenario", "risk_score", "risk_level"),
        *_as_is("t", "installment_count", "first_payment_amount", "payment_frequency"),
        *_as_is("t", "purchase_context", "checkout_speed", "cart_abandonment_count"),
        *_as_is("t", "price_comparison_time", "time_on_site_seconds", "credit_utilization"),
        *_as_is("t", "economic_stress_factor", "customer_age_bracket", "customer_tenure_days"),
        *_as_is("c", "income_bracket", "credit_score_range", "verification_level", prefix="customer_"),
        *_as_is("c", "address_stability", "state", prefix="customer_"),
        *_as_is("p", "product_category", "product_subcategory", "product_brand"),
        ViewColumn(
            "product_price",
            MONEY,
            "equals the amount",
            "USD",
            expression="t.amount",
            source=("transactions", "amount"),
        ),
        *_as_is("p", "product_bnpl_eligible", "product_risk_category"),
        *_as_is("d", "device_type", "device_os"),
        *_as_is("t", "device_is_trusted"),
        *_as_is("m", "payment_provider", "payment_type", "payment_credit_limit"),
        _text(
            "_timestamp",
            "event_time",
            "strftime(t.event_time, '%Y-%m-%dT%H:%M:%S.%f')",
            "event_time in ISO 8601",
        ),
        ViewColumn(
            "_record_id",
            BIGINT,
            "running number, ascending in time (it has gaps between days)",
            expression="t.transaction_id",
            source=("transactions", "transaction_id"),
        ),
        _text("_generator", "transaction_id", "'bnpl'", "name of the generator"),
    ),
)
