"""Calls over real connections: what leaves, where it may go, and receivers that misbehave."""

from __future__ import annotations

import base64
import hashlib
import hmac
import socket
import ssl
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from common.domain.ids import ObjectKey
from common.domain.webhooks import Attempt, Outcome, Webhook, WebhookEvent, WebhookFormat
from common.runtime.network_policy import Address, NetworkPolicy
from common.runtime.resolver import Resolver
from common.runtime.tls import client_ssl_context, ensure_server_certificate, server_ssl_context
from common.runtime.webhook_call import WebhookCaller
from tests.support.manual_clock import NOW_MS
from tests.support.webhook_receiver import answer, receiver

LOOPBACK = NetworkPolicy((ip_network("127.0.0.0/8"),))
ONE_ADDRESS = NetworkPolicy((ip_network("127.0.0.1/32"),))
BODY = '{"objectID":"\N{SNOWMAN}"}'
LIMIT_SECONDS = 10.0
#: For tests that wait for the limit.
SHORT_SECONDS = 0.4


def attempt(
    url: str, secret: str = "", body_format: WebhookFormat = WebhookFormat.EDGESYNC, body: str = BODY
) -> Attempt:
    webhook = Webhook(1, "o", "t", url, body_format, secret, NOW_MS)
    return Attempt(webhook, WebhookEvent(77, 1, ObjectKey("o", "t", "x"), 5, body, NOW_MS), 1)


def call(
    url: str,
    *,
    policy: NetworkPolicy = LOOPBACK,
    limit_seconds: float = LIMIT_SECONDS,
    resolver: Resolver | None = None,
    tls: Callable[[], ssl.SSLContext] = client_ssl_context,
    **options: object,
) -> Outcome:
    caller = WebhookCaller(policy, limit_seconds, lambda: NOW_MS, resolver, tls)
    return caller.call(attempt(url, **options))  # type: ignore[arg-type]


def names(**addresses: str) -> Resolver:
    """A resolver that knows these names under `.test`."""

    def look_up(host: str) -> list[Address]:
        found = addresses.get(host.removesuffix(".test"))
        if found is None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [ip_address(each) for each in found.split()]

    return Resolver(look_up)


