"""A CSS or an ESS as its composition root builds it, on an event loop of its own: called in-process or served on a port.

No workers run: what a request leaves behind stays as it is until the test looks at it.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from starlette.types import ASGIApp

from common.domain.ids import NodeKey, ObjectKey, cloud_of
from common.domain.metadata import Metadata
from common.domain.objects import Payload
from common.domain.publishing import LocalNode
from common.rest.service import Service
from common.runtime import serving
from common.runtime.authentication.dummy import DummyAuthenticator, DummyLists
from common.runtime.config.identity import Identity
from common.runtime.config.limits import Limits
from common.runtime.config.link import Link
from common.runtime.config.listening import Listening
from common.runtime.config.load import Load
from common.runtime.config.oidc import OidcSettings
from common.runtime.config.storage import Storage
from common.runtime.hub import Hub
from common.store.objects import AudienceOf
from common.sync.authentication import Authenticator
from common.sync.payload_names import payload_name
from common.sync.payloads import PayloadStore
from common.sync.ports import Clock, Database
from common.sync.receiver import Receiver
from css import app as css_app
from css.config import CssConfig
from ess import app as ess_app
from ess.config import EssConfig
from ess.transports.http import CloudClient, Timeouts
from tests.support.manual_clock import ManualClock
from tests.support.node_under_test_state import Holdings, Rows, holdings
from tests.support.requests_asgi import Call, Reply, basic

#: The organization of almost every test, and an application key that may do everything in it.
ORG = "o"
ADMIN = "ann@o"
LISTS = DummyLists(regular_users=frozenset({"writer", "plain"}), sync_admins=frozenset({"root"}))
NODE = NodeKey(ORG, "edge", "n1")
_LOCAL = LocalNode(NODE.type, NODE.id, NODE.org)
_CLOUD = cloud_of(ORG)

_SECONDS = 30.0
_THREADS = 4


class OpenDatabase(Protocol):
    def __call__(
        self, *, on_commit: Callable[[frozenset[str]], None], clock: Clock, audience_of: AudienceOf = ...
    ) -> Database: ...


@dataclass(frozen=True)
class Parts:
    """What a node under test is made of; `rows` reads everything its database holds."""

    open_database: OpenDatabase
    payloads: PayloadStore
    rows: Callable[[Database], Rows]
    root: Path
    limits: Limits = field(default_factory=Limits)
    link: Link = field(default_factory=Link)
    clock: Clock = field(default_factory=ManualClock)
    small_payload_bytes: int = 1024
    #: None: the development authenticator, with LISTS.
    authenticator: Callable[[Database], Authenticator] | None = None
    oidc: OidcSettings = field(default_factory=OidcSettings)
    load: Load = field(default_factory=Load)


class NodeUnderTest:
    """One node. Requests come from any thread; replies are what left the application."""

    #: How long a client on the port may take for the head of a request.
    head_seconds = 2.0

    def __init__(self, parts: Parts, service: Service, database: Database, hub: Hub) -> None:
        self.parts = parts
        self.app: ASGIApp = service.doorway
        self.doorway = service.doorway
        self.draining = service.draining
        self.database = database
        self.payloads = parts.payloads
        self.address = ("", 0)
        self._hub = hub
        self._loop = asyncio.new_event_loop()
        self._loop.set_default_executor(ThreadPoolExecutor(_THREADS))
        hub.attach(self._loop)
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def call(
        self,
        method: str,
        target: str,
        body: bytes | str | Sequence[bytes] | dict[str, Any] = b"",
        *,
        actor: str | None = ADMIN,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """One request and its reply. A list of pieces goes in chunked coding, a dict as JSON."""
        reply = self.send(request(method, target, body, actor=actor, headers=headers)).result(_SECONDS)
        assert reply is not None, "the application sent no reply"
        return reply

    def send(self, call: Call) -> Future[Reply | None]:
        """Start a request, to look at its reply later."""
        return asyncio.run_coroutine_threadsafe(call.send(self.app), self._loop)

    def hang_up(self, call: Call) -> None:
        """The client of a request under way closes its connection."""
        self._loop.call_soon_threadsafe(call.ended.set)

    def wake(self, *topics: str) -> None:
        """What a commit that wakes `topics` does."""
        self._hub.publish(topics)

    def put(self, target: str, data: bytes | None = None, **meta: Any) -> Reply:
        """PUT object with metadata that says what the path says, plus `meta` by names on the wire."""
        *_, object_type, object_id = target.split("/")
        return self.call(
            "PUT", target, {"meta": {"objectID": object_id, "objectType": object_type, **meta}} | _data(data)
        )

    def holdings(self) -> Holdings:
        """Everything the node has; equal before and after a request that changed nothing."""
        return holdings(lambda: self.parts.rows(self.database), self.payloads)

    @contextlib.contextmanager
    def served(self) -> Iterator[None]:
        """The node on a free port of 127.0.0.1, at `address`, as the product's server serves it."""
        listener = serving.listen_tcp("127.0.0.1", 0, None)
        # Built as `serve_until_stopped` builds it, which listens to signals and so runs in a main thread only.
        limits = serving.ServingLimits(drain_seconds=1, head_seconds=self.head_seconds, load=self.parts.load)
        server = serving._Server(serving._config(self.app, listener, limits, serving._protocol(limits)))
        running = asyncio.run_coroutine_threadsafe(server.serve([listener.socket]), self._loop)
        try:
            self.address = listener.socket.getsockname()
            yield
        finally:
            self._loop.call_soon_threadsafe(server.leave)
            running.result(_SECONDS)

    def close(self) -> None:
        self._hub.attach(None)
        asyncio.run_coroutine_threadsafe(self._loop.shutdown_default_executor(), self._loop).result(_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self.database.close()


class EdgeUnderTest(NodeUnderTest):
    """An ESS, which no cloud answers; objects arrive by `receive`."""

    def receive(self, object_id: str, data: bytes = b"payload", object_type: str = "t", **members: Any) -> None:
        """An object of the cloud arrives, whole and verified. `members` are metadata by names in Python."""
        key = ObjectKey(ORG, object_type, object_id)
        meta = cloud_metadata(key, object_size=len(data), **members)
        receiver, instance = self._receiver(), meta.instance_id
        reception = self.database.write(lambda uow: receiver.update_arrived(uow, key, meta, _CLOUD))
        if not reception.staged:
            return
        name = payload_name(key, f"arrived-{instance}")
        payload = Payload(name, len(data), hashlib.sha256(data).hexdigest(), is_small=True)
        self.database.write(lambda uow: receiver.data_complete(uow, key, instance, payload, data))

    def hear_of(self, object_id: str, object_type: str = "t", **members: Any) -> None:
        """An update arrives; its data does not."""
        key = ObjectKey(ORG, object_type, object_id)
        meta = cloud_metadata(key, object_size=members.pop("object_size", 10), **members)
        self.database.write(lambda uow: self._receiver().update_arrived(uow, key, meta, _CLOUD))

    def lose(self, object_id: str, object_type: str = "t", **members: Any) -> None:
        """The cloud says that the object is deleted."""
        key = ObjectKey(ORG, object_type, object_id)
        meta = cloud_metadata(key, deleted=True, **members)
        self.database.write(lambda uow: self._receiver().deletion_arrived(uow, key, meta, _CLOUD))

    def _receiver(self) -> Receiver:
        return Receiver(_LOCAL, self.parts.clock.now_ms, lambda: 0.5)


def request(
    method: str,
    target: str,
    body: bytes | str | Sequence[bytes] | dict[str, Any] = b"",
    *,
    actor: str | None = ADMIN,
    headers: Mapping[str, str] | None = None,
) -> Call:
    """A request with credentials of `actor`; `headers` come on top and may say otherwise."""
    if isinstance(body, dict):
        body = json.dumps(body)
    if isinstance(body, str):
        body = body.encode()
    own = {"authorization": basic(actor)} if actor is not None else {}
    every = own | {name.lower(): value for name, value in (headers or {}).items()}
    if isinstance(body, bytes):
        return Call(method, target, [body] if body else [], every, declares=len(body))
    return Call(method, target, body, every, declares=None)


def wait_until(is_so: Callable[[], bool]) -> None:
    """For what happens on other threads; fails when it takes too long."""
    deadline = time.monotonic() + _SECONDS
    while not is_so():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.002)


