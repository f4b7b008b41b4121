"""What a generator of requests cannot know from the document: an object is named in its body as in its path."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import schemathesis

#: Members that say something about the object without restricting who else could be meant.
_HARMLESS = ("description", "version", "consumers", "public", "inactive", "noData", "metaOnly")


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Makes most PUTs of an object ones that can succeed, so that what follows finds something."""
    if "Prefer" in case.headers:
        case.headers["Prefer"] = "wait=1"
    if case.operation.definition.raw.get("operationId") != "putObject" or not isinstance(case.body, dict):
        return
    object_id, object_type = unquote(case.path_parameters["id"]), unquote(case.path_parameters["type"])
    if len(object_id) % 3 == 0:
        return
    meta = case.body.get("meta")
    kept = {name: meta[name] for name in _HARMLESS if name in meta} if isinstance(meta, dict) else {}
    kept.update(description="", version="", consumers=1, metaOnly=False)
    case.body = {"meta": {**kept, "objectID": object_id, "objectType": object_type}, "data": "eA=="}
    for condition in ("If-Match", "If-None-Match"):
        case.headers.pop(condition, None)
