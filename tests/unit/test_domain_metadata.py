"""Metadata: names, order and defaults of its members, as clients see them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from common.domain.metadata import DEFAULT_CHUNK_BYTES, Metadata, Policy, PolicyProperty, ServiceId

#: In the order in which they are written (rest-api 4.1).
MEMBERS: dict[str, Any] = {
    "objectID": "",
    "objectType": "",
    "destinationOrgID": "",
    "destinationID": "",
    "destinationType": "",
    "destinationsList": None,
    "destinationPolicy": None,
    "expiration": "",
    "version": "",
    "description": "",
    "link": "",
    "inactive": False,
    "activationTime": "",
    "noData": False,
    "metaOnly": False,
    "destinationDataUri": "",
    "sourceDataUri": "",
    "consumers": 1,
    "autodelete": False,
    "originID": "",
    "originType": "",
    "deleted": False,
    "instanceID": 0,
    "dataID": 0,
    "objectSize": 0,
    "chunkSize": DEFAULT_CHUNK_BYTES,
    "uploadChunkSize": 0,
    "hashAlgorithm": "",
    "publicKey": "",
    "signature": "",
    "public": False,
    "ownerID": "",
}


def test_all_members_are_written_with_their_defaults_and_in_order() -> None:
    written = msgspec.json.decode(msgspec.json.encode(Metadata()))

    assert list(written.items()) == list(MEMBERS.items())


def test_what_is_written_is_read_again() -> None:
    meta = Metadata(
        object_id="o1",
        destinations_list=["edge:n1"],
        destination_policy=Policy(
            properties=[PolicyProperty("a", [1, {"b": 2.5}], "list")],
            constraints=["a = b"],
            services=[ServiceId("acme", "arm64", "s", "[1.0.0,2.0.0)")],
            timestamp=2**63 - 1,
        ),
        instance_id=2**63 - 1,
    )

    assert msgspec.json.decode(msgspec.json.encode(meta), type=Metadata) == meta


def test_a_policy_is_written_as_the_reference_does() -> None:
    policy = Policy(properties=[PolicyProperty("p", 1, "int")], services=[ServiceId("acme", "amd64", "s", "1.0")])

    assert msgspec.json.decode(msgspec.json.encode(policy)) == {
        "properties": [{"name": "p", "value": 1, "type": "int"}],
        "constraints": None,
        "services": [{"orgID": "acme", "arch": "amd64", "serviceName": "s", "version": "1.0"}],
        "timestamp": 0,
    }


def test_metadata_is_a_value() -> None:
    assert Metadata(object_id="o1") == Metadata(object_id="o1") != Metadata(object_id="o2")
    with pytest.raises(AttributeError):
        Metadata().object_id = "changed"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("members", "carries_data"),
    [({}, True), ({"no_data": True}, False), ({"link": "https://example.org/"}, False), ({"meta_only": True}, True)],
)
def test_objects_have_data_unless_they_say_otherwise(members: dict[str, Any], carries_data: bool) -> None:
    assert Metadata(**members).carries_data is carries_data


def test_a_signature_needs_algorithm_key_and_value() -> None:
    members = {"hash_algorithm": "SHA256", "public_key": "cA==", "signature": "cw=="}

    assert Metadata(**members).is_signed  # type: ignore[arg-type]
    for missing in members:
        assert not Metadata(**{**members, missing: ""}).is_signed  # type: ignore[arg-type]
