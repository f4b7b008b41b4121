"""Whom an object is for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.domain.addressing import Audience, AudienceKind, audience_of, parse_destination
from common.domain.errors import InvalidRequest
from common.domain.ids import NodeKey
from common.domain.metadata import Metadata, Policy
from common.domain.names import is_valid_name
from tests.support.builders import everyone, listed, members_of, node_key, nodes_of_type, only, placed


def meta(**members: Any) -> Metadata:
    return Metadata(destination_org_id="acme", **members)


@pytest.mark.parametrize(
    ("members", "audience"),
    [
        ({}, everyone()),
        ({"destinations_list": None}, everyone()),
        ({"destinations_list": []}, everyone()),
        ({"destination_type": "edge"}, nodes_of_type("edge")),
        ({"destination_type": "edge", "destination_id": "n1"}, only("n1")),
        ({"destination_type": "@group", "destination_id": "lab"}, members_of("lab")),
        ({"destinations_list": ["edge:n2", "edge:n1"]}, listed("n2", "n1")),
        ({"destinations_list": ["edge:n2", "edge:n1", "edge:n2"]}, listed("n2", "n1")),
        ({"destination_policy": Policy()}, placed()),
        ({"destination_policy": Policy(), "destination_type": "edge"}, placed()),
    ],
)
def test_metadata_says_whom_an_object_is_for(members: dict[str, Any], audience: Audience) -> None:
    assert audience_of(meta(**members)) == audience


NODES = [node_key("n1"), node_key("n2"), node_key("n1", "camera"), node_key("n1", org="other")]


@pytest.mark.parametrize(
    ("audience", "included"),
    [
        (everyone(), NODES[:3]),
        (nodes_of_type("edge"), NODES[:2]),
        (nodes_of_type("edg"), []),
        (only("n1"), NODES[:1]),
        (listed("n2", node_key("n1", "camera")), NODES[1:3]),
        (listed(node_key("n1", org="other")), NODES[3:]),
        (members_of("n1"), []),
        (placed(), []),
    ],
    ids=lambda value: value.kind if isinstance(value, Audience) else "",
)
def test_an_audience_includes_its_nodes_and_nobody_of_another_organization(
    audience: Audience, included: list[NodeKey]
) -> None:
    assert [node for node in NODES if audience.includes(node)] == included


@pytest.mark.parametrize("kind", AudienceKind)
def test_no_audience_reaches_into_another_organization(kind: AudienceKind) -> None:
    stranger = node_key("n1", org="other")
    audience = Audience("acme", kind, stranger.type, stranger.id, nodes=(stranger,))

    assert not audience.includes(stranger)


@pytest.mark.parametrize(
    ("text", "type_and_id"),
    [
        ("edge:n1", ("edge", "n1")),
        ("e-f:g", ("e-f", "g")),
        ("e:f-g", ("e", "f-g")),
        ("日本:語", ("日本", "語")),
        (" : ", (" ", " ")),
    ],
)
def test_a_destination_is_a_type_and_an_id(text: str, type_and_id: tuple[str, str]) -> None:
    assert parse_destination("acme", text) == NodeKey("acme", *type_and_id)


@pytest.mark.parametrize("text", ["", ":", "edge", "edge:", ":n1", "a:b:c", "::", "<:a", "a:>", "<a:b>"])
def test_anything_else_is_no_destination(text: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_destination("acme", text)


names = st.text(st.sampled_from("ab-_.日é"), min_size=1).filter(is_valid_name)


@given(names, names)
def test_every_node_can_be_named_as_a_destination(node_type: str, node_id: str) -> None:
    node = parse_destination("acme", f"{node_type}:{node_id}")

    assert node == NodeKey("acme", node_type, node_id)
    assert audience_of(meta(destinations_list=[f"{node_type}:{node_id}"])).includes(node)


@given(st.text())
def test_parsing_a_destination_gives_a_node_or_refuses(text: str) -> None:
    try:
        node = parse_destination("acme", text)
    except InvalidRequest:
        return
    assert f"{node.type}:{node.id}" == text
    assert node.type
    assert node.id
