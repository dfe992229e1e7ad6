"""What became of a purchase: the label first, then a repayment path that agrees with it to the cent.

A loan that defaults stops paying at its first missed payment. Any other loan is paid in full; it may fall
into arrears once, and what falls due meanwhile is paid when the spell ends. The payment at checkout is
never missed. Every draw is one a loan, so that no loan's path depends on the plan of another.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import log1p

from ..base import MICROSECONDS_PER_DAY, Columns, Day
from ..drift.parameters import Value
from ..random_streams import RandomStreams, categorical
from . import config
from .entities import ordered

DAYS_BETWEEN_PAYMENTS = 14
MAX_LEAD = DAYS_BETWEEN_PAYMENTS * MICROSECONDS_PER_DAY - 1
"""A payment is made after the due date of the one before it; microseconds."""


@dataclass(frozen=True)
class RepaymentPath:
    """How n loans are repaid; payments are numbered from 0, the one at checkout.

    Attributes
    ----------
    count : payments of the plan, shape (n,), like all that follows.
    defaults : whether the loan is never paid in full.
    missed : first payment that is never made; `count` without default.
    late_from : payment with which a spell of arrears begins; `count` if there is none.
    delay : days until the spell ends, 0 if there is none.
    lead : how long before they fall due payments are made, microseconds.
    """

    count: np.ndarray
    defaults: np.ndarray
    missed: np.ndarray
    late_from: np.ndarray
    delay: np.ndarray
    lead: np.ndarray


def draw_repayment(
    credit: config.Credit,
    streams: RandomStreams,
    day: Day,
    purchases: Mapping[str, np.ndarray],
    default_probability: np.ndarray,
    arrears_probability: np.ndarray,
    reporting_delay_days: Value,
) -> tuple[Columns, Columns]:
    """Columns of `installments` (a row a payment) and of `outcomes` (a row a purchase).

    `purchases` are columns of the table transactions; the probabilities have shape (n,), the mean delay of
    the report of a label too, unless it is one number.
    """
    n = len(default_probability)

    def uniform(variable: str) -> np.ndarray:
        return streams.uniform(f"repayment.{variable}", day.date, n)

    count = purchases["installment_count"].astype(np.int64)
    defaults = uniform("default") < default_probability
    missed = np.where(defaults, 1 + _one_of(count - 1, uniform("first_missed")), count)
    late = (uniform("arrears") < arrears_probability) & (missed > 1)
    paths = RepaymentPath(
        count=count,
        defaults=defaults,
        missed=missed,
        late_from=np.where(late, 1 + _one_of(missed - 1, uniform("arrears_start")), count),
        delay=np.where(late, spell_days(credit, uniform("arrears_days")), 0),
        lead=(_some_part(credit.pays_ahead_share, uniform("pays_ahead")) * MAX_LEAD).astype(np.int64),
    )
    method = categorical(uniform("method"), ordered(credit.repayment_method, config.RepaymentMethod))
    part = _some_part(credit.partial_payment_share, uniform("partial"))
    installments = _installments(credit, day, purchases, paths, part, uniform("partial_wait"), method)
    reported = reporting_delay(uniform("reporting_delay"), reporting_delay_days)
    return installments, _outcomes(credit, day, purchases, paths, reported)


def _installments(
    credit: config.Credit,
    day: Day,
    purchases: Mapping[str, np.ndarray],
    paths: RepaymentPath,
    part: np.ndarray,
    wait: np.ndarray,
    method: np.ndarray,
) -> Columns:
    """One row a payment, N of them, in order of loan and number.

    `part` is the share of the troubled payment that is paid ahead of the rest, `wait` how much of its
    delay passes before that, `method` a code; shapes (n,).
    """
    loan = np.repeat(np.arange(len(paths.count)), paths.count)
    number = np.arange(len(loan)) - np.repeat(np.cumsum(paths.count) - paths.count, paths.count)
    due_at = purchases["event_time"][loan] + number * DAYS_BETWEEN_PAYMENTS * MICROSECONDS_PER_DAY
    amount_due = _plan(purchases, paths.count, loan, number)

    paid = number < paths.missed[loan]
    caught_up = paths.late_from * DAYS_BETWEEN_PAYMENTS + paths.delay  # days after the purchase
    in_spell = number >= paths.late_from[loan]
    overdue = np.where(in_spell, np.maximum(caught_up[loan] - number * DAYS_BETWEEN_PAYMENTS, 0), 0)
    ahead = np.where((number > 0) & (overdue == 0), paths.lead[loan], 0)
    paid_at = due_at + overdue * MICROSECONDS_PER_DAY - ahead
    not_before = (purchases["event_time"] + caught_up * MICROSECONDS_PER_DAY)[loan]
    paid_at = np.where(in_spell, np.maximum(paid_at, not_before), paid_at)

    in_arrears = paths.late_from < paths.count
    troubled = np.minimum(paths.late_from, paths.missed)
    partial = np.where(number == troubled[loan], (part[loan] * amount_due).astype(np.int64), 0)
    waited = np.where(in_arrears, paths.delay, credit.charge_off_days) * wait
    partial_at = due_at + (waited * MICROSECONDS_PER_DAY).astype(np.int64)[loan]
    fined = np.where(paths.delay >= credit.late_fee_after_days, paths.late_from, paths.missed)
    return {
        "transaction_id": purchases["transaction_id"][loan],
        "installment_number": number + 1,
        "day": day.filled(len(loan)),
        "due_at": due_at,
        "amount_due": amount_due,
        "paid_at": np.ma.masked_array(paid_at, ~paid),
        "amount_paid": np.where(paid, amount_due, partial),
        "partial_amount": partial,
        "partial_paid_at": np.ma.masked_array(partial_at, partial == 0),
        "days_past_due": np.where(paid, overdue, credit.charge_off_days),
        "late_fee": np.where(number == fined[loan], round(credit.late_fee * 100), 0),
        "repayment_method": np.ma.masked_array(method[loan], ~paid & (partial == 0)),
    }


def reporting_delay(uniform: np.ndarray, mean_days: Value) -> np.ndarray:
    """Exponential time from a charge-off to its report in whole microseconds, shape (n,)."""
    return (-log1p(-uniform) * mean_days * MICROSECONDS_PER_DAY).astype(np.int64)


def _outcomes(
    credit: config.Credit,
    day: Day,
    purchases: Mapping[str, np.ndarray],
    paths: RepaymentPath,
    reported: np.ndarray,
) -> Columns:
    """A default is known when its first missed payment is charged off, all else when the last could be.

    What is known is reported later by `reported` microseconds, shape (n,).
    """
    last = paths.count - 1

    def charged_off(number: np.ndarray) -> np.ndarray:
        days = number * DAYS_BETWEEN_PAYMENTS + credit.charge_off_days
        return purchases["event_time"] + days * MICROSECONDS_PER_DAY + reported

    return {
        "transaction_id": purchases["transaction_id"],
        "day": day.filled(len(last)),
        "will_default": paths.defaults,
        "days_to_first_missed_payment": np.ma.masked_array(
            paths.missed * DAYS_BETWEEN_PAYMENTS, ~paths.defaults
        ),
        "label_available_at": charged_off(np.where(paths.defaults, paths.missed, last)),
        "matured_at": charged_off(last),
    }


def spell_days(credit: config.Credit, uniform: np.ndarray) -> np.ndarray:
    """Length of a spell of arrears: geometric from 1 on, given that it ends before the charge-off.

    Whole days, because the lender asks again at the same time of day; shape (n,).
    """
    stays = 1 - 1 / credit.arrears.mean_delay_days
    longest = credit.charge_off_days - 1
    more = np.log1p(-uniform * (1 - stays**longest)) / np.log(stays)
    return np.minimum(1 + np.floor(more), longest).astype(np.int64)


def _one_of(count: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """0 ... count - 1, each equally likely; shape (n,)."""
    return np.minimum((uniform * count).astype(np.int64), np.maximum(count - 1, 0))


def _some_part(share: float, uniform: np.ndarray) -> np.ndarray:
    """With probability `share` uniform on (0, 1), otherwise 0; shape (n,)."""
    if share == 0:
        return np.zeros(len(uniform))
    return np.where(uniform < share, uniform / share, 0.0)


def _plan(
    purchases: Mapping[str, np.ndarray], count: np.ndarray, loan: np.ndarray, number: np.ndarray
) -> np.ndarray:
    """Cents of each payment: the first one is a quarter, the rest is spread evenly; shape (N,)."""
    first = purchases["first_payment_amount"]
    each, left_over = np.divmod(purchases["amount"] - first, count - 1)
    return np.where(number == 0, first[loan], each[loan] + (number <= left_over[loan]))
