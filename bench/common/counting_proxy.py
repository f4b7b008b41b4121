"""Stands between an ESS and its CSS and counts what goes through."""

from __future__ import annotations

import socket
import threading

from bench.common.client import HOST

_METHODS = (b"GET ", b"PUT ", b"POST ", b"DELETE ")
_RECEIVE_BYTES = 1 << 16


class CountingProxy:
    """Forwards TCP connections to `target_port`; a message from the client that begins like a request is one."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self.requests = 0
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no new connections; those that are open end with their peers."""
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            service = socket.create_connection((HOST, self._target_port))
            threading.Thread(target=self._forward, args=(client, service, True), daemon=True).start()
            threading.Thread(target=self._forward, args=(service, client, False), daemon=True).start()

    def _forward(self, source: socket.socket, target: socket.socket, is_from_client: bool) -> None:
        try:
            while piece := source.recv(_RECEIVE_BYTES):
                if is_from_client and piece.startswith(_METHODS):
                    with self._lock:
                        self.requests += 1
                target.sendall(piece)
        except OSError:
            pass  # one side has gone; so does the other
        for each in (source, target):
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # closed already
