"""`/api/v1/enrolments/…`: tokens with which nodes get their first certificates."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from common.domain.errors import InvalidRequest
from common.domain.ids import NodeKey
from common.domain.instants import format_instant
from common.domain.principals import Principal
from common.domain.selection import ListPosition
from common.rest import responses
from common.rest.access import Access
from common.rest.auditing import Auditor
from common.rest.body import read_body
from common.rest.pages import Piece, answer_list, empty_list
from common.rest.paths import check_names, segments_below
from common.rest.transactions import Transactions
from common.sync.enrolment import EnrolmentToken, Place
from common.sync.ports import Clock
from css.services import enrolment_tokens
from css.services.enrolment import Enrolments

PREFIX = "/api/v1/enrolments"

_BODY_BYTES = 16 * 1024
_LONGEST_SECONDS = 366 * 24 * 3600


class NewToken(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A token to be made."""

    node_type: str = msgspec.field(name="nodeType")
    node_id: str = msgspec.field(name="nodeID")
    #: How long it can be used; the service's own default without it.
    expires_in_seconds: int | None = msgspec.field(name="expiresInSeconds", default=None)


_decode = msgspec.json.Decoder(NewToken).decode


class EnrolmentsApi:
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
        """`/{org}`: GET, POST; `/{org}/{token}`: DELETE."""
        principal = await self._access.principal(request)
        org, *rest = segments_below(request.scope["path"], PREFIX) or [""]
        check_names(organization=org)
        self._access.check_may_administer(principal, org)
        match request.method, rest:
            case "GET", []:
                return await self._list(request, org)
            case "POST", []:
                return await self._create(request, principal, org)
            case "DELETE", [token_id]:
                await self._remove(request, org, token_id)
                return responses.done()
            case _, [] | [_]:
                return responses.empty(405)
            case _:
                return responses.not_found()

    async def _create(self, request: Request, principal: Principal, org: str) -> Response:
        try:
            wanted = _decode(await read_body(request, _BODY_BYTES))
        except (msgspec.MsgspecError, RecursionError) as error:
            raise InvalidRequest("The body has to be a JSON object with nodeType and nodeID.") from error
        seconds = wanted.expires_in_seconds
        if seconds is not None and not 0 < seconds <= _LONGEST_SECONDS:
            raise InvalidRequest(f"expiresInSeconds has to be a number from 1 to {_LONGEST_SECONDS}.")
        lifetime_ms = self._enrolments.terms.token_ms if seconds is None else seconds * 1000
        node = enrolment_tokens.enrollable_node(org, wanted.node_type, wanted.node_id)
        token, text = enrolment_tokens.mint(node, principal.owner, self._clock.now_ms(), lifetime_ms)
        target = f"{node.type}/{node.id} {token.token_id}"
        await self._auditor.change(
            request, org, "enrolment.create", target, lambda uow: self._enrolments.add_token(uow, token)
        )
        return responses.json_body(msgspec.json.encode({**_shown(token), "token": text}))

    async def _remove(self, request: Request, org: str, token_id: str) -> None:
        """Raises NotFound."""
        await self._auditor.change(
            request, org, "enrolment.remove", token_id, lambda uow: self._enrolments.remove_token(uow, org, token_id)
        )

    async def _list(self, request: Request, org: str) -> Response:
        async def read(after: ListPosition, limit: int) -> Piece:
            place = place_of(after)
            tokens = await self._transactions.read(lambda uow: uow.enrolment.list_tokens(org, place, limit))
            end = position_of(tokens[-1].node, tokens[-1].token_id) if len(tokens) == limit else None
            return Piece([msgspec.json.encode(_shown(token)) for token in tokens], end)

        return await answer_list(request, read, when_empty=empty_list)


def position_of(node: NodeKey, name: str) -> ListPosition:
    """Where a row of a node stands in a list; the names of nodes have no slash."""
    return ListPosition(node.type, f"{node.id}/{name}")


def place_of(position: ListPosition) -> Place:
    """The reverse of `position_of`."""
    node_id, _, name = position.id.partition("/")
    return Place(position.type, node_id, name)


def shown_node(node: NodeKey) -> dict[str, object]:
    return {"nodeType": node.type, "nodeID": node.id}


def _shown(token: EnrolmentToken) -> dict[str, object]:
    return {
        "id": token.token_id,
        **shown_node(token.node),
        "createdBy": token.created_by,
        "createdAt": format_instant(token.created_at_ms),
        "expiresAt": format_instant(token.expires_at_ms),
        "isSpent": token.spent_for is not None,
    }
