"""`/spi/v1/…`: the cloud's half of the HTTP link; edges call, the cloud answers (wire-protocol 2).

The caller's identity is the authenticated one. Organization, type and id in path or body only name the object, and an
organization other than the caller's is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Scope

from common.domain.delivery import DeliveryEvent, PeerConsumed, PeerDroppedIt, PeerFailed, PeerReceived, PeerUpdated
from common.domain.errors import Forbidden, Ignored, InvalidRequest, UnknownNode
from common.domain.ids import NodeKey, ObjectKey
from common.domain.metadata import Metadata
from common.domain.names import is_valid_segment
from common.domain.reception import Answer
from common.protocol import codec, routes
from common.protocol.messages import Action
from common.rest import responses
from common.rest.body import read_body
from common.rest.endpoint import route
from common.rest.gate import Gate
from common.rest.transactions import Transactions
from common.runtime.batching import Batcher
from common.sync.receiver import Receiver
from common.sync.sender import PeerAnswer, Sender
from css.transports.identity import calling_node
from css.transports.node_data import NodeData
from css.transports.polling import Outbox
from css.transports.presence import Presence, with_capabilities

#: How much of an interrupted upload the cloud has, on the answer to `update`.
UPLOAD_OFFSET_HEADER = "Upload-Offset"

#: A node may ask to be left alone for this long after a failure.
_LONGEST_RETRY_SECONDS = 3600

_ANSWERS: dict[str, DeliveryEvent] = {
    Action.UPDATED: PeerUpdated(),
    Action.RECEIVED: PeerReceived(),
    Action.CONSUMED: PeerConsumed(),
    Action.DELETION_ACKNOWLEDGED: PeerDroppedIt(),
    Action.DELETED: PeerDroppedIt(),
}

_ACKNOWLEDGEMENTS: dict[str, Answer] = {
    Action.RECEIVED_ACKNOWLEDGED: Answer.RECEIVED,
    Action.CONSUMED_ACKNOWLEDGED: Answer.CONSUMED,
    Action.DELETED_ACKNOWLEDGED: Answer.DELETED,
}


@dataclass(frozen=True, slots=True)
class ObjectCall:
    """What the path of a message says."""

    key: ObjectKey
    instance: int
    action: str


class NodeInterface:
    """The endpoints."""

    def __init__(
        self,
        transactions: Transactions,
        gate: Gate,
        sender: Sender,
        receiver: Receiver,
        presence: Presence,
        outbox: Outbox,
        data: NodeData,
        max_wait_seconds: float,
        metadata_bytes: int,
        certificate_headers: Callable[[Scope], dict[str, str]] | None = None,
    ) -> None:
        """`certificate_headers` are what a node is told about the certificate it shows."""
        self._transactions = transactions
        self._gate = gate
        self._receiver = receiver
        self._presence = presence
        self._outbox = outbox
        self._data = data
        self._max_wait_seconds = max_wait_seconds
        self._metadata_bytes = metadata_bytes
        self._certificate_headers = certificate_headers or (lambda scope: {})
        self._answers: Batcher[PeerAnswer, None] = transactions.batcher(sender.answer_many)

    def routes(self) -> list[Route]:
        return [
            route("/spi/v1/objects/{path:path}", self.objects, head_is_get=False),
            route("/spi/v1/{call}/{path:path}", self.node_call, head_is_get=False),
        ]

    async def node_call(self, request: Request) -> Response:
        """PUT `/spi/v1/{call}/…`: what follows in the path is not looked at."""
        call = self._presence.calls.get(request.path_params["call"])
        if call is None:
            return responses.not_found()
        if request.method != "PUT":
            return responses.empty(405)
        return await call(await calling_node(self._gate, request), request)

    async def objects(self, request: Request) -> Response:
        """Everything under `/spi/v1/objects/`."""
        node = await calling_node(self._gate, request)
        if request.scope["path"] == routes.POLL_PATH:
            return await self._poll(node, request) if request.method == "GET" else responses.empty(405)
        if request.method == "PUT" and request.scope["path"].endswith(f"/{routes.RESEND}"):
            return await self._presence.resend(node, request)
        call = _object_call(request)
        if call.key.org != node.org:
            raise Forbidden
        if call.action == Action.DATA and request.method == "GET":
            return await self._data.download(node, call.key, call.instance, request)
        if request.method != "PUT":
            return responses.empty(405)
        return await self._message(node, call, request)

    async def _poll(self, node: NodeKey, request: Request) -> Response:
        await self._presence.check_registered(node)
        wait_seconds = min(routes.parse_wait_seconds(request.headers.get("prefer")), self._max_wait_seconds)
        with self._gate.until_revoked(request):
            items = await self._outbox.poll(node, wait_seconds, request)
        response = responses.json_body(codec.encode_poll(items)) if items else responses.done()
        response.headers.update(self._certificate_headers(request.scope))
        return with_capabilities(response)

    async def _message(self, node: NodeKey, call: ObjectCall, request: Request) -> Response:
        if call.action in _ANSWERS:
            await self._answers.submit(PeerAnswer(call.key, node, call.instance, _ANSWERS[call.action]))
            return responses.done()
        if call.action in _ACKNOWLEDGEMENTS:
            answer = _ACKNOWLEDGEMENTS[call.action]
            await self._transactions.write(
                lambda uow: self._receiver.answer_acknowledged(uow, call.key, node, call.instance, answer)
            )
            return responses.done()
        match call.action:
            case Action.DATA:
                return await self._data.upload(node, call.key, call.instance, request)
            case Action.UPDATE:
                return await self._update(node, call, request)
            case Action.DELETE:
                meta = await self._metadata(node, call, request)
                await self._transactions.write(lambda uow: self._receiver.deletion_arrived(uow, call.key, meta, node))
                return responses.done()
            case Action.FEEDBACK:
                return await self._feedback(node, call, request)
            case _:
                return responses.empty(400)

    async def _update(self, node: NodeKey, call: ObjectCall, request: Request) -> Response:
        meta = await self._metadata(node, call, request)
        try:
            await self._presence.check_registered(node)
        except UnknownNode as error:
            # 424 would make the reference's node repeat this a thousand times without a pause (wire-protocol W5); its poll
            # gets 424, and once it has registered it sends its objects again.
            raise Ignored("The node is not registered.") from error
        reception = await self._transactions.write(lambda uow: self._receiver.update_arrived(uow, call.key, meta, node))
        # The last byte is asked for again even if it is here: the upload that brings it makes the object complete.
        unseen = min(reception.coverage.contiguous_bytes, max(meta.object_size - 1, 0))
        offset = unseen if reception.staged else meta.object_size
        return Response(status_code=204, headers={UPLOAD_OFFSET_HEADER: str(offset)})

    async def _feedback(self, node: NodeKey, call: ObjectCall, request: Request) -> Response:
        feedback = codec.decode_feedback(await read_body(request, self._metadata_bytes))
        if feedback.is_error:
            event = PeerFailed(
                feedback.reason[:1000], min(max(feedback.retry_seconds, 0), _LONGEST_RETRY_SECONDS) * 1000
            )
            await self._answers.submit(PeerAnswer(call.key, node, call.instance, event))
        return responses.done()

    async def _metadata(self, node: NodeKey, call: ObjectCall, request: Request) -> Metadata:
        """The body of an update or delete, as the caller's: only the origin speaks about its object, under its own name."""
        meta = codec.decode_metadata(await read_body(request, self._metadata_bytes))
        if (meta.destination_org_id or node.org, meta.object_type, meta.object_id) != call.key:
            raise Forbidden
        if (meta.origin_type, meta.origin_id) != (node.type, node.id):
            raise Forbidden
        if meta.instance_id != call.instance or meta.object_size < 0:
            raise InvalidRequest("The metadata does not belong to the instance in the path.")
        return msgspec.structs.replace(
            meta,
            destination_org_id=node.org,
            destination_type=node.type,
            destination_id=node.id,
            destinations_list=None,
            owner_id=f"{node.org}/{node.id}",
        )


def _object_call(request: Request) -> ObjectCall:
    """`{org}/{type}/{id}/{instance}[/{dataID}]/{action}`. Raises InvalidRequest."""
    parts = request.scope["path"].removeprefix(routes.POLL_PATH).split("/")
    if len(parts) == 5:
        parts.insert(4, "0")
    if len(parts) != 6:
        raise InvalidRequest("The path has the wrong number of parts.")
    org, object_type, object_id, instance, data_id, action = parts
    if not all(map(is_valid_segment, (org, object_type, object_id))):
        raise InvalidRequest("The path contains characters that are not allowed.")
    if not all(map(_is_int64, (instance, data_id))):
        raise InvalidRequest("Instance and data id have to be numbers.")
    return ObjectCall(ObjectKey(org, object_type, object_id), int(instance), action)


def _is_int64(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 19 and int(text) < 2**63
