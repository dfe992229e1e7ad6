"""Customers whom a prior drift brings: their keys tell no more than everybody's."""

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from simtom_pipeline import simulate_day
from simtom_pipeline.generators.base import Day
from simtom_pipeline.generators.bnpl.keys import keys_by_moment
from tests.support.drifts import A_DAY, drift, of_day, world


def test_customers_whom_a_prior_drift_brings_have_keys_like_everybody() -> None:
    """A key tells when somebody signed up, as does the place in the table; neither tells who came how."""
    credit = {"bnpl.credit.base_default_rate": 0.2, "bnpl.population.customer_lifetime_days": 30}
    scenario = world(drift("prior", None, {"default_rate": 0.4}), daily=4000, **credit)
    signed_up = [of_day(one, A_DAY, "customers").to_pandas() for one in (scenario, scenario.without("d"))]
    person = ["signup_at", "birth_date", "state", "income_bracket", "credit_score_range"]
    people, anyway = ([tuple(row) for row in frame[person].astype(str).values] for frame in signed_up)
    came = ~np.isin(np.arange(len(people)), [people.index(one) for one in anyway])
    assert came.sum() > 50
    assert (~came).sum() == len(anyway)
    key, moment = signed_up[0].customer_id.to_numpy(), signed_up[0].signup_at.to_numpy()
    assert (np.diff(key) > 0).all()
    assert (np.diff(moment) >= np.timedelta64(0)).all()
    # The moment gives the key, but for a step where two come together: no one's key is out of line.
    step = (moment - np.datetime64(A_DAY)) // np.timedelta64(200, "us")
    beside = key - key[0] - (step - step[0])
    assert np.abs(beside).max() <= 2
    alone = ~pd.Series(moment).duplicated(keep=False).to_numpy()
    for some in (came, ~came):
        assert (some & alone).sum() > 20
        assert not beside[some & alone].any()
    assert stats.ks_2samp(key[came], key[~came]).pvalue > 1e-4


def test_purchases_devices_and_accounts_point_to_whom_a_prior_drift_brings() -> None:
    scenario = world(drift("prior", None, {"default_rate": 0.1}), daily=300)
    tables = {name: table.to_pandas() for name, table in simulate_day(scenario, A_DAY).items()}
    bought, first = tables["transactions"], tables["transactions"].is_first_purchase
    moments = tables["customers"].set_index("customer_id").signup_at
    assert (bought.event_time[first].to_numpy() == moments[bought.customer_id[first]].to_numpy()).all()
    assert (moments.index > 17 * 10**9 + 5 * 10**8).all()
    for table, key in (("devices", "device_id"), ("payment_methods", "payment_method_id")):
        owned = tables[table].set_index(key).customer_id
        assert (owned[bought[key][first]].to_numpy() == bought.customer_id[first].to_numpy()).all()
        assert (bought[key] // 10 == bought.customer_id).all()


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    moments=st.lists(st.integers(0, 86_400_000_000 - 1) | st.integers(0, 900), max_size=30),
    others=st.lists(st.integers(0, 900), max_size=30),
)
def test_keys_by_moment_ascend_and_are_not_given_twice(moments: list[int], others: list[int]) -> None:
    day = Day(A_DAY, 7, np.empty(0, np.int64))
    none = np.empty(0, np.int64)
    taken = keys_by_moment(day, day.midnight + np.sort(np.array(others, np.int64)), none)
    keys = keys_by_moment(day, day.midnight + np.sort(np.array(moments, np.int64)), taken)
    assert len({*keys, *taken}) == len(moments) + len(others)
    assert (np.diff(keys) > 0).all()
    assert all(7 * 10**9 < key <= 8 * 10**9 for key in keys)
