"""Names to addresses, within a time limit that the system's resolver does not have."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future
from ipaddress import ip_address

from common.runtime.network_policy import Address, literal_address

LookUp = Callable[[str], list[Address]]


def system_look_up(host: str) -> list[Address]:
    """Whatever the system says, in its order. Raises OSError, UnicodeError."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return list(dict.fromkeys(ip_address(str(address[0]).partition("%")[0]) for *_, address in found))


class Resolver:
    """Looks a name up once at a time: those who ask meanwhile share the answer, so that few threads wait for a dead server."""

    def __init__(self, look_up: LookUp = system_look_up) -> None:
        self._look_up = look_up
        self._lock = threading.Lock()
        self._under_way: dict[str, Future[list[Address]]] = {}

    def addresses(self, host: str, timeout_seconds: float) -> list[Address]:
        """Never empty. Raises OSError (TimeoutError among them), UnicodeError for what cannot be a name."""
        literal = literal_address(host)
        if literal is not None:
            return [literal]
        with self._lock:
            answer = self._under_way.get(host)
            if answer is None:
                answer = self._under_way[host] = Future()
                threading.Thread(target=self._answer, args=(host, answer), name="resolver", daemon=True).start()
        return answer.result(timeout_seconds)

    def _answer(self, host: str, answer: Future[list[Address]]) -> None:
        try:
            found = self._look_up(host)
            error: Exception | None = None if found else OSError("the name has no address")
        except Exception as failure:  # noqa: BLE001 - whatever it is, it is the answer
            found, error = [], failure
        with self._lock:
            del self._under_way[host]
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(found)
