"""How much memory request bodies may take, and who waits for whom."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any

import pytest

from common.domain.errors import TooManyRequests
from common.domain.principals import Principal, Role
from common.rest.body import BodyBudget
from common.rest.transfers import Transfers

ANN, BOB = Principal(Role.ADMIN, "o", "ann"), Principal(Role.ADMIN, "o", "bob")


def in_a_loop(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    def run() -> None:
        asyncio.run(asyncio.wait_for(test(), 10))

    run.__name__ = test.__name__
    return run


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


@in_a_loop
async def test_one_caller_never_has_more_than_a_quarter() -> None:
    budget = BodyBudget(100)
    async with AsyncExitStack() as held:
        await held.enter_async_context(budget.hold(25, ANN))
        waiting = asyncio.create_task(_hold_and_let_go(budget, 1, ANN))
        await turns()
        assert not waiting.done()
        await _hold_and_let_go(budget, 25, BOB)
    await waiting


@in_a_loop
async def test_a_body_larger_than_a_quarter_counts_as_one() -> None:
    await _hold_and_let_go(BodyBudget(100), 1000, ANN)


@in_a_loop
async def test_whoever_comes_when_it_is_spent_waits_his_turn() -> None:
    budget = BodyBudget(100)
    order: list[str] = []

    async def hold(name: str, size: int) -> None:
        async with budget.hold(size, name):
            order.append(name)
            await turns()

    async with AsyncExitStack() as held:
        for caller in range(4):
            await held.enter_async_context(budget.hold(25, caller))
        waiting = [asyncio.create_task(hold(name, 20)) for name in ("a", "b", "c")]
        await turns()
        assert order == []
    await asyncio.gather(*waiting)
    assert order == ["a", "b", "c"]


@in_a_loop
async def test_whoever_gives_up_waiting_leaves_the_memory_to_others() -> None:
    budget = BodyBudget(100)
    async with AsyncExitStack() as held:
        for caller in range(4):
            await held.enter_async_context(budget.hold(25, caller))
        gone = asyncio.create_task(_hold_and_let_go(budget, 25, ANN))
        await turns()
        gone.cancel()
        await turns()
    for _ in range(3):
        await _hold_and_let_go(budget, 25, ANN)
    assert not budget._waiting
    assert not budget._of_caller
    assert budget._left == 100


async def _hold_and_let_go(budget: BodyBudget, size: int, caller: object) -> None:
    async with budget.hold(size, caller):
        pass


def test_uploads_are_limited_together_and_of_one_caller() -> None:
    transfers = Transfers(uploads=3, per_caller=2, ranged_downloads=1)
    with transfers.upload(ANN), transfers.upload(ANN):
        with pytest.raises(TooManyRequests), transfers.upload(ANN):
            pass
        with transfers.upload(BOB), pytest.raises(TooManyRequests), transfers.upload(BOB):
            pass
        with transfers.upload(BOB):
            pass
    with transfers.upload(ANN):
        pass
    assert not transfers._under_way


def test_downloads_are_limited_of_one_caller_and_ranged_ones_together() -> None:
    transfers = Transfers(uploads=1, per_caller=2, ranged_downloads=1)
    transfers.check_download(ANN, is_ranged=True)
    with transfers.download(ANN, is_ranged=True):
        with pytest.raises(TooManyRequests):
            transfers.check_download(BOB, is_ranged=True)
        transfers.check_download(ANN, is_ranged=False)
        with transfers.download(ANN, is_ranged=False), pytest.raises(TooManyRequests):
            transfers.check_download(ANN, is_ranged=False)
    transfers.check_download(BOB, is_ranged=True)
    assert not transfers._under_way
