"""Registrations of webhooks."""

from __future__ import annotations

import sqlalchemy as sa

from common.domain.webhooks import Webhook, WebhookFormat
from common.store.session import Row, Session
from common.store.statements import Statement, constant, matching, parameter, upsert
from common.store.webhook_tables import HAS_DUE_TIME, webhook_events, webhook_lines, webhooks
from common.sync.webhook_ports import QueueReport

#: Of a `Webhook`, in the order of `webhook_of`.
COLUMNS = [webhooks.c[name] for name in ("webhook_id", "org", "type", "url", "format", "secret", "created_at_ms")]
QUEUED, DEAD = constant("queued"), constant("dead")

_BY_NAME = (webhooks.c.type, webhooks.c.url)
_OF_WEBHOOK = matching(webhooks, "webhook_id")
_EVENTS = webhook_events.c.webhook_id == webhooks.c.webhook_id

_LIST_OF_TYPE = Statement(sa.select(*COLUMNS).where(matching(webhooks, "org", "type")).order_by(webhooks.c.url))
FIND = Statement(sa.select(*COLUMNS).where(_OF_WEBHOOK))
_ADD = upsert(webhooks, "org", "type", "url", is_replacing=False)
_RENEW = Statement(
    sa.update(webhooks)
    .where(matching(webhooks, "org", "type", "url"))
    .values(format=parameter("format", sa.Text), secret=parameter("secret", sa.Text))
)
_REMOVE = [
    Statement(sa.delete(webhooks).where(_OF_WEBHOOK)),
    Statement(sa.delete(webhook_lines).where(matching(webhook_lines, "webhook_id"), HAS_DUE_TIME)),
    Statement(sa.delete(webhook_events).where(matching(webhook_events, "webhook_id"))),
]


def _about_events(what: sa.ColumnElement[int], state: sa.ColumnElement[str]) -> sa.ScalarSelect[int]:
    return sa.select(what).where(_EVENTS, webhook_events.c.state == state).scalar_subquery()


_REPORT_OF_ORG = Statement(
    sa.select(
        *COLUMNS,
        _about_events(sa.func.count(), QUEUED),
        _about_events(sa.func.min(webhook_events.c.queued_at_ms), QUEUED),
        _about_events(sa.func.count(), DEAD),
        webhooks.c.last_error,
        webhooks.c.last_error_at_ms,
    )
    .where(matching(webhooks, "org"))
    .order_by(*_BY_NAME)
)


class SqlWebhooks:
    """The `WebhookStore` of one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def list_of_type(self, org: str, object_type: str) -> list[Webhook]:
        rows = self._session.fetch(_LIST_OF_TYPE, {"org": org, "type": object_type})
        return [webhook_of(row) for row in rows]

    def save(self, webhook: Webhook) -> None:
        row = {
            "webhook_id": webhook.id,
            "org": webhook.org,
            "type": webhook.object_type,
            "url": webhook.url,
            "format": webhook.format.value,
            "secret": webhook.secret,
            "created_at_ms": webhook.created_at_ms,
            "last_error": "",
            "last_error_at_ms": None,
        }
        if self._session.run_many(_ADD, [row]) == 0:
            self._session.run(_RENEW, {name: row[name] for name in ("org", "type", "url", "format", "secret")})

    def remove(self, webhook_id: int) -> None:
        remove(self._session, webhook_id)

    def report_of_org(self, org: str) -> list[QueueReport]:
        return [
            QueueReport(webhook_of(row[: len(COLUMNS)]), *row[len(COLUMNS) :])
            for row in self._session.fetch(_REPORT_OF_ORG, {"org": org})
        ]


def remove(session: Session, webhook_id: int) -> None:
    """A webhook, if it is there, and everything queued for it."""
    for statement in _REMOVE:
        session.run(statement, {"webhook_id": webhook_id})


def webhook_of(row: Row) -> Webhook:
    webhook_id, org, object_type, url, body_format, secret, created_at_ms = row
    return Webhook(webhook_id, org, object_type, url, WebhookFormat(body_format), secret, created_at_ms)
