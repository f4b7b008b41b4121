"""One object: its metadata, its data, what is done with it (rest-api 3.7 to 3.15)."""

from __future__ import annotations

from dataclasses import replace

from common.domain.metadata import Metadata
from common.rest.openapi.model import (
    BINARY,
    DONE,
    OCTETS,
    Answer,
    Body,
    Content,
    Link,
    Operation,
    Parameter,
    flag,
    header,
    json_answer,
    json_body,
    path_parameter,
)
from common.rest.openapi.shapes import ChangeDestinations, Destination, Plan, PutObject

TAG = "Objects"

ORG = path_parameter("org", "The organization.", "myorg")
TYPE = path_parameter("type", "The object type.", "model")
ID = path_parameter("id", "The object ID.", "m1")

_ETAG = "Strong: names this version."
_ETAGS = {"type": "string"}
IF_MATCH = header("If-Match", "Only if the present version has one of these tags; `*`: if there is one.", _ETAGS)
IF_NONE_MATCH = header("If-None-Match", "Only if the present version has none of these tags.", _ETAGS, '"0a1b2c"')
NOT_MODIFIED = Answer(304, "The caller has this version already.", headers={"ETag": _ETAG})
_CREATE_ONLY = replace(
    IF_NONE_MATCH, description="`*`: only if there is no present version, so that nothing is replaced.", example="*"
)

_META_EXAMPLE = {"objectID": "m1", "objectType": "model", "destinationType": "camera", "version": "1.0.0"}
_DESTINATION_EXAMPLE = {
    "destinationType": "camera", "destinationID": "cam-1", "status": "delivered", "message": ""
}  # fmt: skip


def object_operations(*, is_cloud: bool) -> list[Operation]:
    """Everything below `/objects/…/{id}`; on the cloud with the organization in the path."""
    base = "/api/v1/objects/{org}/{type}/{id}" if is_cloud else "/api/v1/objects/{type}/{id}"
    path = (ORG, TYPE, ID) if is_cloud else (TYPE, ID)
    described = [*_record(base, path), *_data(base, path), *_state(base, path), *_marks(base, path)]
    return described if is_cloud else [_without_cloud_parts(each) for each in described]


def _record(base: str, path: tuple[Parameter, ...]) -> list[Operation]:
    names = tuple(parameter.name for parameter in path)
    return [
        Operation(
            "get",
            base,
            "getObject",
            TAG,
            "The metadata of an object",
            (json_answer(Metadata, "All members, always.", ETag=_ETAG), NOT_MODIFIED),
            parameters=(*path, IF_NONE_MATCH, IF_MATCH),
            refusals=(404, 412),
        ),
        Operation(
            "put",
            base,
            "putObject",
            TAG,
            "Create or update an object",
            (DONE, json_answer(Plan, "With `dry_run`: what the request would do. Nothing was changed.")),
            "Without `data` the object waits for it, unless `noData`, `link` or `metaOnly` say that none comes.",
            (*path, flag("dry_run", "Check everything, change nothing."), _CREATE_ONLY, IF_MATCH),
            json_body(PutObject, {"meta": _META_EXAMPLE, "data": "aGVsbG8gd29ybGQ="}),
            refusals=(412, 413, 500, 507),
            links=(
                Link("read it", "getObject", names),
                Link("read its data", "getData", names),
                Link("replace its data", "putData", names),
                Link("delete it", "deleteObject", names),
            ),
        ),
        Operation(
            "delete",
            base,
            "deleteObject",
            TAG,
            "Delete an object",
            (DONE,),
            "Of an object created here every node is told; it is `objdeleted` until all have acknowledged.",
            (*path, IF_MATCH),
            refusals=(404, 412),
        ),
    ]


