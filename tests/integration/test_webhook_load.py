"""Many calls over real connections from a database file, past receivers that do not answer."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from ipaddress import ip_network
from pathlib import Path

import pytest

from common.domain.publishing import LocalNode
from common.runtime.clock import SystemClock
from common.runtime.config.webhooks import WebhookSettings
from common.runtime.hub import Hub
from common.runtime.webhook_dispatch import webhook_worker
from common.store.sqlite import open_sqlite
from common.sync.ports import Database
from common.sync.webhooks import Registration, Webhooks, enqueue
from tests.support.apps import wait_until
from tests.support.builders import ORG, an_object
from tests.support.store_places import sqlite_template
from tests.support.webhook_receiver import receiver

EVENTS = 1_000
OBJECTS = 250
LOCAL = LocalNode("edge", "n1", ORG)


@pytest.fixture
def hub() -> Hub:
    return Hub()


@pytest.fixture
def database(tmp_path: Path, hub: Hub) -> Iterator[Database]:
    path = sqlite_template(tmp_path / "sync.db")
    with closing(open_sqlite(path, on_commit=hub.publish, clock=SystemClock())) as database:
        yield database


def register(database: Database, url: str) -> None:
    webhooks = Webhooks(SystemClock().now_ms)
    database.write(lambda uow: webhooks.register(uow, Registration(ORG, "model", url)))


def arrive(database: Database, number: int) -> None:
    """The number tells the object and, in its instance, the order."""
    item = an_object(f"o{number % OBJECTS}", instance=number + 1)
    database.write(lambda uow: enqueue(uow, item.key, item.meta, LOCAL, SystemClock().now_ms()))


def queued(database: Database) -> dict[str, int]:
    reports = database.read(lambda uow: uow.webhooks.report_of_org(ORG))
    return {report.webhook.url: report.queued for report in reports}


@pytest.mark.parametrize("is_refusing", [True, False], ids=["refuses", "never answers"])
def test_a_dead_receiver_holds_up_neither_of_two_others(database: Database, hub: Hub, is_refusing: bool) -> None:
    is_over = threading.Event()

    def never(_: socket.socket) -> None:
        is_over.wait(60)

    settings = WebhookSettings(allowed_networks=(ip_network("127.0.0.0/8"),), timeout_seconds=5)
    worker = webhook_worker(database, settings, SystemClock(), hub, lambda: 0.5)
    with receiver() as one, receiver() as other, receiver(never) as silent:
        dead = "http://127.0.0.1:9/" if is_refusing else f"http://{silent.address}/"
        urls = [f"http://{one.address}/", f"http://{other.address}/"]
        for url in (*urls, dead):
            register(database, url)
        worker.start()
        for number in range(EVENTS):
            arrive(database, number)
        wait_until(lambda: [queued(database)[url] for url in urls] == [0, 0], timeout_seconds=90)
        worker.stop()
        assert worker.join(10)
        is_over.set()

        assert queued(database)[dead] == EVENTS
        for hook in (one, other):
            heard = [heard.body for heard in hook.heard]
            assert len(heard) == EVENTS
            instances: dict[bytes, list[int]] = {}
            for body in heard:
                name = body.split(b'"objectID":"')[1].split(b'"')[0]
                instances.setdefault(name, []).append(int(body.split(b'"instanceID":')[1].split(b",")[0]))
            assert len(instances) == OBJECTS
            assert all(each == sorted(each) for each in instances.values())
