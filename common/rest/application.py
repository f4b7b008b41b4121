"""The ASGI application of a node: what its endpoints share, and the endpoints that both services have.

Everything comes in through parameters, so that tests and simulations build the same node from other parts.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from starlette.routing import Route, Router

from common.rest import responses
from common.rest.access import Access
from common.rest.administration import Administration
from common.rest.arrivals import Arrivals
from common.rest.auditing import Auditor, RefusalLog
from common.rest.body import BodyBudget
from common.rest.data import Downloads
from common.rest.data_uploads import DataUploads
from common.rest.documentation import DocumentationApi
from common.rest.doorway import Doorway
from common.rest.draining import Draining
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
from common.rest.request_rates import RequestRates
from common.rest.resend import ResendApi
from common.rest.routes import routes_of_both
from common.rest.shutdown import ShutdownApi
from common.rest.staging import Staging
from common.rest.transactions import Transactions
from common.rest.transfers import Transfers
from common.rest.updates import Updates
from common.rest.webhook_queues import WebhookQueuesApi
from common.rest.webhooks import WebhookRegistrations
from common.runtime.client_certificates import CertificateAuthenticator
from common.runtime.config.limits import Limits
from common.runtime.config.link import Link
from common.runtime.config.load import Load
from common.runtime.config.webhooks import WebhookSettings
from common.runtime.database_watch import DatabaseWatch
from common.runtime.digests import RunningDigests
from common.runtime.hub import Hub
from common.runtime.stopping import StopRequest
from common.sync.authentication import Authenticator
from common.sync.engine import Engine
from common.sync.payloads import PayloadStore
from common.sync.ports import Clock, UnitOfWork
from common.sync.quotas import Quotas
from common.sync.source_files import SourceFiles
from common.sync.tokens import TokenAuthenticator

if TYPE_CHECKING:
    from common.rest.openapi.model import Description

#: Request bodies of JSON that may be in memory at once.
_BODY_BUDGET_BYTES = 64 << 20


@dataclass(frozen=True)
class Parts:
    """What a node is made of."""

    engine: Engine
    database: DatabaseWatch
    payloads: PayloadStore
    authenticator: Authenticator
    hub: Hub
    clock: Clock
    limits: Limits
    link: Link
    webhooks: WebhookSettings
    small_payload_bytes: int
    #: Files that applications publish by naming them; None on a cloud.
    source_files: SourceFiles | None = None
    #: See `Gate`.
    free_failures: int = 0
    load: Load = field(default_factory=Load)
    #: What organizations may keep; None: anything.
    quotas: Quotas | None = None
    #: Says what the certificates of clients are worth; None where they only open the door.
    certificates: CertificateAuthenticator | None = None
    #: Recognizes the bearers of tokens; None where nobody may have any.
    tokens: TokenAuthenticator | None = None


class Application:
    """What the endpoints of one node share; `doorway` puts them together."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.stop = StopRequest()
        self.draining = Draining(parts.hub)
        self.transactions = Transactions(parts.database)
        self.rates = RequestRates(parts.load, parts.clock.monotonic)
        self.gate = Gate(
            parts.authenticator,
            parts.hub,
            parts.clock,
            self.rates,
            parts.free_failures,
            certificates=parts.certificates,
            tokens=parts.tokens,
        )
        self.access = Access(parts.engine.local, self.gate, self.transactions)
        self.auditor = Auditor(self.transactions, parts.clock.now_ms)
        self.digests = RunningDigests()
        limit_bytes = parts.limits.payload_bytes or None
        self.staging = Staging(parts.payloads, self.digests, parts.small_payload_bytes, limit_bytes)
        ranged_downloads = parts.link.downloads_per_cpu * (os.cpu_count() or 1)
        self.transfers = Transfers(parts.load.uploads, parts.load.transfers_per_caller, ranged_downloads)
        self.downloads = Downloads(parts.payloads, self.transfers)
        feeds = Feeds(self.transactions, parts.hub, self.draining)
        self._updates = Updates(self.access, self.transactions, feeds, parts.hub, self.draining, parts.clock)

    def doorway(
        self,
        own_routes: Sequence[Route],
        *,
        describe: Callable[[], Description],
        want_resend: Callable[[UnitOfWork], None] | None = None,
        unregister: Callable[[], Awaitable[None]] | None = None,
    ) -> Doorway:
        """The complete application: what both services serve, and `own_routes`. `describe` loads what it is said to do.

        `want_resend` and `unregister` are what only an edge can ask of the cloud.
        """
        parts, access, transactions = self._parts, self.access, self.transactions
        router = Router(redirect_slashes=False, default=Endpoint(responses.unknown_address))
        doorway = Doorway(RefusalLog(router, self.auditor, parts.engine.local), self.draining, self.rates)
        local, webhooks = parts.engine.local, parts.engine.webhooks
        router.routes.extend(
            routes_of_both(
                self._objects_api(),
                EventsApi(local, access, self._updates),
                WebhookQueuesApi(local, access, transactions, self.auditor, webhooks),
                ResendApi(access, transactions, want_resend),
                HealthApi(local, parts.database, access, doorway, self.draining, parts.clock),
                ShutdownApi(access, self.auditor, drain=self.draining.begin, stop=self.stop, unregister=unregister),
                DocumentationApi(access, describe),
            )
        )
        administration = Administration(local, access, transactions, self.auditor, parts.clock.now_ms)
        router.routes.extend(administration.routes())
        router.routes.extend(own_routes)
        return doorway

    def _objects_api(self) -> ObjectsApi:
        engine, access, transactions = self._parts.engine, self.access, self.transactions
        limits = self._parts.limits
        arrivals = Arrivals(self.staging, self._parts.source_files)
        exchange = Exchange(
            engine.local,
            transactions,
            engine.publisher,
            arrivals,
            engine.new_token,
            self._parts.link.chunk_bytes,
            engine.now_ms,
        )
        record = ObjectRecord(
            engine.local,
            exchange,
            access,
            ObjectLimits(limits.object_request_bytes, limits.metadata_bytes),
            BodyBudget(_BODY_BUDGET_BYTES),
        )
        uploads = DataUploads(
            transactions,
            engine.publisher,
            engine.uploads,
            self.staging,
            arrivals,
            engine.new_token,
            self._parts.quotas or Quotas(),
        )
        data = ObjectData(exchange, uploads, self.downloads, self.transfers, process_id=engine.new_token())
        destinations = ObjectDestinations(
            engine.local, transactions, engine.fan_outs, engine.placement, limits.object_request_bytes
        )
        operations = ObjectOperations(
            engine.local, exchange, access, data, destinations, transactions, engine.receiver, engine.lifecycle
        )
        lists = ObjectLists(engine.local, access, transactions, engine.fan_outs, self._updates)
        webhooks = WebhookRegistrations(access, self.auditor, engine.webhooks, self._parts.webhooks.policy)
        return ObjectsApi(engine.local, access, lists, record, operations, webhooks)
