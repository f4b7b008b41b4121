"""The composition root of the ESS: every dependency is chosen here, and only here."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Iterator
from typing import TYPE_CHECKING

from common.domain.errors import SyncError
from common.domain.ids import NodeKey, cloud_of
from common.domain.principals import Role
from common.domain.publishing import LocalNode
from common.rest.application import Engine, Parts, doorway_to
from common.rest.resend import ResendApi
from common.rest.service import Service, run_service
from common.runtime.authentication.choice import choose_authenticator
from common.runtime.authentication.first_start import create_first_administrator
from common.runtime.authentication.preset import PresetAuthenticator
from common.runtime.clock import SystemClock
from common.runtime.config.identity import AuthenticationHandler
from common.runtime.database_watch import DatabaseWatch
from common.runtime.housekeeping import Housekeeper
from common.runtime.hub import Hub
from common.runtime.listening import open_listeners
from common.runtime.logs import fields
from common.runtime.malloc import keep_large_buffers
from common.runtime.serving import ServingLimits
from common.runtime.settings import StartError
from common.runtime.stopping import start_again
from common.runtime.timetable import Timetable
from common.runtime.tls import client_ssl_context
from common.runtime.worker import Worker
from common.sync import wakeups
from common.sync.authentication import Authenticator
from common.sync.payloads import PayloadStore
from common.sync.ports import Clock, Database
from common.sync.retention import Retention
from ess.api.cloud_only import CloudOnly
from ess.api.routes import routes
from ess.config import EssConfig
from ess.services.cloud import Cloud
from ess.services.inbox import Inbox
from ess.services.session import LINK_UP, Session
from ess.store.data_directory import DataDirectory
from ess.store.delivered_files import DeliveredFiles
from ess.store.open import open_storage
from ess.transports.http import CloudClient, Timeouts
from ess.workers.answers import AnswerWorker
from ess.workers.data_files import DataFiles
from ess.workers.fetcher import Fetcher
from ess.workers.in_flight import InFlight
from ess.workers.link import Link, Poller
from ess.workers.resend import WANTED, ResendWorker, want
from ess.workers.uplink import Uplink

log = logging.getLogger(__name__)

#: How long the cloud gets to hear that this node leaves.
_FAREWELL_SECONDS = 5.0

if TYPE_CHECKING:
    from common.rest.openapi.model import Description

_WORKER_THREADS = 6
_FETCHERS = 3
_LARGE_FETCHES = 2
_UPLINKS = 2


def build(
    config: EssConfig,
    database: Database,
    payloads: PayloadStore,
    authenticator: Authenticator,
    client: Cloud,
    hub: Hub,
    clock: Clock,
) -> Service:
    """Wire an ESS from its parts."""
    database = DatabaseWatch(database, clock)
    node = config.identity.node_key
    cloud = cloud_of(node.org)
    data_directory = DataDirectory(config.storage.data_directory)
    engine = Engine(
        Parts(
            LocalNode(node.type, node.id, node.org),
            database,
            payloads,
            authenticator,
            hub,
            clock,
            config.limits,
            config.link,
            config.storage.small_payload_bytes,
            source_files=data_directory,
            webhooks=config.webhooks,
        )
    )
    link = Link()
    delivered = DeliveredFiles(config.storage.delivered_files_directory)
    data_files = DataFiles(data_directory, delivered, database)
    retention = Retention(clock.now_ms, config.storage.consumed_objects_kept)
    timetable = Timetable(database, engine.lifecycle, clock, expires=False)
    workers = [
        *_transfer_workers(config, engine, client, cloud, link, data_files),
        Worker("data-files", data_files.turn, hub, wakeups.ANSWERS),
        Worker("housekeeper", Housekeeper(database, payloads, retention, clock).turn, hub),
        Worker("resend", ResendWorker(client, database, link).turn, hub, LINK_UP, WANTED),
        Worker("timetable", timetable.turn, hub, wakeups.TIMETABLE),
        engine.webhook_worker(),
    ]
    resend = ResendApi(engine.access, engine.transactions, want)
    doorway = doorway_to(
        engine,
        lambda health, shutdown: routes(engine.objects_api(), CloudOnly(engine.access), resend, health, shutdown),
        unregister=lambda: _unregister(client, database, cloud),
        describe=_describe,
    )
    return Service(doorway, workers, engine.parts.stop, [_poll_worker(config, engine, client, cloud, link)])


async def _unregister(client: Cloud, database: Database, cloud: NodeKey) -> None:
    """Leave for good; a later start registers as new. A cloud that cannot be reached does not keep anybody from stopping."""
    session = Session(cloud, lambda: 0)
    try:
        await asyncio.wait_for(asyncio.to_thread(client.unregister), _FAREWELL_SECONDS)
    except (SyncError, TimeoutError) as error:
        log.warning("not_unregistered", extra=fields(reason=str(error) or type(error).__name__))
        return
    await asyncio.to_thread(database.write, session.forget_link)


def _poll_worker(config: EssConfig, engine: Engine, client: Cloud, cloud: NodeKey, link: Link) -> Worker:
    database, hub = engine.parts.database, engine.parts.hub
    session = Session(cloud, engine.parts.clock.now_ms)
    database.write(session.know_cloud)
    poller = Poller(
        client,
        database,
        session,
        Inbox(config.identity.node_key, cloud, engine.sender, engine.receiver),
        link,
        config.link.usable_poll_wait_seconds,
        config.link.poll_interval_seconds,
    )
    return Worker("poller", poller.turn, hub)


def _transfer_workers(
    config: EssConfig, engine: Engine, client: Cloud, cloud: NodeKey, link: Link, data_files: DataFiles
) -> Iterator[Worker]:
    parts = engine.parts
    now_ms = parts.clock.now_ms
    fetching = InFlight(_LARGE_FETCHES, parts.clock.monotonic, parts.random)
    sending = InFlight(_UPLINKS, parts.clock.monotonic, parts.random)
    link.when_up(fetching.try_all_again)
    for number in range(_FETCHERS):
        fetcher = Fetcher(
            client,
            parts.database,
            engine.receiver,
            parts.payloads,
            engine.digests,
            link,
            fetching,
            parts.small_payload_bytes,
            data_files,
        )
        yield Worker(f"fetcher-{number}", fetcher.turn, parts.hub, LINK_UP, wakeups.FETCH)
    for number in range(_UPLINKS):
        uplink = Uplink(
            client, parts.database, engine.sender, parts.payloads, cloud, link, sending, config.link.chunk_bytes, now_ms
        )
        yield Worker(f"uplink-{number}", uplink.turn, parts.hub, LINK_UP, *wakeups.topics_of_node(cloud))
    answers = AnswerWorker(client, parts.database, engine.receiver, cloud, link, now_ms)
    yield Worker("answers", answers.turn, parts.hub, LINK_UP, wakeups.ANSWERS)


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
        authenticator = choose_authenticator(config.authentication.handler, config.storage.root, storage.database)
        client = _cloud_client(config, authenticator)
        service = build(config, storage.database, storage.payloads, authenticator, client, hub, clock)
        listeners = open_listeners(config.listening, config.storage)
        limits = ServingLimits(config.limits.shutdown_seconds, config.listening.read_header_timeout_seconds)
        run_service(service, hub, listeners, limits, threads=_WORKER_THREADS, run_loop=asyncio.run)
    if service.stop.is_restart:
        start_again()
    return 0


def _cloud_client(config: EssConfig, authenticator: Authenticator) -> CloudClient:
    app_key, app_secret = config.css_app_key, config.link.css_app_secret.reveal()
    if isinstance(authenticator, PresetAuthenticator) and authenticator.cloud_credentials is not None:
        app_key, app_secret = authenticator.cloud_credentials
    timeouts = Timeouts(config.link.control_timeout_seconds, config.link.data_timeout_seconds)
    verify: ssl.SSLContext | bool = _cloud_tls(config) if config.link.css_uses_tls else False
    return CloudClient(
        config.link.css_base_url,
        config.identity.node_key,
        app_key,
        app_secret,
        verify,
        timeouts,
        config.identity.node_labels,
    )


def _cloud_tls(config: EssConfig) -> ssl.SSLContext:
    source = config.link.css_ca_certificate
    authority = source.text if source.is_pem or not source else str(source.path_below(config.storage.root))
    try:
        return client_ssl_context(authority)
    except OSError as error:
        raise StartError(f"Cannot use HTTPCSSCACertificate: {error}.") from error
