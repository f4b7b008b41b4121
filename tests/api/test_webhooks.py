"""Webhooks: registering and removing them, and looking after their queues."""

from __future__ import annotations

import json
from typing import Any

import pytest

from common.domain.webhooks import Attempt, Outcome
from common.sync.webhooks import WebhookCalls
from tests.support.manual_clock import NOW_MS
from tests.support.node_under_test import ORG, EdgeUnderTest, NodeUnderTest
from tests.support.requests_asgi import Reply

URL = "https://user:pa55@hook.example/a?b=c"
SHOWN_URL = "https://***@hook.example/a?b=c"
EDGE_TYPE = "/api/v1/objects/t"
CLOUD_TYPE = "/api/v1/objects/o/t"
EDGE_QUEUES = "/api/v1/webhooks"
CLOUD_QUEUES = "/api/v1/webhooks/o"


def change(node: NodeUnderTest, action: str = "register", url: str = URL, actor: str = "ann@o", **more: Any) -> Reply:
    target = EDGE_TYPE if isinstance(node, EdgeUnderTest) else CLOUD_TYPE
    return node.call("PUT", target, {"action": action, "url": url, **more}, actor=actor)


def reports(node: NodeUnderTest) -> list[dict[str, Any]]:
    target = EDGE_QUEUES if isinstance(node, EdgeUnderTest) else CLOUD_QUEUES
    reply = node.call("GET", target)
    assert reply.status == 200
    listed: list[dict[str, Any]] = reply.json()
    return listed


def settle_all(node: NodeUnderTest, outcome: Outcome) -> list[Attempt]:
    """Every call that is due is made and ends like this."""
    calls = WebhookCalls(lambda: NOW_MS, lambda: 0.5, lease_ms=1, give_up_after_ms=1)
    settled: list[Attempt] = []
    for webhook_id, _ in node.database.read(lambda uow: uow.webhook_queue.first_due()):
        for attempt in node.database.write(lambda uow, i=webhook_id: calls.claim(uow, i, 100)):  # type: ignore[misc]
            node.database.write(lambda uow, a=attempt: calls.settle(uow, a, outcome))  # type: ignore[misc]
            settled.append(attempt)
    return settled


def test_a_webhook_is_registered_once_however_often(css: NodeUnderTest) -> None:
    assert [change(css).status, change(css).status] == [204, 204]
    (shown,) = reports(css)
    assert shown == {
        "objectType": "t",
        "url": SHOWN_URL,
        "format": "edgesync",
        "isSigned": False,
        "registeredAt": "2026-01-01T00:00:00Z",
        "queued": 0,
        "oldestQueuedAt": None,
        "dead": 0,
        "lastError": "",
        "lastErrorAt": None,
    }


def test_a_webhook_is_removed_by_its_url_in_any_case(ess: EdgeUnderTest) -> None:
    change(ess)
    change(ess, url="http://other.example")
    assert change(ess, "DELETE", URL.upper()).status == 204
    assert [each["url"] for each in reports(ess)] == ["http://other.example"]
    assert change(ess, "delete", "http://unknown.example").status == 204


def test_action_words_and_names_of_members_come_in_any_case(ess: EdgeUnderTest) -> None:
    body = json.dumps({"ACTION": "Register", "Url": URL, "Format": "CloudEvents", "unknown": 1}) + " and more"
    assert ess.call("PUT", f"{EDGE_TYPE}/", body).status == 204
    assert reports(ess)[0]["format"] == "cloudevents"


def test_a_secret_signs_and_is_never_shown(css: NodeUnderTest) -> None:
    assert change(css, secret="s3cret").status == 204
    assert reports(css)[0]["isSigned"] is True
    assert b"s3cret" not in css.call("GET", CLOUD_QUEUES).body


