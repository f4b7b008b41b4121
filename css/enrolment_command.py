"""`edgesync-css enrolment …`: tokens and certificates of nodes, from the command line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TypeVar

from common.domain.errors import NotFound, SyncError
from common.domain.ids import NodeKey
from common.domain.instants import format_instant
from common.domain.names import is_valid_name
from common.runtime.clock import SystemClock
from common.runtime.config.enrolment import Enrolment
from common.runtime.settings import StartError
from common.sync.audit import Actor, audited
from common.sync.enrolment import EnrolmentToken, NodeCertificate, Place
from common.sync.ports import Database, UnitOfWork
from css.services import enrolment_tokens

SUMMARY = "Make, list and remove enrolment tokens of nodes; list and revoke their certificates."

_OPERATOR = Actor("command line", "")
_PAGE = 500

T = TypeVar("T")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    create = actions.add_parser("create", help="make a one-time token for a node, and show it once")
    _add_node(create)
    create.add_argument("--expires-in", type=int, metavar="SECONDS", help="default: EnrolmentTokenLifetime")
    listing = actions.add_parser("list", help="list the tokens of an organization, without their texts")
    listing.add_argument("--org", required=True)
    remove = actions.add_parser("remove", help="make a token useless")
    remove.add_argument("token", help="the id of the token, as `list` shows it")
    remove.add_argument("--org", required=True)
    certificates = actions.add_parser("certificates", help="list the certificates of an organization's nodes")
    certificates.add_argument("--org", required=True)
    _add_node(actions.add_parser("revoke", help="revoke all certificates and tokens of a node"))
    actions.add_parser("authority", help="print the certificate of the authority that signs those of nodes")


def run(open_database: AbstractContextManager[Database], settings: Enrolment, arguments: argparse.Namespace) -> int:
    """Perform one action; the exit status.

    Raises StartError, also from opening while the node runs on SQLite: that has one owner at a time.
    """
    with open_database as database:
        command = _EnrolmentCommand(database, settings)
        try:
            getattr(command, arguments.action)(arguments)
        except NotFound as error:
            raise StartError("The organization has no token with this id.") from error
        except SyncError as error:
            raise StartError(str(error)) from error
    return 0


def _add_node(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("node", metavar="TYPE/ID")
    parser.add_argument("--org", required=True)


class _EnrolmentCommand:
    """A method per action."""

    def __init__(self, database: Database, settings: Enrolment) -> None:
        from css.node_trust import enrolments

        self._database = database
        self._clock = SystemClock()
        self._enrolments = enrolments(settings, self._clock)

    def create(self, arguments: argparse.Namespace) -> None:
        if arguments.expires_in is not None and arguments.expires_in <= 0:
            raise StartError("--expires-in has to be a number of seconds above 0.")
        lifetime_ms = arguments.expires_in * 1000 if arguments.expires_in else self._enrolments.terms.token_ms
        node = _node(arguments)
        token, text = enrolment_tokens.mint(node, _OPERATOR.principal, self._clock.now_ms(), lifetime_ms)
        target = f"{node.type}/{node.id} {token.token_id}"
        self._change("enrolment.create", node.org, target, lambda uow: self._enrolments.add_token(uow, token))
        _say(f"id:      {token.token_id}")
        _say(f"expires: {format_instant(token.expires_at_ms)}")
        _say(f"token:   {text}")
        _say("The token is shown once; only its hash is stored.")

    def list(self, arguments: argparse.Namespace) -> None:
        rows = [["ID", "NODE", "EXPIRES", "SPENT"]]
        tokens = self._tokens(arguments.org, Place())
        while tokens:
            for token in tokens:
                spent = "yes" if token.spent_for else "no"
                rows.append([token.token_id, _shown(token.node), format_instant(token.expires_at_ms), spent])
            tokens = self._tokens(arguments.org, Place(token.node.type, token.node.id, token.token_id))
        _say_table(rows)

    def remove(self, arguments: argparse.Namespace) -> None:
        org, token_id = arguments.org, arguments.token
        self._change("enrolment.remove", org, token_id, lambda uow: self._enrolments.remove_token(uow, org, token_id))
        _say(f"removed {token_id}")

    def certificates(self, arguments: argparse.Namespace) -> None:
        rows = [["NODE", "EXPIRES", "REVOKED", "FINGERPRINT"]]
        certificates = self._certificates(arguments.org, Place())
        while certificates:
            for each in certificates:
                revoked = format_instant(each.revoked_at_ms) if each.revoked_at_ms is not None else "-"
                rows.append([_shown(each.node), format_instant(each.expires_at_ms), revoked, each.fingerprint])
            certificates = self._certificates(arguments.org, Place(each.node.type, each.node.id, each.fingerprint))
        _say_table(rows)

    def revoke(self, arguments: argparse.Namespace) -> None:
        node = _node(arguments)
        revoked = self._change(
            "certificate.revoke", node.org, _shown(node), lambda uow: self._enrolments.revoke(uow, node)
        )
        _say(f"revoked {revoked} of {_shown(node)}")

    def authority(self, arguments: argparse.Namespace) -> None:
        from css.node_trust import kept_authority

        sys.stdout.write(kept_authority(self._database).certificate)

    def _tokens(self, org: str, after: Place) -> Sequence[EnrolmentToken]:
        return self._database.read(lambda uow: uow.enrolment.list_tokens(org, after, _PAGE))

    def _certificates(self, org: str, after: Place) -> Sequence[NodeCertificate]:
        return self._database.read(lambda uow: uow.enrolment.list_certificates(org, after, _PAGE))

    def _change(self, action: str, org: str, target: str, work: Callable[[UnitOfWork], T]) -> T:
        return self._database.write(audited(work, _OPERATOR.did(self._clock.now_ms(), org, action, target)))


def _node(arguments: argparse.Namespace) -> NodeKey:
    """Raises InvalidRequest."""
    node_type, _, node_id = arguments.node.partition("/")
    if not is_valid_name(arguments.org):
        raise StartError("--org contains characters that are not allowed.")
    return enrolment_tokens.enrollable_node(arguments.org, node_type, node_id)


def _shown(node: NodeKey) -> str:
    return f"{node.type}/{node.id}"


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def _say_table(rows: list[list[str]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        _say("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
