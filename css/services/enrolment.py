"""Nodes get certificates, renew them and lose them.

A certificate counts because the database says so: its fingerprint is looked up, and its dates are those stored. The
signature of the authority only gets it through the handshake. So revoking is effective at once, neither a stolen key of
the authority nor a wrong clock makes a certificate good, and an expired one can still prove who wants to renew it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum, auto

from common.domain.errors import Ignored, NotAuthenticated, NotFound
from common.domain.ids import NodeKey
from common.sync import wakeups
from common.sync.accounts import GENERATION
from common.sync.enrolment import EnrolmentToken, NodeCertificate
from common.sync.ports import UnitOfWork
from css.services import enrolment_tokens

#: What is forgotten whenever something of the kind is added.
_PRUNED = 100


class Standing(Enum):
    """What a certificate is good for."""

    GOOD = auto()
    #: For everything, and half of its time is over.
    TO_BE_RENEWED = auto()
    #: For its own renewal only: the node was away.
    RENEWAL_ONLY = auto()
    #: For nothing.
    REFUSED = auto()


@dataclass(frozen=True, slots=True)
class Terms:
    """How long things count."""

    token_ms: int
    certificate_ms: int
    grace_ms: int

    def standing(self, certificate: NodeCertificate, now_ms: int) -> Standing:
        if certificate.revoked_at_ms is not None or now_ms >= certificate.expires_at_ms + self.grace_ms:
            return Standing.REFUSED
        if now_ms >= certificate.expires_at_ms:
            return Standing.RENEWAL_ONLY
        return Standing.TO_BE_RENEWED if now_ms >= renewal_at_ms(certificate) else Standing.GOOD


def renewal_at_ms(certificate: NodeCertificate) -> int:
    """Half-way through its time."""
    return (certificate.issued_at_ms + certificate.expires_at_ms) // 2


class Enrolments:
    """Each method is one transaction."""

    def __init__(self, now_ms: Callable[[], int], terms: Terms) -> None:
        self._now_ms = now_ms
        self.terms = terms

    def add_token(self, uow: UnitOfWork, token: EnrolmentToken) -> None:
        self._prune(uow)
        uow.enrolment.save_token(token)

    def remove_token(self, uow: UnitOfWork, org: str, token_id: str) -> None:
        """Raises NotFound."""
        if not uow.enrolment.remove_token(org, token_id):
            raise NotFound

    def node_of_token(self, uow: UnitOfWork, text: str) -> NodeKey:
        """Whom it enrols, spent or not. Raises NotAuthenticated."""
        return self._token(uow, text, lock=False).node

    def enrol(self, uow: UnitOfWork, text: str, certificate: NodeCertificate) -> NodeCertificate:
        """Spend the token for a certificate; a repeat for the same key gets what it got. Raises NotAuthenticated."""
        token = self._token(uow, text, lock=True)
        if token.spent_for is not None:
            return self._issued_before(uow, token, certificate.key_digest)
        self._prune(uow)
        uow.enrolment.save_token(replace(token, spent_for=certificate.key_digest))
        uow.enrolment.save_certificates([certificate])
        return certificate

    def node_to_renew(self, uow: UnitOfWork, fingerprint: str) -> NodeKey:
        """Raises NotAuthenticated, and Ignored while it is too early."""
        return self._renewable(uow, fingerprint, lock=False).node

    def renew(self, uow: UnitOfWork, fingerprint: str, certificate: NodeCertificate) -> NodeCertificate:
        """Replace the certificate with that fingerprint, which stays good until its end: the answer may get lost.

        A repeat for the same key gets the same. Raises NotAuthenticated, and Ignored while it is too early.
        """
        presented = self._renewable(uow, fingerprint, lock=True)
        others = [each for each in uow.enrolment.certificates_of(presented.node) if each.fingerprint != fingerprint]
        repeated = next((each for each in others if each.key_digest == certificate.key_digest), None)
        if repeated is not None:
            return repeated
        # Earlier ones were superseded when this one came into use, or never reached the node.
        uow.enrolment.remove_certificates([each.fingerprint for each in others])
        self._prune(uow)
        uow.enrolment.save_certificates([certificate])
        return certificate

    def revoke(self, uow: UnitOfWork, node: NodeKey) -> int:
        """None of the node's certificates and tokens counts any more; how many certificates were good until now."""
        uow.enrolment.remove_tokens_of(node)
        revoked = 0
        # Again: a renewal or enrolment that was under way may have added one while this waited for it.
        while good := [c for c in uow.enrolment.certificates_of(node, lock=True) if c.revoked_at_ms is None]:
            uow.enrolment.save_certificates([replace(each, revoked_at_ms=self._now_ms()) for each in good])
            revoked += len(good)
        uow.counters.set(GENERATION, uow.next_instances(1)[0])
        uow.wake(wakeups.ACCOUNTS)
        return revoked

    def _token(self, uow: UnitOfWork, text: str, *, lock: bool) -> EnrolmentToken:
        token_id, secret = enrolment_tokens.parse(text)
        token = uow.enrolment.find_token(token_id, lock=lock)
        is_right = enrolment_tokens.matches(secret, token)
        if token is None or not is_right or token.expires_at_ms <= self._now_ms():
            raise NotAuthenticated
        return token

    def _renewable(self, uow: UnitOfWork, fingerprint: str, *, lock: bool) -> NodeCertificate:
        certificate = uow.enrolment.find_certificate(fingerprint, lock=lock)
        standing = self.terms.standing(certificate, self._now_ms()) if certificate else Standing.REFUSED
        if certificate is None or standing is Standing.REFUSED:
            raise NotAuthenticated
        if standing is Standing.GOOD:
            raise Ignored("The certificate is not to be renewed yet.")
        return certificate

    def _issued_before(self, uow: UnitOfWork, token: EnrolmentToken, key_digest: str) -> NodeCertificate:
        """Whoever spent the token may not have heard the answer; nobody else has his key."""
        if token.spent_for == key_digest:
            for each in uow.enrolment.certificates_of(token.node):
                if each.key_digest == key_digest and self.terms.standing(each, self._now_ms()) is not Standing.REFUSED:
                    return each
        raise NotAuthenticated

    def _prune(self, uow: UnitOfWork) -> None:
        now_ms = self._now_ms()
        uow.enrolment.prune(now_ms, now_ms - self.terms.grace_ms, _PRUNED)
