"""Rows as they are known at a moment: what is not known yet is null, and comes when it is."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..contracts import TableContract
from ..moments import MICROSECONDS_PER_DAY
from ..relations import Relations

NEVER = np.iinfo(np.int64).max


def versions(
    contract: TableContract, rows: pa.Table, moment: np.ndarray
) -> Iterator[tuple[np.ndarray, pa.Table]]:
    """Moments, ascending in no order, and rows as they are known then: first all, then what changes.

    Parameters
    ----------
    rows : of one day, n of them.
    moment : when each came to be, microseconds since 1970-01-01, shape (n,).

    Yields
    ------
    Moments and rows: of every row when it came to be, then again of each row of which more is known later.
    """
    known_from = {column.name: column.known_from for column in contract.columns if column.known_from}
    if not known_from:
        yield moment, rows
        return
    when = {name: moments_of(rows[name], NEVER) for name in dict.fromkeys(known_from.values())}
    yield moment, _as_known(rows, known_from, when, moment)
    seen = [moment]
    for later in when.values():
        is_news = (later > moment) & (later < NEVER)
        for earlier in seen[1:]:
            is_news &= later != earlier
        seen.append(later)
        chosen = np.flatnonzero(is_news)
        of_chosen = {name: moments[chosen] for name, moments in when.items()}
        yield later[chosen], _as_known(rows.take(pa.array(chosen)), known_from, of_chosen, later[chosen])


def _as_known(
    rows: pa.Table, known_from: dict[str, str], when: dict[str, np.ndarray], moment: np.ndarray
) -> pa.Table:
    columns = []
    for name in rows.column_names:
        values = rows[name]
        if name in known_from:
            if pa.types.is_dictionary(values.type):
                values = pc.cast(values, values.type.value_type)
            hidden = pa.array(when[known_from[name]] > moment)
            values = pc.if_else(hidden, pa.scalar(None, values.type), values)
        columns.append(values)
    return pa.table(columns, names=rows.column_names)


def own_moments(
    relations: Relations, contract: TableContract, rows: pa.Table, events: pa.Table
) -> np.ndarray:
    """When each row came to be, in microseconds since 1970-01-01, shape (n,); not before its day.

    A row without a moment of its own comes with the event it belongs to; without one, at the day's midnight.

    Parameters
    ----------
    events : rows of the same day of the table of events.
    """
    midnight = np.asarray(pc.cast(rows["day"], pa.int32()), np.int64) * MICROSECONDS_PER_DAY
    if contract.dated_by:
        own = moments_of(rows[contract.dated_by], -NEVER)
    else:
        own = _of_event(relations, contract, rows, events, relations.events.dated_by, midnight)
    return np.maximum(own, midnight)


def arrivals(relations: Relations, contract: TableContract, rows: pa.Table, events: pa.Table) -> np.ndarray:
    """When each row had arrived: as `own_moments`, or later, of tables that know it or whose events do."""
    own = own_moments(relations, contract, rows, events)
    if contract.arrives_at:
        arrived = moments_of(rows[contract.arrives_at], -NEVER)
    else:
        arrived = _of_event(relations, contract, rows, events, relations.events.arrives_at, own)
    return np.maximum(own, arrived)


def _of_event(
    relations: Relations,
    contract: TableContract,
    rows: pa.Table,
    events: pa.Table,
    column: str | None,
    otherwise: np.ndarray,
) -> np.ndarray:
    """A moment of the event that each row belongs to; `otherwise` where there is none. Shape (n,)."""
    key = _event_key(relations, contract)
    if key is None or column is None or len(events) == 0:
        return otherwise
    (event_key,) = relations.events.primary_key
    keys = np.asarray(events[event_key])
    order = np.argsort(keys, kind="stable")
    wanted = np.asarray(rows[key])
    at = np.minimum(np.searchsorted(keys[order], wanted), len(keys) - 1)
    found = order[at]
    moments = moments_of(events[column], -NEVER)[found]
    return np.where(keys[found] == wanted, moments, otherwise)


def _event_key(relations: Relations, contract: TableContract) -> str | None:
    """The column with the key of the event that a row belongs to, itself or by way of other tables' keys."""
    for key in contract.foreign_keys:
        if key.parent == relations.event_table:
            return key.column
        parent = relations.table(key.parent)
        if parent.primary_key == (_event_key(relations, parent),):
            return key.column
    return None


def moments_of(values: pa.ChunkedArray, missing: int) -> np.ndarray:
    """Moments as microseconds since 1970-01-01, shape (n,); `missing` for NULL."""
    return np.asarray(pc.fill_null(pc.cast(values, pa.int64()), missing), np.int64)
