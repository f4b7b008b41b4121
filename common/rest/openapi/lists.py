"""Lists of objects of an organization (rest-api 3.1 to 3.3)."""

from __future__ import annotations

from common.domain.metadata import Metadata
from common.rest.openapi.model import AnyOf, Operation, flag, json_answer, query
from common.rest.openapi.objects import ORG
from common.rest.openapi.paging import PAGE, link
from common.rest.openapi.shapes import ObjectWithPolicy

TAG = "Lists"

_EMPTY = "404 with an empty body when there is nothing to list."
_TIME = {"type": "string", "format": "date-time"}

_SELECTORS = (
    flag("destination_policy", "Objects with a policy, and where they went."),
    flag("filters", "Metadata of the objects that match every filter."),
    flag("list_object_type", "The names of the object types."),
)

_POLICY_FILTERS = (
    flag("received", "With `destination_policy`: also those a policy engine has seen."),
    query("service", "With `destination_policy`: those whose policy names this service.", example="myorg/detector"),
    query("since", "A time: nanoseconds since 1970 with `destination_policy`, RFC 3339 with `filters`."),
)

_FILTERS = (
    flag("destinationPolicy", "With or without a policy."),
    query("dpService", "With `destinationPolicy=true`: the policy names this service.", example="myorg/detector"),
    query("dpPropertyName", "With `destinationPolicy=true`: the policy has a property of this name."),
    query("objectType", "Of this type."),
    query("objectID", "With `objectType`: of this ID."),
    query("destinationType", "Addressed to this type."),
    query("destinationID", "With `destinationType`: addressed to this node."),
    flag("noData", "With or without data."),
    query("expirationTimeBefore", "Expires at or before this time.", _TIME),
    flag("deleted", "Deleted or not."),
)


def organization_lists() -> list[Operation]:
    """`/objects/{org}?…`, on the cloud only. To OpenAPI one path and method is one operation."""
    listed = AnyOf((list[Metadata], list[ObjectWithPolicy], list[str]))
    return [
        Operation(
            "get",
            "/api/v1/objects/{org}",
            "listObjectsOfOrganization",
            TAG,
            "Objects with a policy, objects by filters, or object types",
            (link(json_answer(listed, "What the selector says.")),),
            f"The first of `destination_policy`, `filters` and `list_object_type` that is given has to be true. {_EMPTY}",
            (ORG, *_SELECTORS, *_POLICY_FILTERS, *_FILTERS, *PAGE),
            refusals=(404,),
        )
    ]
