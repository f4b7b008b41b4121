"""SQL written once in SQLAlchemy Core, turned into text once per engine.

Building and compiling a statement takes longer than running it, so nothing of that is left for the moment of the call:
a driver gets the finished text and a mapping of values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import sqlalchemy as sa
from sqlalchemy.sql.expression import ClauseElement, ColumnElement, FromClause

from common.store.inserts import Insert, Upsert

#: A value of a statement by its name: a parameter, or a column of the rows it runs over.
Values: TypeAlias = Mapping[str, ColumnElement[Any]]


@dataclass(frozen=True, slots=True)
class RowLock:
    """Keep others off the rows read from `table`; where an engine has one writer at a time, nothing is left to do."""

    table: sa.Table
    skip_locked: bool = False


class Statement:
    """One statement. Every value is a named parameter or a constant of the text: see `constant`.

    One that `is_planned_anew` is for questions where the best way to the answer depends on the values asked for: an
    engine that keeps plans makes none for it that has to do for all of them.
    """

    def __init__(
        self,
        built: ClauseElement,
        *,
        lock: RowLock | None = None,
        locking: ClauseElement | None = None,
        is_planned_anew: bool = False,
    ) -> None:
        """`locking` is the statement to use instead of `built` where it may lock, if the lock is for a part of it."""
        self._built = built
        self._lock = lock
        self._locking = locking
        self.is_planned_anew = is_planned_anew

    def text(self, dialect: sa.Dialect, *, may_lock: bool = True) -> str:
        """The SQL for a driver. A snapshot that changes nothing locks nothing."""
        built = self._locking if self._locking is not None and may_lock else self._built
        if self._lock is not None and may_lock:
            assert isinstance(built, sa.Select)
            built = built.with_for_update(of=self._lock.table, skip_locked=self._lock.skip_locked)
        compiled = built.compile(dialect=dialect)
        unnamed = [name for name, value in compiled.params.items() if value is not None]
        if unnamed:
            raise ValueError(f"write these values with constant(): {unnamed} in {compiled}")
        return str(compiled)


class Bulk:
    """A statement that runs once for each of many rows of values.

    `one` takes its values as parameters. `many` takes all rows as one parameter, `rows`: a JSON list of objects whose
    members are named as `columns`. Which of the two is quicker depends on the way to the database, so each is built when it
    is first wanted.
    """

    def __init__(
        self,
        columns: Sequence[sa.Column[Any]],
        build: Callable[[Values], ClauseElement],
        *,
        lock: RowLock | None = None,
        locking: Callable[[Values], ClauseElement] | None = None,
        is_planned_anew: bool = False,
    ) -> None:
        self._columns = columns
        self._build = build
        self._lock = lock
        self._locking = locking
        self._is_planned_anew = is_planned_anew

    @cached_property
    def one(self) -> Statement:
        return self._statement({column.name: _parameter_of(column) for column in self._columns})

    @cached_property
    def many(self) -> Statement:
        return self._statement(dict(_rows_of(self._columns).c))

    def _statement(self, values: Values) -> Statement:
        locking = None if self._locking is None else self._locking(values)
        return Statement(self._build(values), lock=self._lock, locking=locking, is_planned_anew=self._is_planned_anew)


def upsert(table: sa.Table, *key: str, is_replacing: bool = True) -> Bulk:
    """Insert rows or replace what stands under their key; without `is_replacing`, leave it as it is.

    All columns but the position are written. Rows are locked in key order.
    """
    columns = [column for column in table.columns if column.name != "position"]

    def build(values: Values) -> ClauseElement:
        names = [column.name for column in columns]
        row = [values[name] for name in names]
        selected = sa.select(*row).where(ALWAYS).order_by(*[values[name] for name in key])
        if not is_replacing:
            return Insert(table, names, selected)
        return Upsert(table, names, selected, key=key, replacing=[name for name in names if name not in key])

    return Bulk(columns, build)


#: SQLite needs a WHERE to tell the ON of a join from that of a conflict.
ALWAYS: ColumnElement[bool] = sa.literal_column("1") == sa.literal_column("1")

#: SQLAlchemy gives each LIMIT of SQLite an OFFSET, which must not become a parameter.
NO_OFFSET: ColumnElement[int] = sa.literal_column("0")


def parameter(name: str, type_: Any = sa.BigInteger) -> sa.BindParameter[Any]:
    return sa.bindparam(name, type_=type_)


def constant(value: str | int) -> ColumnElement[Any]:
    """A value that is part of the text: a planner then knows which partial index serves."""
    if isinstance(value, int):
        return sa.literal_column(str(value), sa.BigInteger)
    assert "'" not in value, value
    return sa.literal_column(f"'{value}'", sa.Text)


def one_of(column: ColumnElement[Any], values: Iterable[str]) -> ColumnElement[bool]:
    """`column` is one of these constants."""
    return column.in_([constant(value) for value in sorted(values)])


def matching(table: FromClause, *names: str) -> ColumnElement[bool]:
    """These columns of `table` equal the parameters of the same names."""
    return sa.and_(*[table.c[name] == parameter(name, table.c[name].type) for name in names])


def joined(table: FromClause, values: Values, *names: str) -> ColumnElement[bool]:
    """These columns of `table` equal the values of the same names."""
    return sa.and_(*[table.c[name] == values[name] for name in names])


def _parameter_of(column: sa.Column[Any]) -> ColumnElement[Any]:
    if isinstance(column.type, sa.Text):
        return parameter(column.name, sa.Text)
    if isinstance(column.type, sa.BigInteger | sa.Integer):
        return parameter(column.name, column.type)
    # Only for numbers and text do drivers say what a null is.
    return sa.cast(sa.bindparam(column.name), column.type)


def _rows_of(columns: Sequence[sa.Column[Any]]) -> FromClause:
    rows = sa.func.json_to_recordset(parameter("rows", sa.JSON))
    members = [sa.column(column.name, column.type) for column in columns]
    return rows.table_valued(*members).render_derived(name="r", with_types=True)
