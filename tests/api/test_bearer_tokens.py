"""Bearer tokens of an OpenID Connect provider, checked by a service against a real provider."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from common.domain.claims import parse_rules
from common.runtime.authentication.cache import LIFETIME_SECONDS
from common.runtime.authentication.key_ring import FETCH_PAUSE_SECONDS, FRESH_SECONDS
from common.runtime.config.oidc import OidcSettings, SignatureAlgorithm
from tests.support.identity_provider import AUDIENCE, IdentityProvider, new_key, unsigned
from tests.support.manual_clock import NOW_MS, ManualClock
from tests.support.node_under_test import EdgeUnderTest, NodeUnderTest, Parts, a_css, an_ess, request, wait_until
from tests.support.requests_asgi import Reply
from tests.support.requests_node import EDGE, FOREIGN_EDGE, nothing_changes

pytestmark = pytest.mark.parametrize("new_parts", ["memory"], indirect=True)

RULES = parse_rules(
    "groups=ops -> syncadmin; groups={org}:admins -> admin org={org}; groups={org}:users -> user org={org};"
    "node={org}/{type}/{id} -> edgenode org={org} node={type}/{id}"
)
SKEW_SECONDS = 30
OBJECT = "/api/v1/objects/o/t/m1"
BODY = '{"meta": {"objectID": "m1", "objectType": "t"}, "data": "eA=="}'
ADMIN: dict[str, Any] = {"groups": ["o:admins"]}


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def provider(clock: ManualClock) -> Iterator[IdentityProvider]:
    with IdentityProvider(clock.now_ms) as provider:
        yield provider


@pytest.fixture
def oidc(provider: IdentityProvider) -> OidcSettings:
    return OidcSettings(issuer=provider.issuer, audience=AUDIENCE, rules=RULES, clock_skew_seconds=SKEW_SECONDS)


@pytest.fixture
def css(new_parts: Callable[[str], Parts], oidc: OidcSettings, clock: ManualClock) -> Iterator[NodeUnderTest]:
    with closing(a_css(dataclasses.replace(new_parts("css"), oidc=oidc, clock=clock))) as node:
        yield node


@pytest.fixture
def ess(new_parts: Callable[[str], Parts], oidc: OidcSettings, clock: ManualClock) -> Iterator[EdgeUnderTest]:
    with closing(an_ess(dataclasses.replace(new_parts("ess"), oidc=oidc, clock=clock))) as node:
        yield node


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def ask(node: NodeUnderTest, token: str, method: str = "GET", target: str = "/api/v1/health", body: str = "") -> Reply:
    return node.call(method, target, body, actor=None, headers=bearer(token))


def test_a_token_lets_its_bearer_do_what_the_rules_say(css: NodeUnderTest, provider: IdentityProvider) -> None:
    admin, user, other = (provider.token(groups=[name]) for name in ("o:admins", "o:users", "x:admins"))

    assert ask(css, admin, "PUT", OBJECT, BODY).status == 204
    assert ask(css, admin, "GET", OBJECT).json()["ownerID"] == "o/ann"
    for token in (user, other):
        assert ask(css, token, "GET", OBJECT).status == 403
        assert ask(css, token, "PUT", OBJECT, BODY).status == 403
    assert ask(css, provider.token(groups=["ops"]), "GET", OBJECT).status == 200


def test_accounts_go_on_beside_tokens(css: NodeUnderTest, provider: IdentityProvider) -> None:
    assert css.put(OBJECT, b"x").status == 204
    assert provider.asked == []


def test_tokens_on_an_edge(ess: EdgeUnderTest, provider: IdentityProvider) -> None:
    ess.receive("m1")

    assert ask(ess, provider.token(groups=["o:users"]), target="/api/v1/objects/t/m1").status == 200
    assert ask(ess, provider.token(groups=["x:users"]), target="/api/v1/objects/t/m1").status == 403


def test_a_token_of_a_node_opens_the_interface_of_nodes(css: NodeUnderTest, provider: IdentityProvider) -> None:
    token = provider.token(node="/".join(EDGE))
    for node, status in ((EDGE, 204), (FOREIGN_EDGE, 403)):
        headers = bearer(token) | {"x-sync-service-dest": "/".join(node)}
        path = f"/spi/v1/register-new/{'/'.join(node)}?persistent-storage=true"
        assert css.call("PUT", path, actor=None, headers=headers).status == status
    assert ask(css, token).status == 403


@pytest.mark.parametrize("algorithm", SignatureAlgorithm)
def test_every_algorithm_that_is_allowed(css: NodeUnderTest, provider: IdentityProvider, algorithm: str) -> None:
    provider.keys = [new_key("k", algorithm)]

    assert ask(css, provider.token(**ADMIN)).status == 200


WRONG_CLAIMS: dict[str, dict[str, Any]] = {
    "expired": {"exp": NOW_MS // 1000 - SKEW_SECONDS},
    "never expires": {"exp": None},
    "expires in words": {"exp": "tomorrow"},
    "expires when true": {"exp": True},
    "expires at infinity": {"exp": 1e300},
    "not valid yet": {"nbf": NOW_MS // 1000 + SKEW_SECONDS + 1},
    "issued later": {"iat": NOW_MS // 1000 + SKEW_SECONDS + 1},
    "for somebody else": {"aud": "billing"},
    "for others": {"aud": ["billing", "edgesync2"]},
    "for nobody": {"aud": None},
    "for a number": {"aud": 7},
    "by somebody else": {"iss": "https://evil.example"},
    "by nobody": {"iss": None},
    "about nobody": {"sub": None},
    "about an empty name": {"sub": ""},
    "in no group": {"groups": []},
    "in an unknown group": {"groups": ["o:admins2"]},
    "in two organizations": {"groups": ["o:admins", "x:admins"]},
}


@pytest.mark.parametrize("claims", WRONG_CLAIMS.values(), ids=WRONG_CLAIMS.keys())
def test_claims_that_do_not_hold_are_refused(
    css: NodeUnderTest, provider: IdentityProvider, claims: dict[str, Any]
) -> None:
    reply = ask(css, provider.token(**{**ADMIN, **claims}))

    assert (reply.status, reply.body) == (403, b"Unauthorized")
    assert ask(css, provider.token(**ADMIN)).status == 200


def forged_tokens(provider: IdentityProvider) -> dict[str, str]:
    key, claims = provider.keys[0], provider.claims(**ADMIN)
    good = key.sign(claims)
    head, payload, signature = good.split(".")
    public_pem = key.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def signed_with_a_shared_secret(secret: bytes, **more: str) -> str:
        text = unsigned({"alg": "HS256", "kid": "k1", **more}, claims).rpartition(".")[0]
        return text + "." + unsigned({}, {}, hmac.digest(secret, text.encode(), hashlib.sha256)).rpartition(".")[2]

    other = new_key("k1-of-another")
    with_key_inside = {
        "kid": "k1",
        "jwk": other.published,
        "jku": "http://127.0.0.1:9/keys",
        "x5u": "http://127.0.0.1:9/",
    }
    return {
        "no algorithm": unsigned({"alg": "none"}, claims),
        "no algorithm in capitals": unsigned({"alg": "NONE", "kid": "k1"}, claims, b"x"),
        "algorithm missing": unsigned({"kid": "k1"}, claims),
        "algorithm is a list": unsigned({"alg": ["ES256"], "kid": "k1"}, claims),
        "the public key as shared secret": signed_with_a_shared_secret(public_pem),
        "the published key as shared secret": signed_with_a_shared_secret(json.dumps(key.published).encode()),
        "another key under the same id": dataclasses.replace(other, kid="k1").sign(claims),
        "a key of its own in the head": dataclasses.replace(other, kid="k1").sign(claims, with_key_inside),
        "an unknown key": new_key("k9").sign(claims),
        "another algorithm with that key": unsigned({"alg": "RS256", "kid": "k1"}, claims, b"x" * 256),
        "a key id of another type": unsigned({"alg": "ES256", "kid": 7}, claims, b"x" * 64),
        "a key id that is a path": key.sign(claims, {"kid": "../../../../dev/null"}),
        "no signature": f"{head}.{payload}.",
        "half a signature": f"{head}.{payload}.{signature[:40]}",
        "an all-zero signature": unsigned({"alg": "ES256", "kid": "k1"}, claims, bytes(64)),
        "other claims": f"{head}.{unsigned({}, provider.claims(groups=['ops'])).split('.')[1]}.{signature}",
        "a critical extension": key.sign(claims, {"crit": ["exp2"], "exp2": 1}),
        "a detached payload": key.sign(claims, {"crit": ["b64"], "b64": False}),
        "encrypted": good + ".x.y",
        "nothing": "",
        "dots": "..",
        "no dots": "token",
        "nested deeply": unsigned({}, {}).replace("e30", "W1tb" * 1300, 1),
        "not ASCII": "é.é.é",
        "blank": " ",
        "two tokens": f"{good} {good}",
        "too long": key.sign({**claims, "more": "x" * 8192}),
    }


def test_forged_tokens_are_refused(css: NodeUnderTest, provider: IdentityProvider) -> None:
    assert ask(css, provider.token(**ADMIN)).status == 200
    for name, token in forged_tokens(provider).items():
        with nothing_changes(css):
            assert ask(css, token, "PUT", OBJECT, BODY).status == 403, name
    asked = {path for path in provider.asked if path not in provider.asked[:2]}
    assert asked == set()


@pytest.mark.parametrize(
    "keys", [b'{"keys": []}', b"no json", b'{"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "k1"}]}']
)
def test_a_provider_without_usable_keys(css: NodeUnderTest, provider: IdentityProvider, keys: bytes) -> None:
    provider.instead["/realms/fleet/keys"] = (200, keys)

    reply = ask(css, provider.token(**ADMIN))
    assert (reply.status, reply.headers["retry-after"]) == (503, "1")


def test_an_algorithm_that_is_not_listed_is_refused(
    new_parts: Callable[[str], Parts], oidc: OidcSettings, provider: IdentityProvider, clock: ManualClock
) -> None:
    only_eddsa = dataclasses.replace(oidc, algorithms=(SignatureAlgorithm.EDDSA,))
    provider.keys = [new_key("a"), new_key("b", "EdDSA")]
    with closing(a_css(dataclasses.replace(new_parts("css"), oidc=only_eddsa, clock=clock))) as css:
        assert ask(css, provider.token(provider.keys[0], **ADMIN)).status == 403
        assert ask(css, provider.token(provider.keys[1], **ADMIN)).status == 200


def test_clocks_may_differ_by_the_skew(css: NodeUnderTest, provider: IdentityProvider) -> None:
    now = provider.now_ms() // 1000

    assert ask(css, provider.token(**ADMIN, exp=now - SKEW_SECONDS + 1)).status == 200
    assert ask(css, provider.token(**ADMIN, nbf=now + SKEW_SECONDS, iat=now + SKEW_SECONDS)).status == 200


@pytest.mark.parametrize("seconds_left", [1, 5, LIFETIME_SECONDS + 10])
def test_an_expired_token_is_not_remembered(
    css: NodeUnderTest, provider: IdentityProvider, clock: ManualClock, seconds_left: float
) -> None:
    token = provider.token(**ADMIN, exp=clock.now_ms() // 1000 + int(seconds_left))

    assert ask(css, token).status == 200
    clock.advance(seconds=seconds_left + SKEW_SECONDS - 0.5)
    assert ask(css, token).status == 200
    clock.advance(seconds=0.5)
    assert ask(css, token).status == 403


def test_what_is_held_open_ends_with_the_token(
    css: NodeUnderTest, provider: IdentityProvider, clock: ManualClock
) -> None:
    """Streams are cut, polls refused; of those with a longer token nothing is felt."""
    short, long = (provider.token(**ADMIN, exp=clock.now_ms() // 1000 + seconds) for seconds in (60, 600))
    stream, other = (
        request("GET", "/api/v1/events/o?type=t", actor=None, headers=bearer(each)) for each in (short, long)
    )
    poll = request("GET", "/api/v1/objects/o/t", actor=None, headers=bearer(short) | {"prefer": "wait=60"})
    sent = [css.send(each) for each in (stream, poll, other)]
    wait_until(lambda: stream.is_answered and other.is_answered)

    clock.advance(seconds=60 + SKEW_SECONDS - 1)
    assert ask(css, short).status == 200
    assert not any(each.done() for each in sent[:1])
    clock.advance(seconds=2)
    wait_until(lambda: sent[0].done() and sent[1].done())
    reply = sent[1].result()
    assert reply is not None
    assert reply.status in (403, 404)  # 404: its own time was up as well
    assert not sent[2].done()
    css.hang_up(other)
    sent[2].result(30)


def test_keys_change_while_the_service_runs(css: NodeUnderTest, provider: IdentityProvider, clock: ManualClock) -> None:
    old = provider.token(**ADMIN, exp=clock.now_ms() // 1000 + 10**6)
    assert ask(css, old).status == 200
    provider.keys = [new_key("k2"), *provider.keys]
    clock.advance(seconds=FETCH_PAUSE_SECONDS)

    assert ask(css, provider.token(**ADMIN)).status == 200
    provider.keys = provider.keys[:1]
    clock.advance(seconds=FRESH_SECONDS)

    def is_refused() -> bool:
        clock.advance(seconds=LIFETIME_SECONDS)
        return ask(css, old).status == 403

    wait_until(is_refused)


def test_the_provider_may_be_away_once_its_keys_are_known(
    css: NodeUnderTest, provider: IdentityProvider, clock: ManualClock
) -> None:
    assert ask(css, provider.token(**ADMIN)).status == 200
    provider.close()

    clock.advance(seconds=3600)
    assert ask(css, provider.token(**ADMIN)).status == 200
    clock.advance(seconds=24 * 3600)
    assert ask(css, provider.token(**ADMIN)).status == 503
    provider.open()
    clock.advance(seconds=FETCH_PAUSE_SECONDS)
    assert ask(css, provider.token(**ADMIN)).status == 200


def test_a_slow_provider_keeps_nobody_waiting_who_does_not_need_it(
    css: NodeUnderTest, provider: IdentityProvider, clock: ManualClock
) -> None:
    provider.may_answer.clear()
    waiting = [
        css.send(request("GET", "/api/v1/health", actor=None, headers=bearer(provider.token(**ADMIN, jti=str(number)))))
        for number in range(40)
    ]

    for _ in range(10):
        assert css.put(OBJECT, b"x").status == 204
    assert not any(each.done() for each in waiting)
    provider.may_answer.set()
    replies = [each.result(30) for each in waiting]
    assert {reply.status for reply in replies if reply} == {200}
    assert len(provider.asked) == 2


BAD_DESCRIPTIONS = {
    "another issuer": {"issuer": "https://evil.example", "jwks_uri": "https://evil.example/keys"},
    "keys in a file": {"jwks_uri": "file:///etc/passwd"},
    "keys over plain http": {"jwks_uri": "http://keys.example/keys"},
    "keys at no URL": {"jwks_uri": "keys"},
    "no keys": {"jwks_uri": None},
    "credentials": {"jwks_uri": "http://u:p@127.0.0.1/keys"},
}


@pytest.mark.parametrize("members", BAD_DESCRIPTIONS.values(), ids=BAD_DESCRIPTIONS.keys())
def test_a_description_that_leads_astray_is_not_followed(
    css: NodeUnderTest, provider: IdentityProvider, members: dict[str, Any]
) -> None:
    said = json.dumps({"issuer": provider.issuer, **members}).encode()
    provider.instead["/realms/fleet/.well-known/openid-configuration"] = (200, said)

    assert ask(css, provider.token(**ADMIN)).status == 503
    assert len(provider.asked) == 1


@pytest.mark.parametrize(
    "answer",
    [(500, b""), (302, b""), (200, b""), (200, b"[" * 100_000), (200, b"x" * 300_000), (404, b"{}"), (200, b"7")],
)
def test_a_provider_that_answers_nonsense(
    css: NodeUnderTest, provider: IdentityProvider, answer: tuple[int, bytes]
) -> None:
    provider.instead["/realms/fleet/.well-known/openid-configuration"] = answer

    assert ask(css, provider.token(**ADMIN)).status == 503
    assert css.put(OBJECT, b"x").status == 204


def test_no_token_gets_into_the_log(
    css: NodeUnderTest, provider: IdentityProvider, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    tokens = [provider.token(**ADMIN), provider.token(groups=[]), *forged_tokens(provider).values()]
    for token in tokens:
        reply = ask(css, token)
        assert not any(part in reply.body.decode() for part in token.split(".") if len(part) > 8)

    logged = "\n".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
    assert "bearer_token_refused" in logged
    assert not any(part in logged for token in tokens for part in token.split(".") if len(part) > 20)


def test_without_an_issuer_no_token_is_looked_at(
    new_parts: Callable[[str], Parts], provider: IdentityProvider, clock: ManualClock
) -> None:
    with closing(a_css(dataclasses.replace(new_parts("css"), clock=clock))) as css:
        assert ask(css, provider.token(**ADMIN)).status == 403
        assert provider.asked == []
