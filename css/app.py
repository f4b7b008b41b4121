"""The composition root of the CSS: every dependency is chosen here, and only here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from common.domain.principals import Role
from common.domain.publishing import LocalNode
from common.rest.application import Engine, Parts, doorway_to
from common.rest.resend import ResendApi
from common.rest.service import Service, run_service
from common.runtime.authentication.choice import choose_authenticator
from common.runtime.authentication.first_start import create_first_administrator
from common.runtime.clock import SystemClock
from common.runtime.config.identity import AuthenticationHandler
from common.runtime.database_watch import DatabaseWatch
from common.runtime.housekeeping import Housekeeper
from common.runtime.hub import Hub
from common.runtime.listening import open_listeners
from common.runtime.malloc import keep_large_buffers
from common.runtime.serving import ServingLimits
from common.runtime.stopping import start_again
from common.runtime.timetable import Timetable
from common.runtime.worker import Worker
from common.sync import wakeups
from common.sync.authentication import Authenticator
from common.sync.group_changes import Groups
from common.sync.payloads import PayloadStore
from common.sync.ports import Clock, Database
from common.sync.receiver import IMPLIED_BY_HTTP
from common.sync.retention import Retention
from common.sync.reviews import Reviews
from css.api.groups import GroupsApi
from css.api.labels import LabelsApi
from css.api.nodes import NodesApi
from css.api.organizations import OrganizationsApi
from css.api.placement import PlacementApi
from css.api.routes import routes
from css.api.security import SecurityApi
from css.config import CssConfig
from css.services.organizations import Organizations
from css.services.registration import Registration
from css.store.open import open_storage
from css.transports.http import NodeInterface
from css.transports.node_data import NodeData
from css.transports.polling import Outbox
from css.workers.fan_out import FanOutWorker
from css.workers.reviews import ReviewWorker

if TYPE_CHECKING:
    from common.rest.openapi.model import Description

_WORKER_THREADS = 16


def build(
    config: CssConfig, database: Database, payloads: PayloadStore, authenticator: Authenticator, hub: Hub, clock: Clock
) -> Service:
    """Wire a CSS from its parts."""
    database = DatabaseWatch(database, clock)
    reviews = Reviews(clock.now_ms)
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
            published=reviews.policy_published,
            webhooks=config.webhooks,
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
    nodes = NodesApi(engine.access, engine.transactions)
    organizations = OrganizationsApi(
        engine.access, engine.transactions, Organizations(clock.now_ms), config.identity.org_id
    )
    security = SecurityApi(engine.access, engine.transactions, config.limits.object_request_bytes)
    groups = Groups(clock.now_ms)
    doorway = doorway_to(
        engine,
        lambda health, shutdown: [
            *routes(
                engine.objects_api(),
                nodes,
                organizations,
                security,
                GroupsApi(engine.access, engine.transactions, groups),
                LabelsApi(engine.access, engine.transactions, groups),
                PlacementApi(engine.access, engine.transactions, groups),
                ResendApi(engine.access, engine.transactions, None),
                health,
                shutdown,
            ),
            *node_interface.routes(),
        ],
        describe=_describe,
    )
    outbox.draining_when(lambda: doorway.is_draining)
    fan_out = FanOutWorker(database, engine.fan_outs)
    retention = Retention(clock.now_ms, config.storage.consumed_objects_kept)
    housekeeper = Housekeeper(database, payloads, retention, clock)
    timetable = Timetable(database, engine.lifecycle, clock, expires=True)
    workers = [
        Worker("fan-out", fan_out.turn, hub, wakeups.FAN_OUT),
        Worker("reviews", ReviewWorker(database, reviews).turn, hub, wakeups.REVIEW),
        Worker("housekeeper", housekeeper.turn, hub),
        Worker("timetable", timetable.turn, hub, wakeups.TIMETABLE),
        engine.webhook_worker(),
    ]
    return Service(doorway, workers, engine.parts.stop)


def _describe() -> Description:
    from css.api.openapi import description

    return description.describe()


def serve(config: CssConfig) -> int:
    """Run until asked to stop. Raises StartError."""
    import uvloop

    keep_large_buffers()
    clock, hub = SystemClock(), Hub()
    with open_storage(config, hub.publish, clock) as storage:
        if config.authentication.handler is AuthenticationHandler.ACCOUNTS:
            welcome = create_first_administrator(storage.database, Role.SYNC_ADMIN, "", clock.now_ms())
            if welcome is not None:
                print(welcome, flush=True)  # noqa: T201 - to whoever starts the service, never into a log
        authenticator = choose_authenticator(config.authentication.handler, config.storage.root, storage.database)
        service = build(config, storage.database, storage.payloads, authenticator, hub, clock)
        listeners = open_listeners(config.listening, config.storage)
        limits = ServingLimits(config.limits.shutdown_seconds, config.listening.read_header_timeout_seconds)
        run_service(service, hub, listeners, limits, threads=_WORKER_THREADS, run_loop=uvloop.run)
    if service.stop.is_restart:
        start_again()
    return 0
