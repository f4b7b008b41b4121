"""`POST /api/v1/shutdown` on real processes: it stops, it starts again, and it forgets nothing it was not asked to."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.apps import wait_until
from tests.support.golden_trio import ORG, Trio, running_trio
from tests.support.service_process import Service

ADMIN = (f"ann@{ORG}", "")


@pytest.fixture
def trio() -> Iterator[Trio]:
    with (
        tempfile.TemporaryDirectory(prefix="edgesync-") as directory,
        running_trio(Path(directory), None) as trio,
    ):
        yield trio


def shut_down(service: Service, **query: str) -> int:
    url = f"{service.base_url}/api/v1/shutdown"
    return httpx.post(url, params=query, auth=(f"root@{ORG}", "")).status_code


def nodes(trio: Trio) -> set[str]:
    answer = httpx.get(f"{trio.css.base_url}/api/v1/destinations/{ORG}", auth=ADMIN)
    return {each["destinationID"] for each in answer.json()} if answer.status_code == 200 else set()


def put(trio: Trio, name: str) -> None:
    meta = {"objectID": name, "objectType": "kept", "destinationType": "edge", "destinationID": "n1"}
    url = f"{trio.css.base_url}/api/v1/objects/{ORG}/kept/{name}"
    assert httpx.put(url, json={"meta": meta, "data": "eA=="}, auth=ADMIN).status_code == 204


def is_on_the_edge(trio: Trio, name: str) -> bool:
    answer = httpx.get(f"{trio.ess.base_url}/api/v1/objects/kept/{name}/status", auth=ADMIN)
    return answer.text == "completelyReceived"


def test_a_cloud_stops_and_its_process_ends(trio: Trio) -> None:
    assert shut_down(trio.css, quiesce="1") == 204

    assert trio.css.wait() == 0


def test_while_it_quiesces_it_refuses_and_still_says_how_it_is(trio: Trio) -> None:
    assert shut_down(trio.css, quiesce="20") == 204

    wait_until(lambda: httpx.get(f"{trio.css.base_url}/api/v1/destinations/{ORG}", auth=ADMIN).status_code == 503)
    assert httpx.get(f"{trio.css.base_url}/api/v1/health", auth=ADMIN).status_code == 200


def test_an_edge_that_is_shut_down_comes_back_with_what_it_had(trio: Trio) -> None:
    wait_until(lambda: nodes(trio) == {"n1", "n2"})
    put(trio, "before")
    wait_until(lambda: is_on_the_edge(trio, "before"))

    assert shut_down(trio.ess, quiesce="0") == 204
    assert trio.ess.wait() == 0
    assert nodes(trio) == {"n1", "n2"}
    trio.ess.start()

    assert is_on_the_edge(trio, "before")
    put(trio, "after")
    wait_until(lambda: is_on_the_edge(trio, "after"))


def test_an_edge_that_unregisters_is_gone_from_the_cloud_and_can_come_back(trio: Trio) -> None:
    wait_until(lambda: nodes(trio) == {"n1", "n2"})

    assert shut_down(trio.ess, quiesce="0", essunregister="true") == 204
    assert trio.ess.wait() == 0

    assert nodes(trio) == {"n2"}
    trio.ess.start()
    wait_until(lambda: nodes(trio) == {"n1", "n2"})
    put(trio, "again")
    wait_until(lambda: is_on_the_edge(trio, "again"))


def test_an_edge_stops_also_when_it_cannot_tell_the_cloud(trio: Trio) -> None:
    trio.css.kill()

    assert shut_down(trio.ess, quiesce="0", essunregister="true") == 204

    assert trio.ess.wait() == 0


def test_a_restart_keeps_the_process_and_its_data(trio: Trio) -> None:
    wait_until(lambda: nodes(trio) == {"n1", "n2"})
    process_id = trio.ess.process_id
    put(trio, "before")
    wait_until(lambda: is_on_the_edge(trio, "before"))

    assert shut_down(trio.ess, quiesce="0", restart="yes") == 204
    wait_until(lambda: not answers(trio.ess))
    wait_until(lambda: answers(trio.ess))

    assert trio.ess.process_id == process_id
    assert trio.ess.is_running
    assert is_on_the_edge(trio, "before")


def test_a_malformed_wish_is_refused_and_stops_nothing(trio: Trio) -> None:
    assert shut_down(trio.ess, essunregister="perhaps") == 400
    assert answers(trio.ess)


def answers(service: Service) -> bool:
    try:
        return httpx.get(f"{service.base_url}/livez").status_code == 200
    except httpx.TransportError:
        return False
