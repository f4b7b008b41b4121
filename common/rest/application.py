"""What a CSS and an ESS are made of alike: the engine, the applications' interface, the ASGI application around it.

Everything comes in through parameters, so that tests and simulations build the same node from other parts.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from random import random
from typing import TYPE_CHECKING

from starlette.routing import Route, Router

from common.domain.objects import SyncObject
from common.domain.publishing import LocalNode
from common.domain.reception import Answer
from common.rest import responses
from common.rest.access import Access
from common.rest.arrivals import Arrivals
from common.rest.body import BodyBudget
from common.rest.data import DownloadSlots
from common.rest.documentation import DocumentationApi
from common.rest.doorway import Doorway
from common.rest.endpoint import Endpoint
from common.rest.events import EventsApi
from common.rest.exchange import Exchange
from common.rest.feed import Feeds
from common.rest.gate import Gate
from common.rest.health import HealthApi
from common.rest.object_data import ObjectData
from common.rest.object_destinations import ObjectDestinations
from common.rest.object_lists import ObjectLists
from common.rest.object_operations import ObjectOperations
from common.rest.object_record import ObjectLimits, ObjectRecord
from common.rest.objects import ObjectsApi
from common.rest.service import DRAIN
from common.rest.shutdown import ShutdownApi
from common.rest.staging import Staging
from common.rest.transactions import Transactions
from common.rest.updates import Updates
from common.rest.webhook_queues import WebhookQueuesApi
from common.rest.webhooks import WebhookRegistrations
from common.runtime.authentication.cache import PrincipalCache
from common.runtime.config.limits import Limits
from common.runtime.config.link import Link
from common.runtime.config.webhooks import WebhookSettings
from common.runtime.database_watch import DatabaseWatch
from common.runtime.digests import RunningDigests
from common.runtime.hub import Hub
from common.runtime.stopping import StopRequest
from common.runtime.webhook_dispatch import webhook_worker
from common.runtime.worker import Worker
from common.sync.authentication import Authenticator
from common.sync.fan_out import FanOuts
from common.sync.lifecycle import Lifecycle
from common.sync.payloads import PayloadStore
from common.sync.placement import Placement
from common.sync.ports import Clock, UnitOfWork
from common.sync.publisher import Publisher
from common.sync.receiver import Receiver
from common.sync.sender import Sender
from common.sync.source_files import SourceFiles
from common.sync.uploads import Uploads
from common.sync.webhooks import Webhooks

if TYPE_CHECKING:
    from common.rest.openapi.model import Description

#: Request bodies of JSON that may be in memory at once.
_BODY_BUDGET_BYTES = 64 << 20


@dataclass(frozen=True)
class Parts:
    """What a node is given."""

    local: LocalNode
    database: DatabaseWatch
    payloads: PayloadStore
    authenticator: Authenticator
    hub: Hub
    clock: Clock
    limits: Limits
    link: Link
    small_payload_bytes: int
    #: Files that applications publish by naming them; None on a cloud.
    source_files: SourceFiles | None = None
    #: Answers its transport gives by itself.
    implied_answers: frozenset[Answer] = frozenset()
    random: Callable[[], float] = random
    webhooks: WebhookSettings = field(default_factory=WebhookSettings)
    stop: StopRequest = field(default_factory=StopRequest)
    #: See `Publisher`.
    published: Callable[[UnitOfWork, SyncObject], None] | None = None
    new_token: Callable[[], str] = field(default=lambda: secrets.token_hex(16))


class Engine:
    """The engine and the applications' interface of one node."""

    def __init__(self, parts: Parts) -> None:
        now_ms = parts.clock.now_ms
        self.parts = parts
        self.fan_outs = FanOuts(parts.local, now_ms)
        self.publisher = Publisher(parts.local, self.fan_outs, now_ms, parts.published)
        self.lifecycle = Lifecycle(self.fan_outs, now_ms)
        self.sender = Sender(parts.local, now_ms, parts.random)
        self.receiver = Receiver(parts.local, now_ms, parts.random, parts.implied_answers)
        self.webhooks = Webhooks(now_ms)
        self.digests = RunningDigests()
        limit = parts.limits.payload_bytes or None
        self.staging = Staging(parts.payloads, self.digests, parts.small_payload_bytes, limit)
        self.slots = DownloadSlots(parts.link.downloads_per_cpu * (os.cpu_count() or 1))
        self.principals = PrincipalCache(parts.clock.monotonic)
        self.gate = Gate(parts.authenticator, self.principals)
        self.transactions = Transactions(parts.database)
        self.access = Access(parts.local, self.gate, self.transactions)
        self.feeds = Feeds(self.transactions, parts.hub)
        self.updates = Updates(self.access, self.transactions, self.feeds, parts.hub, parts.clock)
        uploads = Uploads(self.publisher, now_ms, parts.new_token)
        self.exchange = Exchange(
            parts.local,
            parts.database,
            self.publisher,
            self.receiver,
            uploads,
            self.staging,
            parts.new_token,
            parts.link.chunk_bytes,
            now_ms,
            Arrivals(self.staging, parts.source_files),
        )

    def webhook_worker(self) -> Worker:
        parts = self.parts
        return webhook_worker(parts.database, parts.webhooks, parts.clock, parts.hub, parts.random)

    def objects_api(self) -> ObjectsApi:
        local, exchange, limits = self.parts.local, self.exchange, self.parts.limits
        access, transactions = self.access, self.transactions
        data = ObjectData(exchange, self.slots, self.parts.new_token())
        record = ObjectRecord(
            local,
            exchange,
            access,
            ObjectLimits(limits.object_request_bytes, limits.metadata_bytes),
            BodyBudget(_BODY_BUDGET_BYTES),
        )
        destinations = ObjectDestinations(
            local,
            transactions,
            self.fan_outs,
            Placement(self.fan_outs, self.parts.clock.now_ms),
            limits.object_request_bytes,
        )
        operations = ObjectOperations(
            local, exchange, access, data, destinations, transactions, self.receiver, self.lifecycle
        )
        lists = ObjectLists(local, access, transactions, self.fan_outs, self.updates)
        webhooks = WebhookRegistrations(access, transactions, self.webhooks, self.parts.webhooks.policy)
        return ObjectsApi(local, access, lists, record, operations, webhooks)


def doorway_to(
    engine: Engine,
    make_routes: Callable[[HealthApi, ShutdownApi], Sequence[Route]],
    unregister: Callable[[], Awaitable[None]] | None = None,
    *,
    describe: Callable[[], Description],
) -> Doorway:
    """The complete ASGI application; `make_routes` lists its endpoints, `describe` loads what they are said to do.

    `unregister` is the edge's farewell to the cloud.
    """
    router = Router(redirect_slashes=False, default=Endpoint(responses.unknown_address))
    doorway = Doorway(router)
    parts = engine.parts

    def drain() -> None:
        doorway.is_draining = True
        parts.hub.publish([DRAIN])

    health = HealthApi("CSS" if parts.local.is_cloud else "ESS", parts.database, engine.access, doorway, parts.clock)
    shutdown = ShutdownApi(engine.access, drain=drain, stop=parts.stop, unregister=unregister)
    events = EventsApi(parts.local, engine.access, engine.updates)
    engine.feeds.draining_when(lambda: doorway.is_draining)
    router.routes.extend(events.routes())
    router.routes.extend(WebhookQueuesApi(parts.local, engine.access, engine.transactions, engine.webhooks).routes())
    router.routes.extend(make_routes(health, shutdown))
    router.routes.extend(DocumentationApi(engine.access, describe).routes())
    return doorway
