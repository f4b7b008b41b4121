"""`/api/v1/certificates/…`: the certificates of nodes, and their end."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from common.domain.ids import NodeKey
from common.domain.instants import format_instant
from common.domain.selection import ListPosition
from common.rest import responses
from common.rest.access import Access
from common.rest.auditing import Auditor
from common.rest.pages import Piece, answer_list, empty_list
from common.rest.paths import check_names, segments_below
from common.rest.transactions import Transactions
from common.sync.enrolment import NodeCertificate
from common.sync.ports import Clock
from css.api.enrolments import place_of, position_of, shown_node
from css.services.enrolment import Enrolments, Standing

PREFIX = "/api/v1/certificates"

_STATES = {
    Standing.GOOD: "good",
    Standing.TO_BE_RENEWED: "toBeRenewed",
    Standing.RENEWAL_ONLY: "expired",
    Standing.REFUSED: "ended",
}


class NodeCertificatesApi:
    """The endpoint, for administrators of an organization."""

    def __init__(
        self, access: Access, transactions: Transactions, auditor: Auditor, enrolments: Enrolments, clock: Clock
    ) -> None:
        self._access = access
        self._transactions = transactions
        self._auditor = auditor
        self._enrolments = enrolments
        self._clock = clock

    async def handle(self, request: Request) -> Response:
        """`/{org}`: GET; `/{org}/{type}/{id}`: DELETE revokes all certificates and tokens of the node."""
        principal = await self._access.principal(request)
        org, *rest = segments_below(request.scope["path"], PREFIX) or [""]
        check_names(organization=org)
        self._access.check_may_administer(principal, org)
        match request.method, rest:
            case "GET", []:
                return await self._list(request, org)
            case "DELETE", [node_type, node_id]:
                check_names(node_type=node_type, node_id=node_id)
                node = NodeKey(org, node_type, node_id)
                await self._auditor.change(
                    request,
                    org,
                    "certificate.revoke",
                    f"{node_type}/{node_id}",
                    lambda uow: self._enrolments.revoke(uow, node),
                )
                self._access.forget_callers()
                return responses.done()
            case _, [] | [_, _]:
                return responses.empty(405)
            case _:
                return responses.not_found()

    async def _list(self, request: Request, org: str) -> Response:
        async def read(after: ListPosition, limit: int) -> Piece:
            place = place_of(after)
            rows = await self._transactions.read(lambda uow: uow.enrolment.list_certificates(org, place, limit))
            end = position_of(rows[-1].node, rows[-1].fingerprint) if len(rows) == limit else None
            return Piece([msgspec.json.encode(self._shown(row)) for row in rows], end)

        return await answer_list(request, read, when_empty=empty_list)

    def _shown(self, certificate: NodeCertificate) -> dict[str, object]:
        shown = {
            "fingerprint": certificate.fingerprint,
            **shown_node(certificate.node),
            "issuedAt": format_instant(certificate.issued_at_ms),
            "expiresAt": format_instant(certificate.expires_at_ms),
        }
        if certificate.revoked_at_ms is not None:
            return {**shown, "state": "revoked", "revokedAt": format_instant(certificate.revoked_at_ms)}
        return {**shown, "state": _STATES[self._enrolments.terms.standing(certificate, self._clock.now_ms())]}
