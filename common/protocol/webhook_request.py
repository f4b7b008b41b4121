"""The body of PUT webhook (rest-api 3.6), and the members added to it: `format` and `secret`."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from common.domain.errors import InvalidRequest
from common.domain.webhooks import MAX_SECRET_BYTES, WebhookFormat
from common.protocol.lenient_json import Shape, loads_first
from common.protocol.webhook_signature import signing_key


class WebhookAction(StrEnum):
    REGISTER = "register"
    DELETE = "delete"


class WebhookRequest(msgspec.Struct, frozen=True):
    """What an application asks for."""

    action: WebhookAction
    url: str
    format: WebhookFormat | None
    secret: str | None

    def __repr__(self) -> str:
        return f"WebhookRequest({self.action.value!r})"


class _Body(msgspec.Struct, frozen=True):
    action: str = ""
    url: str = ""
    format: str | None = None
    secret: str | None = None


_SHAPE = Shape(dict.fromkeys(("action", "url", "format", "secret")))


def decode_webhook_request(raw: bytes) -> WebhookRequest:
    """Raises InvalidRequest; the URL is not looked at."""
    try:
        body = msgspec.convert(_SHAPE.fold(loads_first(raw)), _Body)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"The body is not valid: {error}.") from error
    try:
        action = WebhookAction(body.action.lower())
    except ValueError as error:
        raise InvalidRequest("action has to be register or delete.") from error
    return WebhookRequest(action, body.url, _format_of(body.format), _checked_secret(body.secret))


def _format_of(text: str | None) -> WebhookFormat | None:
    if text is None:
        return None
    try:
        return WebhookFormat(text.lower())
    except ValueError as error:
        raise InvalidRequest(f"format has to be {' or '.join(WebhookFormat)}.") from error


def _checked_secret(secret: str | None) -> str | None:
    if secret is None:
        return None
    try:
        is_storable = "\0" not in secret and len(secret.encode()) <= MAX_SECRET_BYTES
        is_usable = is_storable and (not secret or len(signing_key(secret)) > 0)
    except ValueError:
        is_usable = False
    if not is_usable:
        raise InvalidRequest(f"secret has to be text of up to {MAX_SECRET_BYTES} bytes; after whsec_ valid base64.")
    return secret
