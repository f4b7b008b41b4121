"""Webhooks: URLs that are called when the data of a received object is complete, and what becomes of each call.

Calls about one object leave in order, one at a time; another object or another webhook never waits for them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import SplitResult, urlsplit

from common.domain.errors import InvalidRequest
from common.domain.ids import ObjectKey
from common.domain.retry import RetryPolicy

#: Calls without success are repeated after pauses that grow up to this policy's longest.
CALL_RETRY = RetryPolicy(first_ms=1_000, longest_ms=15 * 60_000)

#: Names of an organization and a type and such a URL fit together into one index entry of any engine.
MAX_URL_BYTES = 1_500
MAX_SECRET_BYTES = 500
MAX_WEBHOOKS_OF_TYPE = 100

_DEFAULT_PORTS = {"http": 80, "https": 443}


class WebhookFormat(StrEnum):
    """What the body of a call is."""

    #: The object's metadata, as the reference sends it.
    EDGESYNC = "edgesync"
    #: A CloudEvent 1.0 in structured JSON, with the metadata as its data.
    CLOUDEVENTS = "cloudevents"


@dataclass(frozen=True, slots=True)
class Webhook:
    """One registration. Neither the secret nor a password in the URL shows itself in a repr."""

    #: Never used twice.
    id: int
    org: str
    object_type: str
    url: str
    format: WebhookFormat
    #: Calls are signed with it; empty: they are not.
    secret: str
    created_at_ms: int

    def __repr__(self) -> str:
        return f"Webhook({self.id}, {self.org!r}, {self.object_type!r}, {masked_url(self.url)!r})"


@dataclass(frozen=True, slots=True)
class WebhookEvent:
    """What one webhook is told about one instance of an object."""

    #: Never used twice; receivers know repeats by it.
    id: int
    webhook_id: int
    object: ObjectKey
    instance: int
    body: str = field(repr=False)
    #: Since when it waits to be sent; its age decides when it is given up.
    queued_at_ms: int


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call to be made: the oldest event that a webhook has yet to be told about an object."""

    webhook: Webhook
    event: WebhookEvent
    #: This one included. Tells whether an outcome is about the latest attempt.
    number: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call ended."""

    #: Of the answer; None when there was none, or not a whole one in time.
    status: int | None
    #: One sentence for the operator, empty after a success; holds nothing of the webhook's secrets.
    reason: str = ""

    @property
    def is_success(self) -> bool:
        """Any 2xx: the reference's 200 and 204, and what else a receiver may find fitting."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def is_final(self) -> bool:
        """The receiver says that asking again is of no use (410 Gone)."""
        return self.status == 410


class Fate(StrEnum):
    """What becomes of an event after a call."""

    DONE = "done"
    AGAIN = "again"
    DEAD = "dead"


def fate_of(event: WebhookEvent, outcome: Outcome, now_ms: int, give_up_after_ms: int) -> Fate:
    """An event is tried at least once, however old it is: it may have waited behind another one."""
    if outcome.is_success:
        return Fate.DONE
    if outcome.is_final or now_ms - event.queued_at_ms >= give_up_after_ms:
        return Fate.DEAD
    return Fate.AGAIN


def checked_url(url: str) -> SplitResult:
    """The parts of a URL that can be called. Raises InvalidRequest."""
    if len(url.encode(errors="replace")) > MAX_URL_BYTES:
        raise InvalidRequest(f"The url is longer than {MAX_URL_BYTES} bytes.")
    if any(character.isspace() or not character.isprintable() for character in url):
        raise InvalidRequest("The url contains characters that are not allowed.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InvalidRequest("The url is not valid.") from error
    if parts.scheme not in _DEFAULT_PORTS:
        raise InvalidRequest("The url has to begin with http:// or https://.")
    if not parts.hostname or port == 0:
        raise InvalidRequest("The url has to name a host.")
    return parts


def port_of(parts: SplitResult) -> int:
    """The port to connect to."""
    return parts.port or _DEFAULT_PORTS[parts.scheme]


def masked_url(url: str) -> str:
    """The URL as it may be shown: a user and password in it are not."""
    userinfo, at, _ = urlsplit(url).netloc.rpartition("@")
    return url.replace(f"{userinfo}@", "***@", 1) if at else url


def origin_of(url: str) -> str:
    """Scheme, host and port: of a URL that may be none, and whose path and query may be secrets. Empty for none."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
