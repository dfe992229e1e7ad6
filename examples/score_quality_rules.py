"""Score data-quality rules against the ledger of what was really corrupted: precision and recall a rule.

    simtom run dirty_feed
    python examples/score_quality_rules.py

A rule is an SQL condition on a purchase, as a monitor would ask it of the landed table, without any truth. It
is scored twice: against every purchase that any fault hit, and against those of the kind it was written for.
"""

import argparse
from dataclasses import dataclass

import duckdb

from simtom_pipeline.home import default_database


@dataclass(frozen=True)
class Rule:
    """What it flags, and the faults that it is meant to find: a condition on the ledger's entries."""

    name: str
    flags: str
    meant_for: str


RULES = (
    Rule("risk_score is there", "risk_score IS NULL", "kind = 'missing' AND column_name = 'risk_score'"),
    Rule(
        "credit_utilization is there",
        "credit_utilization IS NULL",
        "kind = 'missing' AND column_name = 'credit_utilization'",
    ),
    Rule("a plan has payments", "installment_count <= 0", "kind = 'out_of_range'"),
    Rule(
        "checkout_speed is known",
        "checkout_speed NOT IN ('very_fast', 'fast', 'normal', 'slow')",
        "kind = 'new_category'",
    ),
    Rule(
        "purchase_context is known",
        "purchase_context NOT IN ('normal', 'impulse', 'rushed')",
        "kind = 'truncated'",
    ),
    Rule("the identifier is unique", "count(*) OVER (PARTITION BY transaction_id) > 1", "kind = 'duplicate'"),
    Rule(
        "the account exists",
        "payment_method_id NOT IN (SELECT payment_method_id FROM {schema}.payment_methods)",
        "kind = 'typo' AND column_name = 'payment_method_id'",
    ),
    Rule("amount below 2,500 USD", "amount >= 2500", "kind = 'unit_change'"),
    Rule(
        "amount is 4 times the first payment",
        "abs(amount - 4 * first_payment_amount) > 0.05",
        "kind = 'unit_change' OR (kind = 'duplicate' AND column_name = 'amount')",
    ),
    Rule("arrived within a day", "ingested_at > event_time + INTERVAL 1 DAY", "kind = 'late'"),
    Rule(
        "time on site below 1,000 s",
        "time_on_site_seconds >= 1000",
        "kind = 'stuck' AND column_name = 'time_on_site_seconds'",
    ),
)


def score(connection: duckdb.DuckDBPyConnection, scenario: str, rule: Rule) -> tuple[int, ...]:
    """Purchases that were flagged, that any fault hit, that are both, that were meant, that are both."""
    schema, truth = f'"{scenario}"', f'"{scenario}_truth"'
    (counts,) = connection.execute(
        f"WITH judged AS (SELECT transaction_id, {rule.flags.format(schema=schema)} AS is_flagged"
        f" FROM {schema}.transactions),"
        " flagged AS (SELECT DISTINCT transaction_id FROM judged WHERE is_flagged),"
        f" entries AS (SELECT key[1] AS transaction_id, bool_or({rule.meant_for}) AS meant"
        f" FROM {truth}.fault_ledger"
        " WHERE table_name = 'transactions' AND kind <> 'dropped_day' GROUP BY ALL)"
        " SELECT count(f.transaction_id), count(e.transaction_id),"
        " count(*) FILTER (f.transaction_id IS NOT NULL AND e.transaction_id IS NOT NULL),"
        " count(*) FILTER (e.meant), count(*) FILTER (e.meant AND f.transaction_id IS NOT NULL)"
        " FROM flagged f FULL JOIN entries e USING (transaction_id)"
    ).fetchall()
    return counts


def share(part: int, whole: int) -> str:
    """A share in per cent; of nothing there is none."""
    return f"{part / whole:.1%}" if whole else "-"


def main() -> None:
    """Print a line a rule."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scenario", default="dirty_feed")
    parser.add_argument("--database", default=str(default_database()))
    said = parser.parse_args()
    with duckdb.connect(said.database, read_only=True) as connection:
        print(f"{'':38}{'':>10}{'any fault':>20}{'the kind meant':>20}")
        print(f"{'rule':38}{'flagged':>10}" + f"{'precision':>11}{'recall':>9}" * 2)
        for rule in RULES:
            flagged, hit, both, meant, found = score(connection, said.scenario, rule)
            figures = (share(both, flagged), share(both, hit), share(found, flagged), share(found, meant))
            print(
                f"{rule.name:38}{flagged:10,}{figures[0]:>11}{figures[1]:>9}{figures[2]:>11}{figures[3]:>9}"
            )


if __name__ == "__main__":
    main()
