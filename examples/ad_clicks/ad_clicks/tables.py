"""The tables of the ads, and the training set whose labels come late."""

from dataclasses import replace

from simtom_pipeline.contracts import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    MONEY,
    TIMESTAMP,
    Column,
    ForeignKey,
    TableContract,
    ViewColumn,
    ViewContract,
    enum,
)

from .settings import Placement

KEY = Column("impression_id", BIGINT, "key of the impression")
DAY = Column("day", DATE, "simulated day of the impression")

IMPRESSIONS = TableContract(
    name="impressions",
    row="an ad that somebody saw",
    primary_key=("impression_id",),
    dated_by="event_time",
    arrives_at="ingested_at",
    columns=(
        KEY,
        DAY,
        Column("event_time", TIMESTAMP, "moment it was shown"),
        Column("ingested_at", TIMESTAMP, "moment the log had it; event_time, unless it came late"),
        Column("placement", enum(Placement), "where it was shown"),
        Column("price", MONEY, "price of the product", "USD", is_measurement=True),
        Column("clicked", BOOLEAN, "whether it was clicked, seconds later"),
    ),
)
CLICKS = TableContract(
    name="clicks",
    row="an impression that was clicked",
    primary_key=("impression_id",),
    foreign_keys=(ForeignKey("impression_id", "impressions"),),
    columns=(KEY, DAY, Column("clicked_at", TIMESTAMP, "moment of the click")),
)
CONVERSIONS = TableContract(
    name="conversions",
    row="what came of a click; not to be used before it is known",
    primary_key=("impression_id",),
    foreign_keys=(ForeignKey("impression_id", "clicks"),),
    columns=(
        KEY,
        DAY,
        Column("converted", BOOLEAN, "whether the product was bought: a label", known_from="matured_at"),
        Column("converted_at", TIMESTAMP, "when", nullable=True, known_from="converted_at"),
        Column("matured_at", TIMESTAMP, "end of the attribution window: the label is known, whatever it is"),
    ),
)
AD_TRUTH = TableContract(
    name="ad_truth",
    row="the true probabilities of an impression",
    truth=True,
    primary_key=("impression_id",),
    foreign_keys=(ForeignKey("impression_id", "impressions"),),
    columns=(
        KEY,
        DAY,
        Column("click_probability", DOUBLE, "of a click", "0 to 1"),
        Column("conversion_probability", DOUBLE, "of a conversion, should it be clicked", "0 to 1"),
        Column("intent", DOUBLE, "the visitor's unobserved contribution", "log-odds"),
    ),
)


def _shown(alias: str, table: TableContract, *names: str) -> tuple[ViewColumn, ...]:
    return tuple(
        ViewColumn.like(table.column(name), name, f"{alias}.{name}", (table.name, name)) for name in names
    )


CLICKED_ADS = ViewContract(
    name="clicked_ads",
    row="a click with what was known of it at once",
    over=(IMPRESSIONS, CLICKS),
    from_sql="FROM {schema}.clicks c LEFT JOIN {rows[impressions]} i USING (impression_id)",
    columns=(
        *_shown("c", CLICKS, "impression_id", "clicked_at"),
        *_shown("i", IMPRESSIONS, "event_time", "placement", "price"),
    ),
)
KNOWN = (
    "CASE WHEN v.matured_at >= i.ingested_at THEN v.matured_at"
    " WHEN v.matured_at < i.ingested_at THEN i.ingested_at END"
)
TRAINING_ROWS = ViewContract(
    name="training_rows",
    row="a click with its features and its label, and from when on one may train on it",
    key=("impression_id",),
    known_at="known_at",
    over=(IMPRESSIONS, CLICKS, CONVERSIONS),
    from_sql="FROM {rows[clicks]} c JOIN {rows[impressions]} i USING (impression_id)"
    " JOIN {rows[conversions]} v USING (impression_id) WHERE v.converted IS NOT NULL",
    columns=(
        *_shown("c", CLICKS, "impression_id", "clicked_at"),
        *_shown("i", IMPRESSIONS, "placement", "price"),
        ViewColumn(
            "known_at",
            TIMESTAMP,
            "when the window had ended and the impression had arrived; NULL if that is not known",
            expression=KNOWN,
            source=("conversions", "matured_at"),
            against_truth="at_least",
        ),
        *(replace(c, against_truth="equal") for c in _shown("v", CONVERSIONS, "converted")),
    ),
)
TRAINING_SET = ViewContract(
    name="training_set",
    row="a click with its features and its label, of those whose label must be known at as_of",
    parameters=("as_of",),
    key=("impression_id",),
    over=(TRAINING_ROWS,),
    from_sql="FROM {rows[training_rows]} r WHERE r.known_at <= CAST(as_of AS TIMESTAMP)",
    columns=tuple(
        replace(column, expression=f"r.{column.name}", source=("training_rows", column.name))
        for column in TRAINING_ROWS.columns
        if column.name != "known_at"
    ),
)
