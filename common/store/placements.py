"""Who places the policy objects of an organization, and which these are."""

from __future__ import annotations

import sqlalchemy as sa

from common.domain.addressing import AudienceKind
from common.domain.objects import SENDING, SyncObject
from common.store.group_tables import placements
from common.store.objects import OBJECT_COLUMNS, object_of
from common.store.session import Session
from common.store.statements import NO_OFFSET, Statement, constant, matching, one_of, parameter, upsert
from common.store.tables import objects
from common.sync.groups import PlacementEngine

_FIND = Statement(sa.select(placements.c.engine).where(matching(placements, "org")))
_SAVE = upsert(placements, "org")

_KEY = (objects.c.type, objects.c.id)
_PAGE = Statement(
    sa.select(*OBJECT_COLUMNS)
    .where(
        matching(objects, "org"),
        objects.c.audience_kind == constant(AudienceKind.PLACED),
        # An expression, so that no planner takes the index by status, and so goes through the whole organization.
        one_of(objects.c.status + constant(""), SENDING),
        sa.tuple_(*_KEY) > sa.tuple_(parameter("after_type", sa.Text), parameter("after_id", sa.Text)),
    )
    .order_by(*_KEY)
    .limit(parameter("limit"))
    .offset(NO_OFFSET)
)


class SqlPlacements:
    """The `PlacementStore` of one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def engine_of(self, org: str) -> PlacementEngine:
        row = self._session.fetch_one(_FIND, {"org": org})
        return PlacementEngine(row[0]) if row else PlacementEngine.OUTSIDE

    def choose(self, org: str, engine: PlacementEngine) -> None:
        self._session.run_many(_SAVE, [{"org": org, "engine": engine.value}])

    def policy_objects(self, org: str, *, after: tuple[str, str], limit: int) -> list[SyncObject]:
        beyond = {"after_type": after[0], "after_id": after[1]}
        return [object_of(row) for row in self._session.fetch(_PAGE, {"org": org, **beyond, "limit": limit})]
