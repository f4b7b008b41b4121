"""The applications' side of a node, without HTTP: objects published, looked at and deleted."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from common.domain.errors import OutcomeUnknown, SyncError
from common.domain.ids import ObjectKey
from common.domain.metadata import Metadata
from common.domain.objects import SyncObject
from common.domain.preconditions import UNCONDITIONAL, Precondition
from common.domain.publishing import LocalNode, check_publishable, completed
from common.rest.arrivals import Arrival, Arrivals
from common.rest.readable_data import ReadableData, readable_data
from common.rest.transactions import Transactions
from common.runtime.batching import Batcher
from common.sync.payload_names import payload_name
from common.sync.publisher import Publisher
from common.sync.revision import PutObject

if TYPE_CHECKING:
    from common.sync.dry_run import Plan

#: Where transactions commit side by side: one batch of publishes is being committed while the next one is handed over.
_PUT_LANES = 2


class Exchange:
    """One per process. Coroutines; every call is one transaction."""

    def __init__(
        self,
        local: LocalNode,
        transactions: Transactions,
        publisher: Publisher,
        arrivals: Arrivals,
        new_token: Callable[[], str],
        chunk_bytes: int,
        now_ms: Callable[[], int],
    ) -> None:
        self._local = local
        self._transactions = transactions
        self._publisher = publisher
        self._arrivals = arrivals
        self._new_token = new_token
        self._chunk_bytes = chunk_bytes
        self._now_ms = now_ms
        self._puts: Batcher[PutObject, SyncObject] = transactions.batcher(publisher.put_many, most_lanes=_PUT_LANES)

    async def put(
        self,
        key: ObjectKey,
        meta: Metadata,
        data: bytes | None,
        owner: str,
        precondition: Precondition = UNCONDITIONAL,
    ) -> None:
        """Create or update an own object; durable on return.

        Raises InvalidRequest, PreconditionFailed, and VerificationFailed when the object is stored without its data, which
        does not have the signature it is declared to have.
        """
        meta = self._checked(key, meta, data, owner)
        arrival = await self._arrivals.of_publish(meta, data, lambda: payload_name(key, self._new_token()))
        try:
            await self._puts.submit(_command(key, meta, arrival, precondition))
            arrival.check()
        except OutcomeUnknown:
            raise  # the data may be the object's; if it is not, the sweep for orphans finds it
        except SyncError:
            await self._arrivals.drop(arrival)
            raise

    async def rehearse(
        self,
        key: ObjectKey,
        meta: Metadata,
        data: bytes | None,
        owner: str,
        precondition: Precondition = UNCONDITIONAL,
    ) -> Plan:
        """What `put` would do; nothing is changed. Raises what it raises."""
        # Imported here: hardly anybody asks.
        from common.sync.dry_run import plan_publish

        meta = self._checked(key, meta, data, owner)
        arrival = await self._arrivals.rehearsed(meta, data)
        arrival.check()
        command = _command(key, meta, arrival, precondition)
        return await self._transactions.read(lambda uow: plan_publish(uow, self._local, self._publisher, command))

    async def get(self, key: ObjectKey) -> SyncObject:
        """Raises NotFound."""
        return await self._transactions.read(lambda uow: uow.objects.get(key))

    async def readable_data(self, key: ObjectKey) -> ReadableData:
        """The data of the version that applications see. Raises NotFound when there is none to read."""
        return await self._transactions.read(lambda uow: readable_data(uow, uow.objects.get(key)))

    async def delete(self, key: ObjectKey, precondition: Precondition = UNCONDITIONAL) -> None:
        """Raises NotFound, InvalidRequest, PreconditionFailed."""
        await self._transactions.write(lambda uow: self._publisher.delete(uow, key, precondition))

    def _checked(self, key: ObjectKey, meta: Metadata, data: bytes | None, owner: str) -> Metadata:
        """With what this node adds to it. Raises InvalidRequest."""
        now_ms = self._now_ms()
        check_publishable(meta, key, self._local, has_data=bool(data), now_ms=now_ms)
        return completed(meta, key, self._local, owner, self._chunk_bytes, now_ms)


def _command(key: ObjectKey, meta: Metadata, arrival: Arrival, precondition: Precondition) -> PutObject:
    return PutObject(
        key, meta, arrival.data, arrival.payload, arrival.digest, arrival.verdict, precondition=precondition
    )
