"""The use cases both services run, wired for one node."""

from __future__ import annotations

from collections.abc import Callable

from common.domain.objects import SyncObject
from common.domain.publishing import LocalNode
from common.domain.reception import Answer
from common.sync.fan_out import FanOuts
from common.sync.lifecycle import Lifecycle
from common.sync.placement import Placement
from common.sync.ports import UnitOfWork
from common.sync.publisher import Publisher
from common.sync.quotas import Quotas
from common.sync.receiver import Receiver
from common.sync.sender import Sender
from common.sync.uploads import Uploads
from common.sync.webhooks import Webhooks


class Engine:
    """Each use case is a transaction of its caller; nothing here waits."""

    def __init__(
        self,
        local: LocalNode,
        now_ms: Callable[[], int],
        random: Callable[[], float],
        new_token: Callable[[], str],
        *,
        implied_answers: frozenset[Answer] = frozenset(),
        published: Callable[[UnitOfWork, SyncObject], None] | None = None,
        quotas: Quotas | None = None,
    ) -> None:
        """`implied_answers` are those its transport gives by itself; for `published` and `quotas` see `Publisher`."""
        self.local = local
        self.now_ms = now_ms
        self.random = random
        self.new_token = new_token
        self.fan_outs = FanOuts(local, now_ms)
        self.publisher = Publisher(local, self.fan_outs, now_ms, published, quotas)
        self.uploads = Uploads(self.publisher, now_ms, new_token, quotas)
        self.placement = Placement(self.fan_outs, now_ms)
        self.lifecycle = Lifecycle(self.fan_outs, now_ms)
        self.sender = Sender(local, now_ms, random)
        self.receiver = Receiver(local, now_ms, random, implied_answers, quotas)
        self.webhooks = Webhooks(now_ms)
