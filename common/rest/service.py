"""A built node, from its first connection to its last."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from common.rest.doorway import Doorway
from common.rest.draining import Draining
from common.runtime.hub import Hub
from common.runtime.serving import RELOAD, Listener, ServingLimits, serve_until_stopped
from common.runtime.stopping import StopRequest
from common.runtime.worker import Worker

_WORKER_STOP_SECONDS = 5.0


@dataclass(frozen=True)
class Service:
    """What a composition root returns."""

    doorway: Doorway
    draining: Draining
    workers: list[Worker]
    #: Asked for from inside, by whoever may.
    stop: StopRequest
    #: Workers that may be waiting in the network; nobody waits for them at the end.
    detached: list[Worker] = field(default_factory=list)


def run_service(
    service: Service,
    hub: Hub,
    listeners: Sequence[Listener],
    limits: ServingLimits,
    *,
    threads: int,
    run_loop: Callable[[Coroutine[None, None, None]], None],
) -> None:
    """Serve until asked to stop, then drain and end the workers.

    What a worker is in the middle of is resumed at the next start; waiting long for it would gain nothing.
    """

    async def run() -> None:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(threads, thread_name_prefix="work"))
        hub.attach(loop)
        await serve_until_stopped(
            service.doorway,
            listeners,
            limits,
            on_started=start,
            on_stopping=service.draining.begin,
            on_reload=lambda: hub.publish([RELOAD]),
        )
        hub.attach(None)

    def start() -> None:
        for worker in [*service.workers, *service.detached]:
            worker.start()

    run_loop(run())
    for worker in [*service.workers, *service.detached]:
        worker.stop()
    for worker in service.workers:
        worker.join(_WORKER_STOP_SECONDS)
