"""How databases answer what the stores ask: which indexes they use, and how many rows they look at on the way."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from common.store.postgres_session import PostgresSession, connect
from common.store.session import Parameters, Row, Session
from common.store.sqlite_session import SqliteSession
from common.store.sqlite_session import _text as text_for_sqlite
from common.store.statements import Statement

_PARAMETER = re.compile(r"%\((\w+)\)s")


@dataclass(frozen=True, slots=True)
class Scan:
    """One table or index of a plan, as it was run."""

    node: str
    relation: str
    #: Empty when the whole table is read.
    index: str
    #: Rows looked at, those included that some condition then threw away.
    rows: int


class PlanProbe:
    """A connection whose plans are watched. It keeps plans as the product's connections do: from the first time on."""

    def __init__(self, url: str) -> None:
        self._connection = connect(url)
        # What the product's connections come to after a few calls.
        self._connection.execute("SET plan_cache_mode = force_generic_plan")
        self._kept: dict[str, str] = {}

    def close(self) -> None:
        self._connection.close()

    def scans(self, question: Callable[[PostgresSession], object]) -> list[Scan]:
        """Everything scanned by the statements of `question`, whose changes are undone."""
        session = _Explaining(self._connection, self._kept)
        try:
            question(session)
        finally:
            session.roll_back()
        return session.scans


#: What is asked, and how many rows it may look at.
Questions = Mapping[str, tuple[Callable[[Session], object], int]]


def wasteful(url: str, questions: Questions, grow: Callable[[], None]) -> dict[str, list[Scan]]:
    """Those that look at more rows than they may or read a whole table, by plans that were made before `grow`."""
    with closing(PlanProbe(url)) as probe:
        for question, _ in questions.values():
            probe.scans(question)
        grow()
        looked_at = {name: probe.scans(question) for name, (question, _) in questions.items()}
    return {
        name: scans
        for name, scans in looked_at.items()
        if sum(scan.rows for scan in scans if scan.relation) > questions[name][1]
        or not all(scan.index or scan.node == "Bitmap Heap Scan" for scan in scans)
    }


class DescribingSession(SqliteSession):
    """Collects how SQLite goes about each statement."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(connection)
        self._described = connection
        self.steps: list[str] = []

    def fetch(self, statement: Statement, parameters: Parameters) -> Sequence[Row]:
        described = self._described.execute(f"EXPLAIN QUERY PLAN {text_for_sqlite(statement)}", parameters)
        self.steps += [step for *_, step in described]
        return super().fetch(statement, parameters)


class _Explaining(PostgresSession):
    def __init__(self, connection: psycopg.Connection[TupleRow], kept: dict[str, str]) -> None:
        super().__init__(connection)
        self._kept = kept
        self.scans: list[Scan] = []

    def _execute(self, statement: Statement, parameters: Parameters) -> psycopg.Cursor[TupleRow]:
        self._ensure_begun()
        if statement.is_planned_anew:
            self._explain(sql.SQL(self._text(statement)), parameters)
        else:
            self._explain_kept(self._text(statement), parameters)
        return super()._execute(statement, parameters)

    def _explain(self, query: sql.Composable, parameters: Parameters | None) -> None:
        explained = sql.SQL("EXPLAIN (ANALYZE, FORMAT JSON) ") + query
        row = self._connection.execute(explained, parameters, prepare=False).fetchone()
        assert row is not None
        self.scans += _scans_of(row[0][0]["Plan"])

    def _explain_kept(self, text: str, parameters: Parameters) -> None:
        names = list(dict.fromkeys(_PARAMETER.findall(text)))
        if text not in self._kept:
            name = f"probe_{len(self._kept)}"
            numbered = _PARAMETER.sub(lambda match: f"${names.index(match[1]) + 1}", text).replace("%%", "%")
            self._connection.execute(f"PREPARE {name} AS {numbered}".encode(), prepare=False)
            self._kept[text] = name
        values = sql.SQL(", ").join([sql.Literal(parameters[name]) for name in names])
        call = sql.SQL("EXECUTE {}").format(sql.Identifier(self._kept[text]))
        self._explain(call + sql.SQL("({})").format(values) if names else call, None)


def _scans_of(plan: dict[str, Any]) -> Iterator[Scan]:
    node = plan["Node Type"]
    if "Relation Name" in plan and node.endswith("Scan"):
        rows = (
            plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0) + plan.get("Rows Removed by Index Recheck", 0)
        )
        yield Scan(node, plan["Relation Name"], plan.get("Index Name", ""), int(rows * plan["Actual Loops"]))
    elif node == "Bitmap Index Scan":
        yield Scan(node, "", plan["Index Name"], int(plan["Actual Rows"] * plan["Actual Loops"]))
    for below in plan.get("Plans", ()):
        yield from _scans_of(below)
