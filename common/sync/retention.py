"""What a node may forget: each record that has served its purpose, beyond a number that is kept for those who ask."""

from __future__ import annotations

from collections.abc import Callable

from common.sync.ports import UnitOfWork

#: Receptions that are over, kept so that a late repeat is recognized.
RECEPTIONS_KEPT = 10_000

#: An upload nobody continued for this long is given up; its bytes are collected.
UPLOAD_ABANDONED_MS = 7 * 24 * 3600 * 1000

#: Calls of webhooks that were given up can be repeated by hand for this long.
DEAD_LETTER_MS = 30 * 24 * 3600 * 1000

#: Who changed what, unless the configuration says otherwise.
AUDIT_KEPT_MS = 365 * 24 * 3600 * 1000

_PAGE = 500


class Retention:
    """Use cases, each one page of work; whether there may be more."""

    def __init__(
        self, now_ms: Callable[[], int], consumed_objects_kept: int, audit_kept_ms: int = AUDIT_KEPT_MS
    ) -> None:
        self._now_ms = now_ms
        self._audit_kept_ms = audit_kept_ms
        self._consumed_objects_kept = consumed_objects_kept

    def forget_receptions(self, uow: UnitOfWork) -> bool:
        uow.receptions.prune_finished(RECEPTIONS_KEPT)
        return False

    def give_up_uploads(self, uow: UnitOfWork) -> bool:
        stale = uow.uploads.list_stale(self._now_ms() - UPLOAD_ABANDONED_MS, _PAGE)
        for upload in stale:
            uow.uploads.remove(upload.object)
        uow.payloads.discard_many([upload.staged for upload in stale], self._now_ms())
        return len(stale) == _PAGE

    def forget_dead_letters(self, uow: UnitOfWork) -> bool:
        return uow.webhook_queue.prune_dead(self._now_ms() - DEAD_LETTER_MS, _PAGE) == _PAGE

    def forget_audit(self, uow: UnitOfWork) -> bool:
        return uow.audit.prune(self._now_ms() - self._audit_kept_ms, _PAGE) == _PAGE

    def forget_consumed_objects(self, uow: UnitOfWork) -> bool:
        """Own objects the other side has consumed, oldest first (rest-api 5.1 `consumedByDest`)."""
        keys = uow.objects.list_consumed_by_destination(self._consumed_objects_kept, _PAGE)
        for key in keys:
            uow.deliveries.remove_of_object(key)
            uow.objects.remove(key)
        return len(keys) == _PAGE
