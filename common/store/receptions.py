"""What arrives from other nodes."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa

from common.domain.ids import NodeKey, ObjectKey
from common.domain.metadata import Metadata
from common.domain.reception import Answer, Reception, ReceptionState
from common.domain.retry import OFFER_RETRY
from common.store.coverage_json import coverage_from_json, coverage_to_json
from common.store.delivery_rows import storable
from common.store.keys import KEY, key_values
from common.store.session import Overtaken, Parameters, Row, Session
from common.store.statements import NO_OFFSET, RowLock, Statement, constant, matching, one_of, parameter, upsert
from common.store.tables import receptions

_COLUMNS = [
    receptions.c[name]
    for name in (
        *KEY,
        "origin_org",
        "origin_type",
        "origin_id",
        "meta",
        "state",
        "answer",
        "answer_due_at_ms",
        "attempts",
        "staged",
        "coverage",
        "message",
    )
]
_OF_OBJECT = matching(receptions, *KEY)
_TO_ORIGIN = matching(receptions, "origin_org", "origin_type", "origin_id")
_ANSWER_DUE = receptions.c.answer_due_at_ms
#: The number an origin gave an instance tells how old it is.
_OLDEST_FIRST = (receptions.c.instance, receptions.c.position)
_LIMIT = parameter("limit")

_BY_KEY = sa.select(*_COLUMNS).where(_OF_OBJECT)
_FIND = Statement(_BY_KEY)
_FIND_LOCKED = Statement(_BY_KEY, lock=RowLock(receptions))
_SAVE = upsert(receptions, *KEY)
_SAVE_FRESH = upsert(receptions, *KEY, is_replacing=False)
_REMOVE = Statement(sa.delete(receptions).where(_OF_OBJECT))
_LIST_FETCHING = Statement(
    sa.select(*_COLUMNS)
    .where(receptions.c.state == constant(ReceptionState.FETCHING))
    .order_by(*_OLDEST_FIRST)
    .limit(_LIMIT)
    .offset(NO_OFFSET)
)

_REQUEUE_ANSWERS = Statement(
    sa.update(receptions)
    .where(_TO_ORIGIN, _ANSWER_DUE.is_not(None))
    .values(answer_due_at_ms=parameter("now_ms"), attempts=constant(0))
)

#: Due, or due further ahead than any retry: the clock was wrong when that was decided.
_IS_DUE = sa.or_(
    parameter("now_ms") >= _ANSWER_DUE, parameter("now_ms") + constant(OFFER_RETRY.longest_ms) < _ANSWER_DUE
)
_DUE_ANSWERS = (
    sa.select(*_COLUMNS).where(_IS_DUE).order_by(_ANSWER_DUE, receptions.c.position).limit(_LIMIT).offset(NO_OFFSET)
)
_CLAIM_LOCK = RowLock(receptions, skip_locked=True)
_CLAIM_ANY = Statement(_DUE_ANSWERS, lock=_CLAIM_LOCK)
_CLAIM_OF_ORIGIN = Statement(_DUE_ANSWERS.where(_TO_ORIGIN), lock=_CLAIM_LOCK)
_HAS_ANSWERS = Statement(sa.select(sa.exists().where(_TO_ORIGIN, _IS_DUE)))
_FIRST_ANSWER = sa.select(sa.func.min(_ANSWER_DUE)).where(_ANSWER_DUE.is_not(None))
_NEXT_ANSWER_TO_ANY = Statement(_FIRST_ANSWER)
_NEXT_ANSWER_TO_ORIGIN = Statement(_FIRST_ANSWER.where(_TO_ORIGIN))

_IS_OVER = sa.and_(
    one_of(receptions.c.state, (ReceptionState.CONSUMED, ReceptionState.FORGOTTEN)), receptions.c.answer.is_(None)
)
_BEYOND = (
    sa.select(receptions.c.position)
    .where(_IS_OVER)
    .order_by(receptions.c.instance.desc(), receptions.c.position.desc())
    # SQLite has no OFFSET without a LIMIT.
    .limit(constant(2**31 - 1))
    .offset(parameter("keep"))
)
_PRUNE = Statement(sa.delete(receptions).where(receptions.c.position.in_(_BEYOND)))

_decode_meta = msgspec.json.Decoder(Metadata).decode
_encode = msgspec.json.Encoder().encode


class SqlReceptions:
    """The `ReceptionStore` of one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session
        #: As in `SqlObjects`.
        self._missing: set[ObjectKey] = set()

    def find(self, key: ObjectKey, *, lock: bool = False) -> Reception | None:
        row = self._session.fetch_one(_FIND_LOCKED if lock else _FIND, key_values(key))
        if row is None:
            if lock and self._session.has_rivals:
                self._missing.add(key)
            return None
        return _reception_of(row)

    def save(self, reception: Reception) -> None:
        if reception.object not in self._missing:
            self._session.run_many(_SAVE, [_row_of(reception)])
            return
        if self._session.run_many(_SAVE_FRESH, [_row_of(reception)]) == 0:
            raise Overtaken
        self._missing.remove(reception.object)

    def remove(self, key: ObjectKey) -> None:
        self._session.run(_REMOVE, key_values(key))

    def list_fetching(self, limit: int) -> list[Reception]:
        return [_reception_of(row) for row in self._session.fetch(_LIST_FETCHING, {"limit": limit})]

    def claim_answers(self, origin: NodeKey | None, now_ms: int, limit: int) -> list[Reception]:
        page = {"now_ms": now_ms, "limit": limit}
        if origin is None:
            rows = self._session.fetch(_CLAIM_ANY, page)
        else:
            rows = self._session.fetch(_CLAIM_OF_ORIGIN, {**page, **_origin_values(origin)})
        return [_reception_of(row) for row in rows]

    def requeue_answers(self, origin: NodeKey, now_ms: int) -> None:
        self._session.run(_REQUEUE_ANSWERS, {**_origin_values(origin), "now_ms": now_ms})

    def has_answers(self, origin: NodeKey, now_ms: int) -> bool:
        row = self._session.fetch_one(_HAS_ANSWERS, {**_origin_values(origin), "now_ms": now_ms})
        return row is not None and bool(row[0])

    def next_answer_at(self, origin: NodeKey | None) -> int | None:
        asked: Parameters = {} if origin is None else _origin_values(origin)
        row = self._session.fetch_one(_NEXT_ANSWER_TO_ANY if origin is None else _NEXT_ANSWER_TO_ORIGIN, asked)
        return row[0] if row else None

    def prune_finished(self, keep: int) -> int:
        return self._session.run(_PRUNE, {"keep": keep})


def _origin_values(origin: NodeKey) -> dict[str, object]:
    return {"origin_org": origin.org, "origin_type": origin.type, "origin_id": origin.id}


def _row_of(reception: Reception) -> dict[str, object]:
    return {
        **key_values(reception.object),
        **_origin_values(reception.origin),
        "instance": reception.instance,
        "state": reception.state.value,
        "answer": reception.answer.value if reception.answer else None,
        "answer_due_at_ms": reception.answer_due_at_ms,
        "attempts": reception.attempts,
        "staged": reception.staged or None,
        "coverage": coverage_to_json(reception.coverage),
        "message": storable(reception.message),
        "meta": _encode(reception.meta).decode(),
    }


def _reception_of(row: Row) -> Reception:
    (
        *identity,
        meta,
        state,
        answer,
        answer_due_at_ms,
        attempts,
        staged,
        coverage,
        message,
    ) = row
    return Reception(
        ObjectKey(*identity[:3]),
        NodeKey(*identity[3:]),
        _decode_meta(meta),
        ReceptionState(state),
        Answer(answer) if answer else None,
        answer_due_at_ms,
        attempts,
        staged or "",
        coverage_from_json(coverage),
        message,
    )
