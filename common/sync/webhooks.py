"""The use cases of webhooks: registering, queueing what they are told, calling in order, dealing with dead letters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from common.domain.errors import InvalidRequest, NotFound
from common.domain.ids import ObjectKey
from common.domain.metadata import Metadata
from common.domain.publishing import LocalNode
from common.domain.webhooks import (
    CALL_RETRY,
    MAX_WEBHOOKS_OF_TYPE,
    Attempt,
    Fate,
    Outcome,
    Webhook,
    WebhookEvent,
    WebhookFormat,
    fate_of,
)
from common.protocol import cloud_events, codec
from common.sync import wakeups
from common.sync.ports import UnitOfWork

_PAGE = 200


@dataclass(frozen=True, slots=True)
class Registration:
    """What an application asks for. A format or secret of None leaves what a registration has already."""

    org: str
    object_type: str
    url: str
    format: WebhookFormat | None = None
    secret: str | None = None

    def __repr__(self) -> str:
        return f"Registration({self.org!r}, {self.object_type!r})"


def enqueue(uow: UnitOfWork, key: ObjectKey, meta: Metadata, local: LocalNode, now_ms: int) -> None:
    """The data of a received object is complete: queue a call for each webhook of its type, with its metadata as it is now."""
    webhooks = uow.webhooks.list_of_type(key.org, key.type)
    if not webhooks:
        return
    meta = msgspec.structs.replace(meta, deleted=False)
    plain = codec.encode_metadata(meta)
    events = [
        WebhookEvent(
            event_id, webhook.id, key, meta.instance_id, _body(webhook, event_id, plain, key, local, now_ms), now_ms
        )
        for webhook, event_id in zip(webhooks, uow.next_instances(len(webhooks)), strict=True)
    ]
    uow.webhook_queue.add_many(events, now_ms)
    uow.wake(wakeups.WEBHOOKS)


class Webhooks:
    """Registrations, as applications and administrators see them."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms

    def register(self, uow: UnitOfWork, wanted: Registration) -> None:
        """Idempotent. Raises InvalidRequest when the type has too many already."""
        known = uow.webhooks.list_of_type(wanted.org, wanted.object_type)
        current = next((each for each in known if each.url == wanted.url), None)
        if current is None and len(known) >= MAX_WEBHOOKS_OF_TYPE:
            raise InvalidRequest(f"There are {MAX_WEBHOOKS_OF_TYPE} webhooks for this type already.")
        secret = wanted.secret if wanted.secret is not None else current.secret if current else ""
        body_format = wanted.format or (current.format if current else WebhookFormat.EDGESYNC)
        webhook_id = current.id if current else uow.next_instances(1)[0]
        now_ms = self._now_ms()
        uow.webhooks.save(Webhook(webhook_id, wanted.org, wanted.object_type, wanted.url, body_format, secret, now_ms))

    def unregister(self, uow: UnitOfWork, org: str, object_type: str, url: str) -> None:
        """With what is queued for it. URLs are compared in any case; an unknown one is fine (rest-api 3.6)."""
        for webhook in uow.webhooks.list_of_type(org, object_type):
            if webhook.url.lower() == url.lower():
                uow.webhooks.remove(webhook.id)

    def replay(self, uow: UnitOfWork, org: str, event_id: int) -> None:
        """Queue a dead letter again. Raises NotFound."""
        if not uow.webhook_queue.revive(org, event_id, self._now_ms()):
            raise NotFound
        uow.wake(wakeups.WEBHOOKS)

    def replay_page(self, uow: UnitOfWork, org: str, after: int) -> int | None:
        """Queue a page of dead letters again, those with ids beyond `after`; where the next page begins, None at the end."""
        letters = uow.webhook_queue.list_dead(org, after, _PAGE)
        for letter in letters:
            uow.webhook_queue.revive(org, letter.event.id, self._now_ms())
        if letters:
            uow.wake(wakeups.WEBHOOKS)
        return letters[-1].event.id if len(letters) == _PAGE else None

    def forget_dead(self, uow: UnitOfWork, org: str, event_id: int) -> None:
        """Raises NotFound."""
        if not uow.webhook_queue.remove_dead(org, event_id):
            raise NotFound


class WebhookCalls:
    """What is to be called now, and what becomes of it."""

    def __init__(
        self, now_ms: Callable[[], int], random: Callable[[], float], *, lease_ms: int, give_up_after_ms: int
    ) -> None:
        """`lease_ms` is longer than any call takes; `give_up_after_ms` is the age at which an event becomes a dead letter."""
        self._now_ms = now_ms
        self._random = random
        self._lease_ms = lease_ms
        self._give_up_after_ms = give_up_after_ms

    def claim(self, uow: UnitOfWork, webhook_id: int, limit: int) -> list[Attempt]:
        """Calls to make at once."""
        now_ms = self._now_ms()
        return uow.webhook_queue.claim(webhook_id, now_ms, now_ms + self._lease_ms, limit)

    def settle(self, uow: UnitOfWork, attempt: Attempt, outcome: Outcome) -> Fate | None:
        """What the call leads to; None, and nothing, when another attempt has been made since."""
        queue, now_ms = uow.webhook_queue, self._now_ms()
        if not queue.is_current(attempt):
            return None
        fate = fate_of(attempt.event, outcome, now_ms, self._give_up_after_ms)
        match fate:
            case Fate.DONE:
                queue.done(attempt, now_ms)
            case Fate.AGAIN:
                queue.postpone(attempt, now_ms + CALL_RETRY.delay_ms(attempt.number, self._random()))
            case Fate.DEAD:
                queue.bury(attempt, outcome.reason, now_ms)
        if fate is not Fate.DONE:
            queue.note_failure(attempt.webhook.id, outcome.reason, now_ms)
        return fate

    def receiver_is_back(self, uow: UnitOfWork, webhook_id: int) -> None:
        """Nothing waits out a pause that was meant for a receiver nobody could reach."""
        uow.webhook_queue.hurry(webhook_id, self._now_ms())


def _body(webhook: Webhook, event_id: int, plain: bytes, key: ObjectKey, local: LocalNode, now_ms: int) -> str:
    if webhook.format is WebhookFormat.CLOUDEVENTS:
        return cloud_events.object_received(event_id, key, local.type, local.id, plain, now_ms).decode()
    return plain.decode()
