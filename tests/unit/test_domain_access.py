"""Who may do what (rest-api 2.2, 2.3): every class of callers, at home and elsewhere, on the cloud and on an edge."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from common.domain.access import (
    MANIFEST_TYPE,
    Operation,
    Question,
    Visibility,
    check,
    check_is_node,
    grantee,
    may,
    visibility,
)
from common.domain.access_lists import NO_GRANTS, ORG_WIDE, AccessRole, Grantee, Grants, UserType
from common.domain.errors import Forbidden
from common.domain.ids import NodeKey
from common.domain.metadata import Policy, ServiceId
from common.domain.objects import SyncObject
from common.domain.principals import Principal, Role
from common.domain.publishing import LocalNode
from common.domain.services import ServiceName
from tests.support.builders import an_object, object_key

HOME, ELSEWHERE = "acme", "other"
CLOUD, EDGE = LocalNode(), LocalNode("edge", "n1", HOME)

IDENTITIES = {Role.SERVICE: "svc/1.5.0/camera", Role.EDGE_NODE: "edge/n1"}

PRIVATE, PUBLIC = an_object("o1"), an_object("o1", public=True)
MANIFEST = an_object(object_key("o1", MANIFEST_TYPE))
CAMERA = ServiceId("svc", "any", "camera", "[1.0.0,2.0.0)")
RADAR = ServiceId("svc", "any", "radar", "0")
FOR_CAMERA = an_object("o1", destination_policy=Policy(services=[RADAR, CAMERA]))
FOR_RADAR = an_object("o1", destination_policy=Policy(services=[RADAR]))
PUBLIC_FOR_RADAR = an_object("o1", destination_policy=Policy(services=[RADAR]), public=True)
DROPPED_CAMERA = replace(FOR_RADAR, dropped_services=(CAMERA,))

#: What is asked for: the columns of the tables below, in their order.
COLUMNS = {
    "use the interface": (Operation.USE_API, None),
    "read": (Operation.READ_OBJECT, PRIVATE),
    "read a public one": (Operation.READ_OBJECT, PUBLIC),
    "read a missing one": (Operation.READ_OBJECT, None),
    "read a manifest": (Operation.READ_OBJECT, MANIFEST),
    "mark": (Operation.MARK_OBJECT, PRIVATE),
    "mark a public one": (Operation.MARK_OBJECT, PUBLIC),
    "mark a missing one": (Operation.MARK_OBJECT, None),
    "confirm a deletion": (Operation.CONFIRM_DELETION, PRIVATE),
    "write": (Operation.WRITE_OBJECT, PRIVATE),
    "write a public one": (Operation.WRITE_OBJECT, PUBLIC),
    "write a manifest": (Operation.WRITE_OBJECT, MANIFEST),
    "register a webhook": (Operation.REGISTER_WEBHOOK, None),
    "list nodes": (Operation.LIST_NODES, None),
    "list organizations": (Operation.LIST_ORGANIZATIONS, None),
    "administer": (Operation.ADMINISTER, None),
    "resend": (Operation.RESEND, None),
    "shut down": (Operation.SHUT_DOWN, None),
    "set quotas": (Operation.SET_QUOTAS, None),
}

#: Nobody is on an access list, no policy names a service.
CLOUD_AT_HOME = """
    syncadmin    yyyyyyyyyyyyyyyyyyy
    admin        yyyyyyyyyyyyyyyyy..
    objectadmin  yyyyyyyyyyy.yy.....
    user         y.y..........y..y..
    nodeuser     y.y.y........y.....
    service      y............y.....
    edgenode     ...................
"""
CLOUD_ELSEWHERE = """
    syncadmin    yyyyyyyyyyyyyyyyyyy
    admin        y.y...........y.y..
    objectadmin  y.y................
    user         y.y.............y..
    nodeuser     y.y................
    service      y..................
    edgenode     ...................
