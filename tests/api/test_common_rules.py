"""What holds for every endpoint: paths, methods, headers (rest-api 1), health (3.21)."""

from __future__ import annotations

import pytest

from tests.support.node_under_test import EdgeUnderTest, NodeUnderTest
from tests.support.requests_node import nothing_changes, register, send_up

pytestmark = pytest.mark.parametrize("new_parts", ["memory"], indirect=True)

M1 = "/api/v1/objects/o/t/m1"
STANDARD_HEADERS = {"cache-control": "no-store, no-cache, must-revalidate", "pragma": "no-cache"}


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("GET", M1, 200),
        ("GET", f"{M1}/data", 200),
        ("GET", f"{M1}/status", 200),
        ("GET", "/api/v1/objects/o/t?all_objects=true", 200),
        ("GET", "/api/v1/destinations/o", 404),
        ("GET", "/api/v1/health", 200),
        ("PUT", M1, 400),
        ("PUT", f"{M1}/data", 204),
        ("PUT", f"{M1}/consumed", 400),
        ("POST", M1, 405),
        ("GET", f"{M1}x", 404),
        ("GET", "/api/v1/objects/x/t/m1", 403),
        ("GET", "/api/v1/objects/o/a%20b", 400),
        ("GET", "/api/v1/nonsense", 404),
    ],
)
def test_every_reply_has_the_standard_headers(css: NodeUnderTest, method: str, target: str, status: int) -> None:
    """Those of rest-api 1.3; the one about TLS only where it means something: on TLS."""
    css.put(M1, b"x")

    reply = css.call(method, target)
    assert reply.status == status
    assert reply.headers.items() >= STANDARD_HEADERS.items()
    if not reply.body:
        assert reply.headers.get("content-length", "0") == "0"
    elif reply.status >= 400:
        assert reply.headers["content-type"] == "text/plain; charset=utf-8"


def test_the_node_interface_has_none_of_them(css: NodeUnderTest) -> None:
    reply = css.call("GET", "/spi/v1/objects/", actor="o/edge/n1", headers={"x-sync-service-dest": "o/edge/n1"})
    assert not reply.headers.keys() & STANDARD_HEADERS.keys()


@pytest.mark.parametrize("rest", ["", "/data", "/status", "/destinations"])
def test_one_trailing_slash_is_ignored(css: NodeUnderTest, rest: str) -> None:
    register(css)
    css.put(M1, b"x")

    assert css.call("GET", f"{M1}{rest}/") == css.call("GET", f"{M1}{rest}")
    assert css.call("GET", f"{M1}{rest}/").status == 200
    assert css.call("GET", f"{M1}{rest}//").status == 400


@pytest.mark.parametrize("word", ["STATUS", "Status", "sTaTuS"])
def test_operations_match_in_any_case(css: NodeUnderTest, word: str) -> None:
    css.put(M1, b"x")

    assert css.call("GET", f"{M1}/{word}").body == b"ready"


def test_an_encoded_slash_separates(css: NodeUnderTest) -> None:
    css.put(M1, b"x")

    assert css.call("GET", "/api/v1/objects/o%2ft/m1%2Fstatus").body == b"ready"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
@pytest.mark.parametrize("rest", ["/data/x", "/nonsense", "/status/x/y", "/data%00", "/..data"])
def test_unknown_operations_and_surplus_segments(css: NodeUnderTest, method: str, rest: str) -> None:
    css.put(M1, b"x", destinationType="edge")
    with nothing_changes(css):
        reply = css.call(method, M1 + rest, b"x")
        assert (reply.status, reply.body) == (400, b"")


WRONG_METHODS = [
    ("POST", ""), ("PATCH", ""), ("OPTIONS", ""), ("PROPFIND", ""), ("POST", "/status"), ("PUT", "/status"),
    ("GET", "/activate"), ("HEAD", "/activate"), ("GET", "/consumed"), ("POST", "/received"), ("GET", "/deleted"),
    ("DELETE", "/destinations"), ("DELETE", "/data"), ("POST", "/data"), ("PATCH", "/data"), ("GET", "/policyreceived"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "rest"), WRONG_METHODS)
def test_wrong_methods_are_405_and_change_nothing(
    css: NodeUnderTest, ess: EdgeUnderTest, method: str, rest: str
) -> None:
    for node, target in ((css, M1), (ess, "/api/v1/objects/t/m1")):
        node.put(target, b"x", destinationType="edge")
        with nothing_changes(node):
            reply = node.call(method, target + rest, b"y")
            assert (reply.status, reply.body) == (405, b"")


