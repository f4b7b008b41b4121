"""Paths, headers and capabilities of the HTTP link, used by both its ends (wire-protocol 2.1, 8.2)."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote

from common.domain.errors import InvalidRequest
from common.domain.ids import NodeKey, ObjectKey

PREFIX = "/spi/v1"
POLL_PATH = f"{PREFIX}/objects/"

RESEND = "resend"

ENROL_PATH = f"{PREFIX}/enrol"
RENEW_PATH = f"{PREFIX}/renew"

#: `org/type/id` of the calling node; has to agree with its credentials.
NODE_HEADER = "X-Sync-Service-Dest"
CAPABILITIES_HEADER = "Sync-Capabilities"
#: At registration: `name=value, …` with percent-encoded values, all that the node says about itself.
LABELS_HEADER = "Sync-Labels"
#: On answers to a node that shows a certificate: RENEW_CERTIFICATE once half of its time is over, by the cloud's clock.
CERTIFICATE_HEADER = "Sync-Certificate"
RENEW_CERTIFICATE = "renew"


class Capability:
    """Extensions both ends have to announce before either uses one (docs/wire-protocol.md)."""

    #: A poll with `Prefer: wait=N` (RFC 7240) is answered as soon as something is due, or after N seconds.
    WAIT = "wait"
    #: `PUT …/data` with Content-Range is durable when answered, in any order; the object completes by coverage.
    RESUME = "resume"
    #: The answer to `GET …/data` carries `Repr-Digest` (RFC 9530) of the whole payload.
    DIGEST = "digest"


def node_call_path(call: str, node: NodeKey) -> str:
    """`call` is register, register-new, ping or unregister."""
    return f"{PREFIX}/{call}/{_join(node)}"


def object_path(key: ObjectKey, instance: int, data_id: int, action: str) -> str:
    return f"{PREFIX}/objects/{_join(key)}/{instance}/{data_id}/{action}"


def resend_path(org: str) -> str:
    """An edge wants everything that is addressed to it again (wire-protocol 2.1)."""
    return f"{PREFIX}/objects/{_join([org])}/{RESEND}"


def node_header(node: NodeKey) -> bytes:
    """The value of NODE_HEADER; names outside ASCII travel as UTF-8."""
    return "/".join(node).encode()


def parse_node_header(text: str) -> NodeKey:
    """Exactly three parts. Raises InvalidRequest."""
    parts = text.split("/")
    if len(parts) != 3 or not all(parts):
        raise InvalidRequest(f"{NODE_HEADER} has to be org/type/id.")
    return NodeKey(*parts)


def format_capabilities(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def parse_capabilities(text: str | None) -> frozenset[str]:
    """Names out of a comma list; unknown ones are kept, for the caller to ignore."""
    return frozenset(part.strip() for part in (text or "").split(",") if part.strip())


def parse_wait_seconds(prefer: str | None) -> float:
    """The `wait` preference of RFC 7240 section 4.3; 0 when absent or malformed, as a preference may be ignored."""
    for part in (prefer or "").split(","):
        name, _, value = part.strip().partition("=")
        if name.strip().lower() == "wait" and value.strip().isdigit():
            return float(value)
    return 0.0


def _join(names: Iterable[str]) -> str:
    return "/".join(quote(name, safe="") for name in names)
