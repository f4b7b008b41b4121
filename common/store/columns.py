"""What tables are made of.

Text is compared byte by byte on both engines, so that pages, locks and key orders agree everywhere.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, MetaData, Text

#: Names of constraints are known, so that a migration can alter them on either engine.
metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

#: Text in byte order; SQLite has no other.
Name = Text().with_variant(Text(collation="C"), "postgresql")

#: The order in which rows came to be: on SQLite it is the row's own number, and so costs nothing.
RowNumber = BigInteger().with_variant(Integer(), "sqlite")

#: Where the condition of a `partial_index` is kept.
CONDITION = "condition"


def key(name: str) -> Column[str]:
    return Column(name, Name, primary_key=True)


def name(name: str) -> Column[str]:
    return Column(name, Name, nullable=False)


def text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False)


def number(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False)


def flag(name: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False)


def position() -> Column[int]:
    return Column("position", RowNumber, primary_key=True)


def partial_index(name: str, *columns: str, where: str) -> Index:
    """An index of the rows that match; the others cost it nothing.

    The condition is given to the engine's own option when a schema is made: naming the options of both engines here would
    load them both.
    """
    return Index(name, *columns, info={CONDITION: where})
