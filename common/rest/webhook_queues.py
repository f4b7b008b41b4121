"""`/api/v1/webhooks/…`: how webhooks are doing, and what becomes of the calls that were given up."""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from common.domain.errors import InvalidRequest
from common.domain.instants import format_instant
from common.domain.publishing import LocalNode
from common.domain.selection import ListPosition
from common.domain.webhooks import masked_url
from common.rest import responses
from common.rest.access import Access
from common.rest.auditing import Auditor
from common.rest.pages import Piece, answer_list, empty_list
from common.rest.paths import check_names, segments_below
from common.rest.transactions import Transactions
from common.sync.ports import UnitOfWork
from common.sync.webhook_ports import DeadLetter, QueueReport
from common.sync.webhooks import Webhooks

PREFIX = "/api/v1/webhooks"

_WHOLE_NUMBER = re.compile(r"[0-9]{1,19}")
#: What databases can hold.
_LARGEST_NUMBER = 2**63 - 1


class WebhookQueuesApi:
    """The endpoints, for administrators of an organization."""

    def __init__(
        self, local: LocalNode, access: Access, transactions: Transactions, auditor: Auditor, webhooks: Webhooks
    ) -> None:
        self._local = local
        self._access = access
        self._transactions = transactions
        self._auditor = auditor
        self._webhooks = webhooks

    async def handle(self, request: Request) -> Response:
        """On the cloud the organization comes first: `/{org}`, `/{org}/dead`, `/{org}/dead/replay`, `/{org}/dead/{id}…`."""
        principal = await self._access.principal(request)
        org, *segments = self._org_and_rest(request)
        await self._access.check_may_manage_webhooks(principal, org)
        match request.method, segments:
            case "GET", []:
                return await self._list(org)
            case "GET", ["dead"]:
                return await self._list_dead(request, org)
            case "POST", ["dead", "replay"]:
                return await self._replay_all(request, org)
            case "POST", ["dead", event_id, "replay"]:
                return await self._replay(request, org, _number(event_id))
            case "DELETE", ["dead", event_id] if event_id != "replay":
                return await self._forget(request, org, _number(event_id))
            case _, [] | ["dead"] | ["dead", _] | ["dead", _, "replay"]:
                return responses.empty(405)
            case _:
                return responses.not_found()

    def _org_and_rest(self, request: Request) -> list[str]:
        segments = segments_below(request.scope["path"], PREFIX)
        if not self._local.is_cloud:
            return [self._local.org, *segments]
        if not segments:
            raise InvalidRequest("The path has to name an organization.")
        check_names(organization=segments[0])
        return segments

    async def _list(self, org: str) -> Response:
        reports = await self._transactions.read(lambda uow: uow.webhooks.report_of_org(org))
        return responses.json_of([_shown(report) for report in reports])

    async def _list_dead(self, request: Request, org: str) -> Response:
        async def read(after: ListPosition, limit: int) -> Piece:
            beyond = _number(after.id or "0")
            letters = await self._transactions.read(lambda uow: uow.webhook_queue.list_dead(org, beyond, limit))
            end = ListPosition("", str(letters[-1].event.id)) if len(letters) == limit else None
            return Piece([msgspec.json.encode(_shown_letter(letter)) for letter in letters], end)

        return await answer_list(request, read, when_empty=empty_list)

    async def _replay_all(self, request: Request, org: str) -> Response:
        def replay_page(after: int) -> Callable[[UnitOfWork], int | None]:
            return lambda uow: self._webhooks.replay_page(uow, org, after)

        after = await self._auditor.change(request, org, "webhook.replay", "all dead letters", replay_page(0))
        while after is not None:
            after = await self._transactions.write(replay_page(after))
        return responses.done()

    async def _replay(self, request: Request, org: str, event_id: int) -> Response:
        await self._auditor.change(
            request, org, "webhook.replay", str(event_id), lambda uow: self._webhooks.replay(uow, org, event_id)
        )
        return responses.done()

    async def _forget(self, request: Request, org: str, event_id: int) -> Response:
        await self._auditor.change(
            request, org, "webhook.forget", str(event_id), lambda uow: self._webhooks.forget_dead(uow, org, event_id)
        )
        return responses.done()


def _number(text: str) -> int:
    if not _WHOLE_NUMBER.fullmatch(text) or int(text) > _LARGEST_NUMBER:
        raise InvalidRequest("The id of an event has to be a whole number.")
    return int(text)


def _shown(report: QueueReport) -> dict[str, object]:
    return {
        "objectType": report.webhook.object_type,
        "url": masked_url(report.webhook.url),
        "format": report.webhook.format.value,
        "isSigned": bool(report.webhook.secret),
        "registeredAt": format_instant(report.webhook.created_at_ms),
        "queued": report.queued,
        "oldestQueuedAt": _instant(report.oldest_queued_at_ms),
        "dead": report.dead,
        "lastError": report.last_error,
        "lastErrorAt": _instant(report.last_error_at_ms),
    }


def _shown_letter(letter: DeadLetter) -> dict[str, object]:
    event = letter.event
    return {
        "id": str(event.id),
        "objectType": event.object.type,
        "objectID": event.object.id,
        "instanceID": event.instance,
        "url": masked_url(letter.webhook.url),
        "reason": letter.reason,
        "diedAt": format_instant(letter.died_at_ms),
    }


def _instant(ms_since_epoch: int | None) -> str | None:
    return None if ms_since_epoch is None else format_instant(ms_since_epoch)
