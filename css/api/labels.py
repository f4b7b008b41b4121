"""`/api/v1/destinations/{org}/{type}/{id}/labels`: what is said about a node, by itself and by administrators."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response

from common.domain.ids import NodeKey
from common.domain.labels import LabelSource, effective
from common.rest import responses
from common.rest.access import Access
from common.rest.auditing import Auditor
from common.rest.body import read_body
from common.rest.paths import check_names
from common.rest.transactions import Transactions
from common.sync.group_changes import Groups
from common.sync.ports import UnitOfWork
from css.api.group_bodies import decode_label_changes, decode_labels

PATH = "/api/v1/destinations/{org}/{type}/{id}/labels"

_BODY_BYTES = 64 << 10


class LabelsApi:
    """The endpoint. A node need not be registered yet; one that nothing was said about has no labels to show."""

    def __init__(self, access: Access, transactions: Transactions, auditor: Auditor, groups: Groups) -> None:
        self._access = access
        self._transactions = transactions
        self._auditor = auditor
        self._groups = groups

    async def handle(self, request: Request) -> Response:
        """GET; PUT replaces what administrators say, PATCH changes some of it (null removes a label)."""
        principal = await self._access.principal(request)
        node = NodeKey(*[request.path_params[name] for name in ("org", "type", "id")])
        check_names(organization=node.org, destination_type=node.type, destination_ID=node.id)
        self._access.check_may_list_nodes(principal, node.org)
        if request.method == "GET":
            return await self._get(node)
        self._access.check_may_administer(principal, node.org)
        match request.method:
            case "PUT":
                labels = decode_labels(await read_body(request, _BODY_BYTES))
                await self._change(request, node, lambda uow: self._groups.label(uow, node, labels))
            case "PATCH":
                changes = decode_label_changes(await read_body(request, _BODY_BYTES))
                await self._change(request, node, lambda uow: self._groups.relabel(uow, node, changes))
            case _:
                return responses.empty(405)
        return responses.done()

    async def _change(self, request: Request, node: NodeKey, work: Callable[[UnitOfWork], None]) -> None:
        await self._auditor.change(request, node.org, "labels.change", f"{node.type}:{node.id}", work)

    async def _get(self, node: NodeKey) -> Response:
        def look_up(uow: UnitOfWork) -> tuple[bool, dict[LabelSource, dict[str, str]]]:
            return uow.nodes.find(node) is not None, uow.labels.of_node(node)

        is_registered, by_source = await self._transactions.read(look_up)
        if not is_registered and not by_source:
            return responses.not_found()
        shown = {"labels": effective(by_source), **{source.value: by_source.get(source, {}) for source in LabelSource}}
        return responses.json_of(shown)
