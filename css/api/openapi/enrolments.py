"""Enrolment tokens, and the certificates of nodes."""

from __future__ import annotations

from typing import Literal

import msgspec

from common.rest.openapi.model import DONE, Operation, json_answer, json_body, path_parameter
from common.rest.openapi.objects import ORG
from common.rest.openapi.paging import PAGE, link
from css.api.enrolments import NewToken
from css.api.openapi.nodes import NODE_ID, NODE_TYPE

TAG = "Enrolment"

_TOKENS = "/api/v1/enrolments/{org}"
_CERTIFICATES = "/api/v1/certificates/{org}"
_TOKEN_ID = path_parameter("token", "The id of the token.", "0123456789abcdef")
_NAMES = {"node_type": "nodeType", "node_id": "nodeID"}


class Token(
    msgspec.Struct,
    rename={
        **_NAMES,
        "created_by": "createdBy",
        "created_at": "createdAt",
        "expires_at": "expiresAt",
        "is_spent": "isSpent",
    },
):
    """A token, without its text."""

    id: str
    node_type: str
    node_id: str
    created_by: str
    created_at: str
    expires_at: str
    is_spent: bool


class MadeToken(Token):
    """A new token. Its text is told once."""

    token: str


class Certificate(
    msgspec.Struct,
    omit_defaults=True,
    rename={**_NAMES, "issued_at": "issuedAt", "expires_at": "expiresAt", "revoked_at": "revokedAt"},
):
    """A certificate: good, half-way through its time, expired but good for its renewal, or good for nothing any more."""

    fingerprint: str
    node_type: str
    node_id: str
    issued_at: str
    expires_at: str
    state: Literal["good", "toBeRenewed", "expired", "ended", "revoked"]
    revoked_at: str = ""


def enrolment_operations() -> list[Operation]:
    """`/enrolments` and `/certificates`."""
    return [
        Operation(
            "get",
            _TOKENS,
            "listEnrolmentTokens",
            TAG,
            "The enrolment tokens of an organization",
            (link(json_answer(list[Token], "Possibly none.")),),
            parameters=(ORG, *PAGE),
        ),
        Operation(
            "post",
            _TOKENS,
            "createEnrolmentToken",
            TAG,
            "Make a one-time token for a node",
            (json_answer(MadeToken, "With the text of the token, which is told this once."),),
            parameters=(ORG,),
            body=json_body(NewToken, {"nodeType": "edge", "nodeID": "n1", "expiresInSeconds": 3600}),
            refusals=(413,),
        ),
        Operation(
            "delete",
            f"{_TOKENS}/{{token}}",
            "deleteEnrolmentToken",
            TAG,
            "Make a token useless",
            (DONE,),
            parameters=(ORG, _TOKEN_ID),
            refusals=(404,),
        ),
        Operation(
            "get",
            _CERTIFICATES,
            "listNodeCertificates",
            TAG,
            "The certificates of an organization's nodes",
            (link(json_answer(list[Certificate], "Possibly none.")),),
            parameters=(ORG, *PAGE),
        ),
        Operation(
            "delete",
            f"{_CERTIFICATES}/{{nodeType}}/{{nodeId}}",
            "revokeNodeCertificates",
            TAG,
            "Revoke all certificates and tokens of a node",
            (DONE,),
            "In force on every replica within a second, also for requests that are held open.",
            parameters=(ORG, NODE_TYPE, NODE_ID),
        ),
    ]
