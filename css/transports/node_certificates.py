"""What the certificates of clients are worth: whose they are, and whether they are to be renewed."""

from __future__ import annotations

import ssl
from collections.abc import Hashable

from starlette.types import Scope

from common.domain.errors import NotAuthenticated
from common.domain.principals import Principal, Role
from common.protocol import routes
from common.runtime.client_certificates import ClientCertificate, certificate_shown_with
from common.sync.accounts import GENERATION
from common.sync.authentication import Identified
from common.sync.enrolment import NodeCertificate
from common.sync.ports import Clock, Database
from css.services.enrolment import Enrolments, Standing, renewal_at_ms

_REMEMBERED = 50_000


class NodeCertificates:
    """The `CertificateAuthenticator` of a cloud."""

    def __init__(self, database: Database, enrolments: Enrolments, authority: str, clock: Clock) -> None:
        """`authority` is the certificate, in PEM, of who signs those of nodes."""
        self._database = database
        self._enrolments = enrolments
        self._clock = clock
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=authority)
        self._authority = context.get_ca_certs()[0]["subject"]
        #: By fingerprint, in ms since 1970.
        self._renewals_at: dict[str, int] = {}

    def authenticate(self, shown: ClientCertificate) -> Identified | None:
        """The node; None for a certificate of the configured authority, which opens the door and says nothing more.

        Raises NotAuthenticated for one that does not count, or not any more. Not for the event loop.
        """
        if shown.issuer != self._authority:
            self._check_dates(shown)
            return None
        found = self._database.read(lambda uow: uow.enrolment.find_certificate(shown.fingerprint))
        now_ms = self._clock.now_ms()
        if found is None or self._enrolments.terms.standing(found, now_ms) in (Standing.REFUSED, Standing.RENEWAL_ONLY):
            raise NotAuthenticated
        self._remember(found)
        node = found.node
        return Identified(
            Principal(Role.EDGE_NODE, node.org, f"{node.type}/{node.id}"), (found.expires_at_ms - now_ms) / 1000
        )

    def generation(self) -> Hashable:
        """Differs from before once a certificate may have been revoked."""
        return self._database.read(lambda uow: uow.counters.get(GENERATION))

    def answer_headers(self, scope: Scope) -> dict[str, str]:
        """What a node that shows a certificate is told with an answer."""
        shown = certificate_shown_with(scope)
        renewal_at = self._renewals_at.get(shown.fingerprint) if shown else None
        is_due = renewal_at is not None and self._clock.now_ms() >= renewal_at
        return {routes.CERTIFICATE_HEADER: routes.RENEW_CERTIFICATE} if is_due else {}

    def _check_dates(self, shown: ClientCertificate) -> None:
        """The handshake has left its dates to us."""
        if not shown.valid_from <= self._clock.now_ms() / 1000 <= shown.valid_until:
            raise NotAuthenticated

    def _remember(self, certificate: NodeCertificate) -> None:
        if len(self._renewals_at) >= _REMEMBERED:
            self._renewals_at.clear()
        self._renewals_at[certificate.fingerprint] = renewal_at_ms(certificate)
