"""How close a year of the baseline comes to published figures: `docs/calibration.md`, from a real run.

`python -m tools.calibration` simulates and lands the year and writes the page; a test fails
when the page is not what a run gives.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import duckdb

from simtom_pipeline.history import land_history
from simtom_pipeline.landing import DuckDBFile
from simtom_pipeline.simulation import Simulation, load_scenario

from . import REPOSITORY

CALIBRATION_FILE = REPOSITORY / "docs" / "calibration.md"

SPOTLIGHT = "CFPB data spotlight, Dec 2025 (six firms, 2023)"
CONSUMER_USE = "CFPB, Jan 2025 (2021-22)"
MARKET_TRENDS = "CFPB, Sept 2022"
ADOBE_DEVICES = "Adobe, Jan-Aug 2024"
ADOBE_HOLIDAYS = "Adobe, 2024: dollars a day over the mean of November 1-24"
OBERLO = "Oberlo: index of the hour, mean 100"
PYMNTS = "PYMNTS, 2025"
SHED = "Federal Reserve SHED, 2024"
BLOCK = "Block, 10-K"


@dataclass(frozen=True)
class PublishedFigure:
    """A published figure, how it is measured on the landed baseline, and how far off it may be."""

    what: str
    value: float
    tolerance: float
    unit: str
    source: str
    sql: str
    follows: bool = False
    """Whether it follows from several keys of the baseline; otherwise one key states it."""


def _share(condition: str, relation: str = "baseline.bnpl_records") -> str:
    return f"SELECT 100 * avg(CAST({condition} AS INTEGER)) FROM {relation}"


def _paid_late(income: str) -> str:
    return (
        "SELECT 100 * avg(CAST(late AS INTEGER)) FROM (SELECT t.customer_id,"
        " bool_or(i.paid_at IS NULL OR i.paid_at > i.due_at) AS late FROM baseline.installments i"
        " JOIN baseline.transactions t USING (transaction_id) GROUP BY ALL)"
        f" JOIN baseline.customers USING (customer_id) WHERE income_bracket = '{income}'"
    )


def _against_november(first: str, last: str) -> str:
    """Purchases a day between two days of 2024 (mm-dd), over those of November 1-24."""
    per_day = (
        "SELECT count(*) / count(DISTINCT day) FROM baseline.transactions"
        " WHERE day BETWEEN DATE '2024-{}' AND DATE '2024-{}'"
    )
    return f"SELECT ({per_day.format(first, last)}) / ({per_day.format('11-01', '11-24')})"


def _hour(hour: int) -> str:
    return f"SELECT 2400 * avg(CAST(hour(event_time) = {hour} AS INTEGER)) FROM baseline.transactions"


PUBLISHED_FIGURES = (
    PublishedFigure(
        "average purchase", 135, 4, "USD", SPOTLIGHT, "SELECT avg(amount) FROM baseline.transactions"
    ),
    PublishedFigure(
        "loans a user, one lender, a year",
        6.3,
        0.3,
        "loans",
        SPOTLIGHT,
        "SELECT count(*) / count(DISTINCT customer_id) FROM baseline.transactions",
        follows=True,
    ),
    PublishedFigure(
        "loans charged off", 1.83, 0.15, "%", SPOTLIGHT, _share("will_default", "baseline.outcomes")
    ),
    PublishedFigure(
        "loans with a late fee",
        4.1,
        0.3,
        "%",
        SPOTLIGHT,
        _share(
            "fees > 0",
            "(SELECT sum(late_fee) AS fees FROM baseline.installments GROUP BY transaction_id)",
        ),
        follows=True,
    ),
    PublishedFigure(
        "late fee of a loan that has one",
        9.99,
        0.01,
        "USD",
        SPOTLIGHT,
        "SELECT avg(fees) FROM (SELECT sum(late_fee) AS fees FROM baseline.installments"
        " GROUP BY transaction_id) WHERE fees > 0",
    ),
    PublishedFigure(
        "paid at checkout, of the amount",
        25,
        0.1,
        "%",
        SPOTLIGHT,
        "SELECT 100 * sum(amount_due) FILTER (installment_number = 1) / sum(amount_due)"
        " FROM baseline.installments",
    ),
    PublishedFigure(
        "purchases in four payments",
        100,
        5,
        "%",
        SPOTLIGHT + ": the product; the flat record has longer plans too",
        _share("installment_count = 4"),
        follows=True,
    ),
    PublishedFigure(
        "time between payments",
        14,
        0,
        "days",
        SPOTLIGHT,
        "SELECT avg(gap) FROM (SELECT date_diff('day', lag(due_at) OVER"
        " (PARTITION BY transaction_id ORDER BY installment_number), due_at) AS gap"
        " FROM baseline.installments)",
    ),
    PublishedFigure(
        "deep subprime (band poor), of purchases",
        45,
        2,
        "%",
        CONSUMER_USE,
        _share("customer_credit_score_range = 'poor'"),
    ),
    PublishedFigure(
        "subprime (band fair), of purchases",
        16,
        2,
        "%",
        CONSUMER_USE,
        _share("customer_credit_score_range = 'fair'"),
    ),
    PublishedFigure(
        "charge-off after the due date",
        90,
        0,
        "days",
        BLOCK,
        "SELECT avg(date_diff('day', event_time, label_available_at) - days_to_first_missed_payment)"
        " FROM baseline.outcomes JOIN baseline.transactions USING (transaction_id) WHERE will_default",
    ),
    PublishedFigure("mobile, of purchases", 74.1, 1, "%", ADOBE_DEVICES, _share("device_type = 'mobile'")),
    PublishedFigure(
        "Thanksgiving", 1.9, 0.2, "times", ADOBE_HOLIDAYS, _against_november("11-28", "11-28"), follows=True
    ),
    PublishedFigure(
        "Black Friday", 3.3, 0.33, "times", ADOBE_HOLIDAYS, _against_november("11-29", "11-29"), follows=True
    ),
    PublishedFigure(
        "the weekend after, each day",
        1.7,
        0.2,
        "times",
        ADOBE_HOLIDAYS,
        _against_november("11-30", "12-01"),
        follows=True,
    ),
    PublishedFigure(
        "Cyber Monday",
        4.1,
        0.41,
        "times",
        ADOBE_HOLIDAYS,
        _against_november("12-02", "12-02"),
        follows=True,
    ),
    PublishedFigure("13 h", 151, 3, "index", OBERLO, _hour(13)),
    PublishedFigure("21 h", 134, 3, "index", OBERLO, _hour(21)),
    PublishedFigure("5 h", 22, 3, "index", OBERLO, _hour(5)),
    PublishedFigure("Klarna, of purchases", 26.2, 1, "%", PYMNTS, _share("payment_provider = 'klarna'")),
    PublishedFigure("Afterpay, of purchases", 21.9, 1, "%", PYMNTS, _share("payment_provider = 'afterpay'")),
    PublishedFigure("Affirm, of purchases", 19.3, 1, "%", PYMNTS, _share("payment_provider = 'affirm'")),
    PublishedFigure(
        "repayments by debit card",
        89,
        1,
        "%",
        MARKET_TRENDS,
        _share("repayment_method = 'debit_card'", "baseline.installments WHERE amount_paid > 0"),
    ),
    PublishedFigure(
        "paid late at least once, income <25k", 40, 4, "% of users", SHED, _paid_late("<25k"), follows=True
    ),
    PublishedFigure(
        "paid late at least once, income 25k-50k",
        26,
        4,
        "% of users",
        SHED,
        _paid_late("25k-50k"),
        follows=True,
    ),
)
NOT_SIMULATED = (
    ("approval", "79 %", CONSUMER_USE, "declined applications are not simulated"),
    ("weekdays", "no figure", "sources conflict", "a configurable prior, not a target"),
)


def calibration_text(connection: duckdb.DuckDBPyConnection) -> str:
    """The page in Markdown, measured on the landed baseline."""
    lines = [
        "# The baseline against published figures",
        "",
        "Measured on the year of `simtom run baseline`; written by `make calibration`, which simulates it"
        " again. Published figures were gathered from public write-ups of the named reports. Some are stated"
        " by a key of the baseline and must come out again; the others follow from several keys.",
        "",
        "| what | measured | target | tolerance | unit | source | in the baseline | |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for figure in PUBLISHED_FIGURES:
        (measured,) = connection.execute(figure.sql).fetchall()[0]
        within = abs(float(measured) - figure.value) <= figure.tolerance
        lines.append(
            f"| {figure.what} | {float(measured):.2f} | {figure.value:g} | ± {figure.tolerance:g} |"
            f" {figure.unit} | {figure.source} | {'follows' if figure.follows else 'stated'} |"
            f" {'pass' if within else '**fail**'} |"
        )
    lines += [
        f"| {what} | | {value} | | | {source} | | {why} |" for what, value, source, why in NOT_SIMULATED
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Simulate the baseline year, land it in a file of its own, measure, write the page."""
    scenario = load_scenario("baseline")
    with tempfile.TemporaryDirectory() as folder:
        storage = DuckDBFile(Path(folder) / "simtom.duckdb")
        land_history(Simulation(scenario), scenario.clock.days(), storage, lambda days: None)
        with storage.open(read_only=True) as database:
            CALIBRATION_FILE.write_text(calibration_text(database.connection))


if __name__ == "__main__":
    main()
