"""Two organizations with the same names on one cloud: whatever one does at the other's addresses, it learns nothing."""

from __future__ import annotations

import base64
import json
import re
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.access_matrix import Row, rows
from tests.support.deployment import write_preset
from tests.support.service_process import HOST, Service, free_port

OURS, THEIRS = "o", "x"
#: In everything the other organization keeps to itself.
SECRET = "THEIRS-ALONE"
LARGE = (SECRET * 20_000).encode()
ROLES = ("admin", "user", "service", "node")
_PASSWORD = "not-a-secret"
_STREAM_SECONDS = 0.5


@dataclass
class Tenants:
    """A cloud, and what the organization THEIRS has in it."""

    cloud: Service
    http: httpx.Client
    instances: dict[str, str] = field(default_factory=dict)

    def ask(self, key: str, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
        """Status, and every byte of the reply; of one that does not end, what came in a while."""
        raw, status = bytearray(), 0
        seconds = _STREAM_SECONDS if "event" in f"{path}{headers}" else 20
        with (
            suppress(httpx.ReadTimeout),
            self.http.stream(
                method,
                path,
                content=body or None,
                auth=(key, _PASSWORD),
                headers=headers,
                timeout=httpx.Timeout(20, read=seconds),
            ) as response,
        ):
            status = response.status_code
            raw += repr(response.headers.raw).encode()
            for piece in response.iter_raw():
                raw += piece
        return status, bytes(raw)

    def give(self, path: str, body: object, method: str = "PUT", key: str = f"{THEIRS}-admin") -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        status, said = self.ask(key, method, path, content)
        assert status in (200, 204), (path, said)

    def everything_of_theirs(self) -> list[bytes]:
        """As their administrator sees it."""
        paths = [
            "objects/x/t?all_objects=true", "objects/x?filters=true", "objects/x/t/m1/data", "objects/x/t/large/data", "objects/x/t/m1/destinations",
            "destinations/x", "destinations/x/edge/n1/objects", "destinations/x/edge/n1/labels", "groups/x", "groups/x/lab", "placement/x",
            "security/objects/x?key=t", "security/objects/x?all_keys=true", "security/destinations/x", "webhooks/x", "organizations",
        ]  # fmt: skip
        return [
            re.sub(rb"\(b'date', b'[^']*'\)", b"", self.ask("x-admin", "GET", f"/api/v1/{path}")[1]) for path in paths
        ]


@pytest.fixture(scope="module")
def tenants() -> Iterator[Tenants]:
    with tempfile.TemporaryDirectory(prefix="edgesync-") as directory:
        settings = {
            "NodeType": "CSS",
            "ListeningAddress": HOST,
            "AuthenticationHandler": "preset",
            "ListeningType": "unsecure",
            "UnsecureListeningPort": free_port(),
        }
        cloud = Service("css", "css", Path(directory) / "css", settings)
        write_preset(cloud.state_directory, {"credentials": dict(accounts())})
        try:
            cloud.start()
            with httpx.Client(base_url=cloud.base_url) as http:
                tenants = Tenants(cloud, http)
                fill(tenants)
                yield tenants
        finally:
            cloud.kill()


def accounts() -> Iterator[tuple[str, dict[str, str]]]:
    """The same in both organizations."""
    names = {"admin": "ann", "user": "plain", "service": "svc/1.0.0/camera", "node": "edge/n1"}
    types = {"node": "edgenode"}
    for org in (OURS, THEIRS):
        for role, name in names.items():
            entry = {"type": types.get(role, role), "orgID": org, "username": name, "secret": _PASSWORD}
            yield f"{org}-{role}", entry


def fill(tenants: Tenants) -> None:
    """Both get the same; theirs has the secret in it wherever there is room."""
    for org, word in ((OURS, "ours"), (THEIRS, SECRET)):
        admin, node = f"{org}-admin", f"{org}-node"
        header: dict[str, Any] = {"x-sync-service-dest": f"{org}/edge/n1"}
        assert tenants.ask(node, "PUT", f"/spi/v1/register-new/{org}/edge/n1", **header)[0] == 204
        tenants.give(f"/api/v1/organizations/{org}", {"orgID": org, "address": word, "password": word}, key=admin)
        entry = {"Username": word, "ACLUserType": "user", "ACLRole": "aclWriter"}
        everybody = {"Username": "*", "ACLUserType": "user", "ACLRole": "aclWriter"}
        for family, key in (("objects", "t"), ("objects", "*"), ("destinations", "*")):
            tenants.give(
                f"/api/v1/security/{family}/{org}/{key}", {"action": "add", "users": [entry, everybody]}, key=admin
            )
        tenants.give(f"/api/v1/groups/{org}/lab", {"expression": f"site == '{word}'"}, key=admin)
        tenants.give(f"/api/v1/groups/{org}/{word}", {"members": ["edge:n1"]}, key=admin)
        tenants.give(f"/api/v1/destinations/{org}/edge/n1/labels", {"site": word}, key=admin)
        hook = {
            "action": "register",
            "url": f"https://93.184.215.14/{word}",
            "secret": f"whsec_{base64.b64encode(word.encode()).decode()}",
        }
        tenants.give(f"/api/v1/objects/{org}/t", hook, key=admin)
        for object_id in ("m1", "large", word):
            meta = {
                "objectID": object_id,
                "objectType": "t",
                "destinationType": "edge",
                "destinationID": "n1",
                "description": word,
            }
            tenants.give(
                f"/api/v1/objects/{org}/t/{object_id}",
                {"meta": meta, "data": base64.b64encode(word.encode()).decode()},
                key=admin,
            )
        tenants.give(f"/api/v1/objects/{org}/t/large/data", LARGE if org == THEIRS else b"ours" * 20_000, key=admin)
        _, raw = tenants.ask(admin, "GET", f"/api/v1/objects/{org}/t/m1")
        tenants.instances[org] = re.findall(rb'"instanceID":(\d+)', raw)[0].decode()


def addressed_to_theirs(row: Row, tenants: Tenants) -> Iterator[str]:
    """The row's address in their organization, for an object that both have and for one that only they have."""
    path = re.sub(r"(?<=/)o(?=[/?]|$)", THEIRS, row.target)
    for name in ("m1", "large", SECRET):
        for org in (OURS, THEIRS):
            instance = tenants.instances[org]
            filled = re.sub(r"\{(up)?instance\}", instance, path)
            filled = filled.replace("agent_upgrade_manifests", "t").replace("{group}", "lab")
            yield re.sub(r"\{[a-z]+\}", name, filled)
            if "instance}" not in path:
                break
        if "{" not in path:
            break


@dataclass(frozen=True)
class Attempt:
    """One call by an account of OURS."""

    role: str
    method: str
    path: str
    headers: dict[str, str]
    content: bytes

    @property
    def aims_at_theirs(self) -> bool:
        """Of what a node calls itself, the cloud looks at the header only."""
        about_itself = ("/spi/v1/register", "/spi/v1/ping", "/spi/v1/unregister")
        return bool(re.search(r"/x(?=[/?]|$)", self.path)) and not self.path.startswith(about_itself)


def attempts(tenants: Tenants) -> Iterator[Attempt]:
    """Every operation there is, by every kind of account, with every identity a node could claim."""
    for row in rows():
        if not row.is_cloud or "shutdown" in row.path:
            continue
        for path in dict.fromkeys(addressed_to_theirs(row, tenants)):
            is_spi = path.startswith("/spi/")
            content = body_of(row, path).encode() if row.method in ("PUT", "POST", "PATCH") else b""
            accept = {"accept": row.accept} if row.accept else {}
            for role in ROLES:
                for org in (OURS, THEIRS) if is_spi else (OURS,):
                    claimed = {"x-sync-service-dest": f"{org}/edge/n1"} if is_spi else {}
                    yield Attempt(role, row.method, path, claimed | accept, content)


def body_of(row: Row, path: str) -> str:
    """What the row sends; where that depends on the object, metadata as their own node or application would send it."""
    if row.path.startswith("/spi/") and row.body.startswith("{"):
        return forged(path)
    if row.body[:1] in ("[", "{") and "{id}" not in row.body:
        return row.body
    return json.dumps({"meta": {"objectID": path.rsplit("/", maxsplit=1)[-1].partition("?")[0], "objectType": "t"}})


@pytest.mark.timeout(300)
def test_nothing_of_the_other_tenant_is_told_or_changed(tenants: Tenants) -> None:
    before = tenants.everything_of_theirs()
    leaked_bytes, done, failed, calls = 0, [], [], 0
    for attempt in attempts(tenants):
        status, said = tenants.ask(
            f"{OURS}-{attempt.role}", attempt.method, attempt.path, attempt.content, **attempt.headers
        )
        calls += 1
        leaked_bytes += said.count(SECRET.encode()) * len(SECRET)
        if status >= 500:
            failed.append(attempt)
        if attempt.aims_at_theirs and 200 <= status < 300 and not is_list_of_public_objects(said):
            done.append(attempt)

    assert calls > 500
    assert leaked_bytes == 0
    assert done == []
    assert failed == []
    assert tenants.everything_of_theirs() == before


def is_list_of_public_objects(said: bytes) -> bool:
    """Of which there are none: an empty list, or a stream without events."""
    return said.endswith(b"[]") or b"text/event-stream" in said


def forged(path: str) -> str:
    """Metadata as their own node would send it."""
    parts = path.split("/")
    meta = {
        "objectID": parts[6] if len(parts) > 6 else "m1",
        "objectType": "t",
        "destinationOrgID": THEIRS,
        "originID": "n1",
        "originType": "edge",
        "instanceID": int(parts[7]) if len(parts) > 7 else 1,
        "objectSize": 10,
    }
    return json.dumps(meta)


def test_both_have_what_is_theirs(tenants: Tenants) -> None:
    for org, word in ((OURS, b"ours"), (THEIRS, SECRET.encode())):
        assert tenants.ask(f"{org}-admin", "GET", f"/api/v1/objects/{org}/t/m1/data")[1].endswith(word)
        assert tenants.ask(f"{org}-admin", "GET", f"/api/v1/objects/{org}/t/large/data")[1].endswith(word * 100)
        header: dict[str, Any] = {"x-sync-service-dest": f"{org}/edge/n1"}
        _, polled = tenants.ask(f"{org}-node", "GET", "/spi/v1/objects/", **header)
        assert (SECRET.encode() in polled) is (org == THEIRS)
