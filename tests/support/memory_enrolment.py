"""Enrolment in memory."""

from __future__ import annotations

from collections.abc import Sequence

from common.domain.ids import NodeKey
from common.sync.enrolment import Authority, EnrolmentToken, NodeCertificate, Place
from tests.support.memory_tables import MemoryTables


class MemoryEnrolmentStore:
    def __init__(self, tables: MemoryTables) -> None:
        self._authorities = tables.authorities
        self._tokens = tables.enrolment_tokens
        self._certificates = tables.node_certificates

    def authority(self) -> Authority | None:
        return next(iter(self._authorities), None)

    def keep_authority(self, authority: Authority) -> Authority:
        kept = self.authority()
        if kept is None:
            self._authorities.put("nodes", authority)
        return kept or authority

    def find_token(self, token_id: str, *, lock: bool = False) -> EnrolmentToken | None:
        return next((each for each in self._tokens if each.token_id == token_id), None)

    def save_token(self, token: EnrolmentToken) -> None:
        self._tokens.put((token.node.org, token.token_id), token)

    def remove_token(self, org: str, token_id: str) -> bool:
        return self._tokens.remove((org, token_id))

    def remove_tokens_of(self, node: NodeKey) -> None:
        for token in self._tokens:
            if token.node == node:
                self._tokens.remove((node.org, token.token_id))

    def list_tokens(self, org: str, after: Place, limit: int) -> list[EnrolmentToken]:
        places = {
            Place(each.node.type, each.node.id, each.token_id): each for each in self._tokens if each.node.org == org
        }
        return [places[place] for place in _beyond(places, after)[:limit]]

    def find_certificate(self, fingerprint: str, *, lock: bool = False) -> NodeCertificate | None:
        return next((each for each in self._certificates if each.fingerprint == fingerprint), None)

    def save_certificates(self, certificates: Sequence[NodeCertificate]) -> None:
        for each in certificates:
            self._certificates.put((each.node.org, each.fingerprint), each)

    def remove_certificates(self, fingerprints: Sequence[str]) -> None:
        for each in self._certificates:
            if each.fingerprint in fingerprints:
                self._certificates.remove((each.node.org, each.fingerprint))

    def list_certificates(self, org: str, after: Place, limit: int) -> list[NodeCertificate]:
        own = [each for each in self._certificates if each.node.org == org]
        places = {Place(each.node.type, each.node.id, each.fingerprint): each for each in own}
        return [places[place] for place in _beyond(places, after)[:limit]]

    def certificates_of(self, node: NodeKey, *, lock: bool = False) -> list[NodeCertificate]:
        own = [each for each in self._certificates if each.node == node]
        return sorted(own, key=lambda each: each.fingerprint)

    def prune(self, tokens_before_ms: int, certificates_before_ms: int, limit: int) -> None:
        tokens = [each for each in self._tokens if each.expires_at_ms < tokens_before_ms]
        for token in sorted(tokens, key=lambda each: (each.expires_at_ms, each.token_id))[:limit]:
            self.remove_token(token.node.org, token.token_id)
        certificates = [each for each in self._certificates if each.expires_at_ms < certificates_before_ms]
        oldest = sorted(certificates, key=lambda each: (each.expires_at_ms, each.fingerprint))[:limit]
        self.remove_certificates([each.fingerprint for each in oldest])


def _beyond(places: dict[Place, EnrolmentToken] | dict[Place, NodeCertificate], after: Place) -> list[Place]:
    def order(place: Place) -> tuple[str, str, str]:
        return (place.node_type, place.node_id, place.name)

    return sorted((place for place in places if order(place) > order(after)), key=order)