def _data(base: str, path: tuple[Parameter, ...]) -> list[Operation]:
    fields = {"ETag": "Strong: follows from the bytes.", "Accept-Ranges": "`bytes`"}
    octets = {OCTETS: Content(BINARY)}
    return [
        Operation(
            "get",
            f"{base}/data",
            "getData",
            TAG,
            "The data of an object",
            (
                Answer(200, "All of it.", octets, fields),
                Answer(206, "A part of it.", octets, {**fields, "Content-Range": "`bytes first-last/total`"}),
                NOT_MODIFIED,
            ),
            "Without If-Range only `bytes=first-last` is taken, and answered with 200 when it covers everything. "
            "With If-Range the rules of RFC 9110 hold: open-ended and last bytes, 416 beyond the end, the whole if the "
            "data is another than If-Range names, and for several ranges.",
            (
                *path,
                header("Range", "The part that is wanted.", example="bytes=0-1023"),
                header("If-Range", "The ETag that the part has to belong to."),
                IF_NONE_MATCH,
                IF_MATCH,
            ),
            refusals=(404, 412, 416),
        ),
        Operation(
            "put",
            f"{base}/data",
            "putData",
            TAG,
            "Replace the data of an object",
            (
                replace(
                    DONE,
                    headers={
                        "ETag": "Of the data, when it came whole.",
                        "MMS-Upload-Owner": "Which process took the piece.",
                    },
                ),
            ),
            "Whole, or in pieces with Content-Range: in any order, each durable when answered; the one that completes "
            "the total publishes the object.",
            (
                *path,
                header(
                    "Content-Range", "`bytes first-last/total` of this piece.", example="bytes 0-52428799/104857600"
                ),
                _CREATE_ONLY,
                IF_MATCH,
            ),
            Body(octets, "The bytes; any media type is taken.", is_required=False),
            refusals=(404, 409, 412, 413, 500, 507),
        ),
    ]


def _state(base: str, path: tuple[Parameter, ...]) -> list[Operation]:
    targets = ["camera:cam-1", "camera:cam-2"]
    names = {"type": "array", "items": {"type": "string"}}
    return [
        Operation(
            "get",
            f"{base}/status",
            "getStatus",
            TAG,
            "The status word of an object",
            (Answer(200, "The bare word.", {"plain/text": Content({"type": "string"}, "ready")}),),
            parameters=path,
            refusals=(404,),
        ),
        Operation(
            "get",
            f"{base}/destinations",
            "getDestinations",
            TAG,
            "How far an object has come to each node",
            (json_answer(list[Destination], "In the order the destinations were added.", [_DESTINATION_EXAMPLE]),),
            parameters=path,
            refusals=(404,),
        ),
        Operation(
            "put",
            f"{base}/destinations",
            "putDestinations",
            TAG,
            "Replace the destinations of an object",
            (DONE,),
            "Nodes that are no longer named are told to drop their copy.",
            path,
            json_body(names, targets),
            refusals=(404, 413),
        ),
        Operation(
            "post",
            f"{base}/destinations",
            "changeDestinations",
            TAG,
            "Add or remove destinations of an object",
            (DONE,),
            parameters=path,
            body=json_body(ChangeDestinations, {"action": "add", "destinations": targets}),
            refusals=(404, 413),
        ),
    ]


def _marks(base: str, path: tuple[Parameter, ...]) -> list[Operation]:
    marks = {
        "received": ("markReceived", "An application has the object; after `consumers` calls it is no longer listed."),
        "consumed": ("markConsumed", "An application is done with the object; the origin is told."),
        "deleted": ("markDeleted", "An application knows that the object is gone."),
        "activate": ("activate", "Deliver an inactive object now."),
        "policyreceived": ("markPolicyReceived", "The policy engine has seen the present policy."),
    }
    return [
        Operation("put", f"{base}/{word}", operation_id, TAG, summary, (DONE,), parameters=path, refusals=(404,))
        for word, (operation_id, summary) in marks.items()
    ]


def _without_cloud_parts(operation: Operation) -> Operation:
    """On an edge some operations are always refused, and there are no quotas."""
    never = {
        "getDestinations": "Always 404 on an edge: its objects go to the cloud.",
        "putDestinations": "Refused on an edge.",
        "changeDestinations": "Refused on an edge.",
        "markPolicyReceived": "Refused on an edge.",
    }
    refusals = tuple(status for status in operation.refusals if status != 507)
    note = never.get(operation.operation_id, operation.description)
    return replace(operation, description=note, refusals=refusals)
