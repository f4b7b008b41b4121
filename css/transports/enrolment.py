"""How nodes come to their certificates: `PUT /spi/v1/enrol` with a token, `PUT /spi/v1/renew` with the present one."""

from __future__ import annotations

import asyncio

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from common.domain.errors import Forbidden, InvalidRequest, NotAuthenticated
from common.domain.ids import NodeKey
from common.domain.principals import Role
from common.protocol import routes
from common.protocol.enrolment import EnrolmentAnswer, EnrolmentRequest
from common.rest import responses
from common.rest.body import read_body
from common.rest.endpoint import route
from common.rest.transactions import Transactions
from common.runtime import certificate_authority
from common.runtime.certificate_authority import CertificateRequest
from common.runtime.client_certificates import certificate_shown_with
from common.sync.audit import Actor, audited
from common.sync.enrolment import Authority, NodeCertificate
from common.sync.ports import Clock
from css.services.enrolment import Enrolments

_BODY_BYTES = 16 * 1024

_decode = msgspec.json.Decoder(EnrolmentRequest).decode


class EnrolmentInterface:
    """The endpoints. Whose certificate it becomes is up to the token or the present certificate, never to the request."""

    def __init__(self, transactions: Transactions, enrolments: Enrolments, authority: Authority, clock: Clock) -> None:
        self._transactions = transactions
        self._enrolments = enrolments
        self._authority = authority
        self._clock = clock

    def routes(self) -> list[Route]:
        return [route(routes.ENROL_PATH, self.enrol), route(routes.RENEW_PATH, self.renew)]

    async def enrol(self, request: Request) -> Response:
        """Raises NotAuthenticated for a token that is unknown, expired or spent; Forbidden if it is another node's."""
        asked = await self._asked(request)
        if asked is None:
            return responses.empty(405)
        # Before the request is parsed: strangers get no further than one look-up.
        named = await self._transactions.read(lambda uow: self._enrolments.node_of_token(uow, asked.token))
        _check_is_about(request, named)
        wanted = await asyncio.to_thread(certificate_authority.read_request, asked.request)
        made = await self._issue(wanted, named)
        address = request.client.host if request.client else ""
        entry = Actor(f"{Role.EDGE_NODE.value} {named}", address).did(
            self._clock.now_ms(), named.org, "node.enrol", f"{named.type}/{named.id}"
        )
        issued = await self._transactions.write(
            audited(lambda uow: self._enrolments.enrol(uow, asked.token, made), entry)
        )
        return self._answer(issued)

    async def renew(self, request: Request) -> Response:
        """Also by a certificate that has expired. Raises NotAuthenticated, and Ignored while it is too early."""
        asked = await self._asked(request)
        if asked is None:
            return responses.empty(405)
        shown = certificate_shown_with(request.scope)
        if shown is None:
            raise NotAuthenticated
        fingerprint = shown.fingerprint
        node = await self._transactions.read(lambda uow: self._enrolments.node_to_renew(uow, fingerprint))
        _check_is_about(request, node)
        wanted = await asyncio.to_thread(certificate_authority.read_request, asked.request)
        made = await self._issue(wanted, node)
        issued = await self._transactions.write(lambda uow: self._enrolments.renew(uow, fingerprint, made))
        return self._answer(issued)

    async def _asked(self, request: Request) -> EnrolmentRequest | None:
        """None for another method. Raises InvalidRequest."""
        if request.method != "PUT":
            return None
        if request.scope["scheme"] != "https":
            raise InvalidRequest("This needs TLS, all the way to this service.")
        try:
            return _decode(await read_body(request, _BODY_BYTES))
        except (msgspec.MsgspecError, RecursionError) as error:
            raise InvalidRequest("The body is no enrolment request.") from error

    async def _issue(self, wanted: CertificateRequest, node: NodeKey) -> NodeCertificate:
        lifetime_ms = self._enrolments.terms.certificate_ms
        return await asyncio.to_thread(
            certificate_authority.issue, self._authority, wanted, node, self._clock.now_ms(), lifetime_ms
        )

    def _answer(self, issued: NodeCertificate) -> Response:
        answer = EnrolmentAnswer(issued.pem, self._authority.certificate, issued.expires_at_ms)
        return responses.json_body(msgspec.json.encode(answer), {"cache-control": "no-store"})


def _check_is_about(request: Request, node: NodeKey) -> None:
    """A node that means to be another one is set up wrongly. Raises Forbidden."""
    text = request.headers.get(routes.NODE_HEADER)
    if text is None:
        return
    try:
        claimed = routes.parse_node_header(text.encode("latin-1").decode())
    except (InvalidRequest, UnicodeDecodeError) as error:
        raise Forbidden from error
    if claimed != node:
        raise Forbidden
