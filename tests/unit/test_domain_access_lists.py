"""What the entries about a caller allow."""

from __future__ import annotations

import pytest

from common.domain.access_lists import NO_GRANTS, ORG_WIDE, AccessRole, Grants, addressed_types
from common.domain.metadata import Metadata, Policy

W, R = AccessRole.WRITER, AccessRole.READER


@pytest.mark.parametrize(
    ("objects", "may_write"),
    [
        ({}, False),
        ({"t": {W}}, True),
        ({"t": {R}}, False),
        ({"other": {W}}, False),
        ({ORG_WIDE: {W}}, True),
        ({ORG_WIDE: {R}}, False),
        # The list of the type decides as soon as it is about the caller.
        ({"t": {R}, ORG_WIDE: {W}}, False),
        ({"t": {W}, ORG_WIDE: {R}}, True),
        # An entry with the name and one for everybody, in whatever order they came: a reader entry denies.
        ({"t": {R, W}}, False),
        ({"t": {R, W}, ORG_WIDE: {W}}, False),
        ({ORG_WIDE: {R, W}}, False),
    ],
)
def test_entries_of_objects(objects: dict[str, set[AccessRole]], may_write: bool) -> None:
    grants = Grants({key: frozenset(roles) for key, roles in objects.items()})

    assert grants.may_write("t") is may_write


@pytest.mark.parametrize(
    ("meta", "needed"),
    [
        (Metadata(), {ORG_WIDE}),
        (Metadata(destinations_list=[]), {ORG_WIDE}),
        (Metadata(destination_type="edge"), {"edge"}),
        (Metadata(destination_type="edge", destination_id="n1"), {"edge"}),
        (Metadata(destinations_list=["edge:n1", "edge:n2", "camera:c1"]), {"edge", "camera"}),
        (Metadata(destination_policy=Policy()), set()),
    ],
)
def test_every_destination_type_named_has_to_be_granted(meta: Metadata, needed: set[str]) -> None:
    def may_address(*destinations: str) -> bool:
        return Grants(destinations=frozenset(destinations)).may_address(meta)

    assert may_address(*needed)
    assert may_address(ORG_WIDE)
    assert may_address(*needed, "unrelated")
    for missing in needed:
        assert not may_address(*(needed - {missing}), "unrelated")


def test_nothing_is_granted_without_entries() -> None:
    assert not NO_GRANTS.may_write("t")
    assert not NO_GRANTS.may_address(Metadata())


def test_types_are_read_from_both_forms_of_an_address() -> None:
    assert addressed_types(Metadata(destination_type="edge")) == {"edge"}
    assert addressed_types(Metadata(destinations_list=["a:1", "b:1", "a:2"])) == {"a", "b"}
    assert addressed_types(Metadata()) == frozenset()
