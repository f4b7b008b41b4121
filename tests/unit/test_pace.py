"""Who moves too few bytes is cut off, who is kept waiting is not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from common.runtime.pace import Pace, PaceLimits

WINDOW_SECONDS = 0.08


class Peer:
    def __init__(self, *, moves: Callable[[int], int | None]) -> None:
        self._moves = moves
        self._looks = 0
        self.is_cut = self.is_done = False

    def bytes_moved(self) -> int | None:
        self._looks += 1
        return self._moves(self._looks)

    def is_over(self) -> bool:
        return self.is_done

    def cut(self) -> None:
        self.is_cut = True


def watched(*peers: Peer, bytes_per_second: int = 1000, windows: int = 4) -> None:
    async def run() -> None:
        pace = Pace(PaceLimits(bytes_per_second, WINDOW_SECONDS))
        for peer in peers:
            pace.watch(peer)
        await asyncio.sleep(WINDOW_SECONDS * (windows + 1))

    asyncio.run(run())


def test_only_those_that_stand_still_or_crawl_are_cut() -> None:
    stalled = Peer(moves=lambda _: 7)
    crawling = Peer(moves=lambda looks: looks)
    steady = Peer(moves=lambda looks: looks * 100)
    waiting = Peer(moves=lambda _: None)

    watched(stalled, crawling, steady, waiting)

    assert [peer.is_cut for peer in (stalled, crawling, steady, waiting)] == [True, True, False, False]


def test_a_transfer_that_is_over_is_let_go() -> None:
    done = Peer(moves=lambda _: 0)
    done.is_done = True

    watched(done)

    assert not done.is_cut


def test_without_a_rate_nobody_is_cut() -> None:
    stalled = Peer(moves=lambda _: 0)

    watched(stalled, bytes_per_second=0)

    assert not stalled.is_cut


def test_nothing_runs_while_nothing_is_watched() -> None:
    async def run() -> None:
        pace = Pace(PaceLimits(1000, WINDOW_SECONDS))
        done = Peer(moves=lambda _: 0)
        pace.watch(done)
        pace.forget(done)
        await asyncio.sleep(WINDOW_SECONDS)
        assert pace._timer is None

    asyncio.run(run())
