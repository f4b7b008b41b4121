"""Tokens, certificates of nodes, and the authority that signs them."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from common.domain.ids import NodeKey
from common.store.enrolment_tables import enrolment_tokens, node_authority, node_certificates
from common.store.keys import node_values
from common.store.session import Row, Session
from common.store.statements import NO_OFFSET, Bulk, RowLock, Statement, joined, matching, parameter, upsert
from common.sync.enrolment import Authority, EnrolmentToken, NodeCertificate, Place

_NODE = ("org", "node_type", "node_id")

#: The name of the one authority.
_NODES = {"name": "nodes"}

_AUTHORITY = Statement(
    sa.select(node_authority.c.certificate, node_authority.c.private_key).where(matching(node_authority, "name"))
)
_KEEP_AUTHORITY = upsert(node_authority, "name", is_replacing=False)


class _Table:
    """The statements both tables have. `own` is the name of their primary key."""

    def __init__(self, table: sa.Table, own: str) -> None:
        columns = list(table.columns)
        one = sa.select(*columns).where(matching(table, own))
        place = sa.tuple_(table.c.node_type, table.c.node_id, table.c[own])
        after = sa.tuple_(*[parameter(name, sa.Text) for name in ("after_type", "after_id", "after_name")])
        page = sa.select(*columns).where(matching(table, "org"), place > after)
        old = sa.select(table.c[own]).where(table.c.expires_at_ms < parameter("before_ms"))
        oldest = old.order_by(table.c.expires_at_ms, table.c[own]).limit(parameter("limit")).offset(NO_OFFSET)
        self.find = Statement(one)
        self.lock = Statement(one, lock=RowLock(table))
        self.save = upsert(table, own)
        self.page = Statement(
            page.order_by(table.c.node_type, table.c.node_id, table.c[own]).limit(parameter("limit")).offset(NO_OFFSET)
        )
        self.remove = Bulk([table.c[own]], lambda values: sa.delete(table).where(joined(table, values, own)))
        self.oldest = Statement(oldest)
        of_node = sa.select(*columns).where(matching(table, *_NODE)).order_by(table.c[own])
        self.of_node = Statement(of_node)
        self.lock_of_node = Statement(of_node, lock=RowLock(table))
        self.remove_of_node = Statement(sa.delete(table).where(matching(table, *_NODE)))


_TOKENS = _Table(enrolment_tokens, "token_id")
_CERTIFICATES = _Table(node_certificates, "fingerprint")
_REMOVE_TOKEN = Statement(sa.delete(enrolment_tokens).where(matching(enrolment_tokens, "token_id", "org")))


class SqlEnrolments:
    """The `EnrolmentStore` of one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def authority(self) -> Authority | None:
        row = self._session.fetch_one(_AUTHORITY, _NODES)
        return Authority(*row) if row else None

    def keep_authority(self, authority: Authority) -> Authority:
        row = {**_NODES, "certificate": authority.certificate, "private_key": authority.private_key}
        self._session.run_many(_KEEP_AUTHORITY, [row])
        kept = self.authority()
        assert kept is not None
        return kept

    def find_token(self, token_id: str, *, lock: bool = False) -> EnrolmentToken | None:
        row = self._session.fetch_one(_TOKENS.lock if lock else _TOKENS.find, {"token_id": token_id})
        return _token_of(row) if row else None

    def save_token(self, token: EnrolmentToken) -> None:
        row = {
            "token_id": token.token_id,
            **node_values(token.node),
            "secret_hash": token.secret_hash,
            "created_by": token.created_by,
            "created_at_ms": token.created_at_ms,
            "expires_at_ms": token.expires_at_ms,
            "spent_for": token.spent_for,
        }
        self._session.run_many(_TOKENS.save, [row])

    def remove_token(self, org: str, token_id: str) -> bool:
        return self._session.run(_REMOVE_TOKEN, {"org": org, "token_id": token_id}) > 0

    def remove_tokens_of(self, node: NodeKey) -> None:
        self._session.run(_TOKENS.remove_of_node, node_values(node))

    def list_tokens(self, org: str, after: Place, limit: int) -> list[EnrolmentToken]:
        return [_token_of(row) for row in self._session.fetch(_TOKENS.page, _page(org, after, limit))]

    def find_certificate(self, fingerprint: str, *, lock: bool = False) -> NodeCertificate | None:
        statement = _CERTIFICATES.lock if lock else _CERTIFICATES.find
        row = self._session.fetch_one(statement, {"fingerprint": fingerprint})
        return _certificate_of(row) if row else None

    def save_certificates(self, certificates: Sequence[NodeCertificate]) -> None:
        rows = [
            {
                "fingerprint": each.fingerprint,
                **node_values(each.node),
                "key_digest": each.key_digest,
                "pem": each.pem,
                "issued_at_ms": each.issued_at_ms,
                "expires_at_ms": each.expires_at_ms,
                "revoked_at_ms": each.revoked_at_ms,
            }
            for each in certificates
        ]
        self._session.run_many(_CERTIFICATES.save, rows)

    def remove_certificates(self, fingerprints: Sequence[str]) -> None:
        self._session.run_many(_CERTIFICATES.remove, [{"fingerprint": each} for each in fingerprints])

    def list_certificates(self, org: str, after: Place, limit: int) -> list[NodeCertificate]:
        return [_certificate_of(row) for row in self._session.fetch(_CERTIFICATES.page, _page(org, after, limit))]

    def certificates_of(self, node: NodeKey, *, lock: bool = False) -> list[NodeCertificate]:
        statement = _CERTIFICATES.lock_of_node if lock else _CERTIFICATES.of_node
        return [_certificate_of(row) for row in self._session.fetch(statement, node_values(node))]

    def prune(self, tokens_before_ms: int, certificates_before_ms: int, limit: int) -> None:
        for table, own, before_ms in (
            (_TOKENS, "token_id", tokens_before_ms),
            (_CERTIFICATES, "fingerprint", certificates_before_ms),
        ):
            old = self._session.fetch(table.oldest, {"before_ms": before_ms, "limit": limit})
            # In one order, so that two that prune at the same time never wait for each other.
            self._session.run_many(table.remove, [{own: name} for name in sorted(name for (name,) in old)])


def _page(org: str, after: Place, limit: int) -> dict[str, object]:
    return {
        "org": org,
        "after_type": after.node_type,
        "after_id": after.node_id,
        "after_name": after.name,
        "limit": limit,
    }


def _token_of(row: Row) -> EnrolmentToken:
    token_id, org, node_type, node_id, secret_hash, created_by, created_at_ms, expires_at_ms, spent_for = row
    node = NodeKey(org, node_type, node_id)
    return EnrolmentToken(token_id, node, secret_hash, created_by, created_at_ms, expires_at_ms, spent_for)


def _certificate_of(row: Row) -> NodeCertificate:
    fingerprint, org, node_type, node_id, *rest = row
    return NodeCertificate(fingerprint, NodeKey(org, node_type, node_id), *rest)
