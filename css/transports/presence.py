"""Nodes appear, come back, give signs of life and leave (wire-protocol 2.4)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypedDict

from starlette.requests import Request
from starlette.responses import Response

from common.domain.errors import InvalidRequest, UnknownNode
from common.domain.ids import NodeKey
from common.domain.labels import Labels, parse_labels
from common.protocol import routes
from common.protocol.routes import Capability
from common.rest import responses
from common.rest.paths import explained_flag
from common.rest.transactions import Transactions
from common.sync.ports import Clock
from css.services.registration import Registration

#: What this cloud can do beyond the baseline.
CAPABILITIES = frozenset({Capability.WAIT, Capability.RESUME, Capability.DIGEST})

#: A node that polls is alive; it is written down this often at most.
_TOUCH_SECONDS = 60.0

NodeCall = Callable[[NodeKey, Request], Awaitable[Response]]


class _Said(TypedDict):
    """What a node says about itself as it registers."""

    is_persistent: bool
    capabilities: frozenset[str]
    labels: Labels | None


class Presence:
    """Calls of authenticated nodes about themselves."""

    def __init__(self, transactions: Transactions, registration: Registration, clock: Clock) -> None:
        self._transactions = transactions
        self._registration = registration
        self._clock = clock
        #: When a node was last found to be registered, by the monotonic clock.
        self._seen_at: dict[NodeKey, float] = {}
        #: By the word in the path.
        self.calls: dict[str, NodeCall] = {
            "register": self._register,
            "register-new": self._register_new,
            "ping": self._ping,
            "unregister": self._unregister,
        }

    async def check_registered(self, node: NodeKey) -> None:
        """Raises UnknownNode. The registration is remembered for a minute, and the node's sign of life written as often."""
        now = self._clock.monotonic()
        if now - self._seen_at.get(node, -_TOUCH_SECONDS) < _TOUCH_SECONDS:
            return
        if not await self._transactions.write(lambda uow: self._registration.ping(uow, node)):
            raise UnknownNode
        self._seen_at[node] = now

    async def resend(self, node: NodeKey, request: Request) -> Response:
        """PUT `/spi/v1/objects/{org}/resend`."""
        if request.scope["path"] != f"{routes.POLL_PATH}{node.org}/{routes.RESEND}":
            raise InvalidRequest("The path has the wrong number of parts, or names another organization.")
        await self.check_registered(node)
        await self._transactions.write(lambda uow: self._registration.resend(uow, node))
        return responses.done()

    async def _register(self, node: NodeKey, request: Request) -> Response:
        said = _said(request)
        if not await self._transactions.write(lambda uow: self._registration.register(uow, node, **said)):
            return responses.not_found()
        self._seen_at[node] = self._clock.monotonic()
        return with_capabilities(responses.done())

    async def _register_new(self, node: NodeKey, request: Request) -> Response:
        said = _said(request)
        await self._transactions.write(lambda uow: self._registration.register_new(uow, node, **said))
        self._seen_at[node] = self._clock.monotonic()
        return with_capabilities(responses.done())

    async def _ping(self, node: NodeKey, request: Request) -> Response:
        is_known = await self._transactions.write(lambda uow: self._registration.ping(uow, node))
        return with_capabilities(responses.done()) if is_known else responses.not_found()

    async def _unregister(self, node: NodeKey, request: Request) -> Response:
        self._seen_at.pop(node, None)
        await self._transactions.write(lambda uow: self._registration.unregister(uow, node))
        return responses.done()


def with_capabilities(response: Response) -> Response:
    """The answer, which also says what this cloud can do."""
    response.headers[routes.CAPABILITIES_HEADER] = routes.format_capabilities(CAPABILITIES)
    return response


def _said(request: Request) -> _Said:
    """Raises InvalidRequest."""
    labels = request.headers.get(routes.LABELS_HEADER)
    return {
        "is_persistent": explained_flag(request.query_params, "persistent-storage") is not False,
        "capabilities": routes.parse_capabilities(request.headers.get(routes.CAPABILITIES_HEADER)),
        "labels": None if labels is None else parse_labels(labels),
    }
