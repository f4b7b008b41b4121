"""What a CSS and an ESS are made of alike: the engine, the applications' interface, the ASGI application around it.

Everything comes in through parameters, so that tests and simulations build the same node from other parts.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import random

from starlette.routing import Route, Router

from common.domain.publishing import LocalNode
from common.domain.reception import Answer
from common.rest.access import Access
from common.rest.body import BodyBudget
from common.rest.data import DownloadSlots
from common.rest.doorway import Doorway
from common.rest.exchange import Exchange
from common.rest.gate import Gate
from common.rest.health import HealthApi
from common.rest.object_data import ObjectData
from common.rest.object_lists import ObjectLists
from common.rest.object_operations import ObjectOperations
from common.rest.object_record import ObjectLimits, ObjectRecord
from common.rest.objects import ObjectsApi
from common.rest.staging import Staging
from common.runtime.authentication.cache import PrincipalCache
from common.runtime.config.limits import Limits
from common.runtime.config.link import Link
from common.runtime.digests import RunningDigests
from common.runtime.hub import Hub
from common.sync.authentication import Authenticator
from common.sync.payloads import PayloadStore
from common.sync.ports import Clock, Database
from common.sync.publisher import Publisher
from common.sync.receiver import Receiver
from common.sync.sender import Sender
from common.sync.uploads import Uploads

#: Request bodies of JSON that may be in memory at once.
_BODY_BUDGET_BYTES = 64 << 20


@dataclass(frozen=True)
class Parts:
    """What a node is given."""

    local: LocalNode
    database: Database
    payloads: PayloadStore
    authenticator: Authenticator
    hub: Hub
    clock: Clock
    limits: Limits
    link: Link
    small_payload_bytes: int
    #: Answers its transport gives by itself.
    implied_answers: frozenset[Answer] = frozenset()
    random: Callable[[], float] = random
    new_token: Callable[[], str] = field(default=lambda: secrets.token_hex(16))


class Engine:
    """The engine and the applications' interface of one node."""

    def __init__(self, parts: Parts) -> None:
        now_ms = parts.clock.now_ms
        self.parts = parts
        self.publisher = Publisher(parts.local, now_ms)
        self.sender = Sender(parts.local, now_ms, parts.random)
        self.receiver = Receiver(parts.local, now_ms, parts.random, parts.implied_answers)
        self.digests = RunningDigests()
        limit = parts.limits.payload_bytes or None
        self.staging = Staging(parts.payloads, self.digests, parts.small_payload_bytes, limit)
        self.slots = DownloadSlots(parts.link.downloads_per_cpu * (os.cpu_count() or 1))
        self.principals = PrincipalCache(parts.clock.monotonic)
        self.gate = Gate(parts.authenticator, self.principals)
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
        )

    def objects_api(self) -> ObjectsApi:
        local, exchange, limits = self.parts.local, self.exchange, self.parts.limits
        access = Access(local, self.gate, exchange)
        data = ObjectData(exchange, self.slots, self.parts.new_token())
        record = ObjectRecord(
            local,
            exchange,
            access,
            ObjectLimits(limits.object_request_bytes, limits.metadata_bytes),
            BodyBudget(_BODY_BUDGET_BYTES),
        )
        operations = ObjectOperations(local, exchange, access, data)
        return ObjectsApi(local, access, ObjectLists(exchange, access), record, operations)


def doorway_to(engine: Engine, make_routes: Callable[[HealthApi], Sequence[Route]]) -> Doorway:
    """The complete ASGI application; `make_routes` lists its endpoints."""
    router = Router(redirect_slashes=False)
    doorway = Doorway(router)
    node_type = "CSS" if engine.parts.local.is_cloud else "ESS"
    health = HealthApi(node_type, engine.parts.database, engine.gate, doorway, engine.parts.clock)
    router.routes.extend(make_routes(health))
    return doorway
