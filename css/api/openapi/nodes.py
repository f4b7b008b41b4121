"""Registered nodes (rest-api 3.16, 3.17)."""

from __future__ import annotations

from common.rest.openapi.model import Operation, json_answer, path_parameter
from common.rest.openapi.objects import ORG
from common.rest.openapi.paging import PAGE, link
from common.rest.openapi.shapes import Node, ObjectOfNode

TAG = "Nodes"

NODE_TYPE = path_parameter("nodeType", "The type of the node.", "camera")
NODE_ID = path_parameter("nodeId", "The ID of the node.", "cam-1")

_NODE_EXAMPLE = {
    "destinationOrgID": "myorg",
    "destinationType": "camera",
    "destinationID": "cam-1",
    "communication": "http",
    "codeVersion": "1.0",
}
_OBJECT_EXAMPLE = {"orgID": "myorg", "objectType": "model", "objectID": "m1", "status": "delivered"}


def node_operations() -> list[Operation]:
    """`/destinations`."""
    return [
        Operation(
            "get",
            "/api/v1/destinations/{org}",
            "listNodes",
            TAG,
            "The registered nodes",
            (link(json_answer(list[Node], "Never empty.", [_NODE_EXAMPLE])),),
            "404 with an empty body when there is none.",
            (ORG, *PAGE),
            refusals=(404,),
        ),
        Operation(
            "get",
            "/api/v1/destinations/{org}/{nodeType}/{nodeId}/objects",
            "listObjectsOfNode",
            TAG,
            "What a node was sent, and how far it has come",
            (link(json_answer(list[ObjectOfNode], "Never empty.", [_OBJECT_EXAMPLE])),),
            "404 with an empty body when there is nothing, also for an unknown node.",
            (ORG, NODE_TYPE, NODE_ID, *PAGE),
            refusals=(404,),
        ),
    ]
