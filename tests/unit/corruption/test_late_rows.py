"""What had arrived: views as of a moment show late rows once they are there."""

from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

from tests.support.faults import corrupted, fault
from tests.support.landed import put


@pytest.fixture(scope="module")
def with_late_rows() -> "Any":
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIMTOM_HOME", "/nonexistent")
        scenario = corrupted(
            fault("late", rate=0.5, delay={"kind": "exponential", "mean_hours": 40}),
            **{"volume.base_daily_volume": 150, "bnpl.credit.charge_off_days": 14},
        )
    connection = duckdb.connect()
    put(connection, scenario)
    return connection


@pytest.mark.parametrize("moment", ["2024-01-04 12:00:00", "2024-01-08 00:00:00", "2024-03-20 00:00:00"])
def test_as_of_macros_show_what_had_arrived(with_late_rows: duckdb.DuckDBPyConnection, moment: str) -> None:
    ask = lambda sql: with_late_rows.execute(sql).fetchall()  # noqa: E731
    arrived = {
        k for (k,) in ask(f"SELECT transaction_id FROM baseline.transactions WHERE ingested_at <= '{moment}'")
    }
    happened = {
        k for (k,) in ask(f"SELECT transaction_id FROM baseline.transactions WHERE event_time <= '{moment}'")
    }
    labelled = {
        k for (k,) in ask(f"SELECT transaction_id FROM baseline.outcomes WHERE matured_at <= '{moment}'")
    }
    known = {
        k
        for (k,) in ask(
            f"SELECT transaction_id FROM baseline.outcomes WHERE label_available_at <= '{moment}'"
        )
    }
    shown = {
        macro: [k for (k,) in ask(f"SELECT transaction_id FROM baseline.{macro}('{moment}')")]
        for macro in ("monitoring", "monitoring_target", "training_set", "labels_asof")
    }
    assert sorted(arrived) == sorted(shown["monitoring"])
    assert sorted(arrived & labelled) == sorted(shown["monitoring_target"]) == sorted(shown["training_set"])
    assert sorted(arrived & known) == sorted(shown["labels_asof"])
    if moment < "2024-01-09":
        assert arrived < happened


def test_a_history_knows_a_purchase_only_once_it_has_arrived(
    with_late_rows: duckdb.DuckDBPyConnection,
) -> None:
    """Counted again in Python, purchase by purchase."""
    bought = with_late_rows.execute("FROM baseline.transactions").df().sort_values("event_time")
    told = with_late_rows.execute("FROM baseline.customer_history").df().set_index("transaction_id")
    assert len(told) == len(bought)
    waiting = 0
    for _, own in bought.groupby("customer_id"):
        for _, row in own.iterrows():
            known = own[own.ingested_at < row.event_time]
            seen = told.loc[row.transaction_id]
            assert seen.purchases_so_far == len(known)
            waiting += len(own[own.event_time < row.event_time]) - len(known)
            since = (row.event_time - known.event_time.max()) / pd.Timedelta(days=1) if len(known) else np.nan
            assert np.isclose(seen.days_since_last_purchase, since, equal_nan=True, atol=1e-9)
    assert waiting > 50
