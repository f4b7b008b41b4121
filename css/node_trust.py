"""Certificates of nodes, wired: who signs them, who judges them, where nodes get them."""

from __future__ import annotations

from datetime import UTC, datetime

from starlette.routing import Route

from common.protocol import routes
from common.rest.transactions import Transactions
from common.runtime.config.enrolment import Enrolment
from common.runtime.listening import ClientTrust
from common.sync.enrolment import Authority
from common.sync.ports import Clock, Database
from css.services.enrolment import Enrolments, Terms
from css.transports.enrolment import EnrolmentInterface
from css.transports.node_certificates import NodeCertificates

#: What clients without a certificate reach when all others need one: their first certificate, and probes.
_OPEN = frozenset({routes.ENROL_PATH, "/livez", "/readyz"})


class NodeTrust:
    """Of a cloud whose nodes may have certificates."""

    def __init__(self, database: Database, enrolments: Enrolments, authority: Authority, clock: Clock) -> None:
        self._authority = authority
        self._enrolments = enrolments
        self._clock = clock
        self.certificates = NodeCertificates(database, enrolments, authority.certificate, clock)

    def routes(self, transactions: Transactions) -> list[Route]:
        return EnrolmentInterface(transactions, self._enrolments, self._authority, self._clock).routes()


def enrolments(settings: Enrolment, clock: Clock) -> Enrolments:
    """The use cases, on the terms of the settings."""
    terms = Terms(settings.token_seconds * 1000, settings.certificate_seconds * 1000, settings.grace_seconds * 1000)
    return Enrolments(clock.now_ms, terms)


def kept_authority(database: Database) -> Authority:
    """The authority in the database, the same for all replicas; made at the first start."""
    known = database.read(lambda uow: uow.enrolment.authority())
    if known is not None:
        return known
    from common.runtime.certificate_authority import new_authority

    made = new_authority(datetime.now(UTC))
    return database.write(lambda uow: uow.enrolment.keep_authority(made))


def client_trust(authority: Authority) -> ClientTrust:
    """What TLS listeners have to know."""
    return ClientTrust(authority.certificate, _OPEN)
