"""JSON as the reference reads it (rest-api 1.5): names in any case, null scalars absent, text after the value ignored."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn

import msgspec

from common.domain.errors import InvalidRequest, TooLarge
from common.domain.metadata import WIRE_NAMES, Metadata, Policy, PolicyProperty, ServiceId

#: Values of one body. Each takes up to a hundred times the memory of the two bytes it can be written with.
MOST_VALUES = 100_000


def loads_first(raw: bytes, *, most_values: int | None = MOST_VALUES) -> Any:
    """The first JSON value of `raw`. Raises InvalidRequest, and TooLarge for more than `most_values` in it."""
    if most_values is not None and _may_have_more_than(most_values, raw):
        raise TooLarge(f"The body has more than {most_values} values.")
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return _loads_first_slowly(raw)


def _may_have_more_than(count: int, raw: bytes) -> bool:
    """Before any value is built. Each but the first has a comma or a bracket before it; base64 has neither."""
    return len(raw) > 2 * count and raw.count(b",") + raw.count(b"[") + raw.count(b"{") > count


def _loads_first_slowly(raw: bytes) -> Any:
    try:
        text = raw.decode("utf-8").lstrip(" \t\r\n")
        value, _ = json.JSONDecoder(parse_constant=_refuse_constant).raw_decode(text)
        json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair is no text
    except (ValueError, RecursionError) as error:
        raise InvalidRequest("The body is not valid JSON.") from error
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


class Shape:
    """Which members a JSON object may have, and the shapes of those that are objects themselves."""

    def __init__(self, names: Mapping[str, Shape | None], nullable: frozenset[str] = frozenset()) -> None:
        self._names = names
        self._folded = {name.lower(): name for name in names}
        self._nullable = nullable

    def fold_object(self, raw: bytes) -> dict[str, Any]:
        """The first JSON value of `raw`, folded. Raises InvalidRequest when it is not an object."""
        value = self.fold(loads_first(raw))
        if not isinstance(value, dict):
            raise InvalidRequest("The body has to be a JSON object.")
        return value

    def fold(self, value: Any) -> Any:
        """`value` with known members under their exact names; an exact match wins over one in another case. What is not an
        object passes as it is, for the type check that follows.
        """
        if isinstance(value, list):
            return [self.fold(item) for item in value]
        if not isinstance(value, dict):
            return value
        folded: dict[str, Any] = {}
        for name, member in value.items():
            exact = name if name in self._names else self._folded.get(name.lower())
            if exact is None or (member is None and exact not in self._nullable):
                continue
            if exact is not name and exact in value:
                continue
            shape = self._names[exact]
            folded[exact] = shape.fold(member) if shape is not None and member is not None else member
        return folded


def _names(struct: type[msgspec.Struct]) -> list[str]:
    return [field.encode_name for field in msgspec.structs.fields(struct)]


_PROPERTY = Shape(dict.fromkeys(_names(PolicyProperty)), frozenset({"value"}))
_SERVICE = Shape(dict.fromkeys(_names(ServiceId)))
_POLICY = Shape(
    {**dict.fromkeys(_names(Policy)), "properties": _PROPERTY, "services": _SERVICE},
    frozenset({"properties", "constraints", "services"}),
)
_POLICY_NAME = WIRE_NAMES["destination_policy"]
METADATA = Shape(
    {**dict.fromkeys(_names(Metadata)), _POLICY_NAME: _POLICY},
    frozenset({WIRE_NAMES["destinations_list"], _POLICY_NAME}),
)
PUT_OBJECT = Shape({"meta": METADATA, "data": None})
