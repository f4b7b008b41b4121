"""`/api/v1/destinations/…`: the registered nodes (rest-api 3.16)."""

from __future__ import annotations

import asyncio

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from common.domain.nodes import Node
from common.domain.principals import check_may_list_nodes
from common.rest import responses
from common.rest.gate import Gate
from common.rest.paths import check_names, segments_below
from common.sync.ports import Database

PREFIX = "/api/v1/destinations"


class NodesApi:
    """The endpoint."""

    def __init__(self, database: Database, gate: Gate) -> None:
        self._database = database
        self._gate = gate

    async def handle(self, request: Request) -> Response:
        """GET `/destinations/{org}`."""
        principal = await self._gate.principal(request)
        if request.method != "GET":
            return responses.empty(405)
        segments = segments_below(request.scope["path"], PREFIX)
        if len(segments) != 1:
            return responses.empty(400)
        org = segments[0]
        check_names(organization=org)
        check_may_list_nodes(principal, org)
        nodes = await asyncio.to_thread(self._database.read, lambda uow: uow.nodes.list_of_org(org))
        if not nodes:
            return responses.not_found()
        return responses.json_body(msgspec.json.encode([_shown(node) for node in nodes]))


def _shown(node: Node) -> dict[str, str]:
    return {
        "destinationOrgID": node.key.org,
        "destinationType": node.key.type,
        "destinationID": node.key.id,
        "communication": node.communication,
        "codeVersion": node.code_version,
    }
