"""Descriptions to an OpenAPI 3.1 document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import msgspec

from common.rest import problems
from common.rest.openapi.components import complete
from common.rest.openapi.model import (
    COMMON_REFUSALS,
    Answer,
    AnyOf,
    Body,
    Content,
    Description,
    Operation,
    Parameter,
    Schema,
    refusal,
)
from common.rest.openapi.problem_kinds import MEANINGS

_DISTRIBUTION = "edgesync"
_REF = "#/components/schemas/{name}"
_SCHEME = "basic"


def rendered(description: Description) -> bytes:
    """The document of this very release, as JSON."""
    try:
        release = version(_DISTRIBUTION)
    except PackageNotFoundError:
        release = "unknown"
    return msgspec.json.encode(document(description, release))


def document(description: Description, release: str) -> dict[str, Any]:
    """The document."""
    schemas = _Schemas(description.operations)
    paths: dict[str, dict[str, Any]] = {}
    for operation in description.operations:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": description.title, "summary": description.summary, "version": release},
        "servers": [{"url": "/"}],
        "security": [{_SCHEME: []}],
        "tags": [{"name": tag.name, "description": tag.description} for tag in description.tags],
        "paths": paths,
        "components": {
            "securitySchemes": {
                _SCHEME: {"type": "http", "scheme": "basic", "description": "Application key and secret."}
            },
            "schemas": schemas.components,
        },
        "x-problems": [
            {"name": kind.name, "title": kind.title, "meaning": MEANINGS[kind.name]} for kind in problems.kinds()
        ],
    }


class _Schemas:
    """Types as references to components, everything else as it stands."""

    def __init__(self, operations: tuple[Operation, ...]) -> None:
        types: dict[Any, None] = {}
        for operation in operations:
            for content in _contents(operation):
                types.update(dict.fromkeys(_types_in(content.schema)))
        rendered, self.components = msgspec.json.schema_components(list(types), ref_template=_REF)
        complete(self.components)
        self._by_type = dict(zip(types, rendered, strict=True))

    def of(self, schema: Schema) -> Any:
        if isinstance(schema, Mapping):
            return schema
        if isinstance(schema, AnyOf):
            return {"anyOf": [self.of(each) for each in schema.schemas]}
        return self._by_type[schema]


def _types_in(schema: Schema) -> Iterator[type]:
    if isinstance(schema, AnyOf):
        for each in schema.schemas:
            yield from _types_in(each)
    elif not isinstance(schema, Mapping):
        yield schema


def _contents(operation: Operation) -> Iterator[Content]:
    if operation.body is not None:
        yield from operation.body.contents.values()
    for answer in _answers(operation):
        yield from answer.contents.values()


def _answers(operation: Operation) -> list[Answer]:
    statuses = {*operation.refusals, *(() if operation.is_open else COMMON_REFUSALS)}
    answers = [*operation.answers, *map(refusal, statuses - {answer.status for answer in operation.answers})]
    return sorted(answers, key=lambda answer: answer.status)


def _operation(operation: Operation, schemas: _Schemas) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "operationId": operation.operation_id,
        "tags": [operation.tag],
        "summary": operation.summary,
    }
    if operation.description:
        shown["description"] = operation.description
    if operation.parameters:
        shown["parameters"] = [_parameter(parameter) for parameter in operation.parameters]
    if operation.body is not None:
        shown["requestBody"] = _body(operation.body, schemas)
    shown["responses"] = {str(answer.status): _answer(answer, schemas) for answer in _answers(operation)}
    if operation.links:
        success = shown["responses"][str(operation.answers[0].status)]
        success["links"] = {
            link.name: {
                "operationId": link.operation_id,
                "parameters": {f"path.{name}": f"$request.path.{name}" for name in link.parameters},
            }
            for link in operation.links
        }
    if operation.is_open:
        shown["security"] = []
    return shown


def _parameter(parameter: Parameter) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "in": parameter.place,
        "name": parameter.name,
        "description": parameter.description,
        "required": parameter.is_required,
        "schema": parameter.schema,
    }
    if parameter.example is not None:
        shown["example"] = parameter.example
    return shown


def _body(body: Body, schemas: _Schemas) -> dict[str, Any]:
    shown: dict[str, Any] = {"required": body.is_required, "content": _content(body.contents, schemas)}
    if body.description:
        shown["description"] = body.description
    return shown


def _answer(answer: Answer, schemas: _Schemas) -> dict[str, Any]:
    shown: dict[str, Any] = {"description": answer.description}
    if answer.headers:
        shown["headers"] = {
            name: {"description": text, "schema": {"type": "string"}} for name, text in answer.headers.items()
        }
    if answer.contents:
        shown["content"] = _content(answer.contents, schemas)
    return shown


def _content(contents: Mapping[str, Content], schemas: _Schemas) -> dict[str, Any]:
    return {
        media_type: {"schema": schemas.of(content.schema)}
        | ({} if content.example is None else {"example": content.example})
        for media_type, content in contents.items()
    }
