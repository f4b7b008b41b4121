"""A cloud of one or more replicas and its edges, as their composition roots build them, in one seed's order and time."""

from __future__ import annotations

import base64
import hashlib
import random as global_random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from unittest.mock import patch

from common.domain.ids import NodeKey
from common.domain.publishing import LocalNode
from common.runtime import blocking_intake, housekeeping, intake
from common.runtime.authentication.dummy import DummyAuthenticator, DummyLists
from common.runtime.config.identity import Identity
from common.runtime.config.link import Link as LinkSettings
from common.runtime.config.listening import Listening
from common.runtime.config.storage import Storage
from common.sync import fan_out as fan_outs
from common.sync import reviews
from common.sync.ports import Database
from css import app as css_app
from css.config import CssConfig
from css.transports import node_data, polling
from css.workers import fan_out
from ess import app as ess_app
from ess.config import EssConfig
from ess.transports.http import CloudClient, Timeouts
from ess.workers import fetcher
from ess.workers.fetcher import Fetcher
from tests.simulation.network import Answer, Faults, Link, ask
from tests.simulation.processes import InlineExecutor, Process, ProcessDatabase, ProcessPayloads, Troubles
from tests.simulation.scheduler import Scheduler
from tests.support.manual_clock import NOW_MS
from tests.support.memory_store import MemoryDatabase
from tests.support.payloads import MemoryPayloadStore

ORG = "o"
ADMIN = "ann@o"
SMALL_BYTES = 24
CHUNK_BYTES = 90

OpenDatabase = Callable[["Machine"], Database]


