"""What the use cases ask of what is remembered about arrivals. Naming and locks as in `ports`."""

from __future__ import annotations

from typing import Protocol

from common.domain.ids import NodeKey, ObjectKey
from common.domain.reception import Reception


class ReceptionStore(Protocol):
    """What arrives from other nodes: transfers, the inbox ledger, answers owed."""

    def find(self, key: ObjectKey, *, lock: bool = False) -> Reception | None: ...

    def save(self, reception: Reception) -> None: ...

    def remove(self, key: ObjectKey) -> None: ...

    def list_fetching(self, limit: int) -> list[Reception]:
        """Receptions in FETCHING, oldest first."""
        ...

    def claim_answers(self, origin: NodeKey | None, now_ms: int, limit: int) -> list[Reception]:
        """Due answers to one origin (None: to any), oldest due first, locked; the caller saves them with `answer_sent`.

        As with deliveries, a due time further ahead than the longest retry delay counts as due.
        """
        ...

    def requeue_answers(self, origin: NodeKey, now_ms: int) -> None:
        """The origin is back: every answer owed to it is due now, with attempts 0."""
        ...

    def has_answers(self, origin: NodeKey, now_ms: int) -> bool: ...

    def next_answer_at(self, origin: NodeKey | None) -> int | None: ...

    def prune_finished(self, keep: int) -> int:
        """Forget the oldest (smallest instances) of CONSUMED and FORGOTTEN receptions without an open answer, beyond `keep`;
        how many went.
        """
        ...
