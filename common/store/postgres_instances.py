"""Instance numbers from a sequence that all replicas share."""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa

from common.store.schema import INSTANCE_SEQUENCE, INSTANCES_PER_DRAW
from common.store.session import Session
from common.store.statements import Statement, constant, parameter

#: When the numbers have fallen behind the clock they move ahead of it by this much. Replicas draw while another one
#: starts; that none of them gets this far within the blink of that start is what makes moving them safe.
_LEAP_NS = 60_000_000_000

_STARTER_LOCK = 0x6564_6773_796E_6302
_sequence = sa.table(INSTANCE_SEQUENCE, sa.column("last_value", sa.BigInteger))

_BE_THE_ONLY_STARTER = Statement(sa.select(sa.func.pg_advisory_xact_lock(constant(_STARTER_LOCK))))
_LEAP = Statement(
    sa.select(sa.func.setval(constant(INSTANCE_SEQUENCE), parameter("target"))).where(
        _sequence.c.last_value < parameter("start")
    )
)
_DRAW = Statement(
    sa.select(sa.func.nextval(constant(INSTANCE_SEQUENCE))).select_from(
        sa.func.generate_series(constant(1), parameter("draws"))
    )
)


def catch_up_with_clock(session: Session, start_ns: int) -> None:
    """From now on every number drawn is larger than `start_ns`, and than all drawn before."""
    session.fetch(_BE_THE_ONLY_STARTER, {})
    session.fetch(_LEAP, {"start": start_ns, "target": start_ns + _LEAP_NS})


def drawing_from(session: Session) -> Callable[[int], range]:
    """Draws fresh numbers inside a transaction; those of one that is rolled back stay unused."""

    def draw(count: int) -> range:
        draws = max(1, -(-count // INSTANCES_PER_DRAW))
        while True:
            firsts = [row[0] for row in session.fetch(_DRAW, {"draws": draws})]
            # Somebody else's draw may have come in between, which leaves a gap.
            if firsts[-1] - firsts[0] == (draws - 1) * INSTANCES_PER_DRAW:
                return range(firsts[0], firsts[0] + count)

    return draw
