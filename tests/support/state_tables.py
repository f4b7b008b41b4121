"""Draws the state machines of the domain from their tables.

`python -m tests.support.state_tables` writes `docs/state-machines.md`; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from common.domain import delivery, reception

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "state-machines.md"

Transitions = Mapping[Any, Mapping[type, Any]]

_HEAD = """\
# State machines

Both services run the same two machines, named by role in a transfer: whoever owns an object is its sender, whoever
keeps a copy is a receiver. This page is drawn from the tables in `common/domain` by
`python -m tests.support.state_tables`; a test keeps the two together.

In the tables, a row is a state, a column an event, and a cell the state the event leads to: `=` for the same one, empty
where the event is refused as a violation of the protocol.
"""

_SENDER = """\
## The sender: one object instance on its way to one destination

`common/domain/delivery.py`. A new instance of the object opens the delivery anew.
"""

_RECEIVER = """\
## The receiver: one object of another node

`common/domain/reception.py`. A new instance that needs no data leads to `ready` at once.
"""


def render() -> str:
    """The whole page."""
    return "\n".join(
        [
            _HEAD,
            _SENDER,
            diagram(delivery.TRANSITIONS),
            table(delivery.TRANSITIONS, delivery.DELIVERY_EVENTS),
            _sender_facts(),
            _RECEIVER,
            diagram(reception.TRANSITIONS),
            table(reception.TRANSITIONS, reception.RECEPTION_EVENTS),
            _receiver_facts(),
        ]
    )


def diagram(transitions: Transitions) -> str:
    """The moves between different states, as a Mermaid drawing."""
    moves: dict[tuple[StrEnum, StrEnum], list[str]] = {}
    for state, row in transitions.items():
        for event, target in row.items():
            if target is not state:
                moves.setdefault((state, target), []).append(event.__name__)
    lines = [f"    {state} --> {target}: {', '.join(events)}" for (state, target), events in moves.items()]
    return "\n".join(["```mermaid", "stateDiagram-v2", *lines, "```", ""])


def table(transitions: Transitions, events: Iterable[type]) -> str:
    """Every cell."""
    events = list(events)
    rows = [
        [f"**{state}**", *("=" if row.get(event) is state else str(row.get(event, "")) for event in events)]
        for state, row in transitions.items()
    ]
    return _markdown(["", *(event.__name__ for event in events)], rows)


def _sender_facts() -> str:
    rows = [
        [f"**{state}**", str(delivery.message_of(state) or ""), delivery.STATUS_WORDS[state]]
        for state in delivery.DeliveryState
    ]
    return _markdown(["", "The outbox sends", "`GET …/destinations` says"], rows)


def _receiver_facts() -> str:
    rows = [
        [f"**{state}**", str(reception.ANSWER_OWED[state] or ""), str(reception.ANSWER_OWED_ON_REPEAT[state])]
        for state in reception.ReceptionState
    ]
    return _markdown(["", "Entering it, the origin is told", "The origin repeats itself and is told"], rows)


def _markdown(head: list[str], rows: list[list[str]]) -> str:
    lines = [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    DOCUMENT.write_text(render())
