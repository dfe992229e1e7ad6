"""What the landed tables must show: shares that the scenario states, claims without exception, default."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import get_args

from ...claims import Claim, DeclaredOutcome, DeclaredShares
from . import config
from .credit import DefaultModel
from .drift_targets import AGE_BRACKET_AT_SIGNUP
from .repayment import DAYS_BETWEEN_PAYMENTS


@dataclass(frozen=True)
class ShareDrift:
    """What drift does to declared shares.

    Attributes
    ----------
    names : variables whose shares drift.
    on : expected shares of a variable on a day, by value.
    prior_from : first day of a prior drift, from which no share is independent of the outcome.
    """

    names: frozenset[str]
    on: Callable[[str, date], Mapping[str, float]]
    prior_from: date | None


def shares(settings: config.BnplSettings, first_day: date, drift: ShareDrift) -> list[DeclaredShares]:
    """Shares that the landed tables must show, each on the table whose rows are its draws."""
    return [_under(drift, declared, first_day) for declared in _without_drift(settings, first_day)]


FIRST_ITEM_CONDITION = {
    "device_type": "device_id % 10 = 1",
    "payment_provider": "payment_method_id % 10 = 1",
}
"""Later devices and accounts have the shares of the day on which their customer signed up."""


def _under(drift: ShareDrift, declared: DeclaredShares, first_day: date) -> DeclaredShares:
    conditions = [declared.where]
    if drift.prior_from is not None:
        conditions.append(f"day < DATE '{drift.prior_from}'")
    name = declared.label or declared.expression
    if name not in drift.names:
        return replace(declared, where=" AND ".join(conditions))
    if declared.table != "transactions":
        # Who was there before the first day has not drifted yet.
        conditions += [f"day > DATE '{first_day}'", FIRST_ITEM_CONDITION.get(name, "true")]
    return replace(declared, where=" AND ".join(conditions), drifting=lambda day: drift.on(name, day))


def _without_drift(settings: config.BnplSettings, first_day: date) -> list[DeclaredShares]:
    population, systems = settings.population, settings.devices.device_os
    declared = [
        DeclaredShares("customers", name, getattr(population, name))
        for name in (
            "income_bracket",
            "credit_score_range",
            "verification_level",
            "address_stability",
            "state",
        )
    ]
    declared += [
        DeclaredShares("customers", AGE_BRACKET_AT_SIGNUP, population.age_bracket, label="age_bracket"),
        DeclaredShares("devices", "device_type", settings.devices.device_type),
        DeclaredShares("payment_methods", "payment_provider", settings.payment_methods.payment_provider),
    ]
    declared += [
        DeclaredShares(
            "devices", "device_os", getattr(systems, kind), f"device_type = '{kind}'", f"os_{kind}"
        )
        for kind in get_args(config.DeviceType)
    ]
    categories = settings.catalog.categories.all().items()
    behaviors = settings.risk_scenarios.all().items()
    repeat = population.repeat_customer_rate
    return [
        *declared,
        DeclaredShares(
            "installments",
            "repayment_method",
            settings.credit.repayment_method,
            where="installment_number = 1",
        ),
        DeclaredShares("transactions", "risk_scenario", {k: v.share for k, v in behaviors}),
        DeclaredShares(
            "transactions",
            "(SELECT any_value(p.product_category) FROM {schema}.products p"
            " WHERE p.product_id = t.product_id)",
            {k: v.share for k, v in categories},
            label="product_category",
        ),
        DeclaredShares(
            "transactions",
            "CASE WHEN is_first_purchase THEN 'first' ELSE 'repeat' END",
            {"first": 1 - repeat, "repeat": repeat},
            # The first day may start without anybody who could come back.
            where=f"day > DATE '{first_day}'",
            label="repeat_customer_rate",
        ),
    ]


def claims(credit: config.Credit, reported_late: bool) -> list[Claim]:
    """Installments, outcomes and purchases agree with each other, to the cent and to the microsecond.

    `reported_late` says whether reports of labels may take time.
    """
    return [*_installment_claims(credit), *_outcome_claims(credit, reported_late)]


def _installment_claims(credit: config.Credit) -> Iterator[Claim]:
    off, grace = credit.charge_off_days, credit.late_fee_after_days
    yield _claim(
        "installments.amounts_add_up",
        "the payments of a purchase add up to its amount",
        credit,
        purchases="due IS DISTINCT FROM amount",
    )
    yield _claim(
        "installments.payment_plan",
        "a purchase has its number of payments, a fixed time apart, the first at checkout",
        credit,
        # The rest is spread evenly, the odd cents on the earlier payments.
        purchases="payments IS DISTINCT FROM installment_count OR most_due - least_due > 0.01",
        payments=f"due_at <> event_time + INTERVAL {DAYS_BETWEEN_PAYMENTS} DAY * (installment_number - 1)"
        " OR installment_number NOT BETWEEN 1 AND installment_count"
        " OR (installment_number = 1 AND amount_due <> first_payment_amount)",
    )
    yield _claim(
        "installments.payments_in_order",
        "the first payment is made at checkout, each other one after the one before and its due date",
        credit,
        in_order="installment_number = 1 AND paid_at IS DISTINCT FROM event_time OR paid_at < paid_before"
        f" OR paid_at <= due_at - INTERVAL {DAYS_BETWEEN_PAYMENTS} DAY AND installment_number > 1"
        " OR paid_at IS NOT NULL AND paid_before IS NULL AND installment_number > 1",
    )
    yield _claim(
        "installments.no_payment_before_purchase",
        "nothing is paid before the purchase",
        credit,
        payments="least(paid_at, partial_paid_at) < event_time",
    )
    yield _claim(
        "installments.amount_paid",
        "what is paid in full has a date, what is not is less than due, a part comes before the rest",
        credit,
        payments="(paid_at IS NOT NULL) <> (amount_paid = amount_due)"
        " OR partial_amount NOT BETWEEN 0 AND amount_paid OR partial_amount >= amount_due"
        " OR (paid_at IS NULL AND amount_paid <> partial_amount)"
        " OR (partial_amount > 0) <> (partial_paid_at IS NOT NULL) OR partial_paid_at > paid_at"
        f" OR partial_paid_at NOT BETWEEN due_at AND due_at + INTERVAL {off} DAY"
        " OR (amount_paid > 0) <> (repayment_method IS NOT NULL)",
    )
    yield _claim(
        "installments.days_past_due",
        "days past due are those from the due date to the payment, or to the charge-off",
        credit,
        payments=f"days_past_due <> CASE WHEN paid_at IS NULL THEN {off}"
        " ELSE greatest(date_diff('day', due_at, paid_at), 0) END"
        " OR (days_past_due > 0) <> (paid_at IS NULL OR paid_at > due_at)",
    )
    yield _claim(
        "installments.late_fee_only_when_late",
        "the late fee is charged once a purchase, for the first payment that is late enough",
        credit,
        in_order=f"late_fee <> CASE WHEN days_past_due >= {grace} AND NOT coalesce(late_before, false)"
        f" THEN {credit.late_fee:.2f} ELSE 0 END",
    )


def _outcome_claims(credit: config.Credit, reported_late: bool) -> Iterator[Claim]:
    off = credit.charge_off_days
    yield _claim(
        "outcomes.default_is_an_unpaid_installment",
        "a purchase defaults exactly when a payment is unpaid at its charge-off",
        credit,
        purchases="will_default IS DISTINCT FROM defaulted",
    )
    yield _claim(
        "outcomes.first_missed_payment",
        "days_to_first_missed_payment is what the installments say",
        credit,
        purchases="days_to_first_missed_payment IS DISTINCT FROM date_diff('day', event_time, missed_at)",
    )
    delay = f"(matured_at - (last_due_at + INTERVAL {off} DAY))"
    yield _claim(
        "outcomes.label_maturity",
        "a label is available when its payment is charged off, or else when the last could have been"
        + (", and reported" if reported_late else ""),
        credit,
        purchases="label_available_at IS DISTINCT FROM"
        f" coalesce(missed_at, last_due_at) + INTERVAL {off} DAY + {delay}"
        f" OR {delay} IS NULL OR {delay} {'<' if reported_late else '<>'} INTERVAL 0 DAY",
    )


def _claim(name: str, meaning: str, credit: config.Credit, **violated: str) -> Claim:
    """`violated` says which purchases, and which payments, contradict the claim `table.name`."""
    unpaid = f"(paid_at IS NULL OR paid_at > due_at + INTERVAL {credit.charge_off_days} DAY)"
    relations = {
        "purchases": "{schema}.transactions t LEFT JOIN {schema}.outcomes o USING (transaction_id)"
        " LEFT JOIN ("
        "SELECT transaction_id, count(*) AS payments, sum(amount_due) AS due, max(due_at) AS last_due_at,"
        f" bool_or({unpaid}) AS defaulted, min(due_at) FILTER ({unpaid}) AS missed_at,"
        " max(amount_due) FILTER (installment_number > 1) AS most_due,"
        " min(amount_due) FILTER (installment_number > 1) AS least_due"
        " FROM {schema}.installments GROUP BY transaction_id"
        ") i USING (transaction_id)",
        "payments": "{schema}.installments i JOIN {schema}.transactions t USING (transaction_id)",
        "in_order": "(SELECT i.*, t.event_time, lag(paid_at) OVER before AS paid_before,"
        f" bool_or(days_past_due >= {credit.late_fee_after_days}) OVER before AS late_before"
        " FROM {schema}.installments i JOIN {schema}.transactions t USING (transaction_id)"
        " WINDOW before AS (PARTITION BY i.transaction_id ORDER BY installment_number"
        " ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING))",
    }
    counts = [f"(SELECT count(*) FROM {relations[kind]} WHERE {where})" for kind, where in violated.items()]
    table, check = name.split(".")
    return Claim(check, table, meaning, f"SELECT {' + '.join(counts)}")


def default(
    model: DefaultModel,
    is_reference: Callable[[], bool],
    rate: Callable[[date], float],
    drifts_from: date | None,
) -> DeclaredOutcome:
    """Default, with its true probability; `rate` is the expected one of a day."""
    return DeclaredOutcome(
        table="outcomes",
        column="will_default",
        cluster="customer_id",
        truth="default_risk",
        probability="default_probability",
        rate=rate,
        auc=model.expected_auc,
        drifts_from=drifts_from,
        is_reference=is_reference,
        public={
            "transactions": "transaction_id",
            "bnpl_records": "_record_id",
            "customer_history": "transaction_id",
        },
        not_public=("will_default", "days_to_first_missed_payment"),
        name="default",
        rows="purchases",
    )
