"""Organizations and access lists (rest-api 3.18, 3.19)."""

from __future__ import annotations

from common.rest.openapi.model import (
    DONE,
    AnyOf,
    Operation,
    Parameter,
    flag,
    json_answer,
    json_body,
    path_parameter,
    query,
)
from common.rest.openapi.objects import ORG
from css.api.openapi.shapes import AccessListEntry, ChangeAccessList, Organization, PutOrganization

ORGANIZATIONS = "Organizations"
SECURITY = "Access lists"

_KIND = Parameter(
    "path",
    "kind",
    "Who may read or write objects of a type, or address destinations of a type.",
    {"type": "string", "enum": ["objects", "destinations"]},
    is_required=True,
    example="objects",
)
_USER_TYPES = {"type": "string", "enum": ["user", "node"]}
_USER_TYPE = Parameter("path", "userType", "Which kind of user.", _USER_TYPES, is_required=True, example="user")
_KEY = path_parameter(
    "key", "The type of objects or destinations; `*` for the list of the whole organization.", "model"
)
_USERNAME = path_parameter("username", "The name, or `*`.", "ann")
_LIST = "/api/v1/security/{kind}/{org}"

_ENTRY_EXAMPLE = {"Username": "ann", "ACLUserType": "user", "ACLRole": "aclReader"}
_CHANGE = json_body(ChangeAccessList, {"action": "add", "users": [_ENTRY_EXAMPLE]})


def organization_operations() -> list[Operation]:
    """`/organizations`."""
    return [
        Operation(
            "get",
            "/api/v1/organizations",
            "listOrganizations",
            ORGANIZATIONS,
            "The organizations the caller administers",
            (json_answer(list[Organization], "Possibly none.", [{"org-id": "myorg", "address": ""}]),),
            "404 with an empty body when no organization is stored.",
            refusals=(404,),
        ),
        Operation(
            "put",
            "/api/v1/organizations/{org}",
            "putOrganization",
            ORGANIZATIONS,
            "Store an organization",
            (DONE,),
            "Objects, nodes and accounts need no stored organization.",
            (ORG,),
            json_body(PutOrganization, {"orgID": "myorg", "address": ""}),
            refusals=(413,),
        ),
        Operation(
            "delete",
            "/api/v1/organizations/{org}",
            "deleteOrganization",
            ORGANIZATIONS,
            "Delete an organization and everything it has",
            (DONE,),
            "Nodes, objects with their data, access lists and webhooks go too.",
            (ORG,),
        ),
    ]


def access_list_operations() -> list[Operation]:
    """`/security`."""
    keys = {"type": "array", "items": {"type": "string"}}
    return [
        Operation(
            "get",
            _LIST,
            "getAccessList",
            SECURITY,
            "The entries of an access list, or which lists there are",
            (json_answer(AnyOf((list[AccessListEntry], keys)), "Never empty.", [_ENTRY_EXAMPLE]),),
            "404 with an empty body when there is no entry.",
            (
                _KIND,
                ORG,
                flag("all_keys", "The keys that have a list, in place of entries."),
                query("key", "Of this type; without it the list of the whole organization."),
                query("acl_usertype", "Only this kind of users.", _USER_TYPES),
            ),
            refusals=(404,),
        ),
        Operation(
            "put",
            _LIST,
            "changeAccessListOfOrganization",
            SECURITY,
            "Add or remove entries for the whole organization",
            (DONE,),
            parameters=(_KIND, ORG),
            body=_CHANGE,
            refusals=(413,),
        ),
        Operation(
            "put",
            f"{_LIST}/{{key}}",
            "changeAccessList",
            SECURITY,
            "Add or remove entries for a type",
            (DONE,),
            parameters=(_KIND, ORG, _KEY),
            body=_CHANGE,
            refusals=(413,),
        ),
        Operation(
            "delete",
            f"{_LIST}/{{key}}/{{userType}}/{{username}}",
            "deleteAccessListEntry",
            SECURITY,
            "Remove one entry",
            (DONE,),
            parameters=(_KIND, ORG, _KEY, _USER_TYPE, _USERNAME),
        ),
    ]
