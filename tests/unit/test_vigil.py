"""Who watches over requests that are held open: no more than needed, and to the end."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest
from starlette.requests import HTTPConnection

from common.domain.errors import NotAuthenticated, Unavailable
from common.domain.principals import Principal, Role
from common.rest.vigil import CALLER, Vigil
from common.runtime.authentication.cache import Remembered
from common.runtime.hub import Hub
from common.sync import wakeups

ANN = Principal(Role.USER, "o", "ann")


@dataclass
class Desk:
    """Knows everybody as ANN until told otherwise."""

    epoch: int = 0
    answer: Principal | Exception = ANN
    asked: int = 0
    now: float = 0.0
    valid_seconds: float = 600.0
    hub: Hub = field(default_factory=Hub)

    async def ensure_current(self, *, at_once: bool = False) -> None: ...

    async def recognize(self, connection: HTTPConnection) -> Remembered:
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.remembered(self.answer)

    def remembered(self, principal: Principal = ANN) -> Remembered:
        return Remembered(principal, self.now + self.valid_seconds, self.epoch, b"the same")

    def request(self) -> HTTPConnection:
        return HTTPConnection({"type": "http", "headers": [], CALLER: self.remembered()})

    async def tell(self) -> None:
        """Credentials changed somewhere."""
        self.epoch += 1
        self.hub.publish([wakeups.ACCOUNTS])
        await asyncio.sleep(0.05)


@pytest.fixture
def desk() -> Desk:
    return Desk()


def vigil_of(desk: Desk) -> Vigil:
    desk.hub.attach(asyncio.get_running_loop())
    return Vigil(desk, desk.hub, lambda: desk.now)


def test_everything_of_a_caller_ends_once_and_he_is_asked_for_once(desk: Desk) -> None:
    async def story() -> list[int]:
        vigil, ended = vigil_of(desk), [0, 0]

        def end(number: int) -> None:
            ended[number] += 1

        with vigil.hold(desk.request(), lambda: end(0)), vigil.hold(desk.request(), lambda: end(1)):
            desk.answer = NotAuthenticated()
            await desk.tell()
            await desk.tell()
        return ended

    assert asyncio.run(story()) == [1, 1]


@pytest.mark.parametrize("answer", [ANN, Unavailable()], ids=["the same", "cannot be told"])
def test_who_is_still_the_same_goes_on(desk: Desk, answer: Principal | Exception) -> None:
    async def story() -> None:
        vigil = vigil_of(desk)
        with vigil.until_revoked(desk.request()):
            desk.answer = answer
            await desk.tell()
            assert desk.asked == 1

    asyncio.run(story())


def test_somebody_who_became_another_does_not_go_on_as_before(desk: Desk) -> None:
    async def story() -> None:
        with vigil_of(desk).until_revoked(desk.request()):
            desk.answer = Principal(Role.ADMIN, "o", "ann")
            await desk.tell()
            await asyncio.sleep(5)

    with pytest.raises(NotAuthenticated):
        asyncio.run(story())


def test_who_was_recognized_before_a_change_is_looked_at_again(desk: Desk) -> None:
    """The change came between his being recognized and his being held."""

    async def story() -> None:
        request = desk.request()
        desk.epoch += 1
        desk.answer = NotAuthenticated()
        with vigil_of(desk).until_revoked(request):
            desk.hub.publish([wakeups.ACCOUNTS])
            await asyncio.sleep(5)

    with pytest.raises(NotAuthenticated):
        asyncio.run(story())


def test_an_answer_that_has_run_out_is_asked_for_again(desk: Desk) -> None:
    async def story() -> None:
        with vigil_of(desk).until_revoked(desk.request()):
            desk.hub.publish([wakeups.ACCOUNTS])
            await asyncio.sleep(0.05)
            assert desk.asked == 0
            desk.now += 601
            desk.hub.publish([wakeups.ACCOUNTS])
            await asyncio.sleep(0.05)
            assert desk.asked == 1

    asyncio.run(story())


def test_a_cancellation_from_elsewhere_stays_one(desk: Desk) -> None:
    async def waits() -> None:
        with vigil_of(desk).until_revoked(desk.request()):
            await asyncio.sleep(5)

    async def story() -> None:
        task = asyncio.create_task(waits())
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(story())


def test_nothing_is_left_when_nothing_is_held(desk: Desk) -> None:
    async def story() -> Vigil:
        vigil = vigil_of(desk)
        with vigil.hold(desk.request(), lambda: None), vigil.hold(desk.request(), lambda: None):
            assert len(vigil._callers) == 1
        return vigil

    vigil = asyncio.run(story())
    assert (vigil._callers, vigil._task) == ({}, None)
