"""Calls of edges to a cloud under test, as the reference's nodes make them (wire-protocol 2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from common.domain.ids import NodeKey
from tests.support.requests_asgi import Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.node_under_test import NodeUnderTest

EDGE = NodeKey("o", "edge", "n1")
OTHER_EDGE = NodeKey("o", "edge", "n2")
FOREIGN_EDGE = NodeKey("x", "edge", "n1")

#: Far above 2**53, as real instances are.
INSTANCE = 1_795_187_220_163_860_527

OBJECTS = "/spi/v1/objects/"


def as_node(
    css: NodeUnderTest,
    method: str,
    path: str,
    body: bytes | str | Sequence[bytes] | dict[str, Any] = b"",
    *,
    node: NodeKey = EDGE,
    actor: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """A call below /spi/v1/ with the node's own key (or that of `actor`) and its header."""
    every = {"X-Sync-Service-Dest": "/".join(node), **(headers or {})}
    return css.call(method, f"/spi/v1/{path}", body, actor=actor or "/".join(node), headers=every)


def register(css: NodeUnderTest, node: NodeKey = EDGE) -> None:
    """The node is known from now on."""
    assert as_node(css, "PUT", f"register-new/{'/'.join(node)}?persistent-storage=true", node=node).status == 204


def message_path(
    action: str,
    object_id: str = "m1",
    *,
    object_type: str = "t",
    org: str = "o",
    instance: int | str = INSTANCE,
    data_id: int | str = INSTANCE,
) -> str:
    """Below /spi/v1/."""
    return f"objects/{org}/{object_type}/{object_id}/{instance}/{data_id}/{action}"


def announcement(object_id: str = "m1", *, node: NodeKey = EDGE, size: int = 10, **members: Any) -> dict[str, Any]:
    """Metadata of an object of `node`, as the reference's node writes it; `members` by names on the wire."""
    return {
        "objectID": object_id,
        "objectType": "t",
        "destinationOrgID": node.org,
        "destinationID": node.id,
        "destinationType": node.type,
        "destinationsList": None,
        "destinationPolicy": None,
        "expiration": "",
        "version": "",
        "description": "",
        "link": "",
        "inactive": False,
        "activationTime": "",
        "noData": False,
        "metaOnly": False,
        "destinationDataUri": "",
        "sourceDataUri": "",
        "consumers": 1,
        "autodelete": False,
        "originID": node.id,
        "originType": node.type,
        "deleted": False,
        "instanceID": INSTANCE,
        "dataID": INSTANCE,
        "objectSize": size,
        "chunkSize": 5242880,
        "uploadChunkSize": 0,
        "hashAlgorithm": "",
        "publicKey": "",
        "signature": "",
        "public": False,
        "ownerID": f"{node.org}/ann",
        **members,
    }


def announce(css: NodeUnderTest, object_id: str = "m1", **members: Any) -> None:
    """The node registers and tells the cloud of an object, whose data has not come yet."""
    register(css)
    meta = announcement(object_id, **members)
    path = message_path("update", object_id, instance=meta["instanceID"], data_id=meta["dataID"])
    assert as_node(css, "PUT", path, meta).status == 204


def send_up(css: NodeUnderTest, object_id: str = "m1", data: bytes = b"0123456789", **members: Any) -> None:
    """An object of the node arrives in the cloud, whole."""
    announce(css, object_id, size=len(data), **members)
    instance = members.get("instanceID", INSTANCE)
    path = message_path("data", object_id, instance=instance, data_id=instance)
    assert as_node(css, "PUT", path, data).status == 204


def poll(css: NodeUnderTest, node: NodeKey = EDGE) -> list[dict[str, Any]]:
    """Everything due for the node; an empty list when nothing is."""
    reply = as_node(css, "GET", "objects/", node=node)
    if reply.status == 204:
        assert reply.body == b""
        return []
    assert reply.status == 200
    items: list[dict[str, Any]] = reply.json()
    return items


@contextmanager
def nothing_changes(node: NodeUnderTest) -> Iterator[None]:
    """Whatever the block asks for leaves every table and the payload store as they were."""
    before = node.holdings()
    yield
    assert node.holdings() == before
