"""A database of the first version, with what it may hold, comes to the newest schema with the right values."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from common.domain.ids import NodeKey, ObjectKey
from common.domain.instants import parse_instant_ns
from common.domain.objects import ObjectStatus
from common.store.engines import engine_of
from common.store.migrate import upgrade
from common.sync.ports import Database
from common.sync.records import FanOut
from tests.integration.test_database_migrations import alembic
from tests.support.manual_clock import ManualClock
from tests.support.servers import PostgresServer

ORG = "acme"
N1 = NodeKey(ORG, "edge", "n1")
INSTANCE = parse_instant_ns("2026-01-01T00:00:00Z")

_OBJECT = {
    "org": ORG,
    "type": "model",
    "instance": INSTANCE,
    "status": "ready",
    "is_own": True,
    "is_deliverable": True,
    "audience_kind": "everyone",
    "audience_type": "",
    "audience_id": "",
    "remaining_receivers": 1,
    "remaining_consumers": 1,
}
_DELIVERY = {"org": ORG, "type": "model", "node_type": "edge", "node_id": "n1", "instance": INSTANCE, "attempts": 2}


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path | str]:
    """A database at the first revision."""
    if request.param == "sqlite":
        alembic(tmp_path / "sync.db", "upgrade", "0001")
        yield tmp_path / "sync.db"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    with server.database() as url:
        alembic(url, "upgrade", "0001")
        yield url


def filled(target: Path | str) -> None:
    with engine_of(target).begin() as connection:
        tables = sa.MetaData()
        tables.reflect(connection)

        def insert(table: str, **values: Any) -> None:
            connection.execute(tables.tables[table].insert(), values)

        def add_object(name: str, number: int, meta: dict[str, Any], **values: Any) -> None:
            identity = {"objectID": name, "objectType": "model", "instanceID": INSTANCE + number}
            text = json.dumps({**identity, **meta}, separators=(",", ":"))
            insert("objects", **{**_OBJECT, "id": name, "instance": INSTANCE + number, "meta": text, **values})

        def add_copy(name: str, number: int, status: str, **meta: Any) -> None:
            copy = {"is_own": False, "audience_kind": None, "audience_type": None, "audience_id": None}
            add_object(name, number, meta, status=status, **copy)

        insert(
            "nodes",
            org=ORG,
            type="edge",
            id="n1",
            communication="http",
            code_version="1",
            capabilities="",
            is_persistent=True,
            registered_at_ms=1,
            last_seen_at_ms=2,
        )
        add_object("own", 1, {"description": 'says "noData":true \0'})
        add_object("bare", 2, {"noData": True})
        add_object("unready", 3, {}, status="notReady", is_deliverable=False)
        add_copy("second", 5, "completelyReceived", destinationType="edge", destinationID="n1", description="\0")
        add_copy("first", 4, "objreceived", public=True, noData=True, description='"destinationType":"robot"')
        add_copy("third", 6, "objdeleted", deleted=True)
        add_copy("coming", 7, "partiallyreceived")
        for position, (name, state) in enumerate([("own", "announced"), ("bare", "consumed")]):
            due = {"state": state, "due_at_ms": 5 if state == "announced" else None, "message": "", "was_sent": True}
            insert("deliveries", **{**_DELIVERY, "id": name, "position": position + 1, **due})
        insert(
            "object_targets", **{k: _DELIVERY[k] for k in ("org", "type", "node_type", "node_id", "instance")}, id="own"
        )
        insert(
            "fan_outs",
            position=1,
            org=ORG,
            type="model",
            id="own",
            instance=INSTANCE,
            audience_kind="everyone",
            audience_type="",
            audience_id="",
            audience_nodes="[]",
            is_deliverable=True,
        )


def opened(target: Path | str) -> Database:
    clock = ManualClock()
    if isinstance(target, Path):
        from common.store.sqlite import open_sqlite

        return open_sqlite(target, on_commit=lambda topics: None, clock=clock)
    from common.store.postgres import open_postgres

    return open_postgres(target, on_commit=lambda topics: None, clock=clock)


def column(target: Path | str, name: str) -> dict[str, Any]:
    with engine_of(target).connect() as connection:
        return {row[0]: row[1] for row in connection.execute(sa.text(f"SELECT id, {name} FROM objects"))}


def test_what_the_first_version_kept_has_the_right_values_in_the_newest_one(target: Path | str) -> None:
    filled(target)

    upgrade("css", target)

    without_data = {name for name, value in column(target, "has_no_data").items() if value}
    assert without_data == {"bare", "first"}
    assert {name for name, value in column(target, "is_public").items() if value} == {"first"}
    assert not any(column(target, "is_placed").values())
    assert {n: t for n, t in column(target, "audience_type").items() if t} == {"second": "edge"}
    assert {n: t for n, t in column(target, "audience_id").items() if t} == {"second": "n1"}
    numbers = {name: number for name, number in column(target, "change").items() if number is not None}
    assert sorted(numbers, key=lambda name: numbers[name]) == ["first", "second", "third"]
    assert max(numbers.values()) < 0


def test_an_upgraded_database_goes_on_where_the_old_one_stopped(target: Path | str) -> None:
    filled(target)
    upgrade("css", target)
    database = opened(target)
    try:
        keys = [ObjectKey(ORG, "model", name) for name in ("own", "bare", "second")]
        found = database.write(lambda uow: uow.objects.find_many(keys))
        assert [found[key].status for key in keys] == [
            ObjectStatus.READY,
            ObjectStatus.READY,
            ObjectStatus.COMPLETELY_RECEIVED,
        ]
        claimed = database.write(lambda uow: uow.deliveries.claim_due(N1, 10, 10))
        assert [item.key.id for _, item in claimed] == ["own"]
        fan_out: FanOut | None = database.write(lambda uow: uow.fan_outs.next())
        assert fan_out is not None
        shown = database.read(lambda uow: uow.changes.list_after(ORG, "model", -(2**62), 10, with_received=True))
        assert [item.key.id for item in shown] == ["first", "second", "third"]
    finally:
        database.close()


def test_what_the_first_version_kept_survives_the_way_there_and_back(target: Path | str) -> None:
    filled(target)
    upgrade("css", target)

    alembic(target, "downgrade", "0001")

    assert set(column(target, "meta")) == {"own", "bare", "unready", "first", "second", "third", "coming"}
    assert column(target, "audience_kind")["own"] == "everyone"
    upgrade("css", target)
