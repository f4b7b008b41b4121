"""Applications: those that publish, those that use up what arrives, and whoever pulls the plugs."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from random import Random
from typing import Any

from common.domain.addressing import GROUP_TYPE, Audience, AudienceKind, group_audience
from common.domain.ids import NodeKey, ObjectKey
from common.domain.instants import format_instant
from common.domain.objects import ObjectStatus
from tests.simulation.model import History, Model
from tests.simulation.network import Answer, NobodyThere
from tests.simulation.world import ORG, Edge, World, digest_of

TYPES = ("model", "config")

Ask = Callable[..., Answer]


class Publisher:
    """Publishes versions of one object, one after the other, and repeats each request until it has an answer."""

    def __init__(
        self, world: World, history: History, ask: Ask, random: Random, audiences: list[dict[str, Any]]
    ) -> None:
        self._world = world
        self._history = history
        self._ask = ask
        self._random = random
        self._audiences = audiences
        self._pace_seconds = random.choice([0.1, 2.0, 6.0])
        self._count = 0
        self.is_done = False

    def run(self, delay_seconds: float, requests: int) -> None:
        self._world.scheduler.sleep(delay_seconds)
        for _ in range(requests):
            self._world.scheduler.sleep(self._random.expovariate(1 / self._pace_seconds))
            if self._history.is_lost:
                break
            actions = {
                self._put: 8,
                self._put_in_two_steps: 5,
                self._put_metadata_only: 3,
                self._replace_data: 3,
                self._delete: 4,
            }
            if not self._history.owner:
                actions |= {self._put_inactive: 3, self._put_for_a_time: 1, self._place: 4}
            self._random.choices(list(actions), list(actions.values()))[0]()
        self.is_done = True

    def _put(self) -> None:
        kind = self._random.choice(["data", "data", "data", "noData", "link"])
        if kind == "data":
            self._put_object(self._new_data())
        elif kind == "noData":
            self._put_object(None, noData=True)
        else:
            self._put_object(None, link="elsewhere")

    def _put_in_two_steps(self) -> None:
        if self._put_object(None):
            self._replace_data()

    def _put_inactive(self) -> None:
        """Activated by the clock, by hand, or by a later version."""
        if self._random.random() < 0.5:
            self._put_timed(inactive=True, activationTime=self._soon())
        elif self._put_object(self._new_data(), inactive=True) and self._random.random() < 0.7:
            self._world.scheduler.sleep(self._random.uniform(0, 5))
            if self._random.random() < 0.3:
                self._replace_data()
            self._insist("PUT", "/activate")

    def _put_for_a_time(self) -> None:
        self._history.expires = True
        self._put_timed(expiration=self._soon())

    def _put_timed(self, **members: Any) -> None:
        """A time that has passed, by some clock, when a request is repeated is refused: whether it was stored before stays open."""
        if not self._put_object(self._new_data(), **members):
            self._put_object(self._new_data())

    def _soon(self) -> str:
        return format_instant(self._world.cloud_machine.clock.now_ms() + self._random.choice([5_000, 20_000, 60_000]))

    def _place(self) -> None:
        """Only nodes that have registered can be named; whether they all have decides the answer."""
        history = self._history
        if history.label is None:
            return
        edges = self._world.edges
        nodes = frozenset(edge.node for edge in self._random.sample(edges, self._random.randint(0, len(edges))))
        history.may_be_placed(history.label, nodes)
        body = json.dumps([f"{node.type}:{node.id}" for node in sorted(nodes)]).encode()
        if self._insist("PUT", "/destinations", body) == 204:
            history.placed = nodes

    def _put_metadata_only(self) -> None:
        self._put_object(None, metaOnly=True)

    def _replace_data(self) -> None:
        history = self._history
        if history.label is None:
            return
        data = self._new_data()
        history.digests[history.label].add(digest_of(data))
        put = self._put_pieces if len(data) > 60 and self._random.random() < 0.6 else self._put_whole
        if put(data):
            history.digest = digest_of(data)
            self._check_stored()

    def _delete(self) -> None:
        if self._history.label is None:
            return
        assert self._insist("DELETE", "") in (204, 404, 400) or self._history.is_lost
        self._history.label = self._history.digest = self._history.placed = None

    def _put_object(self, data: bytes | None, **members: Any) -> bool:
        history = self._history
        self._count += 1
        label = f"{history.key.id}.{self._count}"
        addressing = self._random.choice(self._audiences)
        digest = None if data is None else digest_of(data)
        history.may_appear(label, _audience(addressing, history), digest)
        history.comes_again = history.comes_again or addressing.get("destinationType") == GROUP_TYPE
        if members.get("metaOnly") and history.digest is not None:
            history.may_appear(label, _audience(addressing, history), history.digest)
        meta = {
            "objectID": history.key.id,
            "objectType": history.key.type,
            "version": label,
            "consumers": self._random.choice([1, 1, 2]),
            **addressing,
            **members,
        }
        body: dict[str, Any] = {"meta": meta}
        if data is not None:
            body["data"] = base64.b64encode(data).decode()
        if self._insist("PUT", "", json.dumps(body).encode()) != 204:
            return False
        history.label, history.placed = label, None
        if not members.get("metaOnly"):
            history.digest = digest
        self._check_stored()
        return True

    def _put_whole(self, data: bytes) -> bool:
        return self._insist("PUT", "/data", data) == 204

    def _put_pieces(self, data: bytes) -> bool:
        *starts, last = range(0, len(data), 50)
        if self._random.random() < 0.5:
            self._random.shuffle(starts)
        if self._random.random() < 0.3:
            starts.append(starts[0])
        # The last piece comes last: without an id of the upload, a repeat of the piece that completed it could not be
        # told from the beginning of the next one.
        starts.append(last)
        statuses = []
        for start in starts:
            piece = data[start : start + 50]
            header = {"content-range": f"bytes {start}-{start + len(piece) - 1}/{len(data)}"}
            statuses.append(self._insist("PUT", "/data", piece, header))
            self._world.scheduler.pause()
        return all(status == 204 for status in statuses)

    def _check_stored(self) -> None:
        """What was acknowledged exists at the owner."""
        history = self._history
        if history.is_lost:
            return
        machine = self._world.machine_of(history.owner)
        item = machine.database.read(lambda uow: uow.objects.find(history.key))
        if history.expires and (item is None or item.status is ObjectStatus.DELETED):
            return
        assert item is not None, f"{history.key}: acknowledged, but not there"
        assert item.meta.version == history.label, f"{history.key}: {item.meta.version} instead of {history.label}"
        digest = item.payload.digest if item.payload else None
        if digest is None:
            history.digest = None  # metadata only of an object without data, or consumed by the cloud
        assert digest == history.digest, f"{history.key}: other data than acknowledged"

    def _insist(self, method: str, operation: str, body: bytes = b"", headers: dict[str, str] | None = None) -> int:
        key = self._history.key
        while True:
            try:
                answer = self._ask(method, f"{key.type}/{key.id}{operation}", body, headers)
                if answer.status < 500 and answer.status != 429:
                    return answer.status
            except NobodyThere:
                if self._history.is_lost:
                    return 0
            self._world.scheduler.sleep(self._random.uniform(0.2, 3))

    def _new_data(self) -> bytes:
        size = self._random.choice([0, 1, 10, 24, 25, 90, 91, 150, 350, 700])
        return self._random.randbytes(size)


class Application:
    """Looks for what is new, reads it, and acknowledges it sooner or later."""

    def __init__(self, world: World, model: Model, edge: Edge | None, ask: Ask, random: Random) -> None:
        self._world = world
        self._model = model
        self._edge = edge
        self._ask = ask
        self._random = random
        self._used_up: set[tuple[ObjectKey, int, bool]] = set()
        self._newest: dict[ObjectKey, int] = {}
        self.is_diligent = False

    def forget(self) -> None:
        """The node starts from nothing, and so does its application."""
        self._used_up.clear()
        self._newest.clear()

    def run(self) -> None:
        idle_seconds = 1.0
        while True:
            self._world.scheduler.sleep(self._random.uniform(0.2, idle_seconds if self.is_diligent else 6))
            idle_seconds = min(idle_seconds * 1.3, 300)
            try:
                for object_type in TYPES:
                    if self._look(object_type):
                        idle_seconds = 1.0
            except NobodyThere:
                continue

    def _look(self, object_type: str) -> bool:
        """Whether there was anything to do."""
        answer = self._ask("GET", f"{object_type}?received=true")
        if answer.status != 200:
            return False
        has_work = False
        for meta in json.loads(answer.body):
            key = ObjectKey(ORG, object_type, meta["objectID"])
            self._check_told(key, meta)
            has_work = has_work or meta["deleted"] or not _is_kept(meta["version"])
            if self.is_diligent or self._random.random() < 0.6:
                self._use(key, meta)
        return has_work

    def _check_told(self, key: ObjectKey, meta: dict[str, Any]) -> None:
        where, instance = f"{key} at {self._where}", meta["instanceID"]
        assert instance >= self._newest.get(key, 0), f"{where} goes back from {self._newest[key]} to {instance}"
        self._newest[key] = instance
        told = (key, instance, meta["deleted"])
        history = self._model.histories.get(key)
        assert history is not None, f"{where} was never published"
        assert told not in self._used_up or history.comes_again, f"{where}: {instance} again, after it was acknowledged"
        if self._edge is not None and not meta["deleted"]:
            is_for_it = self._model.may_see(history, meta["version"], self._edge.node)
            assert is_for_it, f"{where}: {meta['version']} is not addressed to it"

    def _use(self, key: ObjectKey, meta: dict[str, Any]) -> None:
        path, instance = f"{key.type}/{key.id}", meta["instanceID"]
        if meta["deleted"]:
            if self._ask("PUT", f"{path}/deleted").status == 204 and meta["consumers"] == 1:
                self._used_up.add((key, instance, meta["deleted"]))
            return
        self._check_data(key, meta)
        if _is_kept(meta["version"]):
            self._ask("PUT", f"{path}/received")
            return
        if self._random.random() < 0.3:
            self._ask("PUT", f"{path}/received")
        if self._edge is None and self._random.random() < 0.2:
            if self._ask("DELETE", path).status == 204:
                self._used_up.add((key, instance, meta["deleted"]))
        elif self._ask("PUT", f"{path}/consumed").status == 204 and meta["consumers"] == 1:
            self._used_up.add((key, instance, meta["deleted"]))

    def _check_data(self, key: ObjectKey, meta: dict[str, Any]) -> None:
        path = f"{key.type}/{key.id}"
        answer = self._ask("GET", f"{path}/data")
        again = self._ask("GET", path)
        if again.status != 200 or json.loads(again.body)["instanceID"] != meta["instanceID"] or answer.status == 0:
            return  # another version came in between
        allowed = self._model.histories[key].digests[meta["version"]]
        found = digest_of(answer.body) if answer.status == 200 else None
        assert found in allowed, f"{key} at {self._where}: data of another version ({answer.status})"

    @property
    def _where(self) -> str:
        return self._edge.name if self._edge else "cloud"


class Administrator:
    """Defines a group anew from time to time."""

    def __init__(self, world: World, model: Model, name: str, random: Random) -> None:
        self._world = world
        self._model = model
        self._name = name
        self._random = random
        self.is_done = False

    def run(self, definitions: int) -> None:
        for _ in range(definitions):
            edges = self._world.edges
            members = frozenset(edge.node for edge in self._random.sample(edges, self._random.randint(0, len(edges))))
            self._model.ever_members.setdefault(self._name, set()).update(members)
            body = json.dumps({"members": [f"{node.type}:{node.id}" for node in sorted(members)]}).encode()
            while not self._is_defined(body):
                self._world.scheduler.sleep(self._random.uniform(0.2, 3))
            self._model.members[self._name] = members
            self._world.scheduler.sleep(self._random.expovariate(1 / 15))
        self.is_done = True

    def _is_defined(self, body: bytes) -> bool:
        try:
            return self._world.administer("PUT", f"groups/{ORG}/{self._name}", body).status == 204
        except NobodyThere:
            return False


def _is_kept(label: str) -> bool:
    """Some versions are never consumed."""
    return int(label.rpartition(".")[2]) % 3 == 0


def _audience(addressing: dict[str, Any], history: History) -> Audience:
    if history.owner:
        return Audience(ORG, AudienceKind.NODE, "Cloud", "Cloud")
    if "destinationsList" in addressing:
        nodes = tuple(NodeKey(ORG, *text.split(":")) for text in addressing["destinationsList"])
        return Audience(ORG, AudienceKind.LIST, nodes=nodes)
    if addressing.get("destinationType") == GROUP_TYPE:
        return group_audience(ORG, addressing["destinationID"])
    if "destinationID" in addressing:
        return Audience(ORG, AudienceKind.NODE, addressing["destinationType"], addressing["destinationID"])
    if "destinationType" in addressing:
        return Audience(ORG, AudienceKind.TYPE, addressing["destinationType"])
    return Audience(ORG, AudienceKind.EVERYONE)
