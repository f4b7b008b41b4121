"""Who is shown what in streams: as in the list."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from common.domain.errors import Forbidden
from common.domain.metadata import Policy, ServiceId
from tests.support.event_source import EventSource
from tests.support.node_under_test import NodeUnderTest, Parts, a_css, an_ess
from tests.support.requests_node import register, send_up

CSS_LIST = "/api/v1/objects/o/t"


@pytest.fixture
def css(new_parts: Callable[[str], Parts]) -> Iterator[NodeUnderTest]:
    with closing(a_css(new_parts("css"))) as node, node.served():
        register(node)
        yield node


def test_the_cloud_shows_what_edges_send(css: NodeUnderTest) -> None:
    with EventSource(css.address, CSS_LIST) as stream:
        stream.opened()
        send_up(css, "a")
        assert stream.names(1) == ["a"]
    send_up(css, "b")
    with EventSource(css.address, CSS_LIST, last_event_id=stream.last_event_id) as again:
        assert again.names(1) == ["b"]


def test_the_cloud_shows_its_own_deletions_while_they_are_delivered(css: NodeUnderTest) -> None:
    css.put(f"{CSS_LIST}/mine", b"x", destinationType="edge")
    with EventSource(css.address, CSS_LIST) as stream:
        stream.opened()
        css.call("DELETE", f"{CSS_LIST}/mine")

        update = stream.update().json()
        assert (update["objectID"], update["deleted"]) == ("mine", True)
        assert css.call("GET", CSS_LIST).json() == [update]


def test_those_who_see_public_objects_hear_of_those_only(css: NodeUnderTest) -> None:
    with EventSource(css.address, CSS_LIST, actor="plain@o") as stream:
        stream.opened()
        send_up(css, "secret")
        send_up(css, "open", public=True)
        assert stream.names(1) == ["open"]
    with EventSource(css.address, CSS_LIST, actor="plain@o") as stream:
        assert stream.names(1) == ["open"]
        send_up(css, "secret-too")
        send_up(css, "open-too", public=True)
        assert stream.names(1) == ["open-too"]


def test_rights_that_were_taken_away_end_the_stream(css: NodeUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("common.rest.event_stream._RECHECK_SECONDS", 0.0)
    with EventSource(css.address, CSS_LIST) as stream:
        send_up(css, "a")
        assert stream.names(1) == ["a"]
        monkeypatch.setattr("common.domain.access.visibility", forbidden)
        send_up(css, "b")
        stream.wait_for_end()
        assert stream.update_within(0) is None


def forbidden(*_: object) -> None:
    raise Forbidden


def test_a_service_hears_of_what_its_policy_opens_to_it(new_parts: Callable[[str], Parts]) -> None:
    with closing(an_ess(new_parts("ess"))) as ess, ess.served():
        ess.receive("for-others", destination_policy=policy_for("microphone"))
        ess.receive("mine", destination_policy=policy_for("camera"))
        with EventSource(ess.address, "/api/v1/objects/t", actor="o$svc$1.0.0$camera") as stream:
            assert stream.names(1) == ["mine"]
            ess.receive("for-others-too", destination_policy=policy_for("microphone"))
            ess.receive("everybodys")

            assert stream.names(1) == ["everybodys"]


def policy_for(service: str) -> Policy:
    return Policy(services=[ServiceId(org_id="svc", service_name=service, version="[1.0.0,2.0.0)")])
