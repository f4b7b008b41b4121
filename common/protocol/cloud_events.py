"""CloudEvents 1.0 in structured JSON: what webhooks of that format are told."""

from __future__ import annotations

from urllib.parse import quote

import msgspec

from common.domain.ids import ObjectKey
from common.domain.instants import format_instant

CONTENT_TYPE = "application/cloudevents+json"
OBJECT_RECEIVED = "edgesync.object.received"


class _Event(msgspec.Struct, frozen=True):
    specversion: str
    id: str
    source: str
    type: str
    subject: str
    time: str
    datacontenttype: str
    data: msgspec.Raw


def object_received(
    event_id: int, key: ObjectKey, node_type: str, node_id: str, metadata_json: bytes, at_ms: int
) -> bytes:
    """The data of an object is complete on this node; `metadata_json` becomes the event's data."""
    event = _Event(
        specversion="1.0",
        id=str(event_id),
        source=_path(key.org, node_type, node_id),
        type=OBJECT_RECEIVED,
        subject=_path(key.type, key.id).removeprefix("/"),
        time=format_instant(at_ms),
        datacontenttype="application/json",
        data=msgspec.Raw(metadata_json),
    )
    return msgspec.json.encode(event)


def _path(*names: str) -> str:
    return "".join(f"/{quote(name, safe='')}" for name in names)
