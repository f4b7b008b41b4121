"""INSERT … SELECT … ON CONFLICT, in the words that both engines know.

SQLAlchemy has it once per engine, and loading another engine's for its sake would cost an edge 2 MB.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.expression import ClauseElement, ColumnElement


class Insert(ClauseElement):
    """Rows of `selected`, in the order of `columns`. A row whose key is there already stays as it is; see `Upsert`.

    One row comes by SELECT as well: after VALUES, a disk without room for it costs SQLite the whole transaction.
    """

    inherit_cache = False

    def __init__(self, table: sa.Table, columns: Iterable[str], selected: sa.Select[Any]) -> None:
        self.table = table
        self.columns = tuple(columns)
        self.selected = selected


class Upsert(Insert):
    """An `Insert` that gives the row under the same `key` the new values of the columns in `replacing`, if it meets `only_if`.

    Without columns the row stays as it is, and is locked.
    """

    inherit_cache = False

    def __init__(
        self,
        table: sa.Table,
        columns: Iterable[str],
        selected: sa.Select[Any],
        *,
        key: Sequence[str],
        replacing: Iterable[str] = (),
        only_if: ColumnElement[bool] | None = None,
    ) -> None:
        super().__init__(table, columns, selected)
        self.key = tuple(key)
        # A column of the key is the same in both rows.
        self.replacing = tuple(replacing) or self.key[:1]
        self.only_if = only_if


def new_value(column: sa.Column[Any]) -> ColumnElement[Any]:
    """What was to be inserted, in `only_if`."""
    return sa.literal_column(f"excluded.{column.name}", column.type)


@compiles(Insert)
def _insert(element: Insert, compiler: SQLCompiler, **options: Any) -> str:
    return f"{_head(element, compiler)} ON CONFLICT DO NOTHING"


@compiles(Upsert)
def _upsert(element: Upsert, compiler: SQLCompiler, **options: Any) -> str:
    quote = compiler.preparer.quote
    changes = ", ".join(f"{quote(name)} = excluded.{quote(name)}" for name in element.replacing)
    key = ", ".join(map(quote, element.key))
    text = f"{_head(element, compiler)} ON CONFLICT ({key}) DO UPDATE SET {changes}"
    return text if element.only_if is None else f"{text} WHERE {compiler.process(element.only_if)}"


def _head(element: Insert, compiler: SQLCompiler) -> str:
    columns = ", ".join(map(compiler.preparer.quote, element.columns))
    table = compiler.preparer.format_table(element.table)
    return f"INSERT INTO {table} ({columns}) {compiler.process(element.selected)}"