@pytest.mark.parametrize("method", ["POST", "DELETE", "PATCH"])
@pytest.mark.parametrize("target", ["/api/v1/objects/o/t", "/api/v1/objects/o", "/api/v1/destinations/o"])
def test_wrong_methods_on_lists(css: NodeUnderTest, method: str, target: str) -> None:
    assert css.call(method, target).status == 405


def test_an_organization_without_a_type_is_refused(css: NodeUnderTest) -> None:
    for target in ("/api/v1/objects/o", "/api/v1/objects/o/", "/api/v1/objects/", "/api/v1/objects/o?filters=false"):
        reply = css.call("GET", target)
        assert (reply.status, reply.body) == (400, b"")


@pytest.mark.parametrize(
    "target", ["/", "/api", "/api/v1", "/api/v1/", "/api/v2/objects/o/t", "/apiv1", "/spi/v1", "/x"]
)
def test_unknown_addresses(css: NodeUnderTest, ess: EdgeUnderTest, target: str) -> None:
    for node in (css, ess):
        assert node.call("GET", target).status == 404


def test_an_edge_has_no_cloud_addresses(ess: EdgeUnderTest) -> None:
    for target in ("/spi/v1/objects/", "/spi/v1/register/o/edge/n1", "/api/v1/security/objects/o"):
        for method in ("GET", "PUT"):
            assert ess.call(method, target, headers={"x-sync-service-dest": "o/edge/n1"}).status == 404


def test_health_of_the_cloud(css: NodeUnderTest) -> None:
    register(css)
    css.put(M1, b"x")
    send_up(css, "up")

    shown = css.call("GET", "/api/v1/health").json()
    assert shown["general"] == {"nodeType": "CSS", "healthStatus": "green", "upTime": 0}
    assert shown["dbHealth"] == {
        "dbStatus": "green",
        "disconnectedFromDB": False,
        "dbReadFailures": 0,
        "dbWriteFailures": 0,
    }
    assert shown.keys() == {"general", "dbHealth"}
    detailed = css.call("GET", "/api/v1/health?details=true").json()
    assert detailed["usage"]["registeredESS"] == detailed["usage"]["storedObjects"] == 1
    assert detailed["usage"]["clientRequests"] >= 3


def test_health_of_an_edge(ess: EdgeUnderTest) -> None:
    ess.put("/api/v1/objects/t/own", b"x")
    ess.receive("copy")

    shown = ess.call("GET", "/api/v1/health?details=T").json()
    assert shown["general"]["nodeType"] == "ESS"
    assert (shown["usage"]["registeredESS"], shown["usage"]["storedObjects"]) == (0, 1)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS"])
def test_health_answers_any_method(css: NodeUnderTest, method: str) -> None:
    assert css.call(method, "/api/v1/health").status == 200


def test_a_malformed_flag_of_health_is_refused_before_authentication(css: NodeUnderTest) -> None:
    reply = css.call("GET", "/api/v1/health?details=maybe", actor=None)
    assert (reply.status, reply.body) == (400, b"")


def test_supervisors_need_no_credentials(css: NodeUnderTest, ess: EdgeUnderTest) -> None:
    for node in (css, ess):
        assert node.call("GET", "/livez", actor=None).status == 200
        assert node.call("GET", "/readyz", actor=None).status == 200


def test_a_stopping_service_takes_no_work(css: NodeUnderTest) -> None:
    """503 before authentication, but health still answers (rest-api 1.2)."""
    css.put(M1, b"x")
    css.draining.begin()
    with nothing_changes(css):
        for method, target, actor in (
            ("GET", M1, None),
            ("PUT", M1, "ann@o"),
            ("GET", "/spi/v1/objects/", "o/edge/n1"),
        ):
            reply = css.call(method, target, actor=actor)
            assert (reply.status, reply.body) == (503, b"")
    assert css.call("GET", "/api/v1/health").status == 200
    assert css.call("GET", "/livez").status == 200
    assert css.call("GET", "/readyz").status == 503


def test_a_database_that_is_gone_shows_red(css: NodeUnderTest) -> None:
    css.call("GET", "/api/v1/health")
    css.database.close()

    shown = css.call("GET", "/api/v1/health?details=true").json()
    assert (shown["general"]["healthStatus"], shown["dbHealth"]["disconnectedFromDB"]) == ("red", True)
    assert css.call("GET", "/readyz").status == 503
    reply = css.call("GET", M1)
    assert (reply.status, reply.body[-1:]) == (503, b"\n")