"""
EDGE_AT_HOME = """
    syncadmin    yyyyyyyyyyyyyyyyyyy
    admin        yyyyyyyyyyyyyyyyy..
    objectadmin  yyyyyyyyyyyyyy.....
    user         yyyyyyyyyyyyyy..y..
    nodeuser     yyyyyyyyyyyyyy.....
    service      yyy.yyy.yyyy.y.....
    edgenode     ...................
"""
EDGE_ELSEWHERE = """
    syncadmin    yyyyyyyyyyyyyyyyyyy
    admin        y.............y....
    objectadmin  y..................
    user         y..................
    nodeuser     y..................
    service      y..................
    edgenode     ...................
"""


def principal(role: Role, org: str = HOME) -> Principal:
    return Principal(role, "" if role is Role.SYNC_ADMIN else org, IDENTITIES.get(role, "ann"))


def question(
    operation: Operation,
    caller: Principal,
    local: LocalNode = CLOUD,
    item: SyncObject | None = None,
    *,
    grants: Grants = NO_GRANTS,
) -> Question:
    object_type = item.key.type if item else "model"
    meta = item.meta if item else None
    return Question(operation, caller, local, HOME, object_type, item, meta, grants)


@pytest.mark.parametrize(
    ("table", "local", "org"),
    [
        pytest.param(CLOUD_AT_HOME, CLOUD, HOME, id="on the cloud, at home"),
        pytest.param(CLOUD_ELSEWHERE, CLOUD, ELSEWHERE, id="on the cloud, elsewhere"),
        pytest.param(EDGE_AT_HOME, EDGE, HOME, id="on an edge, at home"),
        pytest.param(EDGE_ELSEWHERE, EDGE, ELSEWHERE, id="on an edge, elsewhere"),
    ],
)
@pytest.mark.parametrize("role", Role)
def test_every_cell(table: str, local: LocalNode, org: str, role: Role) -> None:
    rows = dict(line.split() for line in table.strip().splitlines())
    expected = {name: cell == "y" for name, cell in zip(COLUMNS, rows[role], strict=True)}

    assert {
        name: may(question(operation, principal(role, org), local, item)) for name, (operation, item) in COLUMNS.items()
    } == expected


def test_every_operation_has_a_column() -> None:
    assert {operation for operation, _ in COLUMNS.values()} == set(Operation)


def test_check_raises_where_the_answer_is_no() -> None:
    check(question(Operation.USE_API, principal(Role.USER)))
    with pytest.raises(Forbidden):
        check(question(Operation.USE_API, principal(Role.EDGE_NODE)))


READER, WRITER = frozenset({AccessRole.READER}), frozenset({AccessRole.WRITER})
#: Entries about a caller, and what follows for an object of type model addressed to nodes of type edge.
ENTRIES = [
    (Grants({"model": READER}), {"read", "mark"}),
    (Grants({ORG_WIDE: READER}), {"read", "mark"}),
    (Grants({"film": WRITER}, frozenset({"edge"})), set()),
    (Grants({}, frozenset({ORG_WIDE})), set()),
    (Grants({"model": WRITER}), {"read", "mark", "webhook"}),
    (Grants({"model": WRITER}, frozenset({"camera"})), {"read", "mark", "webhook"}),
    (Grants({"model": WRITER}, frozenset({"edge"})), {"read", "mark", "webhook", "write"}),
    (Grants({ORG_WIDE: WRITER}, frozenset({ORG_WIDE})), {"read", "mark", "webhook", "write"}),
    (Grants({"model": READER, ORG_WIDE: WRITER}, frozenset({"edge"})), {"read", "mark"}),
    (Grants({"model": READER | WRITER}, frozenset({"edge"})), {"read", "mark"}),
]
ABOUT_OBJECTS = {
    "read": Operation.READ_OBJECT,
    "mark": Operation.MARK_OBJECT,
    "webhook": Operation.REGISTER_WEBHOOK,
    "write": Operation.WRITE_OBJECT,
}


@pytest.mark.parametrize(("grants", "allowed"), ENTRIES)
@pytest.mark.parametrize("role", [Role.USER, Role.NODE_USER])
def test_what_entries_of_access_lists_allow(role: Role, grants: Grants, allowed: set[str]) -> None:
    item = an_object("o1", destination_type="edge")

    assert allowed == {
        name
        for name, operation in ABOUT_OBJECTS.items()
        if may(question(operation, principal(role), item=item, grants=grants))
    }


EVERYTHING = Grants({ORG_WIDE: WRITER, "model": WRITER}, frozenset({ORG_WIDE}))


def test_entries_help_neither_strangers_nor_services() -> None:
    """They are not even looked up for them; should they be handed in, nothing follows."""
    item = an_object("o1", destination_type="edge")
    callers = [
        principal(Role.SERVICE),
        principal(Role.EDGE_NODE),
        *[principal(role, ELSEWHERE) for role in Role if role is not Role.SYNC_ADMIN],
    ]
    for caller, operation in product(callers, ABOUT_OBJECTS.values()):
        assert not may(question(operation, caller, item=item, grants=EVERYTHING))


def test_whether_writing_could_be_allowed_is_known_before_the_metadata_is() -> None:
    caller = principal(Role.USER)
    grants = Grants({"model": WRITER})

    assert may(question(Operation.WRITE_OBJECT, caller, grants=grants))
    assert not may(question(Operation.WRITE_OBJECT, caller, grants=Grants({"model": READER})))
    assert not may(question(Operation.WRITE_OBJECT, caller, item=PRIVATE, grants=grants))


@pytest.mark.parametrize(
    ("item", "may_read", "may_mark", "may_confirm"),
    [
        (None, False, False, False),
        (PRIVATE, True, True, True),
        (FOR_CAMERA, True, True, True),
        (FOR_RADAR, False, False, False),
        (PUBLIC_FOR_RADAR, True, False, False),
        (DROPPED_CAMERA, False, False, True),
    ],
    ids=["missing", "without policy", "named", "not named", "public, not named", "dropped"],
)
def test_a_service_on_an_edge(item: SyncObject | None, may_read: bool, may_mark: bool, may_confirm: bool) -> None:
    def allowed(caller: Principal, local: LocalNode = EDGE) -> tuple[bool, ...]:
        asked = (Operation.READ_OBJECT, Operation.MARK_OBJECT, Operation.CONFIRM_DELETION)
        return tuple(may(question(operation, caller, local, item)) for operation in asked)

    assert allowed(principal(Role.SERVICE)) == (may_read, may_mark, may_confirm)
    assert allowed(principal(Role.SERVICE, ELSEWHERE)) == (False, False, False)
    assert allowed(principal(Role.SERVICE), CLOUD) == (False, False, False)
    # Users see everything of their edge.
    assert allowed(principal(Role.USER)) == (True, True, True)


@pytest.mark.parametrize("identity", ["", "svc", "svc/1.5.0", "/1.5.0/camera", "svc//camera"])
def test_a_service_with_half_a_name_is_named_by_no_policy(identity: str) -> None:
    caller = Principal(Role.SERVICE, HOME, identity)

    assert not may(question(Operation.READ_OBJECT, caller, EDGE, FOR_CAMERA))
    assert may(question(Operation.READ_OBJECT, caller, EDGE, PRIVATE))


EVERYTHING_SHOWN, PUBLIC_SHOWN = Visibility(everything=True), Visibility(public=True)
LISTED = Grants({"model": READER, "film": WRITER})


@pytest.mark.parametrize(
    ("role", "grants", "shown"),
    [
        (Role.SYNC_ADMIN, NO_GRANTS, EVERYTHING_SHOWN),
        (Role.ADMIN, NO_GRANTS, EVERYTHING_SHOWN),
        (Role.OBJECT_ADMIN, NO_GRANTS, EVERYTHING_SHOWN),
        (Role.USER, NO_GRANTS, PUBLIC_SHOWN),
        (Role.USER, LISTED, Visibility(types=frozenset({"model", "film"}), public=True)),
        (Role.USER, Grants({ORG_WIDE: READER}), EVERYTHING_SHOWN),
        (Role.NODE_USER, NO_GRANTS, Visibility(types=frozenset({MANIFEST_TYPE}), public=True)),
        (Role.NODE_USER, LISTED, Visibility(types=frozenset({"model", "film", MANIFEST_TYPE}), public=True)),
        (Role.NODE_USER, Grants({ORG_WIDE: READER}), EVERYTHING_SHOWN),
        (Role.SERVICE, NO_GRANTS, None),
        (Role.EDGE_NODE, NO_GRANTS, None),
    ],
)
def test_what_lists_of_the_cloud_show(role: Role, grants: Grants, shown: Visibility | None) -> None:
    assert seen(principal(role), CLOUD, grants) == shown


@pytest.mark.parametrize("role", Role)
def test_what_lists_show_to_others(role: Role) -> None:
    is_shown_public = role not in (Role.SERVICE, Role.EDGE_NODE)
    on_the_cloud = PUBLIC_SHOWN if is_shown_public else None
    is_everywhere = role is Role.SYNC_ADMIN

    assert seen(principal(role, ELSEWHERE), CLOUD, EVERYTHING) == (EVERYTHING_SHOWN if is_everywhere else on_the_cloud)
    assert seen(principal(role, ELSEWHERE), EDGE) == (EVERYTHING_SHOWN if is_everywhere else None)


@pytest.mark.parametrize("role", Role)
def test_what_lists_of_an_edge_show(role: Role) -> None:
    expected: dict[Role, Visibility | None] = {
        Role.EDGE_NODE: None,
        Role.SERVICE: Visibility(everything=True, service=ServiceName("svc", "camera", "1.5.0")),
    }

    assert seen(principal(role), EDGE) == expected.get(role, EVERYTHING_SHOWN)


def seen(caller: Principal, local: LocalNode, grants: Grants = NO_GRANTS) -> Visibility | None:
    """None for those who are refused."""
    try:
        return visibility(caller, HOME, local, grants)
    except Forbidden:
        return None


@pytest.mark.parametrize("role", Role)
def test_access_lists_are_about_users_and_node_accounts_at_home_on_the_cloud(role: Role) -> None:
    user_type = {Role.USER: UserType.USER, Role.NODE_USER: UserType.NODE}.get(role)

    assert grantee(principal(role), HOME, CLOUD) == (user_type and Grantee(HOME, user_type, "ann"))
    assert grantee(principal(role, ELSEWHERE), HOME, CLOUD) is None
    assert grantee(principal(role), HOME, EDGE) is None


@pytest.mark.parametrize(
    ("caller", "is_believed"),
    [
        (Principal(Role.EDGE_NODE, HOME, "edge/n1"), True),
        (Principal(Role.EDGE_NODE, HOME, "edge/n2"), False),
        (Principal(Role.EDGE_NODE, ELSEWHERE, "edge/n1"), False),
        (principal(Role.ADMIN), True),
        (principal(Role.ADMIN, ELSEWHERE), False),
        (principal(Role.OBJECT_ADMIN), False),
        (principal(Role.USER), False),
        (principal(Role.NODE_USER), False),
        (principal(Role.SERVICE), False),
        (principal(Role.SYNC_ADMIN), False),
    ],
)
def test_who_speaks_as_a_node(caller: Principal, is_believed: bool) -> None:
    claimed = NodeKey(HOME, "edge", "n1")
    if is_believed:
        check_is_node(caller, claimed)
    else:
        with pytest.raises(Forbidden):
            check_is_node(caller, claimed)
