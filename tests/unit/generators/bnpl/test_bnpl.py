"""The BNPL history, asked in plain SQL and recomputed by hand: integrity, laws, the flat record."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from simtom_pipeline import load_scenario, simulate_day
from simtom_pipeline.scenarios.models import Scenario
from tests.support.landed import put

DAYS = 70
ALPHA = 1e-4


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return load_scenario("baseline", {"volume.base_daily_volume": 800, "clock.end": "2024-03-10"})


@pytest.fixture(scope="module")
def history(scenario: Scenario) -> Iterator[duckdb.DuckDBPyConnection]:
    """Seventy days in a database in memory."""
    connection = duckdb.connect()
    put(connection, scenario)
    yield connection
    connection.close()


def one(connection: duckdb.DuckDBPyConnection, sql: str) -> Any:
    return connection.execute(sql).fetchall()[0][0]


NEVER = {
    "an event outside its day": "FROM baseline.transactions WHERE event_time::DATE <> day",
    "an event out of order": "FROM (SELECT event_time < lag(event_time) OVER (ORDER BY transaction_id) AS bad"
    " FROM baseline.transactions) WHERE bad",
    "a purchase before signup": "FROM baseline.transactions JOIN baseline.customers USING (customer_id)"
    " WHERE signup_at > event_time",
    "a purchase by nobody": "FROM baseline.transactions ANTI JOIN baseline.customers USING (customer_id)",
    "a purchase of nothing": "FROM baseline.transactions ANTI JOIN baseline.products USING (product_id)",
    "somebody else's device": "FROM baseline.transactions t LEFT JOIN baseline.devices d USING (device_id)"
    " WHERE d.customer_id IS DISTINCT FROM t.customer_id OR d.first_seen_at > t.event_time",
    "somebody else's account": "FROM baseline.transactions t LEFT JOIN baseline.payment_methods m"
    " USING (payment_method_id) WHERE m.customer_id IS DISTINCT FROM t.customer_id"
    " OR m.created_at > t.event_time",
    "a first purchase that is not the signup": "FROM baseline.transactions JOIN baseline.customers"
    " USING (customer_id) WHERE is_first_purchase <> (signup_at = event_time)",
    "a newcomer without a purchase": "FROM baseline.customers c WHERE signup_at >= DATE '2024-01-01'"
    " AND NOT EXISTS (FROM baseline.transactions t"
    " WHERE t.customer_id = c.customer_id AND is_first_purchase)",
    "tenure as of another moment": "FROM baseline.transactions JOIN baseline.customers USING (customer_id)"
    " WHERE customer_tenure_days <> floor(epoch(event_time - signup_at) / 86400)",
    "age as of another moment": "FROM baseline.transactions JOIN baseline.customers USING (customer_id)"
    " WHERE customer_age_bracket::VARCHAR <> CASE"
    " WHEN birth_date + INTERVAL 25 YEAR > event_time::DATE THEN '18-24'"
    " WHEN birth_date + INTERVAL 35 YEAR > event_time::DATE THEN '25-34'"
    " WHEN birth_date + INTERVAL 45 YEAR > event_time::DATE THEN '35-44'"
    " WHEN birth_date + INTERVAL 55 YEAR > event_time::DATE THEN '45-54' ELSE '55+' END"
    " AND NOT (month(birth_date) = 2 AND day(birth_date) = 29)",
    "a customer under age": "FROM baseline.customers WHERE birth_date + INTERVAL 18 YEAR > signup_at",
    "trust as of another moment": "FROM baseline.transactions JOIN baseline.devices USING (device_id)"
    " WHERE device_is_trusted <> (event_time - first_seen_at > INTERVAL 30 DAY)",
    "utilization of another limit": "FROM baseline.transactions JOIN baseline.payment_methods"
    " USING (payment_method_id) WHERE abs(credit_utilization - amount / payment_credit_limit) > 0.0001",
    "a purchase over the limit": "FROM baseline.transactions JOIN baseline.payment_methods"
    " USING (payment_method_id) WHERE amount > payment_credit_limit",
    "a price above the list": "FROM baseline.transactions JOIN baseline.products USING (product_id)"
    " WHERE amount > list_price OR amount < round(list_price * 0.6, 2) - 0.01",
    "a first payment that is not a quarter": "FROM baseline.transactions"
    " WHERE abs(first_payment_amount - amount / 4) > 0.0051",
    "a plan that the amount does not allow": "FROM baseline.transactions WHERE NOT CASE"
    " WHEN amount < 100 THEN installment_count = 4 WHEN amount < 500 THEN installment_count IN (4, 6)"
    " WHEN amount < 1000 THEN installment_count IN (6, 12) ELSE installment_count IN (12, 24) END",
    "a wrong risk level": "FROM baseline.transactions WHERE risk_level <> CASE WHEN risk_score < 0.3"
    " THEN 'low' WHEN risk_score < 0.6 THEN 'medium' WHEN risk_score < 0.8 THEN 'high' ELSE 'very_high' END",
    "an eligible product that is not": "FROM baseline.products"
    " WHERE product_bnpl_eligible <> (list_price >= 50 AND product_category <> 'beauty')",
    "a brand of two categories": "FROM (SELECT product_brand FROM baseline.products GROUP BY 1"
    " HAVING count(DISTINCT product_category) > 1)",
    "an operating system on the wrong device": "FROM baseline.devices WHERE NOT CASE device_type"
    " WHEN 'mobile' THEN device_os IN ('iOS', 'Android')"
    " WHEN 'desktop' THEN device_os IN ('Windows', 'macOS', 'Linux')"
    " ELSE device_os IN ('iOS', 'Android', 'Windows') END",
    "a limit off its steps": "FROM baseline.payment_methods"
    " WHERE payment_credit_limit NOT BETWEEN 500 AND 5000 OR payment_credit_limit % 50 <> 0",
}


@pytest.mark.parametrize("violation", NEVER)
def test_there_is_never(violation: str, history: duckdb.DuckDBPyConnection) -> None:
    assert one(history, f"SELECT count(*) {NEVER[violation]}") == 0


def test_the_screening_score_has_the_published_weights(history: duckdb.DuckDBPyConnection) -> None:
    """Recomputed row by row in SQL from the tables that the record is made of."""
    wrong = one(
        history,
        """
        SELECT count(*) FROM baseline.bnpl_records WHERE abs(risk_score - least(1, (
            0.3 * CASE customer_credit_score_range WHEN 'excellent' THEN .1 WHEN 'good' THEN .3
                  WHEN 'fair' THEN .6 ELSE .9 END
          + 0.2 * CASE customer_verification_level WHEN 'verified' THEN .1 WHEN 'partial' THEN .4 ELSE .8 END
          + 0.2 * CASE customer_income_bracket WHEN '100k+' THEN .1 WHEN '75k-100k' THEN .2
                  WHEN '50k-75k' THEN .3 WHEN '25k-50k' THEN .6 ELSE .8 END
          + 0.1 * CASE WHEN device_is_trusted THEN .2 ELSE .7 END
          + 0.1 * CASE product_risk_category WHEN 'low' THEN .1 WHEN 'medium' THEN .3 ELSE .6 END
          + 0.1 * CASE risk_scenario WHEN 'low_risk_purchase' THEN .1 WHEN 'impulse_purchase' THEN .4
                  WHEN 'credit_stretched' THEN .7 ELSE .9 END)
          * (1 + 0.2 * economic_stress_factor))) > 0.0001
        """,
    )
    assert wrong == 0


RECORD = """transaction_id customer_id product_id device_id payment_method_id amount currency status
risk_scenario risk_score risk_level installment_count first_payment_amount payment_frequency
purchase_context checkout_speed cart_abandonment_count price_comparison_time time_on_site_seconds
credit_utilization economic_stress_factor will_default days_to_first_missed_payment customer_age_bracket customer_tenure_days
customer_income_bracket customer_credit_score_range customer_verification_level
customer_address_stability customer_state product_category product_subcategory product_brand
product_price product_bnpl_eligible product_risk_category device_type device_os device_is_trusted
payment_provider payment_type payment_credit_limit _timestamp _record_id _generator""".split()


def test_the_flat_record_has_its_fields_in_order_and_loses_no_purchase(
    history: duckdb.DuckDBPyConnection,
) -> None:
    view = history.sql("FROM baseline.bnpl_records")
    assert view.columns == RECORD
    total = one(history, "SELECT count(*) FROM baseline.transactions")
    complete = " AND ".join(
        f'"{column}" IS NOT NULL' for column in RECORD if column != "days_to_first_missed_payment"
    )
    assert one(history, f"SELECT count(*) FROM baseline.bnpl_records WHERE {complete}") == total
    defaults = "will_default = (days_to_first_missed_payment IS NOT NULL)"
    assert one(history, f"SELECT count(*) FROM baseline.bnpl_records WHERE {defaults}") == total


def test_identifiers_of_the_flat_record_have_the_known_format(history: duckdb.DuckDBPyConnection) -> None:
    patterns = {
        "transaction_id": r"txn_\d{8,}",
        "customer_id": r"cust_\d{6,}",
        "product_id": r"prod_\d{6}",
        "device_id": r"cust_\d{6,}_device_[123]",
        "payment_method_id": r"cust_\d{6,}_pm_[123]",
        "_timestamp": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}",
    }
    for column, pattern in patterns.items():
        bad = one(
            history,
            f"SELECT count(*) FROM baseline.bnpl_records WHERE NOT regexp_full_match({column}, '{pattern}')",
        )
        assert bad == 0, column
    first = history.execute("FROM baseline.bnpl_records ORDER BY _record_id LIMIT 1").fetchall()[0]
    assert first[0] == "txn_00000001"


def test_delivered_time_is_the_declared_affine_map() -> None:
    scenario = load_scenario(
        "baseline",
        {
            "volume.base_daily_volume": 50,
            "clock.time_compression": 1440,
            "clock.epoch": "2030-01-01T06:00:00",
        },
    )
    table = simulate_day(scenario, date(2024, 1, 11))["transactions"]
    event = table["event_time"].cast(pa.int64()).to_numpy()
    delivered = table["delivered_at"].cast(pa.int64()).to_numpy()
    start, epoch = (int(np.datetime64(t, "us").astype(int)) for t in ("2024-01-01", "2030-01-01T06:00:00"))
    assert (np.abs(delivered - (epoch + (event - start) / 1440)) <= 1).all()


def test_the_average_purchase_is_what_the_scenario_states(history: duckdb.DuckDBPyConnection) -> None:
    """Within 4 standard errors and a dollar of rounding to price points."""
    amounts = history.sql("SELECT amount::DOUBLE AS a FROM baseline.transactions").fetchnumpy()["a"]
    assert amounts.mean() == pytest.approx(135, abs=4 * amounts.std() / np.sqrt(len(amounts)) + 1)


@pytest.mark.parametrize("average", [20.0, 240.0])
def test_the_average_purchase_is_solved_for_any_price_level(average: float) -> None:
    overrides = {"bnpl.catalog.average_purchase": average, "volume.base_daily_volume": 20_000}
    table = simulate_day(load_scenario("baseline", overrides), date(2024, 1, 1))["transactions"]
    amounts = table["amount"].cast(pa.float64()).to_numpy()
    assert amounts.mean() == pytest.approx(average, abs=4 * amounts.std() / np.sqrt(len(amounts)) + 1)


def test_categories_and_risk_scenarios_have_their_shares(history: duckdb.DuckDBPyConnection) -> None:
    declared = {
        "product_category": {"electronics": 0.24, "clothing": 0.32, "home": 0.19, "beauty": 0.15, "sports": 0.1},
        "risk_scenario": {
            "low_risk_purchase": 0.6, "impulse_purchase": 0.2, "credit_stretched": 0.15, "high_risk_behavior": 0.05,
        },
    }  # fmt: skip
    for column, shares in declared.items():
        found = dict(
            history.execute(
                f"SELECT {column}::VARCHAR, count(*) FROM baseline.bnpl_records GROUP BY 1"
            ).fetchall()
        )
        n = sum(found.values())
        test = stats.chisquare([found[k] for k in shares], [n * s for s in shares.values()])
        assert test.pvalue > ALPHA, column


def test_attributes_are_correlated_as_the_copula_says(history: duckdb.DuckDBPyConnection) -> None:
    """Rank correlation of income and credit band against a bivariate normal cut at the same shares."""
    pairs = history.sql(
        "SELECT enum_code(income_bracket) AS i, enum_code(credit_score_range) AS c FROM baseline.customers"
    ).fetchnumpy()
    rng = np.random.default_rng(5)
    z = rng.multivariate_normal([0, 0], [[1, 0.45], [0.45, 1]], 200_000)
    income = np.searchsorted(np.cumsum([0.15, 0.28, 0.23, 0.18]), stats.norm.cdf(z[:, 0]))
    credit = np.searchsorted(np.cumsum([0.45, 0.16, 0.25]), stats.norm.cdf(z[:, 1]))
    expected = np.corrcoef(income, credit)[0, 1]
    found = np.corrcoef(pairs["i"], pairs["c"])[0, 1]
    assert found == pytest.approx(expected, abs=4 / np.sqrt(len(pairs["i"])) + 4 / np.sqrt(200_000))


def test_limits_rise_with_income_and_credit(history: duckdb.DuckDBPyConnection) -> None:
    rows = history.execute(
        "SELECT credit_score_range, avg(payment_credit_limit) FROM baseline.payment_methods"
        " JOIN baseline.customers USING (customer_id) GROUP BY 1 ORDER BY 1"
    ).fetchall()
    averages = [average for _, average in rows]
    assert averages == sorted(averages)
    assert averages[-1] > 2 * averages[0]


def test_repeat_purchases_are_gamma_mixed_never_uniform() -> None:
    """Without churn or newcomers, purchases a customer are negative binomial (gamma-mixed Poisson)."""
    scenario = load_scenario(
        "poisson_arrivals",
        {
            "volume.base_daily_volume": 2_000,
            "clock.end": "2024-01-30",
            "bnpl.population.repeat_customer_rate": 1.0,
            "bnpl.population.initial_customers": 20_000,
            "bnpl.population.customer_lifetime_days": None,
            "bnpl.population.purchase_rate_shape": 0.7,
        },
    )
    who = np.concatenate(
        [
            simulate_day(scenario, day)["transactions"]["customer_id"].to_numpy()
            for day in scenario.clock.days()
        ]
    )
    counts = np.zeros(20_000, int)
    customers, found = np.unique(who, return_counts=True)
    counts[: len(customers)] = found
    mean = counts.mean()
    law = stats.nbinom(0.7, 0.7 / (0.7 + mean))
    cells = np.arange(25)
    observed = np.append([(counts == k).sum() for k in cells], (counts > 24).sum())
    expected = 20_000 * np.append(law.pmf(cells), law.sf(24))
    assert stats.chisquare(observed, expected * observed.sum() / expected.sum()).pvalue > ALPHA
    assert stats.chisquare(np.bincount(counts)[:20], stats.poisson(mean).pmf(np.arange(20)) * 20_000 + 1,
                           sum_check=False).pvalue < 1e-100  # fmt: skip


def test_customers_leave_after_exponential_lifetimes() -> None:
    """Nobody is new and everybody leaves: those who still buy decline as exp(-t / lifetime)."""
    scenario = load_scenario(
        "poisson_arrivals",
        {
            "volume.base_daily_volume": 30_000,
            "clock.end": "2024-02-29",
            "bnpl.population.repeat_customer_rate": 1.0,
            "bnpl.population.initial_customers": 5_000,
            "bnpl.population.customer_lifetime_days": 20,
            "bnpl.population.purchase_rate_shape": 50,
        },
    )
    for n in (0, 10, 20, 40):
        day = scenario.clock.days()[n]
        buyers = len(np.unique(simulate_day(scenario, day)["transactions"]["customer_id"].to_numpy()))
        expected = 5_000 * np.exp(-n / 20)
        assert buyers == pytest.approx(expected, abs=4 * np.sqrt(expected) + 0.02 * expected), n


def test_a_lender_without_customers_starts_with_new_ones() -> None:
    scenario = load_scenario("baseline", {"bnpl.population.initial_customers": 0})
    table = simulate_day(scenario, date(2024, 1, 1))["transactions"]
    assert all(table["is_first_purchase"].to_pylist())
    second = simulate_day(scenario, date(2024, 1, 2))["transactions"]
    repeats = second.num_rows - sum(second["is_first_purchase"].to_pylist())
    assert stats.binomtest(repeats, second.num_rows, 0.91).pvalue > ALPHA


def test_a_day_without_events_has_every_table_with_its_schema() -> None:
    scenario = load_scenario(
        "baseline", {"volume.month": {"january": 0}, "bnpl.population.initial_customers": 0}
    )
    tables = simulate_day(scenario, date(2024, 1, 5))
    full = simulate_day(load_scenario("baseline"), date(2024, 1, 5))
    assert tables["transactions"].num_rows == 0
    assert all(tables[name].schema == full[name].schema for name in full)


def test_a_day_outside_the_clock_is_refused() -> None:
    with pytest.raises(ValueError, match="2023-12-31 is outside the clock of baseline"):
        simulate_day(load_scenario("baseline"), date(2023, 12, 31))
