"""Who this node is, and how it knows who is calling."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from common.domain.addressing import GROUP_TYPE
from common.domain.ids import CLOUD, NodeKey
from common.runtime.setting_kinds import choice, integer, labels, name
from common.runtime.settings import ESS_ONLY, BadValue, Kind, Problem, Role, setting


class AuthenticationHandler(StrEnum):
    """Where the credentials of callers are checked."""

    #: Hashed app keys in the database.
    ACCOUNTS = "accounts"
    #: The reference's file of fixed credentials.
    PRESET = "preset"
    #: Anyone is whoever they say they are.
    DUMMY = "dummy"


def authenticators() -> Kind[AuthenticationHandler | str]:
    """One of ours, or the name of an installed plug-in."""
    own = choice(
        AuthenticationHandler,
        cautions={"dummy": "ANYONE WHO REACHES THIS SERVICE IS WHO THEY CLAIM TO BE; never use dummy outside of tests"},
    )

    def parse(text: str) -> AuthenticationHandler | str:
        try:
            return own.parse(text)
        except BadValue:
            from common.runtime.authentication.plug_in import installed

            if text in installed():
                return text
            raise

    return Kind(
        parse=parse, show=str, expects=f"{own.expects}, or the name of an installed plug-in", caution=own.caution
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Identity."""

    node_type: Role = setting(
        "NodeType",
        "NODE_TYPE",
        choice(Role),
        Role.CSS,
        "Which service this file is for; the program started must be that one.",
        default_on_ess=Role.ESS,
    )
    destination_type: str = setting(
        "DestinationType",
        "DESTINATION_TYPE",
        name(),
        CLOUD,
        "Type of this node, required; a CSS is always Cloud.",
        roles=ESS_ONLY,
        default_on_ess="",
        example="camera",
    )
    destination_id: str = setting(
        "DestinationID",
        "DESTINATION_ID",
        name(),
        CLOUD,
        "Id of this node, required, unique within its organization and type; a CSS is always Cloud.",
        roles=ESS_ONLY,
        default_on_ess="",
        aliases=("DestinationId",),
        example="camera-17",
    )
    org_id: str = setting(
        "OrgID",
        "ORG_ID",
        name(),
        "",
        "Organization of an ESS, required there. On a CSS: serve this one organization only; empty serves many.",
        aliases=("OrgId",),
        example="myorg",
    )

    node_labels: str = setting(
        "NodeLabels",
        "NODE_LABELS",
        labels(),
        "",
        "What this node says about itself, for groups and policies: name=value,name=value, values percent-encoded.",
        roles=ESS_ONLY,
        example="site=lab,purpose=demo",
    )

    @property
    def node_key(self) -> NodeKey:
        """This node as the other side knows it; without organization on a CSS that serves many."""
        return NodeKey(self.org_id, self.destination_type, self.destination_id)

    def problems(self, program: Role) -> Iterator[Problem]:
        if self.node_type is not program:
            other = f"start edgesync-{self.node_type.lower()} instead, or write NodeType {program}"
            yield Problem("NodeType", f"is {self.node_type}, but this program is the {program}; {other}")
        if program is Role.ESS:
            required = {
                "DestinationType": self.destination_type,
                "DestinationID": self.destination_id,
                "OrgID": self.org_id,
            }
            for key, value in required.items():
                if not value:
                    yield Problem(key, "is required on an ESS; write a name")
            for taken, by in ((CLOUD, "the CSS itself"), (GROUP_TYPE, "groups")):
                if self.destination_type == taken:
                    yield Problem("DestinationType", f"is {taken}, the type of {by}; write another name")


@dataclass(frozen=True, slots=True, kw_only=True)
class Authentication:
    """Authentication."""

    handler: AuthenticationHandler | str = setting(
        "AuthenticationHandler",
        "AUTHENTICATION_HANDLER",
        authenticators(),
        AuthenticationHandler.ACCOUNTS,
        "Who may call: accounts in the database, the file sync/preset-auth.json, a plug-in, or (insecure) dummy, everybody.",
    )
    free_failures: int = setting(
        "MaxFailedLogins",
        "MAX_FAILED_LOGINS",
        integer(0, 10_000),
        20,
        "Failed logins with one key from one address (five times as many with any) before further ones wait; 0: no limit.",
    )
    audit_kept_seconds: int = setting(
        "AuditRetentionDays",
        "AUDIT_RETENTION_DAYS",
        integer(1, 36_500, unit="days", scale=24 * 3600),
        365 * 24 * 3600,
        "How long the audit log remembers who changed what.",
    )
