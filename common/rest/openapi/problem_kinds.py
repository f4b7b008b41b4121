"""What the kinds of errors mean, for people who follow the `type` of a problem document; docs/errors.md says more."""

from __future__ import annotations

MEANINGS = {
    "already-exists": "What was to be created is there already; choose another name.",
    "forbidden": "The caller is known, but may not do this.",
    "internal-error": "A defect of the service; its log has the details under `request_failed`.",
    "invalid-request": "The request breaks a rule and cannot succeed as it is; nothing was changed.",
    "method-not-allowed": "The address exists, the method does not exist there.",
    "not-authenticated": "No credentials, unknown ones, or a wrong secret.",
    "not-found": "There is no such thing, or nothing to list.",
    "out-of-place": "Between services: the message does not fit the state of the transfer.",
    "precondition-failed": "What `If-Match` or `If-None-Match` asked for is not so; read the present version and try again.",
    "quota-exceeded": "The organization keeps as much as it may; nothing was changed.",
    "range-not-satisfiable": "The range begins behind the end of the data.",
    "store-full": "There is no room for more data; nothing of the request was kept.",
    "superseded": "The upload, or the instance, was replaced by another one.",
    "too-large": "More than the configuration allows.",
    "too-many-requests": "Too much at once, or too many failed logins; try again after the time that `Retry-After` says.",
    "unavailable": "Stopping, or the database or the payload store cannot be reached; try again later.",
    "unknown-node": "Between services: the node has to register first.",
    "verification-failed": "The data does not match its declared size, digest or signature.",
}
