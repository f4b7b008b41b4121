"""How an operation is described: plain values, one `Operation` per path and method, written down beside the handlers.

Schemas are types (msgspec structs and what they are made of) or JSON Schema as it stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from common.rest.problems import PROBLEM_JSON, Problem

JsonSchema: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One of several."""

    schemas: tuple[Schema, ...]


Schema: TypeAlias = type | JsonSchema | AnyOf

JSON = "application/json"
OCTETS = "application/octet-stream"
TEXT = "text/plain"

BINARY: JsonSchema = {"type": "string", "contentMediaType": OCTETS}


@dataclass(frozen=True, slots=True)
class Parameter:
    """Of a path, a query or a header."""

    place: Literal["path", "query", "header"]
    name: str
    description: str
    schema: JsonSchema = field(default_factory=lambda: {"type": "string"})
    is_required: bool = False
    example: object = None


@dataclass(frozen=True, slots=True)
class Content:
    """One form of a body."""

    schema: Schema
    example: object = None


@dataclass(frozen=True, slots=True)
class Body:
    """What a request carries, by media type."""

    contents: Mapping[str, Content]
    description: str = ""
    is_required: bool = True


@dataclass(frozen=True, slots=True)
class Answer:
    """One status. Without contents the body is empty. `headers` are descriptions by name."""

    status: int
    description: str
    contents: Mapping[str, Content] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Link:
    """What can be called next with the same parameters."""

    name: str
    operation_id: str
    #: Names of the path parameters that are handed on.
    parameters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path. `refusals` are the statuses of errors it can have beyond `Operation.COMMON`."""

    method: Literal["get", "put", "post", "delete", "patch"]
    path: str
    operation_id: str
    tag: str
    summary: str
    answers: tuple[Answer, ...]
    description: str = ""
    parameters: tuple[Parameter, ...] = ()
    body: Body | None = None
    refusals: tuple[int, ...] = ()
    links: tuple[Link, ...] = ()
    #: Without credentials.
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class Tag:
    """A chapter of the page."""

    name: str
    description: str


@dataclass(frozen=True, slots=True)
class Description:
    """A whole service."""

    title: str
    summary: str
    tags: tuple[Tag, ...]
    operations: tuple[Operation, ...]


#: Every operation that needs credentials can be refused like this.
COMMON_REFUSALS = (400, 403, 429, 503)

_REFUSALS = {
    400: "The request breaks a rule; nothing was changed.",
    401: "Credentials are needed.",
    403: "Not authenticated, or not allowed.",
    404: "There is no such thing, or nothing to list.",
    409: "The upload this piece belongs to was replaced by another one.",
    412: "What If-Match or If-None-Match asks for is not so; nothing was changed.",
    413: "Larger than the configuration allows.",
    416: "The range begins behind the end of the data (requests with If-Range only).",
    429: "Too many at once, or too often; try again later.",
    500: "The data does not match its signature.",
    503: "Stopping, no room, or the database is away; try again later.",
    507: "The organization keeps as much as its quota allows; nothing was changed.",
}


def refusal(status: int) -> Answer:
    """An error. 404 has an empty body for callers that do not ask for problem documents."""
    problem = Content(Problem)
    contents = {PROBLEM_JSON: problem} if status == 404 else {TEXT: Content({"type": "string"}), PROBLEM_JSON: problem}
    headers = {"Retry-After": "Seconds to wait."} if status in (429, 503) else {}
    return Answer(status, _REFUSALS[status], contents, headers)


def json_answer(schema: Schema, description: str, example: object = None, **headers: str) -> Answer:
    """200 with JSON. Names of `headers` are written with underscores."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Answer(200, description, {JSON: Content(schema, example)}, named)


def json_body(schema: Schema, example: object = None, description: str = "") -> Body:
    return Body({JSON: Content(schema, example)}, description)


DONE = Answer(204, "Done, and durable.")


def path_parameter(name: str, description: str, example: str) -> Parameter:
    """A name by the rule of rest-api 1.7."""
    schema = {"type": "string", "minLength": 1, "maxLength": 1024, "pattern": r"^[\p{L}\p{N}!@#$^*_.~|-]+$"}
    return Parameter("path", name, description, schema, is_required=True, example=example)


def flag(name: str, description: str) -> Parameter:
    return Parameter("query", name, description, {"type": "boolean"})


def query(name: str, description: str, schema: JsonSchema | None = None, example: object = None) -> Parameter:
    return Parameter("query", name, description, schema or {"type": "string"}, example=example)


def header(name: str, description: str, schema: JsonSchema | None = None, example: object = None) -> Parameter:
    return Parameter("header", name, description, schema or {"type": "string"}, example=example)
