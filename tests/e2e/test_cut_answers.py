"""An answer that fails on its way: the client sees that it is not whole, the operator why."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.support.contents import Content
from tests.support.deployment import ORG, Deployment

MIB = 1 << 20


@pytest.mark.parametrize("has_range", [False, True])
def test_data_that_was_lost_on_the_disk_ends_the_answer_and_is_told(deployed: Deployment, has_range: bool) -> None:
    deployed.cloud.start()
    with deployed.cloud.app() as publisher:
        publisher.put("big", "o")
        publisher.put_data_in_pieces("big", "o", Content("lost", 1, 2 * MIB))
        (payload,) = [path for path in deployed.cloud.state_directory.rglob("*") if path.is_file() and is_large(path)]
        payload.unlink()

        headers = {"range": f"bytes=0-{MIB}"} if has_range else {}
        with pytest.raises(httpx.RemoteProtocolError):
            publisher.http.get(f"{deployed.cloud.base_url}/api/v1/objects/{ORG}/big/o/data", headers=headers)
        assert publisher.status("big", "o") == "ready"

    log = deployed.cloud.end_of_log()
    assert "answer_cut" in log
    assert "There is no such payload." in log
    assert "Traceback" not in log
    assert "ASGI" not in log


def is_large(path: Path) -> bool:
    return path.stat().st_size == 2 * MIB
