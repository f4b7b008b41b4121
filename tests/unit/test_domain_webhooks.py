"""URLs that can be called and shown, and what becomes of an event after a call."""

from __future__ import annotations

import pytest

from common.domain.errors import InvalidRequest
from common.domain.ids import ObjectKey
from common.domain.webhooks import MAX_URL_BYTES, Fate, Outcome, WebhookEvent, checked_url, fate_of, masked_url, port_of

EVENT = WebhookEvent(1, 1, ObjectKey("o", "t", "x"), 1, "{}", queued_at_ms=1_000)


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("http://Hook.Example", "hook.example", 80),
        ("HTTPS://hook.example/a?b=c#d", "hook.example", 443),
        ("http://[::1]:8080/", "::1", 8080),
        ("https://user:p%40ss@hook.example:8443/x?y=z", "hook.example", 8443),
    ],
)
def test_a_url_tells_where_to_connect(url: str, host: str, port: int) -> None:
    parts = checked_url(url)
    assert (parts.hostname, port_of(parts)) == (host, port)


@pytest.mark.parametrize(
    "url",
    ["", "//a", "ftp://a", "http:a", "http://", "http://@/", "http://a:b/", "http://a\t/", "http://a/ b", "http://[a/"],
)
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(InvalidRequest):
        checked_url(url)


def test_a_url_has_a_longest_length() -> None:
    longest = "http://a/" + "x" * (MAX_URL_BYTES - 9)
    checked_url(longest)
    with pytest.raises(InvalidRequest):
        checked_url(longest + "x")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://a/b", "http://a/b"),
        ("http://u:p@a/b@c", "http://***@a/b@c"),
        ("http://u@a", "http://***@a"),
        ("http://u:p@q@a:80?x=y@z", "http://***@a:80?x=y@z"),
    ],
)
def test_a_user_and_password_are_not_shown(url: str, shown: str) -> None:
    assert masked_url(url) == shown


@pytest.mark.parametrize(
    ("status", "age_ms", "fate"),
    [
        (200, 0, Fate.DONE),
        (204, 10_000, Fate.DONE),
        (299, 0, Fate.DONE),
        (199, 0, Fate.AGAIN),
        (302, 0, Fate.AGAIN),
        (410, 0, Fate.DEAD),
        (500, 999, Fate.AGAIN),
        (500, 1_000, Fate.DEAD),
        (None, 999, Fate.AGAIN),
        (None, 1_000, Fate.DEAD),
    ],
)
def test_the_fate_of_an_event_follows_from_the_answer_and_its_age(status: int | None, age_ms: int, fate: Fate) -> None:
    assert fate_of(EVENT, Outcome(status), EVENT.queued_at_ms + age_ms, give_up_after_ms=1_000) is fate
