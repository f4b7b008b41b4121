"""What types do not say about the bodies: what members mean, and which of them are always there."""

from __future__ import annotations

from typing import Any

#: What a caller has to say about an object; every answer has all members.
_NEEDED_TO_PUBLISH = ["objectID", "objectType"]


def complete(components: dict[str, Any]) -> None:
    """Add it to the components that msgspec makes from the types."""
    for component, texts in _MEMBERS.items():
        properties = components.get(component, {}).get("properties", {})
        for name in properties.keys() & texts.keys():
            properties[name]["description"] = texts[name]
    metadata = components["Metadata"]
    components["NewMetadata"] = {**metadata, "title": "NewMetadata", "required": _NEEDED_TO_PUBLISH}
    metadata["required"] = list(metadata["properties"])
    components["PutObject"]["properties"]["meta"] = {"$ref": "#/components/schemas/NewMetadata"}


_MEMBERS = {
    "Metadata": {
        "objectID": "With organization and type the identity of the object. In a PUT: as in the path.",
        "objectType": "Groups objects for polling, webhooks and access lists. In a PUT: as in the path.",
        "destinationOrgID": "The organization; set by the service.",
        "destinationType": "Only nodes of this type get the object.",
        "destinationID": "With `destinationType`: only this node gets it.",
        "destinationsList": "Exactly these nodes get it, each written `type:id`. On a CSS only.",
        "destinationPolicy": "A policy engine decides which nodes get it.",
        "expiration": "RFC 3339. After this time the object is removed. On a CSS only.",
        "version": "Carried along.",
        "description": "Carried along.",
        "link": "Applications fetch the data from there; the service has none.",
        "inactive": "Not delivered before it is activated.",
        "activationTime": "RFC 3339. When an inactive object is activated.",
        "noData": "There is no data and never will be.",
        "metaOnly": "This update keeps the stored data.",
        "destinationDataUri": "The receiving node stores the data in this file.",
        "sourceDataUri": "The sending node takes the data from this file.",
        "consumers": "How many calls of a mark use the object up; -1 for no end.",
        "autodelete": "Expires after every node has consumed it.",
        "originID": "Where the object was created; set by the service.",
        "originType": "Where the object was created; set by the service.",
        "deleted": "The object is gone and applications have to confirm it; set by the service.",
        "instanceID": "Grows with every change; set by the service.",
        "dataID": "Instance of the last change of the data.",
        "objectSize": "Bytes of data.",
        "chunkSize": "Bytes per piece between services; set by the service.",
        "uploadChunkSize": "Bytes of the first piece of an upload in pieces.",
        "hashAlgorithm": "`SHA1` or `SHA256`; with key and signature: the data is verified.",
        "publicKey": "RSA key, DER (PKIX) in base64.",
        "signature": "RSA-PSS signature of the data, base64.",
        "public": "Readable by every authenticated user of every organization.",
        "ownerID": "Who wrote it, `org/user`.",
    },
    "Problem": {
        "type": "Stable; see the descriptions below `/docs/errors`.",
        "detail": "For people; may change.",
        "instance": "Names this one answer; the log has it too.",
    },
}
