"""The composition root of the CSS: every dependency is chosen here, and only here."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from common.domain.principals import Role
from common.domain.publishing import LocalNode
from common.rest.application import Engine, Parts, doorway_to
from common.rest.doorway import Doorway
from common.runtime.authentication.accounts import create_first_administrator
from common.runtime.authentication.choice import choose_authenticator
from common.runtime.clock import SystemClock
from common.runtime.config.identity import AuthenticationHandler
from common.runtime.housekeeping import PayloadCollector
from common.runtime.hub import Hub
from common.runtime.listening import open_listeners
from common.runtime.malloc import keep_large_buffers
from common.runtime.serving import serve_until_stopped
from common.runtime.worker import Worker
from common.sync import wakeups
from common.sync.authentication import Authenticator
from common.sync.payloads import PayloadStore
from common.sync.ports import Clock, Database
from common.sync.receiver import IMPLIED_BY_HTTP
from css.api.nodes import NodesApi
from css.api.routes import routes
from css.config import CssConfig
from css.services.registration import Registration
from css.store.open import open_storage
from css.transports.http import NodeInterface
from css.transports.node_data import NodeData
from css.transports.polling import DRAIN, Outbox
from css.workers.fan_out import FanOutWorker

_WORKER_THREADS = 16


@dataclass(frozen=True)
class Css:
    """A CSS that is ready to serve."""

    doorway: Doorway
    workers: list[Worker]


def build(
    config: CssConfig, database: Database, payloads: PayloadStore, authenticator: Authenticator, hub: Hub, clock: Clock
) -> Css:
    """Wire a CSS from its parts."""
    engine = Engine(
        Parts(
            LocalNode(),
            database,
            payloads,
            authenticator,
            hub,
            clock,
            config.limits,
            config.link,
            config.storage.small_payload_bytes,
            implied_answers=IMPLIED_BY_HTTP,
        )
    )
    outbox = Outbox(database, engine.sender, engine.receiver, hub, clock)
    node_interface = NodeInterface(
        database,
        engine.gate,
        Registration(clock.now_ms),
        engine.sender,
        engine.receiver,
        outbox,
        NodeData(database, engine.receiver, engine.staging, engine.slots),
        clock,
        max_wait_seconds=config.link.poll_wait_seconds,
        metadata_bytes=config.limits.metadata_bytes,
    )
    nodes = NodesApi(database, engine.gate)
    doorway = doorway_to(
        engine, lambda health: [*routes(engine.objects_api(), nodes, health), *node_interface.routes()]
    )
    outbox.draining_when(lambda: doorway.is_draining)
    fan_out = FanOutWorker(database, engine.publisher)
    collector = PayloadCollector(database, payloads, clock)
    workers = [
        Worker("fan-out", fan_out.turn, hub, wakeups.FAN_OUT),
        Worker("payload-collector", collector.turn, hub),
    ]
    return Css(doorway, workers)


def serve(config: CssConfig) -> int:
    """Run until asked to stop. Raises StartError."""
    import uvloop

    keep_large_buffers()
    clock, hub = SystemClock(), Hub()
    with open_storage(config, hub.publish, clock) as storage:
        if config.authentication.handler is AuthenticationHandler.ACCOUNTS:
            _introduce_administrator(storage.database, clock)
        authenticator = choose_authenticator(config.authentication.handler, config.storage.root, storage.database)
        css = build(config, storage.database, storage.payloads, authenticator, hub, clock)
        listeners = open_listeners(config.listening, config.storage)

        async def run() -> None:
            loop = asyncio.get_running_loop()
            loop.set_default_executor(ThreadPoolExecutor(_WORKER_THREADS, thread_name_prefix="work"))
            hub.attach(loop)

            async def start(stop: asyncio.Event) -> None:
                for worker in css.workers:
                    worker.start()

            def drain() -> None:
                css.doorway.is_draining = True
                hub.publish([DRAIN])

            seconds = config.limits.shutdown_seconds
            await serve_until_stopped(
                css.doorway, listeners, drain_seconds=seconds, on_started=start, on_stopping=drain
            )
            hub.attach(None)

        uvloop.run(run())
        for worker in css.workers:
            worker.stop()
        for worker in css.workers:
            worker.join(timeout_seconds=5)
    return 0


def _introduce_administrator(database: Database, clock: Clock) -> None:
    created = database.write(lambda uow: create_first_administrator(uow, Role.SYNC_ADMIN, "", clock.now_ms()))
    if created is not None:
        key, secret = created
        print(  # noqa: T201 - shown once, on the terminal of whoever starts the service; never in a log
            f"First start: an administrator of every organization was created. This is shown once.\n"
            f"  app key:    {key}\n  app secret: {secret}",
            flush=True,
        )