def test_a_call_looks_as_the_references_does() -> None:
    with receiver() as hook:
        assert call(f"http://{hook.address}/a/b?c=d&e=%2F#fragment") == Outcome(204)

    (heard,) = hook.heard
    assert heard.start_line == "POST /a/b?c=d&e=%2F HTTP/1.1"
    assert heard.headers["Content-Type"] == "Application/JSON"
    assert heard.headers["Host"] == hook.address
    assert heard.headers["webhook-id"] == "77"
    assert heard.headers["webhook-timestamp"] == str(NOW_MS // 1000)
    assert not {"Authorization", "webhook-signature"} & heard.headers.keys()
    assert heard.body == BODY.encode()


def test_a_cloud_event_says_so() -> None:
    with receiver() as hook:
        call(f"http://{hook.address}", body_format=WebhookFormat.CLOUDEVENTS)
    assert hook.heard[0].start_line == "POST / HTTP/1.1"
    assert hook.heard[0].headers["Content-Type"] == "application/cloudevents+json"


@pytest.mark.parametrize(
    ("secret", "key"),
    [("plain text", b"plain text"), ("whsec_" + base64.b64encode(b"\0\xff key").decode(), b"\0\xff key")],
)
def test_a_signature_covers_id_time_and_body(secret: str, key: bytes) -> None:
    with receiver() as hook:
        call(f"http://{hook.address}/", secret=secret)
    signed = f"77.{NOW_MS // 1000}.".encode() + BODY.encode()
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert hook.heard[0].headers["webhook-signature"] == f"v1,{expected}"


def test_a_user_in_the_url_is_told_to_its_host() -> None:
    with receiver() as hook:
        call(f"http://us%40er:p%3Aw@{hook.address}/")
    assert hook.heard[0].headers["Authorization"] == "Basic " + base64.b64encode(b"us@er:p:w").decode()
    assert hook.heard[0].headers["Host"] == hook.address


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_every_success_is_one(status: int) -> None:
    with receiver(answer(status)) as hook:
        assert call(f"http://{hook.address}/").is_success


@pytest.mark.parametrize("status", [304, 303, 400, 404, 410, 429, 500, 503])
def test_every_other_answer_is_told(status: int) -> None:
    with receiver(answer(status, b"secret internals", location="/elsewhere")) as hook:
        assert call(f"http://{hook.address}/") == Outcome(status, f"The receiver answered {status}.")
    assert len(hook.heard) == 1


def test_interim_answers_are_passed_over() -> None:
    with receiver(b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nConnection: close\r\n\r\nwhatever") as hook:
        assert call(f"http://{hook.address}/") == Outcome(200)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_followed_with_the_same_request(status: int) -> None:
    with receiver(host="127.0.0.2") as target, receiver(answer(status, location=f"http://{target.address}/x")) as hook:
        assert call(f"http://u:p@{hook.address}/", secret="s").is_success

    (heard,) = target.heard
    assert (heard.start_line, heard.body) == ("POST /x HTTP/1.1", BODY.encode())
    assert heard.headers["webhook-signature"] == hook.heard[0].headers["webhook-signature"]
    assert "Authorization" not in heard.headers


def test_a_redirect_may_be_relative() -> None:
    with receiver(answer(308, location="../b"), answer(204)) as hook:
        assert call(f"http://u:p@{hook.address}/a/a").is_success
    assert [heard.start_line for heard in hook.heard] == ["POST /a/a HTTP/1.1", "POST /b HTTP/1.1"]
    assert "Authorization" in hook.heard[1].headers


def test_a_redirect_to_an_address_that_is_not_allowed_is_refused() -> None:
    with receiver(host="127.0.0.2") as target, receiver(answer(307, location=f"http://{target.address}/x")) as hook:
        outcome = call(f"http://{hook.address}/", policy=ONE_ADDRESS)
    assert (outcome.is_success, outcome.status) == (False, None)
    assert "not one that webhooks may have" in outcome.reason
    assert target.heard == []


@pytest.mark.parametrize("location", ["ftp://127.0.0.1/", "javascript:x", "http://[", "http://127.0.0.1:0/"])
def test_a_redirect_to_what_cannot_be_called_is_refused(location: str) -> None:
    with receiver(answer(307, location=location)) as hook:
        assert "cannot be called" in call(f"http://{hook.address}/").reason


def test_a_redirect_in_a_circle_ends() -> None:
    with receiver(answer(307, location="/")) as hook:
        assert "more than 3 times" in call(f"http://{hook.address}/").reason
    assert len(hook.heard) == 4


@pytest.mark.parametrize("address", ["127.0.0.1", "::ffff:127.0.0.1", "169.254.169.254", "10.0.0.1"])
def test_a_name_that_leads_to_a_private_address_is_refused(address: str) -> None:
    with receiver() as hook:
        outcome = call(f"http://hook.test:{hook.port}/", policy=NetworkPolicy(), resolver=names(hook=address))
    assert "not one that webhooks may have" in outcome.reason
    assert hook.heard == []


@pytest.mark.parametrize("host", ["127.1", "0x7f000001", "2130706433", "localhost", "[::ffff:127.0.0.1]"])
def test_a_private_address_is_refused_however_it_is_spelled(host: str) -> None:
    with receiver() as hook:
        outcome = call(f"http://{host}:{hook.port}/", policy=NetworkPolicy())
    assert "not one that webhooks may have" in outcome.reason
    assert hook.heard == []


def test_the_connection_goes_to_the_address_that_was_looked_at() -> None:
    answers = iter(["127.0.0.1", "127.0.0.2"])
    asked: list[str] = []

    def look_up(host: str) -> list[Address]:
        asked.append(host)
        return [ip_address(next(answers))]

    with receiver() as hook:
        outcome = call(f"http://hook.test:{hook.port}/", policy=ONE_ADDRESS, resolver=Resolver(look_up))
    assert outcome.is_success
    assert asked == ["hook.test"]
    assert hook.heard[0].headers["Host"] == f"hook.test:{hook.port}"


def test_of_several_addresses_those_that_are_allowed_and_listen_are_called() -> None:
    with receiver() as hook:
        url = f"http://hook.test:{hook.port}/"
        assert call(url, policy=LOOPBACK, resolver=names(hook="10.9.9.9 127.0.0.3 127.0.0.1")).is_success
    assert len(hook.heard) == 1


def test_a_name_that_does_not_exist_is_told() -> None:
    assert call("http://none.test/", resolver=names()).reason == (
        "The receiver cannot be reached: Name or service not known."
    )


def test_a_receiver_that_is_not_there_is_told() -> None:
    with receiver() as hook:
        pass
    assert call(f"http://{hook.address}/") == Outcome(None, "The receiver cannot be reached: Connection refused.")


@pytest.mark.parametrize(
    "half",
    [
        b"",
        b"HTTP/1.1 200",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nha",
        b"what is HTTP?\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * 100_000,
    ],
)
def test_half_an_answer_is_no_success(half: bytes) -> None:
    with receiver(half) as hook:
        outcome = call(f"http://{hook.address}/")
    assert outcome.status is None
    assert outcome.reason


@pytest.mark.parametrize(
    "begun",
    [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"],
    ids=["head", "headers", "body"],
)
def test_an_answer_that_trickles_in_is_cut_off_at_the_time_limit(begun: bytes) -> None:
    def trickle(stream: socket.socket) -> None:
        stream.sendall(begun)
        while True:
            stream.sendall(b"x")
            time.sleep(SHORT_SECONDS / 10)

    with receiver(trickle) as hook:
        outcome = call(f"http://{hook.address}/", limit_seconds=SHORT_SECONDS)
    assert outcome == Outcome(None, f"The receiver did not answer within {SHORT_SECONDS} s.")


def test_a_receiver_that_takes_nothing_is_cut_off_at_the_time_limit() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        outcome = call(url, limit_seconds=SHORT_SECONDS, body="x" * (32 << 20))
    assert "did not answer within" in outcome.reason


def test_a_name_server_that_does_not_answer_is_cut_off_and_asked_once() -> None:
    may_answer = threading.Event()
    asked: list[str] = []

    def look_up(host: str) -> list[Address]:
        asked.append(host)
        may_answer.wait(30)
        return []

    resolver = Resolver(look_up)
    for _ in range(2):
        outcome = call("http://slow.test/", limit_seconds=SHORT_SECONDS, resolver=resolver)
        assert "did not answer within" in outcome.reason
    may_answer.set()
    assert asked == ["slow.test"]


def test_an_endless_body_is_not_read() -> None:
    def pour(stream: socket.socket) -> None:
        stream.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            stream.sendall(b"x" * 65536)

    with receiver(pour) as hook:
        assert call(f"http://{hook.address}/") == Outcome(200)


def test_a_certificate_is_checked_by_the_name_in_the_url(tmp_path: Path) -> None:
    files = ensure_server_certificate(tmp_path, ["hook.test"], datetime.now(UTC))

    def trust() -> ssl.SSLContext:
        return client_ssl_context(str(files.certificate))

    resolver = names(hook="127.0.0.1", other="127.0.0.1")
    with receiver(tls=server_ssl_context(files)) as hook:
        assert call(f"https://hook.test:{hook.port}/", resolver=resolver, tls=trust) == Outcome(204)
        other = call(f"https://other.test:{hook.port}/", resolver=resolver, tls=trust)
        unknown = call(f"https://hook.test:{hook.port}/", resolver=resolver)
    assert other.reason.startswith("The receiver's certificate is not trusted: Hostname mismatch")
    assert unknown.reason.startswith("The receiver's certificate is not trusted: self-signed certificate")
    assert len(hook.heard) == 1


def test_a_redirect_from_https_to_http_is_refused(tmp_path: Path) -> None:
    files = ensure_server_certificate(tmp_path, [], datetime.now(UTC))
    with (
        receiver() as target,
        receiver(answer(307, location=f"http://{target.address}/"), tls=server_ssl_context(files)) as hook,
    ):
        outcome = call(f"https://{hook.address}/", tls=lambda: client_ssl_context(str(files.certificate)))
    assert "from https to http" in outcome.reason
    assert target.heard == []


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with receiver() as hook:
        assert call(f"http://{hook.address}/").is_success


def test_a_name_beyond_ascii_is_called_by_its_encoded_form() -> None:
    with receiver() as hook:
        assert call(f"http://bücher.test:{hook.port}/ä?ö", resolver=names(bücher="127.0.0.1")).is_success
    assert hook.heard[0].headers["Host"] == f"xn--bcher-kva.test:{hook.port}"
    assert hook.heard[0].start_line == "POST /%C3%A4?%C3%B6 HTTP/1.1"
