"""Bytes on the wire <-> values. The only module that knows how metadata, poll answers and feedback are spelled."""

from __future__ import annotations

import base64
import binascii
from typing import Any, TypeVar

import msgspec

from common.domain.errors import InvalidRequest
from common.domain.metadata import Metadata
from common.protocol import lenient_json
from common.protocol.messages import Feedback, PollItem

_encoder = msgspec.json.Encoder()
_T = TypeVar("_T")


def encode_metadata(meta: Metadata) -> bytes:
    return _encoder.encode(meta)


def encode_metadata_list(metas: list[Metadata]) -> bytes:
    return _encoder.encode(metas)


def decode_metadata(raw: bytes) -> Metadata:
    """Metadata as a client or peer sends it. Raises InvalidRequest with the member's name."""
    return _metadata_from(lenient_json.METADATA.fold(lenient_json.loads_first(raw)))


def decode_put_object(raw: bytes) -> tuple[Metadata, bytes | None]:
    """The body of PUT object: metadata, and the data if any came along (`""` is present and empty, null is absent).

    Raises InvalidRequest.
    """
    body = lenient_json.PUT_OBJECT.fold(lenient_json.loads_first(raw))
    if not isinstance(body, dict) or not isinstance(body.get("meta"), dict):
        raise InvalidRequest('The body has to be a JSON object with a member "meta".')
    return _metadata_from(body["meta"]), _data_from(body.get("data"))


def encode_poll(items: list[PollItem]) -> bytes:
    return _encoder.encode(items)


def decode_poll(raw: bytes) -> list[PollItem]:
    """A poll's answer. Items of a type we do not know are left out (wire-protocol 8.2). Raises InvalidRequest."""
    value = lenient_json.loads_first(raw, most_values=None)
    if not isinstance(value, list):
        raise InvalidRequest("A poll's answer has to be a JSON array.")
    return [item for item in map(_poll_item_from, value) if item is not None]


def encode_feedback(feedback: Feedback) -> bytes:
    return _encoder.encode(feedback)


def decode_feedback(raw: bytes) -> Feedback:
    """Raises InvalidRequest."""
    return _convert(lenient_json.loads_first(raw), Feedback)


def _metadata_from(value: Any) -> Metadata:
    return _convert(value, Metadata)


def _poll_item_from(value: Any) -> PollItem | None:
    if not isinstance(value, dict):
        raise InvalidRequest("An item of a poll's answer has to be a JSON object.")
    item_type = value.get("Type")
    if item_type not in PollItem.TYPES:
        return None
    return PollItem(item_type, _metadata_from(lenient_json.METADATA.fold(value.get("MetaData"))))


def _data_from(value: Any) -> bytes | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise InvalidRequest("data has to be base64 text.")
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidRequest("data is not valid base64.") from error


def _convert(value: Any, expected: type[_T]) -> _T:
    try:
        return msgspec.convert(value, expected)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"The metadata is not valid: {error}.") from error