@pytest.mark.parametrize(
    "body",
    [
        "",
        "nonsense",
        "[]",
        '"register"',
        '{"action": 1, "url": "http://a.example"}',
        '{"action": "register"}',
        '{"action": "enable", "url": "http://a.example"}',
        '{"url": "http://a.example"}',
        '{"action": "register", "url": "http://a.example", "format": "xml"}',
        '{"action": "register", "url": "http://a.example", "secret": "whsec_?"}',
        '{"action": "register", "url": "http://a.example", "secret": "whsec_"}',
        json.dumps({"action": "register", "url": "http://a.example", "secret": "x" * 501}),
        json.dumps({"action": "register", "url": "http://a.example", "secret": "a\0b"}),
        json.dumps({"action": "register", "url": "http://a.example/" + "x" * 1500}),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_reason(css: NodeUnderTest, body: str) -> None:
    before = css.holdings()
    reply = css.call("PUT", CLOUD_TYPE, body)
    assert reply.status == 400
    assert reply.body.strip()
    assert css.holdings() == before


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/x",
        "example.org/x",
        "",
        "://",
        "javascript:alert(1)",
        "http://",
        "http:///path",
        "http://:80/",
        "http://a.example:0/",
        "http://a.example:99999/",
        "http://[::1",
        "http://a.example/\r\nx: y",
        "http://a b.example/",
    ],
)
def test_a_url_has_to_be_one_that_can_be_called(ess: EdgeUnderTest, url: str) -> None:
    reply = change(ess, url=url)
    assert (reply.status, bool(reply.body)) == (400, True)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.1", "10.0.0.1", "169.254.169.254", "[::1]", "[::ffff:10.0.0.1]", "0", "2130706433"]
)
def test_on_the_cloud_an_address_that_is_not_public_is_refused_at_once(css: NodeUnderTest, host: str) -> None:
    assert change(css, url=f"http://{host}/").status == 400
    assert reports(css) == []


def test_on_an_edge_local_addresses_are_fine_and_others_are_not(ess: EdgeUnderTest) -> None:
    for host in ("127.0.0.1:8080", "[::1]", "192.168.7.7", "localhost", "8.8.8.8"):
        assert change(ess, url=f"http://{host}/").status == 204
    for host in ("169.254.169.254", "0.0.0.0", "[fe80::1]", "224.0.0.1"):
        assert change(ess, url=f"http://{host}/").status == 400


def test_a_body_that_is_too_large_is_refused(css: NodeUnderTest) -> None:
    assert change(css, padding="x" * 20_000).status == 413


@pytest.mark.parametrize("actor", ["ann@o", "writer@o"])
def test_at_home_on_an_edge_everybody_may_register(ess: EdgeUnderTest, actor: str) -> None:
    assert change(ess, actor=actor).status == 204


def test_who_may_not_register_is_told_nothing_else(css: NodeUnderTest) -> None:
    for actor in ("plain@o", "ann@elsewhere"):
        reply = css.call("PUT", CLOUD_TYPE, "nonsense", actor=actor)
        assert (reply.status, reply.body) == (403, b"Unauthorized")


def test_webhooks_of_one_organization_are_none_of_another(css: NodeUnderTest) -> None:
    change(css)
    assert css.call("GET", "/api/v1/webhooks/elsewhere", actor="ann@elsewhere").json() == []
    assert css.call("GET", CLOUD_QUEUES, actor="root@elsewhere").status == 200
    for target in (CLOUD_QUEUES, f"{CLOUD_QUEUES}/dead"):
        assert css.call("GET", target, actor="ann@elsewhere").status == 403
        assert css.call("GET", target, actor="writer@o").status == 403
        assert css.call("GET", target, actor=None).status == 403


def test_an_arrival_is_queued_for_every_webhook_of_its_type(ess: EdgeUnderTest) -> None:
    change(ess)
    change(ess, url="http://other.example")
    ess.receive("m1")
    ess.receive("m1", object_type="u")

    assert [(each["queued"], each["oldestQueuedAt"]) for each in reports(ess)] == [(1, "2026-01-01T00:00:00Z")] * 2


def test_a_queue_tells_what_went_wrong(ess: EdgeUnderTest) -> None:
    change(ess)
    ess.receive("m1")
    settle_all(ess, Outcome(500, "The receiver answered 500."))

    (shown,) = reports(ess)
    assert (shown["queued"], shown["lastError"], shown["lastErrorAt"]) == (
        1,
        "The receiver answered 500.",
        "2026-01-01T00:00:00Z",
    )


