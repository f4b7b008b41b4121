"""The certificate of this node and its key, and a key that waits for its certificate.

`identity.pem` holds both in one file, so there is no moment at which they do not fit. Nothing here is ever deleted
because of a date.
"""

from __future__ import annotations

import ssl
from pathlib import Path

from common.domain.errors import ProtocolViolation
from common.runtime.durable_files import remove_file, replace_file
from common.runtime.key_making import Made, split

_PRIVATE = 0o600


class IdentityFiles:
    """Files in a directory of the node's own. Methods raise OSError."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._pending = directory / "pending.pem"
        self._candidate = directory / "candidate.pem"
        self.identity = directory / "identity.pem"

    @property
    def exists(self) -> bool:
        """Was this node ever enrolled?"""
        return self.identity.exists()

    def pending(self) -> Made | None:
        """The key and the request that were made last and not answered yet."""
        try:
            return split(self._pending.read_text(encoding="ascii"))
        except (FileNotFoundError, ValueError):
            return None

    def keep_pending(self, made: Made) -> None:
        """Before it is sent: if the answer gets lost, the same is asked for again."""
        self._directory.mkdir(0o700, parents=True, exist_ok=True)
        replace_file(self._pending, (made.key + made.document).encode(), _PRIVATE)

    def accept(self, certificate: str, made: Made) -> None:
        """What was asked for with `made` is the identity from now on. Raises ProtocolViolation if it does not belong to it."""
        replace_file(self._candidate, (made.key + certificate).encode(), _PRIVATE)
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(self._candidate)
        except ssl.SSLError as error:
            remove_file(self._candidate)
            raise ProtocolViolation("The cloud's certificate does not belong to the key of this node.") from error
        self._candidate.rename(self.identity)
        remove_file(self._pending)