class MachineClock:
    """`ports.Clock` of one machine: everybody's time passes alike, but its calendar may be wrong."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self.error_ms = 0

    def now_ms(self) -> int:
        return NOW_MS + self.error_ms + int(self._scheduler.now * 1000)

    def monotonic(self) -> float:
        return self._scheduler.now


class Machine:
    """What outlives a process: disk, clock, name."""

    def __init__(self, name: str, local: LocalNode, scheduler: Scheduler, open_database: OpenDatabase) -> None:
        self.name = name
        self.local = local
        self.clock = MachineClock(scheduler)
        self._open_database = open_database
        self._scheduler = scheduler
        self.wipes = 0
        self.wipe_disk()

    def wipe_disk(self) -> None:
        self.database = self._open_database(self)
        self.payloads = MemoryPayloadStore(clock=lambda: NOW_MS / 1000 + self._scheduler.now)


@dataclass
class Edge:
    """One edge: its machine, its link, and the process if it runs."""

    node: NodeKey
    machine: Machine
    link: Link
    process: Process | None = None

    @property
    def name(self) -> str:
        return self.node.id


class World:
    """Everything there is."""

    def __init__(self, seed: int, open_database: OpenDatabase | None = None) -> None:
        self.random = Random(seed)
        global_random.seed(seed)  # production code draws its jitter there
        self.scheduler = Scheduler(Random(seed + 1))
        self.faults = Faults()
        self.troubles = Troubles(Random(seed + 2))
        self._open_database = open_database or _in_memory
        self.cloud_machine = Machine("cloud", LocalNode(), self.scheduler, self._open_database)
        self.replicas: list[Process | None] = [None]
        self.edges: list[Edge] = []
        self._runs = 0
        self._asked = 0

    @property
    def machines(self) -> list[Machine]:
        return [self.cloud_machine, *(edge.machine for edge in self.edges)]

    def machine_of(self, name: str) -> Machine:
        """By the name of an edge; empty for the cloud."""
        return next((edge.machine for edge in self.edges if edge.name == name), self.cloud_machine)

    def add_edge(self, node: NodeKey) -> Edge:
        local = LocalNode(node.type, node.id, node.org)
        machine = Machine(node.id, local, self.scheduler, self._open_database)
        link = Link(node.id, self.scheduler, Random(self.random.random()), self.faults, self.any_replica)
        edge = Edge(node, machine, link)
        self.edges.append(edge)
        return edge

    def any_replica(self) -> Process | None:
        alive = [each for each in self.replicas if each is not None]
        return self.random.choice(alive) if alive else None

    def start_replica(self, index: int) -> None:
        process = self._process(f"cloud{index}", self.replicas)
        machine = self.cloud_machine
        config = CssConfig(link=_LINK, storage=_STORAGE)
        database = ProcessDatabase(machine.database, process)
        payloads = ProcessPayloads(machine.payloads, process)
        service = css_app.build(config, database, payloads, _AUTHENTICATOR, process.hub, machine.clock)
        process.serve(service)
        self.replicas[index] = process

    def stop_replica(self, index: int) -> None:
        process = self.replicas[index]
        if process is not None:
            self.replicas[index] = None
            process.die()

    def start_edge(self, edge: Edge) -> None:
        process = self._process(edge.name, None)
        machine = edge.machine
        node = edge.node
        config = EssConfig(
            identity=Identity(destination_type=node.type, destination_id=node.id, org_id=node.org),
            listening=Listening(),
            link=_LINK,
            storage=_STORAGE,
        )
        timeouts = Timeouts(control_seconds=20, data_seconds=20)
        client = CloudClient("http://127.0.0.1:9", node, str(node), "", verify=False, timeouts=timeouts)
        client._client._transport = edge.link
        database = ProcessDatabase(machine.database, process)
        payloads = ProcessPayloads(machine.payloads, process)
        service = ess_app.build(config, database, payloads, _AUTHENTICATOR, client, process.hub, machine.clock)
        for worker in service.workers:
            owner = getattr(worker._turn, "__self__", None)
            if isinstance(owner, Fetcher):
                owner._writer_thread = InlineExecutor()  # type: ignore[assignment]
        process.serve(service)
        edge.process = process

    def stop_edge(self, edge: Edge) -> None:
        if edge.process is not None:
            process, edge.process = edge.process, None
            process.die()

    def wipe_edge(self, edge: Edge) -> None:
        """The edge gets a new disk."""
        self.stop_edge(edge)
        edge.machine.wipe_disk()
        edge.machine.wipes += 1

    def ask_cloud(self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Answer:
        """A request of an application of the cloud; `path` comes behind the organization. Raises NobodyThere."""
        return self._ask(self.any_replica(), "app cloud", method, f"/api/v1/objects/{ORG}/{path}", body, headers)

    def administer(self, method: str, path: str, body: bytes = b"") -> Answer:
        """A request of an administrator of the cloud; `path` comes behind the version. Raises NobodyThere."""
        return self._ask(self.any_replica(), "admin cloud", method, f"/api/v1/{path}", body, None)

    def ask_edge(
        self, edge: Edge, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> Answer:
        return self._ask(edge.process, f"app {edge.name}", method, f"/api/v1/objects/{path}", body, headers)

    def close(self) -> None:
        for index in range(len(self.replicas)):
            self.stop_replica(index)
        for edge in self.edges:
            self.stop_edge(edge)
        self.scheduler.close()
        for machine in self.machines:
            machine.database.close()

    def _ask(
        self,
        process: Process | None,
        who: str,
        method: str,
        target: str,
        body: bytes,
        headers: dict[str, str] | None,
    ) -> Answer:
        self._asked += 1
        self.scheduler.pause()
        return ask(process, f"{who} {self._asked:06}", method, target, {**_BASIC, **(headers or {})}, body)

    def _process(self, name: str, replicas: list[Process | None] | None) -> Process:
        self._runs += 1
        return Process(f"{name}#{self._runs}", self.scheduler, self.troubles, replicas)


def _in_memory(machine: Machine) -> Database:
    return MemoryDatabase(on_commit=lambda topics: None, clock=machine.clock)


_AUTHENTICATOR = DummyAuthenticator(DummyLists())
_BASIC = {"authorization": f"Basic {base64.b64encode(f'{ADMIN}:x'.encode()).decode()}"}
_STORAGE = replace(Storage(), root=Path("/nonexistent"), small_payload_bytes=SMALL_BYTES)
_LINK = replace(
    LinkSettings(), poll_wait_seconds=15, poll_interval_seconds=2, chunk_bytes=CHUNK_BYTES, downloads_per_cpu=2
)


@contextmanager
def scaled_down(*, inline_fan_out_nodes: int, page: int) -> Iterator[None]:
    """Everything that matters only at sizes a simulation does not have, at sizes it has."""
    with (
        patch.object(fan_outs, "INLINE_FAN_OUT_NODES", inline_fan_out_nodes),
        patch.object(fan_out, "PAGE", page),
        patch.object(reviews, "PAGE", page),
        patch.object(polling, "MAX_ITEMS", 4),
        patch.object(fetcher, "LARGE_BYTES", 300),
        patch.object(intake, "_BATCH_BYTES", 30),
        patch.dict(intake.receive.__kwdefaults__, {"flush_every_bytes": 100}),
        patch.object(blocking_intake, "_BATCH_BYTES", 30),
        patch.dict(blocking_intake.receive_blocking.__kwdefaults__, {"flush_every_bytes": 100}),
        patch.object(node_data, "FLUSH_EVERY_BYTES", 100),
        patch.object(housekeeping, "GRACE_MS", 60_000),
        patch.object(housekeeping, "ORPHAN_AGE_SECONDS", 300),
        patch.object(housekeeping, "_TURN_SECONDS", 10.0),
        patch.object(housekeeping, "_SWEEP_SECONDS", 60.0),
    ):
        yield


def digest_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
