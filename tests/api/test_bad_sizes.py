"""Sizes nobody has: whatever a store can do with such an offset, the next upload is not its business."""

from __future__ import annotations

import pytest

from tests.support.node_under_test import NodeUnderTest
from tests.support.requests_node import announce, as_node, message_path, send_up

pytestmark = [
    pytest.mark.parametrize(
        "new_parts", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
    ),
    pytest.mark.parametrize("total", [1 << 40, 1 << 50, (1 << 50) + 1, 1 << 62, (1 << 63) - 1]),
]

DATA = "/api/v1/objects/o/t/m1/data"


def last_piece(total: int) -> dict[str, str]:
    return {"content-range": f"bytes {total - 4}-{total - 1}/{total}"}


def test_an_upload_of_absurd_size_breaks_nothing(css: NodeUnderTest, total: int) -> None:
    css.put("/api/v1/objects/o/t/m1", b"previous")
    assert css.call("PUT", DATA, b"0123", headers=last_piece(total)).status in (204, 400, 503)

    assert css.call("GET", DATA).body == b"previous"
    assert css.call("PUT", DATA, b"0123456789", headers={"content-range": "bytes 0-9/10"}).status == 204
    assert css.call("GET", DATA).body == b"0123456789"


def test_an_object_of_absurd_size_is_never_complete(css: NodeUnderTest, total: int) -> None:
    announce(css, size=total)
    path = message_path("data")
    assert as_node(css, "PUT", path, b"0123", headers=last_piece(total)).status in (204, 400, 503)
    assert as_node(css, "PUT", path, b"0123").status == 400
    assert as_node(css, "PUT", path, [b"0123"]).status == 400

    assert css.call("GET", "/api/v1/objects/o/t/m1/status").body == b"partiallyreceived"
    send_up(css, "m2")
    assert css.call("GET", "/api/v1/objects/o/t/m2/data").status == 200
