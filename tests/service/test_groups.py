"""Objects addressed to groups, and policy objects that this service places: who gets them as nodes come, change and go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from common.domain.delivery import PeerDroppedIt, PeerReceived
from common.domain.errors import InvalidRequest, NotFound
from common.domain.ids import NodeKey
from common.domain.label_parser import ExpressionError
from common.domain.labels import LabelSource
from common.domain.metadata import Policy
from common.sync.group_changes import Groups
from common.sync.groups import PlacementEngine
from common.sync.reviews import PAGE
from common.sync.sender import PeerAnswer
from tests.support.sides import ORG, Side, key, node

A, B, C = node("a"), node("b"), node("c", "camera")
TO_LAB: dict[str, Any] = {"destination_type": "@group", "destination_id": "lab"}
AT_LAB = {"site": "lab"}


@pytest.fixture
def groups(cloud: Side) -> Groups:
    return Groups(cloud.clock.now_ms)


def define(cloud: Side, groups: Groups, expression: str | None = None, *listed: NodeKey, name: str = "lab") -> None:
    cloud.database.write(lambda uow: groups.define(uow, ORG, name, expression, listed))


def label(cloud: Side, groups: Groups, to: NodeKey, labels: Mapping[str, str]) -> None:
    cloud.database.write(lambda uow: groups.label(uow, to, labels))


def register(cloud: Side, as_node: NodeKey, labels: Mapping[str, str] | None = None, *, is_new: bool = True) -> None:
    call = cloud.registration.register_new if is_new else cloud.registration.register
    cloud.database.write(lambda uow: call(uow, as_node, is_persistent=True, capabilities=frozenset(), labels=labels))


def members(cloud: Side, name: str = "lab") -> list[str]:
    found = cloud.database.read(lambda uow: uow.groups.members(ORG, name, after=None, limit=None))
    return [member.id for member in found]


def finish(cloud: Side) -> None:
    """Do what is left for the background."""
    while cloud.database.write(cloud.reviews.resume):
        pass
    while cloud.database.write(lambda uow: cloud.fan_outs.resume(uow, PAGE)):
        pass


def sent(cloud: Side, to: NodeKey) -> list[tuple[str, str]]:
    return [(outgoing.message.value, outgoing.meta.object_id) for outgoing in cloud.poll(to)]


def test_an_object_for_a_group_goes_to_its_members(cloud: Side, groups: Groups) -> None:
    cloud.register(A, B, C)
    define(cloud, groups, None, A, C)

    cloud.put(**TO_LAB)

    assert cloud.destinations() == {"a": "delivering", "c": "delivering"}
    assert (sent(cloud, A), sent(cloud, B), sent(cloud, C)) == ([("update", "o1")], [], [("update", "o1")])


def test_a_copy_carries_its_nodes_own_name_and_not_the_groups(cloud: Side, groups: Groups) -> None:
    cloud.register(C)
    define(cloud, groups, None, C)
    cloud.put(**TO_LAB)

    [outgoing] = cloud.poll(C)

    assert (outgoing.meta.destination_type, outgoing.meta.destination_id) == ("camera", "c")


def test_an_object_for_a_group_nobody_has_defined_is_refused(cloud: Side) -> None:
    with pytest.raises(InvalidRequest, match="no group lab"):
        cloud.put(**TO_LAB)


def test_a_listed_node_joins_when_it_registers(cloud: Side, groups: Groups) -> None:
    define(cloud, groups, None, A)
    cloud.put(**TO_LAB)
    assert cloud.destinations() == {}

    cloud.register(A)

    assert members(cloud) == ["a"]
    assert sent(cloud, A) == [("update", "o1")]


def test_a_node_joins_by_the_labels_it_registers_with(cloud: Side, groups: Groups) -> None:
    define(cloud, groups, "site == lab")
    cloud.put(**TO_LAB)

    register(cloud, A, AT_LAB)
    register(cloud, B, {"site": "hall"})

    assert cloud.destinations() == {"a": "delivering"}


def test_a_node_that_starts_with_other_labels_changes_groups(cloud: Side, groups: Groups) -> None:
    define(cloud, groups, "site == lab")
    define(cloud, groups, "site == hall", name="hall")
    register(cloud, A, AT_LAB)
    cloud.put("for-lab", **TO_LAB)
    cloud.put("for-hall", destination_type="@group", destination_id="hall")
    assert sent(cloud, A) == [("update", "for-lab")]

    register(cloud, A, {"site": "hall"}, is_new=False)

    assert sorted(sent(cloud, A)) == [("delete", "for-lab"), ("update", "for-hall")]


def test_a_node_that_says_nothing_about_itself_keeps_its_labels(cloud: Side, groups: Groups) -> None:
    define(cloud, groups, "site == lab")
    register(cloud, A, AT_LAB)

    register(cloud, A, None, is_new=False)
    register(cloud, A, None)

    assert members(cloud) == ["a"]


def test_an_administrator_labels_nodes_also_before_they_register(cloud: Side, groups: Groups) -> None:
    define(cloud, groups, "site == lab")
    label(cloud, groups, A, AT_LAB)
    assert members(cloud) == []

    register(cloud, A, {"site": "hall"})
    assert members(cloud) == ["a"]

    label(cloud, groups, A, {})
    assert members(cloud) == []


def test_leaving_withdraws_what_was_sent_and_forgets_what_was_not(cloud: Side, groups: Groups) -> None:
    cloud.register(A)
    define(cloud, groups, None, A)
    cloud.put("sent", **TO_LAB)
    cloud.poll(A)
    cloud.put("unsent", **TO_LAB)
    cloud.put("for-all")

    define(cloud, groups, None)

    assert sorted(sent(cloud, A)) == [("delete", "sent"), ("update", "for-all")]
    assert cloud.destinations("unsent") == {}
    assert cloud.destinations("sent") == {}


@pytest.mark.parametrize("is_acknowledged", [True, False])
def test_a_node_that_comes_back_gets_the_object_again(cloud: Side, groups: Groups, is_acknowledged: bool) -> None:
    register(cloud, A, AT_LAB)
    define(cloud, groups, "site == lab")
    item = cloud.put(**TO_LAB)
    cloud.poll(A)
    cloud.database.write(lambda uow: cloud.sender.answer(uow, PeerAnswer(key(), A, item.instance, PeerReceived())))
    label(cloud, groups, A, {"site": "hall"})
    assert sent(cloud, A) == [("delete", "o1")]
    if is_acknowledged:
        cloud.database.write(lambda uow: cloud.sender.answer(uow, PeerAnswer(key(), A, item.instance, PeerDroppedIt())))

    label(cloud, groups, A, {})

    assert sent(cloud, A) == [("update", "o1")]
    assert cloud.destinations() == {"a": "delivering"}


def test_an_edge_takes_an_object_that_was_withdrawn_and_is_for_it_again(cloud: Side, groups: Groups) -> None:
    edge = Side(cloud.local.__class__("edge", "a", ORG))
    origin = NodeKey(ORG, "Cloud", "Cloud")
    define(cloud, groups, "site == lab")
    register(cloud, A, AT_LAB)
    cloud.put(data=None, no_data=True, **TO_LAB)

    for labels in ({"site": "hall"}, {}):
        for outgoing in cloud.poll(A):
            edge.database.write(lambda uow: edge.receiver.update_arrived(uow, key(), outgoing.meta, origin))  # noqa: B023
        label(cloud, groups, A, labels)
        for outgoing in cloud.poll(A) if labels else []:
            edge.database.write(lambda uow: edge.receiver.deletion_arrived(uow, key(), outgoing.meta, origin))  # noqa: B023
            assert (copy := edge.find()) is not None
            assert copy.status == "objdeleted"
    for outgoing in cloud.poll(A):
        edge.database.write(lambda uow: edge.receiver.update_arrived(uow, key(), outgoing.meta, origin))  # noqa: B023

    copy = edge.find()
    assert copy is not None
    assert copy.status == "completelyReceived"


def test_an_object_whose_destinations_were_changed_by_hand_stays_with_whoever_leaves(
    cloud: Side, groups: Groups
) -> None:
    cloud.register(A, B)
    define(cloud, groups, None, A)
    cloud.put(**TO_LAB)
    cloud.database.write(lambda uow: cloud.placement.add(uow, key(), [B]))

    define(cloud, groups, None)

    assert sorted(cloud.destinations()) == ["a", "b"]


def test_a_new_version_for_another_group_leaves_the_first_ones_members(cloud: Side, groups: Groups) -> None:
    cloud.register(A, B, C)
    define(cloud, groups, None, A, B)
    define(cloud, groups, None, B, C, name="hall")
    cloud.put(**TO_LAB)
    for each in (A, B):
        cloud.poll(each)

    cloud.put(data=b"v2", destination_type="@group", destination_id="hall")

    assert sorted(cloud.destinations()) == ["b", "c"]
    assert (sent(cloud, A), sent(cloud, B)) == ([("delete", "o1")], [("update", "o1")])


def test_a_group_that_is_removed_takes_its_objects_along_and_brings_them_back(cloud: Side, groups: Groups) -> None:
    cloud.register(A)
    define(cloud, groups, None, A)
    cloud.put(**TO_LAB)
    cloud.poll(A)

    cloud.database.write(lambda uow: groups.remove(uow, ORG, "lab"))
    assert sent(cloud, A) == [("delete", "o1")]
    with pytest.raises(NotFound):
        cloud.database.write(lambda uow: groups.remove(uow, ORG, "lab"))

    define(cloud, groups, None, A)
    assert sent(cloud, A) == [("update", "o1")]


def test_a_node_that_unregisters_is_no_member_and_its_own_labels_go(cloud: Side, groups: Groups) -> None:
    define(cloud, groups, "site == lab")
    register(cloud, A, AT_LAB)
    label(cloud, groups, A, {"owner": "ann"})

    cloud.database.write(lambda uow: cloud.registration.unregister(uow, A))

    assert members(cloud) == []
    left = cloud.database.read(lambda uow: uow.labels.of_node(A))
    assert left == {LabelSource.ADMIN: {"owner": "ann"}}


def test_groups_of_organizations_are_apart(cloud: Side, groups: Groups) -> None:
    stranger = NodeKey("other", "edge", "a")
    define(cloud, groups, "site == lab")
    cloud.put(**TO_LAB)

    register(cloud, stranger, AT_LAB)

    assert cloud.destinations() == {}
    assert cloud.database.read(lambda uow: uow.groups.of_node(stranger)) == set()


def test_an_expression_with_a_mistake_defines_nothing(cloud: Side, groups: Groups) -> None:
    with pytest.raises(ExpressionError):
        define(cloud, groups, "site ==")

    assert cloud.database.read(lambda uow: uow.groups.find(ORG, "lab")) is None


def test_a_large_group_is_filled_and_emptied_in_the_background(cloud: Side, groups: Groups) -> None:
    fleet = [node(f"n{number:03}") for number in range(2 * PAGE + 1)]
    for each in fleet:
        register(cloud, each, AT_LAB)
    define(cloud, groups, "site == hall")
    cloud.put(**TO_LAB)

    define(cloud, groups, "site == lab")
    assert len(members(cloud)) == PAGE
    finish(cloud)
    assert len(cloud.destinations()) == len(members(cloud)) == len(fleet)

    cloud.put("second", **TO_LAB)
    assert len(cloud.destinations("second")) == len(fleet)
    finish(cloud)
    assert len(cloud.destinations("second")) == len(fleet)

    cloud.database.write(lambda uow: groups.remove(uow, ORG, "lab"))
    finish(cloud)
    assert members(cloud) == []
    assert cloud.destinations() == cloud.destinations("second") == {}


def test_a_change_while_another_is_worked_out_starts_anew(cloud: Side, groups: Groups) -> None:
    fleet = [node(f"n{number:03}") for number in range(2 * PAGE + 1)]
    for each in fleet:
        register(cloud, each, {"number": each.id[1:]})
    define(cloud, groups, "number >= 0")
    label(cloud, groups, fleet[-1], {"number": "-1"})

    define(cloud, groups, f"number > {PAGE}")
    finish(cloud)

    assert members(cloud) == [each.id for each in fleet[PAGE + 1 : -1]]


POLICY: dict[str, Any] = {"destination_policy": Policy(constraints=["site == lab", "cpu >= 4"])}


def place_builtin(cloud: Side, groups: Groups) -> None:
    cloud.database.write(lambda uow: groups.choose_engine(uow, ORG, PlacementEngine.BUILTIN))
    finish(cloud)


def test_a_policy_object_waits_for_an_outside_engine_by_default(cloud: Side) -> None:
    register(cloud, A, {"site": "lab", "cpu": "8"})

    cloud.put(**POLICY)

    assert cloud.destinations() == {}


def test_a_policy_object_goes_where_all_its_constraints_hold(cloud: Side, groups: Groups) -> None:
    place_builtin(cloud, groups)
    register(cloud, A, {"site": "lab", "cpu": "8"})
    register(cloud, B, {"site": "lab", "cpu": "2"})

    cloud.put(**POLICY)
    assert cloud.destinations() == {"a": "delivering"}

    register(cloud, C, {"site": "lab", "cpu": "4"})
    assert cloud.destinations() == {"a": "delivering", "c": "delivering"}


def test_labels_and_policies_that_change_move_the_object(cloud: Side, groups: Groups) -> None:
    place_builtin(cloud, groups)
    register(cloud, A, {"site": "lab", "cpu": "8"})
    register(cloud, B, {"site": "hall"})
    cloud.put(**POLICY)
    cloud.poll(A)

    label(cloud, groups, B, {"site": "lab", "cpu": "4"})
    label(cloud, groups, A, {"cpu": "1"})
    assert cloud.destinations() == {"b": "delivering"}
    assert (sent(cloud, A), sent(cloud, B)) == ([("delete", "o1")], [("update", "o1")])

    cloud.put(data=b"v2", destination_policy=Policy(constraints=["cpu < 4"]))
    assert cloud.destinations() == {"a": "delivering"}
    assert (sent(cloud, A), sent(cloud, B)) == ([("update", "o1")], [("delete", "o1")])


@pytest.mark.parametrize(
    ("constraints", "placed"),
    [(None, ["a", "b"]), ([], ["a", "b"]), (["site =="], []), (["site == lab", "cpu ~ 4"], [])],
)
def test_no_constraint_is_for_every_node_and_a_mistake_for_none(
    cloud: Side, groups: Groups, constraints: list[str] | None, placed: list[str]
) -> None:
    place_builtin(cloud, groups)
    register(cloud, A, AT_LAB)
    register(cloud, B)

    cloud.put(destination_policy=Policy(constraints=constraints))

    assert sorted(cloud.destinations()) == placed


def test_an_organization_that_changes_its_engine_has_everything_placed(cloud: Side, groups: Groups) -> None:
    register(cloud, A, {"site": "lab", "cpu": "8"})
    for number in range(PAGE + 1):
        cloud.put(f"o{number}", **POLICY)
    cloud.put("gone", **POLICY)
    cloud.database.write(lambda uow: cloud.publisher.delete(uow, key("gone")))

    place_builtin(cloud, groups)
    assert len(cloud.poll(A)) == 100
    assert len(cloud.poll(A)) == 1

    cloud.database.write(lambda uow: groups.choose_engine(uow, ORG, PlacementEngine.OUTSIDE))
    label(cloud, groups, A, {"cpu": "1"})
    assert cloud.destinations("o0") == {"a": "delivering"}
