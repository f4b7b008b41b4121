"""Services that a later policy of an object no longer names (rest-api 2.2).

Until a service has confirmed that, its list of updates shows it the object as deleted.
"""

from __future__ import annotations

from dataclasses import replace

from common.domain.ids import ObjectKey
from common.domain.services import ServiceName, was_dropped, without_dropped
from common.sync.ports import UnitOfWork


def confirm_dropped(uow: UnitOfWork, key: ObjectKey, service: ServiceName) -> bool:
    """The service knows that the object is no longer its own. False when the policy has not dropped it."""
    item = uow.objects.find(key, lock=True)
    if item is None or not was_dropped(item, service):
        return False
    uow.objects.save_many([replace(item, dropped_services=without_dropped(item, service))])
    return True
