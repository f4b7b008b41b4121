"""Copies of other nodes' objects, as applications see them while a version comes or goes."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from common.domain.chunks import Coverage
from common.domain.objects import ObjectStatus, SyncObject
from common.domain.reception import Reception, ReceptionState
from common.sync.ports import UnitOfWork

_ARRIVING = frozenset({ReceptionState.FETCHING, ReceptionState.FAILED})
_GONE = frozenset({ReceptionState.DELETED, ReceptionState.FORGOTTEN})


def partial_copy(reception: Reception) -> SyncObject:
    """What is shown while the data of the first usable version is on its way."""
    meta = msgspec.structs.replace(reception.meta, deleted=False)
    return SyncObject(reception.object, meta, ObjectStatus.PARTIALLY_RECEIVED, is_own=False).with_counters_restarted()


def remove_copy(uow: UnitOfWork, copy: SyncObject, now_ms: int) -> None:
    """An application removed a copy. A newer version on its way is not affected: the application has not seen it.

    The reception stays as the memory of what is finished with, so that a repeated announcement does not bring it back.
    """
    if copy.payload is not None:
        uow.payloads.discard_many([copy.payload], now_ms)
    reception = uow.receptions.find(copy.key, lock=True)
    if reception is not None and reception.state in _ARRIVING and reception.instance != copy.instance:
        uow.objects.save_many([partial_copy(reception)])
        return
    uow.objects.remove(copy.key)
    if reception is None:
        return
    if reception.staged:
        uow.payloads.discard_many([reception.staged], now_ms)
    state = ReceptionState.FORGOTTEN if reception.state in _GONE else ReceptionState.CONSUMED
    uow.receptions.save(
        replace(reception, state=state, answer=None, answer_due_at_ms=None, staged="", coverage=Coverage())
    )