def given_dead_letters(ess: EdgeUnderTest, count: int) -> list[str]:
    """Their ids, oldest first."""
    change(ess)
    for number in range(count):
        ess.receive(f"m{number}")
    settle_all(ess, Outcome(410, "The receiver answered 410."))
    letters = ess.call("GET", f"{EDGE_QUEUES}/dead").json()
    assert [letter["objectID"] for letter in letters] == [f"m{number}" for number in range(count)]
    return [letter["id"] for letter in letters]


def test_a_dead_letter_tells_what_it_was_about(ess: EdgeUnderTest) -> None:
    (event_id,) = given_dead_letters(ess, 1)
    assert ess.call("GET", f"{EDGE_QUEUES}/dead").json() == [
        {
            "id": event_id,
            "objectType": "t",
            "objectID": "m0",
            "instanceID": 1,
            "url": SHOWN_URL,
            "reason": "The receiver answered 410.",
            "diedAt": "2026-01-01T00:00:00Z",
        }
    ]


def test_dead_letters_come_page_by_page(ess: EdgeUnderTest) -> None:
    ids = given_dead_letters(ess, 3)
    first = ess.call("GET", f"{EDGE_QUEUES}/dead?limit=2")
    assert [letter["id"] for letter in first.json()] == ids[:2]
    second = ess.call("GET", first.headers["link"].split(">")[0].removeprefix("<"))
    assert [letter["id"] for letter in second.json()] == ids[2:]
    assert "link" not in second.headers


def test_without_dead_letters_the_list_is_empty(ess: EdgeUnderTest) -> None:
    reply = ess.call("GET", f"{EDGE_QUEUES}/dead")
    assert (reply.status, reply.json()) == (200, [])


def test_one_dead_letter_can_be_sent_again_and_another_forgotten(ess: EdgeUnderTest) -> None:
    ids = given_dead_letters(ess, 3)
    assert ess.call("POST", f"{EDGE_QUEUES}/dead/{ids[1]}/replay").status == 204
    assert ess.call("DELETE", f"{EDGE_QUEUES}/dead/{ids[0]}").status == 204

    assert [attempt.event.object.id for attempt in settle_all(ess, Outcome(204))] == ["m1"]
    left = ess.call("GET", f"{EDGE_QUEUES}/dead").json()
    assert [letter["id"] for letter in left] == ids[2:]
    assert ess.call("POST", f"{EDGE_QUEUES}/dead/{ids[1]}/replay").status == 404
    assert ess.call("DELETE", f"{EDGE_QUEUES}/dead/{ids[0]}").status == 404


def test_all_dead_letters_can_be_sent_again(ess: EdgeUnderTest) -> None:
    given_dead_letters(ess, 3)
    assert ess.call("POST", f"{EDGE_QUEUES}/dead/replay").status == 204
    assert len(settle_all(ess, Outcome(204))) == 3


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("PUT", "", 405),
        ("DELETE", "/dead", 405),
        ("GET", "/dead/1", 405),
        ("GET", "/dead/1/replay", 405),
        ("DELETE", "/dead/replay", 405),
        ("DELETE", "/dead/x", 400),
        ("DELETE", "/dead/9999999999999999999", 400),
        ("POST", "/dead/x/replay", 400),
        ("GET", "/dead?limit=x", 400),
        ("GET", "/dead?after=-1", 400),
        ("GET", "/dead?after=WyIiLCJ4Il0", 400),
        ("GET", "/alive", 404),
        ("GET", "/dead/1/replay/x", 404),
    ],
)
def test_other_addresses_and_methods_are_refused(css: NodeUnderTest, method: str, path: str, status: int) -> None:
    assert css.call(method, f"{CLOUD_QUEUES}{path}").status == status


def test_the_cloud_wants_an_organization(css: NodeUnderTest) -> None:
    assert css.call("GET", "/api/v1/webhooks").status == 400
    assert css.call("GET", f"/api/v1/webhooks/{ORG}%20x").status == 400
