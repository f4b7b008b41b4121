"""What the stores of webhooks keep in memory."""

from __future__ import annotations

from dataclasses import dataclass

from common.domain.ids import ObjectKey
from common.domain.webhooks import Webhook, WebhookEvent


@dataclass(frozen=True)
class Registration:
    webhook: Webhook
    last_error: str = ""
    last_error_at_ms: int | None = None


@dataclass(frozen=True)
class Line:
    webhook_id: int
    object: ObjectKey
    due_at_ms: int
    attempts: int = 0
    called_event_id: int | None = None


@dataclass(frozen=True)
class Queued:
    event: WebhookEvent
    reason: str = ""
    died_at_ms: int | None = None
