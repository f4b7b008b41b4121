"""Files that objects name: published on an edge, asked for on the cloud (rest-api 3.8 checks 17 and 18, 4.1)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.node_under_test import EdgeUnderTest, NodeUnderTest
from tests.support.requests_node import nothing_changes, poll, register
from tests.support.signing import signed

pytestmark = pytest.mark.parametrize("new_parts", ["sqlite"], indirect=True)

M1 = "/api/v1/objects/o/t/m1"
COPY = "/api/v1/objects/t/m1"
SMALL, LARGE = b"from a file", bytes(range(256)) * 20


@pytest.fixture
def data(ess: EdgeUnderTest) -> Path:
    """The directory of the edge's data files."""
    directory = ess.parts.root / "sync" / "data"
    directory.mkdir(parents=True)
    return directory


@pytest.mark.parametrize("content", [b"", SMALL, LARGE], ids=["empty", "small", "large"])
def test_a_file_is_published_as_it_is_at_that_moment(ess: EdgeUnderTest, data: Path, content: bytes) -> None:
    (data / "f").write_bytes(content)
    uri = f"file://{data}/f"
    assert ess.put(COPY, sourceDataUri=uri).status == 204
    (data / "f").write_bytes(b"changed afterwards")

    meta = ess.call("GET", COPY).json()
    assert ess.call("GET", f"{COPY}/status").body == b"ready"
    assert (meta["sourceDataUri"], meta["objectSize"], meta["dataID"]) == (uri, len(content), meta["instanceID"])
    assert ess.call("GET", f"{COPY}/data").body == content


def test_publishing_again_takes_the_file_again(ess: EdgeUnderTest, data: Path) -> None:
    (data / "f").write_bytes(SMALL)
    ess.put(COPY, sourceDataUri=f"file://{data}/f")
    (data / "f").write_bytes(LARGE)
    ess.put(COPY, sourceDataUri=f"file://{data}/f")

    assert ess.call("GET", f"{COPY}/data").body == LARGE


def test_data_that_is_put_takes_the_place_of_the_file(ess: EdgeUnderTest, data: Path) -> None:
    (data / "f").write_bytes(SMALL)
    ess.put(COPY, sourceDataUri=f"file://{data}/f")
    ess.call("PUT", f"{COPY}/data", b"by hand")

    assert ess.call("GET", COPY).json()["sourceDataUri"] == ""
    assert ess.call("GET", f"{COPY}/data").body == b"by hand"


def test_a_file_that_cannot_be_published_changes_nothing(ess: EdgeUnderTest, data: Path) -> None:
    outside = data.parent / "secret"
    outside.write_bytes(b"secret")
    (data / "link").symlink_to(outside)
    (data / "linked").symlink_to(data.parent)
    os.mkfifo(data / "pipe")
    ess.put(COPY, b"before")
    for uri in (
        "file:///etc/passwd", f"file://{data}/missing", f"file://{data}", f"file://{data}/link", f"file://{outside}",
        f"file://{data}/linked/secret", f"file://{data}/pipe", f"file://{data}/../secret",
        f"file://{data}/%2e%2e/secret", f"file://{data}/..%2fsecret", f"file://host{data}/f", f"http://{data}/f",
    ):  # fmt: skip
        with nothing_changes(ess):
            for more in ({}, {"metaOnly": True}, {"noData": True}, {"link": "somewhere"}):
                reply = ess.put(COPY, sourceDataUri=uri, **more)
                assert (reply.status, b"secret" in reply.body) == (400, False), (uri, more)


def test_a_file_and_data_exclude_each_other(ess: EdgeUnderTest, data: Path) -> None:
    (data / "f").write_bytes(SMALL)
    with nothing_changes(ess):
        assert ess.put(COPY, b"data", sourceDataUri=f"file://{data}/f").status == 400


def test_an_object_without_data_forgets_the_file(ess: EdgeUnderTest, data: Path) -> None:
    (data / "f").write_bytes(SMALL)
    assert ess.put(COPY, sourceDataUri=f"file://{data}/f", noData=True).status == 204

    assert ess.call("GET", COPY).json()["sourceDataUri"] == ""
    assert ess.call("GET", f"{COPY}/data").status == 404


def test_a_file_is_checked_against_its_signature(ess: EdgeUnderTest, data: Path) -> None:
    for content in (SMALL, LARGE):
        (data / "f").write_bytes(content)
        uri = f"file://{data}/f"
        assert ess.put(COPY, sourceDataUri=uri, **signed(b"something else")).status == 500
        assert ess.call("GET", f"{COPY}/status").body == b"verificationFailed"
        assert ess.put(COPY, sourceDataUri=uri, **signed(content)).status == 204
        assert ess.call("GET", f"{COPY}/data").body == content


def test_only_an_edge_has_files_to_publish(css: NodeUnderTest) -> None:
    with nothing_changes(css):
        assert css.put(M1, sourceDataUri="file:///tmp/x").status == 400


def test_the_cloud_says_into_which_file_data_is_to_go(css: NodeUnderTest) -> None:
    register(css)
    uri = "file:///var/data/model.bin"
    assert css.put(M1, SMALL, destinationType="edge", destinationDataUri=uri).status == 204

    [item] = poll(css)
    assert item["MetaData"]["destinationDataUri"] == uri
    assert css.call("GET", f"{M1}/data").body == SMALL


@pytest.mark.parametrize(
    "uri",
    [
        "x",
        "/tmp/x",
        "http:///tmp/x",
        "file://host/tmp/x",
        "file:///",
        "file:///tmp/",
        "file:///tmp/../x",
        "file:///a/%2e%2e/x",
    ],
)
def test_a_file_that_no_node_could_write_is_refused_at_once(css: NodeUnderTest, uri: str) -> None:
    with nothing_changes(css):
        assert css.put(M1, SMALL, destinationDataUri=uri).status == 400
