"""The composition root of the CSS: every dependency is chosen here, and only here."""

from __future__ import annotations

from random import random
from secrets import token_hex
from typing import TYPE_CHECKING

from starlette.routing import Route

from common.domain.principals import Role
from common.domain.publishing import LocalNode
from common.domain.quotas import Quota
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
from common.sync.enrolment import Authority
from common.sync.group_changes import Groups
from common.sync.payloads import PayloadStore
from common.sync.ports import Clock, Database
from common.sync.quotas import Quotas
from common.sync.receiver import IMPLIED_BY_HTTP
from common.sync.retention import Retention
from common.sync.reviews import Reviews
from css.api.enrolments import EnrolmentsApi
from css.api.groups import GroupsApi
from css.api.labels import LabelsApi
from css.api.node_certificates import NodeCertificatesApi
from css.api.nodes import NodesApi
from css.api.organizations import OrganizationsApi
from css.api.placement import PlacementApi
from css.api.quotas import QuotasApi
from css.api.routes import routes
from css.api.security import SecurityApi
from css.config import CssConfig
from css.node_trust import NodeTrust, client_trust, kept_authority
from css.node_trust import enrolments as enrolments_of
from css.services.enrolment import Enrolments
from css.services.organizations import Organizations
from css.services.registration import Registration
from css.store.open import open_storage
from css.transports.http import NodeInterface
from css.transports.node_data import NodeData
from css.transports.polling import Outbox
from css.transports.presence import Presence
from css.workers.fan_out import FanOutWorker
from css.workers.quotas import QuotaWorker
from css.workers.reviews import ReviewWorker

if TYPE_CHECKING:
    from common.rest.openapi.model import Description

_WORKER_THREADS = 16


def build(
    config: CssConfig,
    database: Database,
    payloads: PayloadStore,
    authenticator: Authenticator,
    hub: Hub,
    clock: Clock,
    authority: Authority | None = None,
) -> Service:
    """Wire a CSS from its parts. Without an `authority` its nodes have no certificates."""
    database = DatabaseWatch(database, clock)
    enrolments = enrolments_of(config.enrolment, clock)
    trust = NodeTrust(database, enrolments, authority, clock) if authority else None
    reviews = Reviews(clock.now_ms)
    quotas = Quotas(Quota(config.quotas.objects, config.quotas.payload_bytes))
    quota_worker = QuotaWorker(database, quotas, clock)
    quota_worker.refresh()
    engine = Engine(
        LocalNode(),
        clock.now_ms,
        random,
        lambda: token_hex(16),
        implied_answers=IMPLIED_BY_HTTP,
        published=reviews.policy_published,
        quotas=quotas,
    )
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
            certificates=trust.certificates if trust else None,
            free_failures=config.authentication.free_failures,
            tokens=oidc_authenticator(config.oidc, config.storage.root, clock),
            load=config.load,
            quotas=quotas,
        )
    )
    own_routes = [
        *_administration(config, application, enrolments, quotas, clock),
        *(trust.routes(application.transactions) if trust else []),
        *_node_interface(config, application, engine, hub, clock, trust).routes(),
    ]
    workers = [
        *_upkeep(config, database, payloads, engine, reviews, hub, clock),
        Worker("quotas", quota_worker.turn, hub, wakeups.QUOTAS),
        webhook_worker(database, config.webhooks, clock, hub, random),
    ]
    doorway = application.doorway(own_routes, describe=_describe)
    return Service(doorway, application.draining, workers, application.stop)


def _upkeep(
    config: CssConfig,
    database: Database,
    payloads: PayloadStore,
    engine: Engine,
    reviews: Reviews,
    hub: Hub,
    clock: Clock,
) -> list[Worker]:
    """What requests leave for later, and what becomes of things with time."""
    retention = Retention(
        clock.now_ms, config.storage.consumed_objects_kept, config.authentication.audit_kept_seconds * 1000
    )
    timetable = Timetable(database, engine.lifecycle, clock, expires=True)
    return [
        Worker("fan-out", FanOutWorker(database, engine.fan_outs).turn, hub, wakeups.FAN_OUT),
        Worker("reviews", ReviewWorker(database, reviews).turn, hub, wakeups.REVIEW),
        Worker("housekeeper", Housekeeper(database, payloads, retention, clock).turn, hub),
        Worker("timetable", timetable.turn, hub, wakeups.TIMETABLE),
    ]


def _administration(
    config: CssConfig, application: Application, enrolments: Enrolments, quotas: Quotas, clock: Clock
) -> list[Route]:
    """Nodes, tenants, access lists, groups: what applications and administrators ask of a cloud only."""
    access, transactions, auditor = application.access, application.transactions, application.auditor
    groups = Groups(clock.now_ms)
    return routes(
        NodesApi(access, transactions),
        OrganizationsApi(access, transactions, auditor, Organizations(clock.now_ms), config.identity.org_id),
        SecurityApi(access, transactions, auditor, config.limits.object_request_bytes),
        GroupsApi(access, transactions, auditor, groups),
        LabelsApi(access, transactions, auditor, groups),
        PlacementApi(access, transactions, auditor, groups),
        EnrolmentsApi(access, transactions, auditor, enrolments, clock),
        NodeCertificatesApi(access, transactions, auditor, enrolments, clock),
        QuotasApi(access, transactions, auditor, quotas),
    )


def _node_interface(
    config: CssConfig, application: Application, engine: Engine, hub: Hub, clock: Clock, trust: NodeTrust | None
) -> NodeInterface:
    """What edges ask."""
    transactions = application.transactions
    return NodeInterface(
        transactions,
        application.gate,
        engine.sender,
        engine.receiver,
        Presence(transactions, Registration(clock.now_ms), clock),
        Outbox(transactions, engine.sender, engine.receiver, hub, application.draining, clock),
        NodeData(transactions, engine.receiver, application.staging, application.downloads, application.transfers),
        max_wait_seconds=config.link.poll_wait_seconds,
        metadata_bytes=config.limits.metadata_bytes,
        certificate_headers=trust.certificates.answer_headers if trust else None,
    )


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
        authenticator = choose_authenticator(
            config.authentication.handler, config.storage.root, storage.database, clock.now_ms
        )
        authority = kept_authority(storage.database) if config.listening.asks_for_certificates else None
        service = build(config, storage.database, storage.payloads, authenticator, hub, clock, authority)
        opened = open_listeners(config.listening, config.storage, client_trust(authority) if authority else None)
        service.workers.extend(opened.workers(hub))
        limits = ServingLimits(
            config.limits.shutdown_seconds, config.listening.read_header_timeout_seconds, config.load
        )
        run_service(service, hub, opened.listeners, limits, threads=_WORKER_THREADS, run_loop=uvloop.run)
    if service.stop.is_restart:
        start_again()
    return 0
