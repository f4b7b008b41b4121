"""What the stores ask of a connection inside a transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from common.store.statements import Bulk, Statement

Parameters: TypeAlias = Mapping[str, object]
Row: TypeAlias = Sequence[Any]


class Overtaken(Exception):
    """Another transaction created what this one found missing: it has to run again from the start."""


class Session(Protocol):
    """One transaction on one connection. Rows come as tuples, in the order of the columns selected."""

    @property
    def has_rivals(self) -> bool:
        """May other transactions write between two statements of this one?"""
        ...

    def fetch(self, statement: Statement, parameters: Parameters) -> Sequence[Row]: ...

    def fetch_one(self, statement: Statement, parameters: Parameters) -> Row | None:
        """The first row."""
        ...

    def fetch_many(self, bulk: Bulk, rows: Sequence[Parameters]) -> Sequence[Row]:
        """What the statement finds for each of `rows`."""
        ...

    def run(self, statement: Statement, parameters: Parameters) -> int:
        """The number of rows changed."""
        ...

    def run_many(self, bulk: Bulk, rows: Sequence[Parameters]) -> int:
        """The number of rows changed, by all of `rows` together."""
        ...

    def run_many_binary(self, bulk: Bulk, rows: Sequence[Parameters]) -> None:
        """`run_many` for values that have no place in JSON."""
        ...

    def lock_shared(self, names: Sequence[str]) -> None:
        """Others may share a lock of these names, nobody may hold it alone, until the transaction ends."""
        ...

    def lock_alone(self, name: str) -> None:
        """Nobody else holds a lock of this name until the transaction ends."""
        ...
