"""New versions of an own object: the table "Effects on success" of rest-api 3.8, row by row, and 3.11."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from common.domain.errors import InvalidRequest
from common.domain.metadata import UNLIMITED_CONSUMERS, Metadata, Policy
from common.domain.objects import (
    REVISABLE,
    ObjectStatus,
    Payload,
    SyncObject,
    check_accepts_data,
    check_revisable,
    effective_consumers,
    revise,
    with_data,
)
from common.domain.signing import OutdatedVerdict, Verdict, declaration_of
from tests.support.builders import a_payload, an_object, object_key

KEY = object_key("o1")
NEW_INSTANCE = 9_000
OLD_DATA, NEW_DATA = a_payload("old", 7), a_payload("new", 5)
SIGNED: dict[str, Any] = {"hash_algorithm": "SHA256", "public_key": "cA==", "signature": "cw=="}

#: With data, as it was published before.
STORED = an_object(KEY, payload=OLD_DATA, instance=8_000, data_id=8_000, object_size=7, upload_chunk_size=3, **SIGNED)


def put(current: SyncObject | None = STORED, payload: Payload | None = None, **members: Any) -> SyncObject:
    """What a PUT of these members makes of the stored object."""
    meta = Metadata(object_id=KEY.id, object_type=KEY.type, destination_org_id=KEY.org, **members)
    return revise(current, KEY, meta, payload, NEW_INSTANCE)


def judged(meta: Metadata, *, is_genuine: bool = True) -> Verdict | None:
    declaration = declaration_of(meta)
    return Verdict(declaration, is_genuine) if declaration else None


def data_members(item: SyncObject) -> tuple[int, int]:
    return item.meta.data_id, item.meta.object_size


@pytest.mark.parametrize("current", [None, STORED], ids=["new", "stored"])
def test_data_replaces_data(current: SyncObject | None) -> None:
    revised = put(current, NEW_DATA, data_id=1, object_size=2)

    assert (revised.status, revised.payload) == (ObjectStatus.READY, NEW_DATA)
    assert data_members(revised) == (NEW_INSTANCE, NEW_DATA.size)


def test_present_and_empty_data_is_data() -> None:
    revised = put(STORED, a_payload("empty", 0))

    assert (revised.status, revised.payload) == (ObjectStatus.READY, a_payload("empty", 0))
    assert data_members(revised) == (NEW_INSTANCE, 0)


@pytest.mark.parametrize("current", [None, STORED], ids=["new", "stored"])
def test_without_data_or_a_flag_the_object_waits_for_data(current: SyncObject | None) -> None:
    revised = put(current, data_id=1, object_size=2)

    assert (revised.status, revised.payload) == (ObjectStatus.NOT_READY, None)
    assert data_members(revised) == (1, 2)


@pytest.mark.parametrize("payload", [None, NEW_DATA])
@pytest.mark.parametrize("current", [None, STORED], ids=["new", "stored"])
def test_no_data_clears_data_and_everything_about_it(current: SyncObject | None, payload: Payload | None) -> None:
    revised = put(
        current,
        payload,
        no_data=True,
        link="https://example.org/",
        source_data_uri="file:///s",
        data_id=1,
        object_size=2,
        **SIGNED,
    )

    assert (revised.status, revised.payload) == (ObjectStatus.READY, None)
    assert data_members(revised) == (1, 2)
    cleared = revised.meta
    assert (cleared.link, cleared.source_data_uri, cleared.public_key, cleared.signature) == ("", "", "", "")


def test_a_link_takes_the_place_of_data() -> None:
    revised = put(STORED, link="https://example.org/", data_id=1, object_size=2)

    assert (revised.status, revised.payload) == (ObjectStatus.READY, None)
    assert data_members(revised) == (1, 2)


def test_a_link_and_data_may_come_together() -> None:
    revised = put(STORED, NEW_DATA, link="https://example.org/")

    assert (revised.status, revised.payload) == (ObjectStatus.READY, NEW_DATA)
    assert revised.meta.link == "https://example.org/"


def test_metadata_alone_keeps_the_data_and_what_was_said_about_it() -> None:
    revised = put(STORED, meta_only=True, description="changed", data_id=1, object_size=2, signature="other")

    assert (revised.status, revised.payload) == (ObjectStatus.READY, OLD_DATA)
    assert data_members(revised) == data_members(STORED)
    assert revised.meta.description == "changed"
    for member in (*SIGNED, "upload_chunk_size"):
        assert getattr(revised.meta, member) == getattr(STORED.meta, member)


@pytest.mark.parametrize("current", [None, an_object(KEY, ObjectStatus.NOT_READY)], ids=["new", "without data"])
def test_metadata_alone_of_an_object_without_data_waits_for_data(current: SyncObject | None) -> None:
    revised = put(current, meta_only=True, data_id=1, object_size=2)

    assert (revised.status, revised.payload) == (ObjectStatus.NOT_READY, None)
    assert data_members(revised) == (1, 2)


@pytest.mark.parametrize(
    "members",
    [{}, {"no_data": True}, {"link": "l"}, {"meta_only": True}, {"inactive": True}],
    ids=lambda members: next(iter(members), "plain"),
)
@pytest.mark.parametrize("payload", [None, NEW_DATA])
@pytest.mark.parametrize("current", [None, STORED], ids=["new", "stored"])
def test_every_version_is_an_own_one_with_a_new_instance_and_fresh_counters(
    current: SyncObject | None, payload: Payload | None, members: dict[str, Any]
) -> None:
    revised = put(current, payload, consumers=4, **members)

    assert (revised.key, revised.instance, revised.is_own) == (KEY, NEW_INSTANCE, True)
    assert (revised.remaining_receivers, revised.remaining_consumers) == (4, 4)


@pytest.mark.parametrize(
    ("declared", "effective"), [(0, 1), (1, 1), (7, 7), (-1, UNLIMITED_CONSUMERS), (-2, -2), (2**31 - 1, 2**31 - 1)]
)
def test_consumers_have_two_special_values(declared: int, effective: int) -> None:
    assert effective_consumers(declared) == effective
    assert put(None, NEW_DATA, consumers=declared).meta.consumers == effective


@pytest.mark.parametrize("status", ObjectStatus)
def test_an_own_object_can_be_revised_while_it_is_not_being_deleted(status: ObjectStatus) -> None:
    current = an_object(KEY, status)

    if status in REVISABLE:
        assert put(current, NEW_DATA).status is ObjectStatus.READY
    else:
        with pytest.raises(InvalidRequest):
            put(current, NEW_DATA)


@pytest.mark.parametrize("status", ObjectStatus)
def test_a_copy_of_another_nodes_object_cannot_be_revised(status: ObjectStatus) -> None:
    copy = an_object(KEY, status, is_own=False)

    with pytest.raises(InvalidRequest):
        check_revisable(copy, Metadata())
    with pytest.raises(InvalidRequest):
        check_accepts_data(copy)


def test_an_object_that_was_consumed_by_the_cloud_can_be_published_again() -> None:
    consumed = an_object(KEY, ObjectStatus.CONSUMED_BY_DESTINATION)

    assert put(consumed, meta_only=True).status is ObjectStatus.NOT_READY
    assert put(consumed, NEW_DATA).status is ObjectStatus.READY
    assert with_data(consumed, NEW_DATA, NEW_INSTANCE).status is ObjectStatus.READY


@pytest.mark.parametrize(("before", "after"), [(Policy(), None), (None, Policy())])
def test_a_policy_can_be_neither_added_nor_removed(before: Policy | None, after: Policy | None) -> None:
    with pytest.raises(InvalidRequest, match="policy"):
        put(an_object(KEY, destination_policy=before), destination_policy=after)


def test_a_policy_can_be_changed() -> None:
    revised = put(an_object(KEY, destination_policy=Policy()), NEW_DATA, destination_policy=Policy(constraints=["a"]))

    assert revised.meta.destination_policy == Policy(constraints=["a"])


def test_the_destination_can_be_changed() -> None:
    assert put(an_object(KEY, destination_type="edge"), NEW_DATA).meta.destination_type == ""


@pytest.mark.parametrize("current", [STORED, an_object(KEY, ObjectStatus.NOT_READY), an_object(KEY, meta_only=True)])
def test_data_by_itself_makes_a_new_instance_and_data_version(current: SyncObject) -> None:
    revised = with_data(current, NEW_DATA, NEW_INSTANCE, verdict=judged(current.meta))

    assert (revised.status, revised.payload, revised.instance) == (ObjectStatus.READY, NEW_DATA, NEW_INSTANCE)
    assert data_members(revised) == (NEW_INSTANCE, NEW_DATA.size)
    assert revised.meta.meta_only == current.meta.meta_only


def test_data_by_itself_takes_the_place_of_a_source_file() -> None:
    current = an_object(KEY, source_data_uri="file:///s", description="stays")

    revised = with_data(current, NEW_DATA, NEW_INSTANCE)

    assert (revised.meta.source_data_uri, revised.meta.description) == ("", "stays")


def test_data_with_a_wrong_signature_is_not_taken() -> None:
    revised = with_data(STORED, NEW_DATA, NEW_INSTANCE, verdict=judged(STORED.meta, is_genuine=False))

    assert (revised.status, revised.payload, revised.instance) == (ObjectStatus.VERIFICATION_FAILED, None, NEW_INSTANCE)
    assert not revised.is_deliverable
    assert with_data(revised, NEW_DATA, NEW_INSTANCE + 1, verdict=judged(revised.meta)).payload == NEW_DATA


@pytest.mark.parametrize("is_genuine", [True, False])
def test_a_verdict_decides_about_data_that_comes_with_metadata(is_genuine: bool) -> None:
    meta = Metadata(object_id=KEY.id, object_type=KEY.type, **SIGNED)

    revised = revise(STORED, KEY, meta, NEW_DATA, NEW_INSTANCE, judged(meta, is_genuine=is_genuine))

    wrong = (ObjectStatus.VERIFICATION_FAILED, None)
    assert (revised.status, revised.payload) == ((ObjectStatus.READY, NEW_DATA) if is_genuine else wrong)
    assert revised.meta.signature == meta.signature


def test_a_verdict_about_another_signature_decides_nothing() -> None:
    for verdict in (None, judged(msgspec.structs.replace(STORED.meta, signature="b3RoZXI="))):
        with pytest.raises(OutdatedVerdict):
            with_data(STORED, NEW_DATA, NEW_INSTANCE, verdict=verdict)


def test_data_by_itself_restarts_the_counters() -> None:
    revised = with_data(an_object(KEY, consumers=3), NEW_DATA, NEW_INSTANCE)

    assert (revised.remaining_receivers, revised.remaining_consumers) == (3, 3)


def test_an_object_without_data_takes_none() -> None:
    with pytest.raises(InvalidRequest, match="noData"):
        with_data(an_object(KEY, no_data=True), NEW_DATA, NEW_INSTANCE)


@pytest.mark.parametrize("status", sorted(set(ObjectStatus) - REVISABLE))
def test_an_object_that_is_being_deleted_takes_no_data(status: ObjectStatus) -> None:
    with pytest.raises(InvalidRequest):
        with_data(an_object(KEY, status), NEW_DATA, NEW_INSTANCE)


@pytest.mark.parametrize("status", ObjectStatus)
@pytest.mark.parametrize("inactive", [False, True])
def test_what_is_ready_and_active_may_be_sent(status: ObjectStatus, inactive: bool) -> None:
    item = an_object(KEY, status, inactive=inactive)

    assert item.is_deliverable == (status is ObjectStatus.READY and not inactive)
