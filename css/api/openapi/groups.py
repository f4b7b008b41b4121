"""Groups of nodes, labels, and who places policy objects."""

from __future__ import annotations

import msgspec

from common.rest.openapi.model import DONE, Operation, json_answer, json_body, path_parameter
from common.rest.openapi.objects import ORG
from common.rest.openapi.paging import PAGE, link
from css.api.group_bodies import GroupBody, PlacementBody
from css.api.openapi.nodes import NODE_ID, NODE_TYPE

GROUPS = "Groups"
LABELS = "Labels and placement"

_NAME = path_parameter("name", "The name of the group.", "north")
_GROUP = "/api/v1/groups/{org}/{name}"
_LABELS = "/api/v1/destinations/{org}/{nodeType}/{nodeId}/labels"
_PLACEMENT = "/api/v1/placement/{org}"

_GROUP_EXAMPLE = {"expression": 'region == "north" && tier != test'}
_LABELS_EXAMPLE = {"region": "north", "tier": "production"}


class NamedGroup(msgspec.Struct, rename={"org_id": "orgID"}, omit_defaults=True):
    """A group: its members by list, or by an expression over labels."""

    org_id: str
    name: str
    members: list[str] | None = None
    expression: str | None = None


class Member(msgspec.Struct, rename={"destination_type": "destinationType", "destination_id": "destinationID"}):
    """A node of a group."""

    destination_type: str
    destination_id: str


class LabelsOfNode(msgspec.Struct):
    """What holds, and who said what: the node at its registration, or an administrator, whose word stands."""

    labels: dict[str, str]
    registration: dict[str, str]
    admin: dict[str, str]


def group_operations() -> list[Operation]:
    """`/groups`."""
    return [
        Operation(
            "get",
            "/api/v1/groups/{org}",
            "listGroups",
            GROUPS,
            "The groups of an organization",
            (json_answer(list[NamedGroup], "Possibly none."),),
            parameters=(ORG,),
        ),
        Operation(
            "get",
            _GROUP,
            "getGroup",
            GROUPS,
            "How a group is defined",
            (json_answer(NamedGroup, "Its list or its expression."),),
            parameters=(ORG, _NAME),
            refusals=(404,),
        ),
        Operation(
            "put",
            _GROUP,
            "putGroup",
            GROUPS,
            "Define a group",
            (DONE,),
            "By `members`, each written `type:id`, or by an `expression` over labels. Objects are addressed to it with "
            "`destinationType` `@group` and its name as `destinationID`.",
            (ORG, _NAME),
            json_body(GroupBody, _GROUP_EXAMPLE),
            refusals=(413,),
        ),
        Operation(
            "delete",
            _GROUP,
            "deleteGroup",
            GROUPS,
            "Delete a group",
            (DONE,),
            "Its members are told to drop what was addressed to it.",
            (ORG, _NAME),
            refusals=(404,),
        ),
        Operation(
            "get",
            f"{_GROUP}/members",
            "listMembers",
            GROUPS,
            "The registered nodes that belong to a group",
            (link(json_answer(list[Member], "Possibly none.")),),
            parameters=(ORG, _NAME, *PAGE),
            refusals=(404,),
        ),
    ]


def label_operations() -> list[Operation]:
    """Labels of nodes, and placement."""
    return [*_operations_of_labels(), *_operations_of_placement()]


def _operations_of_labels() -> list[Operation]:
    node = (ORG, NODE_TYPE, NODE_ID)
    texts = {"type": "object", "additionalProperties": {"type": "string"}}
    changes = {"type": "object", "additionalProperties": {"type": ["string", "null"]}}
    return [
        Operation(
            "get",
            _LABELS,
            "getLabels",
            LABELS,
            "The labels of a node",
            (json_answer(LabelsOfNode, "What holds, and who said what."),),
            parameters=node,
            refusals=(404,),
        ),
        Operation(
            "put",
            _LABELS,
            "putLabels",
            LABELS,
            "Replace what administrators say about a node",
            (DONE,),
            parameters=node,
            body=json_body(texts, _LABELS_EXAMPLE),
            refusals=(413,),
        ),
        Operation(
            "patch",
            _LABELS,
            "changeLabels",
            LABELS,
            "Set some labels of a node, or remove them",
            (DONE,),
            "`null` removes what an administrator said about a label.",
            node,
            json_body(changes, {"tier": None}),
            refusals=(413,),
        ),
    ]


def _operations_of_placement() -> list[Operation]:
    return [
        Operation(
            "get",
            _PLACEMENT,
            "getPlacement",
            LABELS,
            "Who places the policy objects",
            (
                json_answer(
                    PlacementBody, "`outside`: a policy engine; `builtin`: this service.", {"placement": "outside"}
                ),
            ),
            parameters=(ORG,),
        ),
        Operation(
            "put",
            _PLACEMENT,
            "putPlacement",
            LABELS,
            "Choose who places the policy objects",
            (DONE,),
            parameters=(ORG,),
            body=json_body(PlacementBody, {"placement": "builtin"}),
            refusals=(413,),
        ),
    ]
