"""Quotas."""

from __future__ import annotations

from common.rest.openapi.model import DONE, Operation, json_answer, json_body
from common.rest.openapi.objects import ORG
from css.api.quotas import QuotaBody, QuotaStates

TAG = "Quotas"

_PATH = "/api/v1/quotas/{org}"
_EXAMPLE = {"objects": 100_000, "payloadBytes": 50_000_000_000}


def quota_operations() -> list[Operation]:
    """`/quotas`."""
    return [
        Operation(
            "get",
            _PATH,
            "getQuota",
            TAG,
            "What an organization keeps, and the most it may",
            (json_answer(QuotaStates, "An object counts until every node has confirmed its deletion."),),
            parameters=(ORG,),
        ),
        Operation(
            "put",
            _PATH,
            "putQuota",
            TAG,
            "Give an organization a quota of its own",
            (DONE,),
            "What is null or left out is as the settings of the service say; 0 sets no limit. Only for sync admins.",
            (ORG,),
            json_body(QuotaBody, _EXAMPLE),
            refusals=(413,),
        ),
        Operation(
            "delete",
            _PATH,
            "deleteQuota",
            TAG,
            "Leave an organization to the default quota",
            (DONE,),
            "Only for sync admins.",
            parameters=(ORG,),
        ),
    ]
