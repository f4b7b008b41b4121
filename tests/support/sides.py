"""A cloud's and an edge's engine on in-memory stores and a clock that stands still."""

from __future__ import annotations

from dataclasses import dataclass, field

from common.domain.ids import NodeKey, ObjectKey
from common.domain.metadata import Metadata
from common.domain.objects import SyncObject
from common.domain.publishing import LocalNode, completed
from common.sync.engine import Engine
from common.sync.reviews import Reviews
from common.sync.revision import PutObject
from common.sync.sender import Outgoing
from css.services.registration import Registration
from tests.support.manual_clock import NOW_MS, ManualClock
from tests.support.memory_store import MemoryDatabase

ORG = "o"


def key(name: str = "o1") -> ObjectKey:
    return ObjectKey(ORG, "model", name)


def node(name: str, node_type: str = "edge") -> NodeKey:
    return NodeKey(ORG, node_type, name)


@dataclass
class Side:
    """One node's engine. Calls are transactions."""

    local: LocalNode
    clock: ManualClock = field(default_factory=lambda: ManualClock(NOW_MS))

    def __post_init__(self) -> None:
        self.woken: set[str] = set()
        self.database = MemoryDatabase(on_commit=self.woken.update, clock=self.clock, audience_of=self.local.audience)
        self.reviews = Reviews(self.clock.now_ms)
        published = self.reviews.policy_published if self.local.is_cloud else None
        engine = Engine(self.local, self.clock.now_ms, lambda: 0.5, lambda: "token", published=published)
        self.fan_outs = engine.fan_outs
        self.publisher = engine.publisher
        self.lifecycle = engine.lifecycle
        self.placement = engine.placement
        self.sender = engine.sender
        self.receiver = engine.receiver
        self.registration = Registration(self.clock.now_ms)

    def put(self, name: str = "o1", data: bytes | None = b"v1", **meta: object) -> SyncObject:
        """Publish; raises what the command was refused with."""
        return self.put_many(self.command(name, data, **meta))[0]

    def command(self, name: str = "o1", data: bytes | None = b"v1", **meta: object) -> PutObject:
        members = Metadata(object_id=name, object_type="model", **meta)  # type: ignore[arg-type]
        return PutObject(key(name), completed(members, key(name), self.local, "o/ann", 1000, self.clock.now_ms()), data)

    def put_many(self, *commands: PutObject) -> list[SyncObject]:
        results = self.database.write(lambda uow: self.publisher.put_many(uow, commands))
        for result in results:
            if not isinstance(result, SyncObject):
                raise result
        return [result for result in results if isinstance(result, SyncObject)]

    def register(self, *nodes: NodeKey) -> None:
        for each in nodes:
            self.database.write(
                lambda uow, each=each: self.registration.register_new(  # type: ignore[misc]
                    uow, each, is_persistent=True, capabilities=frozenset()
                )
            )

    def poll(self, to: NodeKey) -> list[Outgoing]:
        return self.database.write(lambda uow: self.sender.claim(uow, to, limit=100))

    def destinations(self, name: str = "o1") -> dict[str, str]:
        deliveries = self.database.read(lambda uow: self.fan_outs.destinations(uow, key(name)))
        return {str(each.node.id): each.status_word for each in deliveries}

    def find(self, name: str = "o1") -> SyncObject | None:
        return self.database.read(lambda uow: uow.objects.find(key(name)))
