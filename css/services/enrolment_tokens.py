"""Enrolment tokens as text: handed to an operator once, and to a node by him."""

from __future__ import annotations

import hashlib
import hmac
import secrets

from common.domain.addressing import GROUP_TYPE
from common.domain.errors import InvalidRequest, NotAuthenticated
from common.domain.ids import CLOUD, NodeKey
from common.domain.names import is_valid_segment
from common.sync.enrolment import EnrolmentToken

_PREFIX = "enrol1"
_LONGEST = 200


def enrollable_node(org: str, node_type: str, node_id: str) -> NodeKey:
    """Raises InvalidRequest for what no node can be called."""
    if not all(map(is_valid_segment, (node_type, node_id))) or node_type in (CLOUD, GROUP_TYPE):
        raise InvalidRequest("nodeType and nodeID have to be the name of a node.")
    return NodeKey(org, node_type, node_id)


def mint(node: NodeKey, created_by: str, now_ms: int, lifetime_ms: int) -> tuple[EnrolmentToken, str]:
    """A new token for `node`, and its text, which is kept nowhere. The secret in it has 256 random bits."""
    token_id, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
    token = EnrolmentToken(token_id, node, _hash(secret), created_by, now_ms, now_ms + lifetime_ms)
    return token, f"{_PREFIX}.{token_id}.{secret}"


def parse(text: str) -> tuple[str, str]:
    """The name of the token and its secret. Raises NotAuthenticated."""
    parts = text.strip().split(".")
    if len(text) > _LONGEST or len(parts) != 3 or parts[0] != _PREFIX or not text.isascii():
        raise NotAuthenticated
    return parts[1], parts[2]


def matches(secret: str, token: EnrolmentToken | None) -> bool:
    """Compared in constant time."""
    return hmac.compare_digest(_hash(secret), token.secret_hash if token else "") and token is not None


def _hash(secret: str) -> str:
    # Nobody guesses 256 random bits, so neither salt nor a slow hash would gain anything.
    return hashlib.sha256(secret.encode()).hexdigest()
