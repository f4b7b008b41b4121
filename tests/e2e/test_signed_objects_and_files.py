"""Signatures and files on real processes: checked at both ends, in both directions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.apps import wait_until
from tests.support.deployment import Edge
from tests.support.fleet import Fleet
from tests.support.signing import signed

SMALL, LARGE = b"signed content", bytes(range(256)) * 8192
sizes = pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])


def data_directory(edge: Edge) -> Path:
    return edge.state_directory / "sync" / "data"


@sizes
def test_a_signed_object_travels_down_and_is_checked_again(fleet: Fleet, data: bytes) -> None:
    name = f"of-{len(data)}"
    fleet.publisher.put("signed-down", name, destinationType="gateway", **signed(data))
    with pytest.raises(httpx.HTTPStatusError, match="500"):
        fleet.publisher.put_data("signed-down", name, data[::-1])
    assert fleet.publisher.status("signed-down", name) == "verificationFailed"
    assert fleet.apps["g1"].get("signed-down", name) is None

    fleet.publisher.put_data("signed-down", name, data)

    wait_until(lambda: fleet.publisher.destinations("signed-down", name) == {"gateway:g1": "delivered"})
    assert fleet.apps["g1"].data("signed-down", name) == data


@sizes
def test_a_signed_object_travels_up_and_is_checked_again(fleet: Fleet, data: bytes) -> None:
    name = f"of-{len(data)}"
    fleet.apps["g1"].put("signed-up", name, **signed(data, "SHA1"))
    fleet.apps["g1"].put_data("signed-up", name, data)

    wait_until(lambda: fleet.publisher.status("signed-up", name) == "completelyReceived")
    assert fleet.publisher.data("signed-up", name) == data


@sizes
def test_a_file_of_one_edge_becomes_a_file_of_another(fleet: Fleet, data: bytes) -> None:
    gateway, camera = fleet.edge("g1"), fleet.edge("c1")
    source, target = data_directory(gateway) / "out.bin", data_directory(camera) / "models" / "in.bin"
    source.write_bytes(data)
    name = f"of-{len(data)}"
    fleet.apps["g1"].put("files", name, sourceDataUri=f"file://{source}", **signed(data))
    source.unlink()
    wait_until(lambda: fleet.publisher.status("files", name) == "completelyReceived")
    arrived = fleet.publisher.get("files", name) or {}
    assert arrived["sourceDataUri"] == f"file://{source}"

    addressing: dict[str, Any] = {
        "destinationType": "camera",
        "destinationID": "c1",
        "destinationDataUri": f"file://{target}",
    }
    fleet.publisher.put("files-down", name, **addressing, **signed(data))
    fleet.publisher.put_data("files-down", name, fleet.publisher.data("files", name))

    wait_until(lambda: fleet.publisher.destinations("files-down", name) == {"camera:c1": "delivered"})
    assert target.read_bytes() == data
    assert fleet.apps["c1"].data("files-down", name) == data
    fleet.apps["c1"].mark_consumed("files-down", name)
    wait_until(lambda: not target.exists(), "the file is removed with its object")


def test_a_file_outside_of_the_directory_ends_in_an_error(fleet: Fleet) -> None:
    secret = fleet.edge("c2").state_directory / "sync" / "preset-auth.json"
    before = secret.read_bytes()
    addressing: dict[str, Any] = {
        "destinationType": "camera",
        "destinationID": "c2",
        "destinationDataUri": f"file://{secret}",
    }
    fleet.publisher.put("files-outside", "o", b"{}", **addressing)

    wait_until(lambda: fleet.publisher.destinations("files-outside", "o") == {"camera:c2": "error"})
    assert secret.read_bytes() == before
    assert fleet.apps["c2"].status("files-outside", "o") == "partiallyreceived"
    with pytest.raises(httpx.HTTPStatusError, match="404"):
        fleet.apps["c2"].data("files-outside", "o")
