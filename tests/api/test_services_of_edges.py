"""Services beside an edge (rest-api 2.2): which objects a policy opens to them, and how one that is dropped learns of it."""

from __future__ import annotations

from typing import Any

import pytest

from common.domain.metadata import Policy, ServiceId
from tests.support.node_under_test import EdgeUnderTest
from tests.support.requests_asgi import Reply
from tests.support.requests_node import nothing_changes

COPIES = "/api/v1/objects/t"
CAMERA, OLD_CAMERA, RADAR = "o$svc$1.5.0$camera", "o$svc$0.9.0$camera", "o$svc$2.0.0$radar"
USER = "plain@o"


def named(name: str = "camera", version: str = "[1.0.0,2.0.0)") -> ServiceId:
    return ServiceId("svc", "any", name, version)


def receive(ess: EdgeUnderTest, *services: ServiceId, instance: int = 1, **members: Any) -> None:
    policy = Policy(services=list(services))
    ess.receive("m1", b"x", destination_policy=policy, instance_id=instance, **members)


def is_denied(reply: Reply) -> bool:
    return (reply.status, reply.body) == (403, b"Unauthorized")


def updates(ess: EdgeUnderTest, actor: str) -> list[tuple[str, bool]]:
    """Ids and whether they are shown as deleted."""
    reply = ess.call("GET", COPIES, actor=actor)
    return [] if reply.status == 404 else [(each["objectID"], each["deleted"]) for each in reply.json()]


def statuses(ess: EdgeUnderTest, actor: str) -> set[int]:
    return {ess.call("GET", f"{COPIES}/m1{rest}", actor=actor).status for rest in ("", "/status", "/data")}


def mark(ess: EdgeUnderTest, operation: str, actor: str) -> Reply:
    return ess.call("PUT", f"{COPIES}/m1/{operation}", actor=actor)


@pytest.mark.parametrize("actor", [OLD_CAMERA, RADAR])
def test_only_services_that_the_policy_names_see_the_object(ess: EdgeUnderTest, actor: str) -> None:
    receive(ess, named("other", "0"), named(), consumers=100)

    assert statuses(ess, CAMERA) == {200}
    assert updates(ess, CAMERA) == [("m1", False)]
    assert statuses(ess, actor) == {403}
    assert updates(ess, actor) == []
    with nothing_changes(ess):
        for operation in ("received", "consumed", "deleted", "activate", "data"):
            assert is_denied(mark(ess, operation, actor))
    for operation in ("received", "consumed"):
        assert mark(ess, operation, CAMERA).status == 204
        assert mark(ess, operation, USER).status == 204


def test_a_public_object_is_read_one_by_one_by_every_service(ess: EdgeUnderTest) -> None:
    receive(ess, named(), public=True)

    assert statuses(ess, RADAR) == {200}
    assert updates(ess, RADAR) == []
    assert is_denied(mark(ess, "received", RADAR))


@pytest.mark.parametrize("policy", [None, Policy(), Policy(services=[])])
def test_what_names_no_service_is_open_to_all_of_them(ess: EdgeUnderTest, policy: Policy | None) -> None:
    ess.receive("m1", b"x", destination_policy=policy)

    assert statuses(ess, RADAR) == {200}
    assert updates(ess, RADAR) == [("m1", False)]


def test_a_service_of_another_organization_is_refused_everything(ess: EdgeUnderTest) -> None:
    receive(ess)

    assert is_denied(ess.call("GET", COPIES, actor="x$svc$1.5.0$camera"))
    assert statuses(ess, "x$svc$1.5.0$camera") == {403}


def test_a_dropped_service_sees_the_object_deleted_until_it_confirms(ess: EdgeUnderTest) -> None:
    receive(ess, named(), named("radar", "0"))
    receive(ess, named("radar", "0"), instance=2)

    assert updates(ess, CAMERA) == [("m1", True)]
    assert updates(ess, RADAR) == updates(ess, USER) == [("m1", False)]
    assert statuses(ess, CAMERA) == {403}
    with nothing_changes(ess):
        for operation in ("received", "consumed"):
            assert is_denied(mark(ess, operation, CAMERA))
        # Neither dropped nor told of a deletion.
        assert mark(ess, "deleted", RADAR).status == 400

    assert mark(ess, "deleted", CAMERA).status == 204
    assert updates(ess, CAMERA) == []
    assert is_denied(mark(ess, "deleted", CAMERA))
    assert statuses(ess, RADAR) == {200}


def test_a_service_that_is_named_again_has_nothing_to_confirm(ess: EdgeUnderTest) -> None:
    receive(ess, named())
    receive(ess, named("radar", "0"), instance=2)
    receive(ess, named(), named("radar", "0"), instance=3)

    assert updates(ess, CAMERA) == [("m1", False)]
    assert statuses(ess, CAMERA) == {200}


def test_to_a_service_an_unknown_object_is_forbidden_whatever_it_asks(ess: EdgeUnderTest) -> None:
    assert statuses(ess, CAMERA) == {403}
    for operation in ("received", "consumed", "deleted", "activate", "data"):
        assert is_denied(mark(ess, operation, CAMERA))
    assert updates(ess, CAMERA) == []


def test_services_publish_and_delete_objects_of_their_own(ess: EdgeUnderTest) -> None:
    body = {"meta": {"objectID": "m1", "objectType": "t"}, "data": "eA=="}

    assert ess.call("PUT", f"{COPIES}/m1", body, actor=CAMERA).status == 204
    assert ess.call("PUT", f"{COPIES}/m1/data", b"y", actor=RADAR).status == 204
    assert ess.call("DELETE", f"{COPIES}/m1", actor=CAMERA).status == 204
