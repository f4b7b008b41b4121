"""Objects by what their destination policies mention."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import sqlalchemy as sa

from common.domain.ids import ObjectKey
from common.domain.metadata import Policy
from common.domain.objects import SyncObject
from common.domain.selection import PolicyService, properties_of, services_of
from common.store.keys import KEY, key_values
from common.store.policy_tables import policy_terms
from common.store.session import Session
from common.store.statements import Statement, matching, upsert

_SAVE = upsert(policy_terms, *KEY, "term", is_replacing=False)
# One by one: PostgreSQL could keep a plan of a bulk that goes through the whole table.
_REMOVE = Statement(sa.delete(policy_terms).where(matching(policy_terms, *KEY)))


def service_term(service: PolicyService) -> str:
    return _term("service", *service)


def property_term(name: str) -> str:
    return _term("property", name)


def save_terms(session: Session, items: Sequence[SyncObject]) -> None:
    """Of those with a policy; what they had before goes."""
    with_policy = [item for item in items if item.meta.destination_policy is not None]
    remove_terms(session, [item.key for item in with_policy])
    rows: list[dict[str, object]] = [
        {**key_values(item.key), "term": term}
        for item in with_policy
        for term in _terms_of(item.meta.destination_policy)
    ]
    session.run_many(_SAVE, rows)


def remove_terms(session: Session, keys: Sequence[ObjectKey]) -> None:
    for key in keys:
        session.run(_REMOVE, key_values(key))


def _terms_of(policy: Policy | None) -> list[str]:
    if policy is None:
        return []
    return [*map(service_term, services_of(policy)), *map(property_term, properties_of(policy))]


def _term(*parts: str) -> str:
    """A name of fixed length: those in policies may be of any, and have characters that no database keeps."""
    digest = hashlib.sha256()
    for part in parts:
        raw = part.encode(errors="surrogatepass")
        digest.update(len(raw).to_bytes(4, "big") + raw)
    return digest.hexdigest()[:32]
