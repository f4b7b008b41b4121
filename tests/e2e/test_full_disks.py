"""Disks that are full: what does not fit is refused or waits, what is there stays."""

from __future__ import annotations

import resource
from functools import partial

import httpx
import pytest

from tests.support.apps import Application, wait_until
from tests.support.contents import Content
from tests.support.deployment import Deployment
from tests.support.service_process import Service

MIB = 1 << 20


def test_a_download_waits_for_room_and_small_objects_pass_it(deployed: Deployment) -> None:
    edge = deployed.edge("camera", "c1")
    deployed.start()
    content = Content("too-big", 1, 24 * MIB)
    with deployed.cloud.app() as publisher, edge.app() as camera:
        publisher.put("big", "before", b"old", destinationType="camera")
        wait_until(lambda: camera.updated("big"))
        restart_with(edge, largest_file_bytes=16 * MIB)

        publisher.put("big", "o", destinationType="camera")
        publisher.put_data_in_pieces("big", "o", content)
        wait_until(lambda: "There is no room for more data" in edge.end_of_log())
        publisher.put("small", "o", b"still works", destinationType="camera")
        wait_until(lambda: camera.updated("small"))
        assert camera.data("big", "before") == b"old"

        restart_with(edge)
        wait_until(lambda: camera.status("big", "o") == "completelyReceived")
        assert camera.digest("big", "o") == content.digest


def test_an_upload_without_room_is_refused_and_the_previous_version_stays(deployed: Deployment) -> None:
    deployed.start()
    old, new = Content("old", 1, 4 * MIB), Content("new", 2, 24 * MIB)
    with deployed.cloud.app() as publisher:
        publisher.put("big", "o")
        publisher.put_data_in_pieces("big", "o", old)
        restart_with(deployed.cloud, largest_file_bytes=16 * MIB)

        with pytest.raises(httpx.HTTPStatusError) as refused:
            publisher.put_data("big", "o", new.read(0, new.size_bytes))
        assert refused.value.response.status_code in (503, 507)
        assert refused.value.response.text.strip()
        assert publisher.digest("big", "o") == old.digest

        restart_with(deployed.cloud)
        publisher.put_data("big", "o", new.read(0, new.size_bytes))
        assert publisher.digest("big", "o") == new.digest


@pytest.mark.parametrize("service", ["css", "ess"])
def test_a_database_without_room_refuses_publications_and_keeps_those_it_acknowledged(
    deployed: Deployment, service: str
) -> None:
    edge = deployed.edge("camera", "c1")
    deployed.start()
    chosen: Service = edge if service == "ess" else deployed.cloud
    with (edge if service == "ess" else deployed.cloud).app() as app:
        restart_with(chosen, largest_file_bytes=1 * MIB)

        acknowledged, refusal = publish_until_refused(app)
        assert refusal in (503, 507)
        assert acknowledged
        assert all(app.data("many", object_id) == object_id.encode() * 4000 for object_id in acknowledged)

        restart_with(chosen)
        assert all(app.data("many", object_id) == object_id.encode() * 4000 for object_id in acknowledged)
        app.put("many", "afterwards", b"fits again")


def publish_until_refused(app: Application) -> tuple[list[str], int]:
    """The objects that were acknowledged, and the status of the first refusal."""
    acknowledged: list[str] = []
    for number in range(1000):
        object_id = f"o{number:03}"
        try:
            app.put("many", object_id, object_id.encode() * 4000)
        except httpx.HTTPStatusError as error:
            return acknowledged, error.response.status_code
        acknowledged.append(object_id)
    return acknowledged, 0


def restart_with(service: Service, *, largest_file_bytes: int = resource.RLIM_INFINITY) -> None:
    """A limit on the size of files acts like a full disk for those that grow, without being root."""
    service.kill()
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (largest_file_bytes, largest_file_bytes))
    service.process_options = {"preexec_fn": limit}
    service.start()
