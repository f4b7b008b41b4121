"""Topics of wake-ups. A wake-up is a hint: losing one costs latency, never delivery (R9)."""

from __future__ import annotations

from common.domain.addressing import Audience, AudienceKind
from common.domain.ids import NodeKey

#: Stands for every topic: some wake-ups were lost, or were too many to name.
EVERYTHING = "*"
#: Data is to be fetched.
FETCH = "fetch"
#: A reception owes its origin an answer. On the edge there is one origin; the cloud uses `node_topics`.
ANSWERS = "answers"
#: A fan-out continues in the background.
FAN_OUT = "fan-out"
#: A webhook is to be called.
WEBHOOKS = "webhooks"
#: What changed about nodes or groups has consequences that are worked out in the background.
REVIEW = "review"
#: Credentials that counted may count no longer.
ACCOUNTS = "accounts"
#: An object expires or becomes active at a time that may be the next one.
TIMETABLE = "timetable"
#: An organization has another quota.
QUOTAS = "quotas"


def node_topic(node: NodeKey) -> str:
    """Something is due for exactly this node."""
    return f"node:{node.org}/{node.type}/{node.id}"


def org_topic(org: str) -> str:
    """Something may be due for any node of the organization."""
    return f"org:{org}"


def audience_topics(audience: Audience) -> tuple[str, ...]:
    """Topics that together reach every node of the audience, however many there are."""
    match audience.kind:
        case AudienceKind.EVERYONE | AudienceKind.GROUP:
            return (org_topic(audience.org),)
        case AudienceKind.TYPE:
            return (f"type:{audience.org}/{audience.type}",)
        case AudienceKind.NODE:
            return (node_topic(NodeKey(audience.org, audience.type, audience.id)),)
        case AudienceKind.LIST:
            return tuple(node_topic(node) for node in audience.nodes)
        case AudienceKind.PLACED:
            return ()


def topics_of_node(node: NodeKey) -> tuple[str, ...]:
    """What a node that waits for its outbox listens to."""
    return (node_topic(node), f"type:{node.org}/{node.type}", org_topic(node.org))


def objects_topic(org: str, object_type: str) -> str:
    """Objects of this type changed for the applications of this node."""
    return f"objects:{org}/{object_type}"
