"""How many connections there may be, and which of them gives way."""

from __future__ import annotations

from common.runtime.addresses import Addresses
from common.runtime.connections import ConnectionLimits, Connections, Refusal

NEAR, FAR = "192.0.2.1", "192.0.2.2"


class Fake:
    def __init__(self) -> None:
        self.is_closed = False

    def close_idle(self) -> None:
        self.is_closed = True


def connections(total: int = 3, per_address: int = 0) -> Connections:
    return Connections(ConnectionLimits(total, per_address), Addresses())


def test_the_connection_idle_longest_gives_way_to_a_new_one() -> None:
    limited = connections()
    first, second, third, new = Fake(), Fake(), Fake(), Fake()
    for each in (first, second, third):
        assert limited.admit(each, NEAR) is None
    limited.is_busy(first)
    limited.is_idle(first)

    assert limited.admit(new, FAR) is None
    assert [each.is_closed for each in (first, second, third, new)] == [False, True, False, False]


def test_nobody_gives_way_while_all_are_busy() -> None:
    limited = connections(total=2)
    busy = [Fake(), Fake()]
    for each in busy:
        limited.admit(each, NEAR)
        limited.is_busy(each)

    assert limited.admit(Fake(), FAR) is Refusal.SERVICE_IS_FULL
    limited.left(busy[0], NEAR)
    assert limited.admit(Fake(), FAR) is None
    assert not any(each.is_closed for each in busy)


def test_one_address_has_its_share() -> None:
    limited = connections(total=10, per_address=2)
    near = Fake()
    assert limited.admit(near, NEAR) is None
    assert limited.admit(Fake(), NEAR) is None

    assert limited.admit(Fake(), NEAR) is Refusal.ADDRESS_HAS_TOO_MANY
    assert limited.admit(Fake(), FAR) is None
    limited.left(near, NEAR)
    assert limited.admit(Fake(), NEAR) is None


def test_connections_of_a_unix_socket_have_no_address() -> None:
    limited = connections(total=10, per_address=1)

    assert [limited.admit(Fake(), "") for _ in range(5)] == [None] * 5


def test_what_has_ended_is_forgotten() -> None:
    limited = connections(total=10, per_address=5)
    for _ in range(100):
        one = Fake()
        assert limited.admit(one, NEAR) is None
        limited.is_busy(one)
        limited.left(one, NEAR)

    assert limited.count == 0
    assert not limited._by_address
    assert not limited._idle
