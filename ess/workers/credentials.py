"""This node's certificate: asked for with a token, renewed in time, replaced when the cloud refuses it.

When to renew is for the cloud to say: it tells with its answers (`Sync-Certificate`), so no clock of this node matters.
A certificate that ended while the node was away is refused for everything but its renewal.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from common.domain.errors import Ignored, NotAuthenticated, SyncError, Unavailable
from common.domain.ids import NodeKey
from common.runtime.key_making import Made, certificate_request
from common.runtime.logs import fields
from common.runtime.settings import Secret
from ess.store.identity_files import IdentityFiles

log = logging.getLogger(__name__)

#: After a renewal that failed; the certificate in use is good for as long again as it was until now.
_RETRY_SECONDS = 30.0


class Trust(Protocol):
    """See `CloudTrust`."""

    def show(self, identity: Path) -> None: ...

    def consider_clock(self) -> None: ...


class EnrolmentCalls(Protocol):
    """See `EnrolmentClient`."""

    def enrol(self, token: str, request: str) -> str: ...

    def renew(self, request: str) -> str: ...


class Connections(Protocol):
    """Those of the link."""

    @property
    def is_renewal_wanted(self) -> bool:
        """Has the cloud said so last?"""
        ...

    def show_certificate(self) -> None:
        """Begin new connections, which show the certificate and nothing else."""
        ...


class NodeCredentials:
    """The `Credentials` of a node that reaches its cloud by TLS. For one thread."""

    def __init__(
        self,
        node: NodeKey,
        files: IdentityFiles,
        trust: Trust,
        calls: EnrolmentCalls,
        connections: Connections,
        token: Secret,
        monotonic: Callable[[], float],
    ) -> None:
        self._node = node
        self._files = files
        self._trust = trust
        self._calls = calls
        self._connections = connections
        self._token = token
        self._monotonic = monotonic
        self._has_identity = self._show_kept()
        self._is_refused = False
        self._next_renewal_at = monotonic()

    def make_ready(self) -> None:
        self._trust.consider_clock()
        if not self._has_identity:
            if self._token:
                self._enrol()
        elif self._is_refused:
            self._come_back()
        self._is_refused = False

    def were_refused(self) -> None:
        self._is_refused = True

    def keep_fresh(self) -> None:
        if not self._has_identity or not self._connections.is_renewal_wanted:
            return
        if self._monotonic() < self._next_renewal_at:
            return
        self._next_renewal_at = self._monotonic() + _RETRY_SECONDS
        try:
            self._renew()
            self._next_renewal_at = self._monotonic()
        except SyncError as error:
            log.warning("certificate_not_renewed", extra=fields(reason=str(error)))

    def _come_back(self) -> None:
        """Refused with a certificate: it ended while this node was away, or was taken from it."""
        try:
            self._renew()
        except Ignored:
            return  # it is good; the cloud has refused something else
        except NotAuthenticated:
            log.error("certificate_refused", extra=fields(has_token=bool(self._token)))
            if not self._token:
                raise
            self._enrol()

    def _enrol(self) -> None:
        try:
            self._ask(lambda request: self._calls.enrol(self._token.reveal(), request))
        except NotAuthenticated:
            log.error("enrolment_token_refused")
            raise
        log.info("node_enrolled")

    def _renew(self) -> None:
        self._ask(self._calls.renew)
        log.info("certificate_renewed")

    def _ask(self, call: Callable[[str], str]) -> None:
        try:
            made = self._files.pending() or self._make()
            certificate = call(made.document)
            self._files.accept(certificate, made)
            self._trust.show(self._files.identity)
        except OSError as error:
            raise Unavailable(f"The certificate of this node cannot be kept: {error}.") from error
        self._has_identity = True
        self._connections.show_certificate()

    def _make(self) -> Made:
        made = certificate_request(str(self._node))
        self._files.keep_pending(made)
        return made

    def _show_kept(self) -> bool:
        """Whether there is an identity that can be used."""
        if not self._files.exists:
            return False
        try:
            self._trust.show(self._files.identity)
        except OSError as error:
            log.error("certificate_not_usable", extra=fields(path=str(self._files.identity), reason=str(error)))
            return False
        self._connections.show_certificate()
        return True
