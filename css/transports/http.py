"""`/spi/v1/…`: the cloud's half of the HTTP link; edges call, the cloud answers (wire-protocol 2).

The caller's identity is the authenticated one. Organization, type and id in path or body only name the object, and an
organization other than the caller's is refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from common.domain.delivery import DeliveryEvent, PeerConsumed, PeerDroppedIt, PeerFailed, PeerReceived, PeerUpdated
from common.domain.errors import Forbidden, Ignored, InvalidRequest, UnknownNode
from common.domain.ids import NodeKey, ObjectKey
from common.domain.labels import parse_labels
from common.domain.metadata import Metadata
from common.domain.names import is_valid_segment
from common.domain.reception import Answer
from common.protocol import codec, routes
from common.protocol.messages import Action
from common.protocol.routes import Capability
from common.rest import responses
from common.rest.body import read_body
from common.rest.endpoint import route
from common.rest.gate import Gate
from common.rest.paths import flag
from common.runtime.batching import Batcher
from common.sync.ports import Clock, Database, UnitOfWork
from common.sync.receiver import Receiver
from common.sync.sender import PeerAnswer, Sender
from css.services.registration import Registration
from css.transports.identity import calling_node
from css.transports.node_data import NodeData
from css.transports.polling import Outbox

T = TypeVar("T")

#: What this cloud can do beyond the baseline.
CAPABILITIES = frozenset({Capability.WAIT, Capability.RESUME, Capability.DIGEST})

#: How much of an interrupted upload the cloud has, on the answer to `update`.
UPLOAD_OFFSET_HEADER = "Upload-Offset"

#: A node that polls is alive; it is written down this often at most.
_TOUCH_SECONDS = 60.0

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
    data_id: int
    action: str


class NodeInterface:
    """The endpoints."""

    def __init__(
        self,
        database: Database,
        gate: Gate,
        registration: Registration,
        sender: Sender,
        receiver: Receiver,
        outbox: Outbox,
        data: NodeData,
        clock: Clock,
        max_wait_seconds: float,
        metadata_bytes: int,
    ) -> None:
        self._database = database
        self._gate = gate
        self._registration = registration
        self._receiver = receiver
        self._outbox = outbox
        self._data = data
        self._clock = clock
        self._max_wait_seconds = max_wait_seconds
        self._metadata_bytes = metadata_bytes
        self._answers: Batcher[PeerAnswer, None] = Batcher(database, sender.answer_many)
        self._seen: dict[NodeKey, float] = {}
        self._calls: dict[str, Callable[[NodeKey, Request], Awaitable[Response]]] = {
            "register": self._register,
            "register-new": self._register_new,
            "ping": self._ping,
            "unregister": self._unregister,
        }

    def routes(self) -> list[Route]:
        return [
            route("/spi/v1/objects/{path:path}", self.objects, head_is_get=False),
            route("/spi/v1/{call}/{path:path}", self.node_call, head_is_get=False),
        ]

    async def node_call(self, request: Request) -> Response:
        """PUT `/spi/v1/{call}/…`: what follows in the path is not looked at."""
        call = self._calls.get(request.path_params["call"])
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
            return await self._resend(node, request)
        call = _object_call(request)
        if call.key.org != node.org:
            raise Forbidden
        if call.action == Action.DATA and request.method == "GET":
            return await self._data.download(node, call.key, call.instance, request)
        if request.method != "PUT":
            return responses.empty(405)
        return await self._message(node, call, request)

    async def _register(self, node: NodeKey, request: Request) -> Response:
        is_persistent = _persistent(request)
        offered = routes.parse_capabilities(request.headers.get(routes.CAPABILITIES_HEADER))
        labels = _labels(request)
        known = await self._write(
            lambda uow: self._registration.register(
                uow, node, is_persistent=is_persistent, capabilities=offered, labels=labels
            )
        )
        if not known:
            return responses.not_found()
        self._seen[node] = self._clock.monotonic()
        return _with_capabilities(responses.done())

    async def _register_new(self, node: NodeKey, request: Request) -> Response:
        is_persistent = _persistent(request)
        offered = routes.parse_capabilities(request.headers.get(routes.CAPABILITIES_HEADER))
        labels = _labels(request)
        await self._write(
            lambda uow: self._registration.register_new(
                uow, node, is_persistent=is_persistent, capabilities=offered, labels=labels
            )
        )
        self._seen[node] = self._clock.monotonic()
        return _with_capabilities(responses.done())

    async def _ping(self, node: NodeKey, request: Request) -> Response:
        known = await self._write(lambda uow: self._registration.ping(uow, node))
        return _with_capabilities(responses.done()) if known else responses.not_found()

    async def _unregister(self, node: NodeKey, request: Request) -> Response:
        self._seen.pop(node, None)
        await self._write(lambda uow: self._registration.unregister(uow, node))
        return responses.done()

    async def _resend(self, node: NodeKey, request: Request) -> Response:
        """PUT `/spi/v1/objects/{org}/resend`."""
        if request.scope["path"] != f"{routes.POLL_PATH}{node.org}/{routes.RESEND}":
            raise InvalidRequest("The path has the wrong number of parts, or names another organization.")
        await self._check_registered(node)
        await self._write(lambda uow: self._registration.resend(uow, node))
        return responses.done()

    async def _poll(self, node: NodeKey, request: Request) -> Response:
        await self._check_registered(node)
        wait_seconds = min(routes.parse_wait_seconds(request.headers.get("prefer")), self._max_wait_seconds)
        items = await self._outbox.poll(node, wait_seconds, request)
        response = responses.json_body(codec.encode_poll(items)) if items else responses.done()
        return _with_capabilities(response)

    async def _message(self, node: NodeKey, call: ObjectCall, request: Request) -> Response:
        if call.action in _ANSWERS:
            await self._answers.submit(PeerAnswer(call.key, node, call.instance, _ANSWERS[call.action]))
            return responses.done()
        if call.action in _ACKNOWLEDGEMENTS:
            answer = _ACKNOWLEDGEMENTS[call.action]
            await self._write(
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
                await self._write(lambda uow: self._receiver.deletion_arrived(uow, call.key, meta, node))
                return responses.done()
            case Action.FEEDBACK:
                return await self._feedback(node, call, request)
            case _:
                return responses.empty(400)

    async def _update(self, node: NodeKey, call: ObjectCall, request: Request) -> Response:
        meta = await self._metadata(node, call, request)
        try:
            await self._check_registered(node)
        except UnknownNode as error:
            # 424 would make the reference's node repeat this a thousand times without a pause (wire-protocol W5); its poll
            # gets 424, and once it has registered it sends its objects again.
            raise Ignored("The node is not registered.") from error
        reception = await self._write(lambda uow: self._receiver.update_arrived(uow, call.key, meta, node))
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

    async def _check_registered(self, node: NodeKey) -> None:
        """Raises UnknownNode. The registration is remembered for a minute, and the node's sign of life written as often."""
        now = self._clock.monotonic()
        if now - self._seen.get(node, -_TOUCH_SECONDS) < _TOUCH_SECONDS:
            return
        if not await self._write(lambda uow: self._registration.ping(uow, node)):
            raise UnknownNode
        self._seen[node] = now

    async def _write(self, work: Callable[[UnitOfWork], T]) -> T:
        return await asyncio.wrap_future(self._database.submit(work))


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
    return ObjectCall(ObjectKey(org, object_type, object_id), int(instance), int(data_id), action)


def _is_int64(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 19 and int(text) < 2**63


def _persistent(request: Request) -> bool:
    try:
        return flag(request.query_params, "persistent-storage") is not False
    except ValueError:
        raise InvalidRequest("persistent-storage has to be true or false.") from None


def _labels(request: Request) -> dict[str, str] | None:
    """What the node says about itself; None when it says nothing. Raises InvalidRequest."""
    text = request.headers.get(routes.LABELS_HEADER)
    return None if text is None else parse_labels(text)


def _with_capabilities(response: Response) -> Response:
    response.headers[routes.CAPABILITIES_HEADER] = routes.format_capabilities(CAPABILITIES)
    return response