def a_css(parts: Parts, org: str = "") -> NodeUnderTest:
    """A CSS of many organizations, or of the one it is configured for."""
    hub = Hub()
    database = parts.open_database(on_commit=hub.publish, clock=parts.clock)
    config = CssConfig(
        identity=Identity(org_id=org),
        oidc=parts.oidc,
        load=parts.load,
        limits=parts.limits,
        link=parts.link,
        storage=_storage(parts),
    )
    css = css_app.build(config, database, parts.payloads, _authenticator(parts, database), hub, parts.clock)
    return NodeUnderTest(parts, css, database, hub)


def an_ess(parts: Parts) -> EdgeUnderTest:
    """The ESS NODE."""
    hub = Hub()
    database = parts.open_database(on_commit=hub.publish, clock=parts.clock, audience_of=_LOCAL.audience)
    config = EssConfig(
        identity=Identity(destination_type=NODE.type, destination_id=NODE.id, org_id=ORG),
        oidc=parts.oidc,
        load=parts.load,
        listening=Listening(),
        limits=parts.limits,
        link=parts.link,
        storage=_storage(parts),
    )
    client = CloudClient("http://127.0.0.1:9", NODE, "", "", verify=False, timeouts=Timeouts(1, 1))
    ess = ess_app.build(config, database, parts.payloads, _authenticator(parts, database), client, hub, parts.clock)
    return EdgeUnderTest(parts, ess, database, hub)


def cloud_metadata(key: ObjectKey, **members: Any) -> Metadata:
    """What the cloud says about one of its objects; the first instance unless `members` say otherwise."""
    given = {"instance_id": 1, "data_id": members.get("instance_id", 1), **members}
    return Metadata(
        object_id=key.id,
        object_type=key.type,
        destination_org_id=key.org,
        destination_type=NODE.type,
        destination_id=NODE.id,
        origin_type="Cloud",
        origin_id="Cloud",
        **given,
    )


def _storage(parts: Parts) -> Storage:
    return Storage(root=parts.root, small_payload_bytes=parts.small_payload_bytes)


def _authenticator(parts: Parts, database: Database) -> Authenticator:
    return parts.authenticator(database) if parts.authenticator else DummyAuthenticator(LISTS)


def _data(data: bytes | None) -> dict[str, str]:
    return {} if data is None else {"data": base64.b64encode(data).decode()}
