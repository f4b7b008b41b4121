"""What the use cases of webhooks ask of storage. Naming and locks as in `ports`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from common.domain.webhooks import Attempt, Webhook, WebhookEvent


@dataclass(frozen=True, slots=True)
class QueueReport:
    """How one webhook is doing."""

    webhook: Webhook
    queued: int
    #: When the oldest event that is queued was; None when there is none.
    oldest_queued_at_ms: int | None
    dead: int
    #: Of the last call that failed; empty when none ever did.
    last_error: str
    last_error_at_ms: int | None


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that was given up."""

    event: WebhookEvent
    webhook: Webhook
    reason: str
    died_at_ms: int


class WebhookStore(Protocol):
    """The registrations."""

    def list_of_type(self, org: str, object_type: str) -> list[Webhook]:
        """In the order of their URLs. One index look-up."""
        ...

    def save(self, webhook: Webhook) -> None:
        """Insert; where its URL is registered for its organization and type, renew format and secret and keep the rest."""
        ...

    def remove(self, webhook_id: int) -> None:
        """With everything queued for it, dead letters included."""
        ...

    def report_of_org(self, org: str) -> list[QueueReport]:
        """In the order of types and URLs."""
        ...


class WebhookQueue(Protocol):
    """The durable queue: for each webhook and object one line of events, the oldest of which is due at some time."""

    def add_many(self, events: Sequence[WebhookEvent], now_ms: int) -> None:
        """Each at the end of its line, several for the same line by their ids; where a line was empty it is due now."""
        ...

    def first_due(self) -> list[tuple[int, int]]:
        """For each webhook with a line its id and the earliest due time (ms). Costs one look-up per such webhook."""
        ...

    def claim(self, webhook_id: int, now_ms: int, lease_until_ms: int, limit: int) -> list[Attempt]:
        """The oldest events of up to `limit` due lines of one webhook, oldest due first, counted as attempts and not due
        again before `lease_until_ms`: a crash delays a call and cannot lose it.

        Lines another transaction holds are skipped. A due time further ahead than the longest retry delay counts as due:
        the clock was wrong when it was set. Lines of a webhook that is gone are removed.
        """
        ...

    def is_current(self, attempt: Attempt) -> bool:
        """Is this still the latest attempt of its line? Locks the line."""
        ...

    def done(self, attempt: Attempt, now_ms: int) -> None:
        """The event is out of the queue; the next one of its line, if any, is due now."""
        ...

    def postpone(self, attempt: Attempt, due_at_ms: int) -> None: ...

    def bury(self, attempt: Attempt, reason: str, now_ms: int) -> None:
        """The event becomes a dead letter; the next one of its line, if any, is due now."""
        ...

    def note_failure(self, webhook_id: int, reason: str, now_ms: int) -> None:
        """What `QueueReport.last_error` tells."""
        ...

    def hurry(self, webhook_id: int, now_ms: int) -> None:
        """Every line of the webhook that waits for its next attempt is due now; calls under way are not repeated."""
        ...

    def list_dead(self, org: str, after: int, limit: int) -> list[DeadLetter]:
        """By event id beyond `after`."""
        ...

    def revive(self, org: str, event_id: int, now_ms: int) -> bool:
        """The dead letter is queued again, before what came after it; whether there was such a one."""
        ...

    def remove_dead(self, org: str, event_id: int) -> bool:
        """Whether there was such a one."""
        ...

    def prune_dead(self, before_ms: int, limit: int) -> int:
        """Forget dead letters that died before that time; how many went."""
        ...
