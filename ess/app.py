"""The composition root of the ESS: every dependency is chosen here, and only here."""

from __future__ import annotations

import asyncio
from random import random
from secrets import token_hex
from typing import TYPE_CHECKING

from common.domain.principals import Role
from common.domain.publishing import LocalNode
from common.rest.application import Application, Parts
from common.rest.service import Service, run_service
from common.runtime.authentication.choice import choose_authenticator
from common.runtime.authentication.first_start import create_first_administrator
from common.runtime.authentication.oidc import oidc_authenticator
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
from common.runtime.webhook_dispatch import webhook_worker
from common.runtime.worker import Worker
from common.sync import wakeups
from common.sync.authentication import Authenticator
from common.sync.engine import Engine
from common.sync.payloads import PayloadStore
from common.sync.ports import Clock, Database
from common.sync.retention import Retention
from ess.api.cloud_only import CloudOnly
from ess.api.routes import routes
from ess.cloud_link import CloudLink, connection_to_cloud
from ess.config import EssConfig
from ess.services.cloud import Cloud
from ess.services.credentials import Credentials, FixedCredentials
from ess.store.data_directory import DataDirectory
from ess.store.delivered_files import DeliveredFiles
from ess.store.open import open_storage
from ess.workers.data_files import DataFiles
from ess.workers.resend import want

if TYPE_CHECKING:
    from common.rest.openapi.model import Description

_WORKER_THREADS = 6


def build(
    config: EssConfig,
    database: Database,
    payloads: PayloadStore,
    authenticator: Authenticator,
    client: Cloud,
    hub: Hub,
    clock: Clock,
    credentials: Credentials | None = None,
) -> Service:
    """Wire an ESS from its parts. Without `credentials` those of the client are all there are."""
    database = DatabaseWatch(database, clock)
    node = config.identity.node_key
    engine = Engine(LocalNode(node.type, node.id, node.org), clock.now_ms, random, lambda: token_hex(16))
    source_files = DataDirectory(config.storage.data_directory)
    application = Application(
        Parts(
            engine,
            database,
            payloads,
            authenticator,
            hub,
            clock,
            config.limits,
            config.link,
            config.webhooks,
            config.storage.small_payload_bytes,
            source_files,
            free_failures=config.authentication.free_failures,
            tokens=oidc_authenticator(config.oidc, config.storage.root, clock),
            load=config.load,
        )
    )
    delivered = DeliveredFiles(config.storage.delivered_files_directory)
    data_files = DataFiles(source_files, delivered, database)
    retention = Retention(
        clock.now_ms, config.storage.consumed_objects_kept, config.authentication.audit_kept_seconds * 1000
    )
    link = CloudLink(config, client, credentials or FixedCredentials(), database, engine, hub, clock)
    workers = [
        *link.transfer_workers(payloads, application.digests, data_files),
        Worker("data-files", data_files.turn, hub, wakeups.ANSWERS),
        Worker("housekeeper", Housekeeper(database, payloads, retention, clock).turn, hub),
        link.resend_worker(),
        Worker("timetable", Timetable(database, engine.lifecycle, clock, expires=False).turn, hub, wakeups.TIMETABLE),
        webhook_worker(database, config.webhooks, clock, hub, random),
    ]
    doorway = application.doorway(
        routes(CloudOnly(application.access)), describe=_describe, want_resend=want, unregister=link.unregister
    )
    return Service(doorway, application.draining, workers, application.stop, [link.poll_worker()])


def _describe() -> Description:
    from ess.api import description

    return description.describe()


def serve(config: EssConfig) -> int:
    """Run until asked to stop. Raises StartError."""
    keep_large_buffers()
    clock, hub = SystemClock(), Hub()
    with open_storage(config, hub.publish, clock) as storage:
        if config.authentication.handler is AuthenticationHandler.ACCOUNTS:
            welcome = create_first_administrator(storage.database, Role.ADMIN, config.identity.org_id, clock.now_ms())
            if welcome is not None:
                print(welcome, flush=True)  # noqa: T201 - to whoever starts the service, never into a log
        authenticator = choose_authenticator(
            config.authentication.handler, config.storage.root, storage.database, clock.now_ms
        )
        client, credentials = connection_to_cloud(config, authenticator, clock)
        service = build(config, storage.database, storage.payloads, authenticator, client, hub, clock, credentials)
        opened = open_listeners(config.listening, config.storage)
        service.workers.extend(opened.workers(hub))
        limits = ServingLimits(
            config.limits.shutdown_seconds, config.listening.read_header_timeout_seconds, config.load
        )
        run_service(service, hub, opened.listeners, limits, threads=_WORKER_THREADS, run_loop=asyncio.run)
    if service.stop.is_restart:
        start_again()
    return 0
