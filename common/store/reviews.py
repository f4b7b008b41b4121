"""The queue of reviews."""

from __future__ import annotations

import sqlalchemy as sa

from common.store.group_tables import reviews
from common.store.session import Row, Session
from common.store.statements import NO_OFFSET, Statement, constant, matching, upsert
from common.sync.groups import Review, ReviewKind

_SUBJECT = ("kind", "org", "type", "id")
_OF_SUBJECT = matching(reviews, *_SUBJECT)
_SELECTED = sa.select(*[reviews.c[name] for name in (*_SUBJECT, "after_type", "after_id")])

_SAVE = upsert(reviews, *_SUBJECT)
_FIRST = Statement(_SELECTED.order_by(reviews.c.position).limit(constant(1)).offset(NO_OFFSET))
_FIND = Statement(_SELECTED.where(_OF_SUBJECT))
_REMOVE = Statement(sa.delete(reviews).where(_OF_SUBJECT))


class SqlReviews:
    """The `ReviewStore` of one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def save(self, review: Review) -> None:
        after_type, after_id = review.after
        self._session.run_many(_SAVE, [{**_subject(review), "after_type": after_type, "after_id": after_id}])

    def first(self) -> Review | None:
        return _review_of(self._session.fetch_one(_FIRST, {}))

    def find(self, review: Review) -> Review | None:
        return _review_of(self._session.fetch_one(_FIND, _subject(review)))

    def remove(self, review: Review) -> None:
        self._session.run(_REMOVE, _subject(review))


def _subject(review: Review) -> dict[str, object]:
    return {"kind": review.kind.value, "org": review.org, "type": review.type, "id": review.id}


def _review_of(row: Row | None) -> Review | None:
    if row is None:
        return None
    kind, org, subject_type, subject_id, *after = row
    return Review(ReviewKind(kind), org, subject_type, subject_id, (after[0], after[1]))
