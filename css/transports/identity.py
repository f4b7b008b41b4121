"""Which node is calling: credentials and header have to agree; nothing else is believed (R7)."""

from __future__ import annotations

from starlette.requests import Request

from common.domain.access import check_is_node
from common.domain.addressing import GROUP_TYPE
from common.domain.errors import Forbidden, InvalidRequest
from common.domain.ids import CLOUD, NodeKey
from common.domain.names import is_valid_segment
from common.protocol import routes
from common.rest.gate import Gate


async def calling_node(gate: Gate, request: Request) -> NodeKey:
    """Raises NotAuthenticated, Forbidden."""
    principal = await gate.principal(request)
    try:
        # Header text is latin-1 to the server; the names in it are UTF-8.
        text = request.headers.get(routes.NODE_HEADER, "").encode("latin-1").decode()
        node = routes.parse_node_header(text)
    except (InvalidRequest, UnicodeDecodeError) as error:
        raise Forbidden from error
    # A node of the cloud's own type would pass for the cloud where objects say whom they came from, one of the type of groups
    # for a group where they say whom they are for.
    if not all(is_valid_segment(name) for name in node) or node.type in (CLOUD, GROUP_TYPE):
        raise Forbidden
    check_is_node(principal, node)
    return node
