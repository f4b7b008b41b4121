"""What destination policies mention, to be found by it."""

from __future__ import annotations

from sqlalchemy import Column, Index, Table

from common.store.columns import Name, key, metadata

#: One row for each service and each property of each object's policy. Rows of an object that has lost its policy may stay:
#: whoever looks here also asks whether the object has one.
policy_terms = Table(
    "policy_terms",
    metadata,
    key("org"),
    key("type"),
    key("id"),
    Column("term", Name, primary_key=True, comment="see policy_terms.py"),
    # Led by the term, so that no look-up by object can take it for the primary key.
    Index("ix_policy_terms_term", "term", "org", "type", "id"),
)
