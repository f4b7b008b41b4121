"""One document by HTTP, from an address an operator configured: all of it, within one time limit and one size limit."""

from __future__ import annotations

import contextlib
import socket
from urllib.parse import SplitResult, urlsplit

import h11

from common.runtime.http_call import Deadline, TlsContext, connected, host_header, send_all, target_of
from common.runtime.network_policy import Address
from common.runtime.resolver import Resolver

_READ_BYTES = 16 * 1024
_MOST_HEAD_BYTES = 32 * 1024


class FetchFailed(Exception):
    """There is no document; the text says why."""


class Fetcher:
    """Fetches documents; redirects are not followed, for the address is the one somebody vouched for."""

    def __init__(self, tls: TlsContext, resolver: Resolver | None = None) -> None:
        self._tls = tls
        self._resolver = resolver or Resolver()

    def get(self, url: str, deadline: Deadline, most_bytes: int) -> bytes:
        """The body of a 200. Raises FetchFailed."""
        try:
            return self._get(urlsplit(url), deadline, most_bytes)
        except TimeoutError as error:
            raise FetchFailed(f"there was no answer within {deadline.limit_seconds:g} s") from error
        except OSError as error:
            raise FetchFailed(f"the server cannot be reached: {error.strerror or error}") from error
        except (h11.ProtocolError, ValueError) as error:
            raise FetchFailed("the answer was broken off, or is not valid HTTP") from error

    def _get(self, url: SplitResult, deadline: Deadline, most_bytes: int) -> bytes:
        *others, last = self._resolver.addresses(url.hostname or "", deadline.left_seconds())
        for address in others:
            with contextlib.suppress(
                ConnectionRefusedError
            ):  # the next address of the name may be the one that listens
                return self._exchange(url, address, deadline, most_bytes)
        return self._exchange(url, last, deadline, most_bytes)

    def _exchange(self, url: SplitResult, address: Address, deadline: Deadline, most_bytes: int) -> bytes:
        connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MOST_HEAD_BYTES)
        headers = [("Host", host_header(url)), ("Accept", "application/json"), ("Connection", "close")]
        head = connection.send(h11.Request(method="GET", target=target_of(url), headers=headers))
        end = connection.send(h11.EndOfMessage())
        with connected(url, address, deadline, self._tls) as stream:
            send_all(stream, (head or b"") + (end or b""), deadline)
            return _read_body(stream, connection, deadline, most_bytes)


def _read_body(stream: socket.socket, connection: h11.Connection, deadline: Deadline, most_bytes: int) -> bytes:
    body = bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            stream.settimeout(deadline.left_seconds())
            connection.receive_data(stream.recv(_READ_BYTES))
        elif isinstance(event, h11.Response) and event.status_code != 200:
            raise FetchFailed(f"the answer was {event.status_code}")
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > most_bytes:
                raise FetchFailed(f"the answer has more than {most_bytes} bytes")
        elif isinstance(event, h11.EndOfMessage):
            return bytes(body)
