"""Finding what belongs to each of many rows: one index look-up per row, whatever a planner thinks of a table that is small.

A plain join may begin at the table, and the plan is kept when the table has grown.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.expression import ColumnElement

from common.store.statements import NO_OFFSET, Bulk, Values, joined


def look_up(
    table: sa.Table, columns: list[sa.Column[Any]], values: Values, *key: str, is_locking: bool = False
) -> sa.Select[Any]:
    """What stands under the `key` of each row of `values`, in their order; for a `Bulk`.

    With `is_locking` others are kept off what is found, one row after the other.
    """
    found = sa.select(*columns).where(joined(table, values, *key))
    if is_locking:
        found = found.with_for_update(of=table)
    rows = getattr(values[key[0]], "table", None)
    if rows is None:
        return found
    each = found.correlate(rows).offset(NO_OFFSET).lateral()
    return sa.select(*each.columns).select_from(sa.join(rows, each, sa.true()))


def locking_look_up(table: sa.Table, columns: list[sa.Column[Any]], *key: str) -> Bulk:
    """`look_up` by rows of the columns in `key`, which come in the order in which all lock; a snapshot locks nothing."""
    search = partial(_search, table, columns, key)
    return Bulk([table.c[name] for name in key], search, locking=partial(search, is_locking=True))


def _search(
    table: sa.Table, columns: list[sa.Column[Any]], key: tuple[str, ...], values: Values, *, is_locking: bool = False
) -> sa.Select[Any]:
    return look_up(table, columns, values, *key, is_locking=is_locking)


def stands_under(table: sa.Table, values: Values, *key: str) -> ColumnElement[bool]:
    """Is this row of `table`, which has a position, what stands under the `key` of some row of `values`? For a `Bulk` that writes."""
    if isinstance(values[key[0]], sa.BindParameter):
        return joined(table, values, *key)
    positions = look_up(table, [table.c.position], values, *key).scalar_subquery()
    return table.c.position == sa.any_(sa.func.array(positions))


def of_all(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """A value that is the same in all rows a `Bulk` runs over."""
    return value if isinstance(value, sa.BindParameter) else sa.select(sa.func.max(value)).scalar_subquery()
