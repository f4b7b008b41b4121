"""The provider's keys at hand: when they are fetched, who waits, what is used meanwhile."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from common.domain.errors import Unavailable
from common.runtime.authentication.key_ring import FETCH_PAUSE_SECONDS, FRESH_SECONDS, KeyRing
from common.runtime.authentication.signing_keys import KeysUnusable, SigningKeys, parse_keys
from common.runtime.config.oidc import SignatureAlgorithm
from common.runtime.http_fetch import FetchFailed
from tests.support.identity_provider import IdentityProvider, new_key
from tests.support.manual_clock import ManualClock

KEPT_SECONDS = 3600.0
ES256 = "ES256"


class Source:
    """Keys to fetch."""

    def __init__(self, *kids: str) -> None:
        self.kids = list(kids)
        self.fetches = 0
        self.is_down = False
        self.may_answer = threading.Event()
        self.may_answer.set()

    def __call__(self) -> SigningKeys:
        self.fetches += 1
        assert self.may_answer.wait(30)
        if self.is_down:
            raise FetchFailed("down")
        provider = IdentityProvider(lambda: 0, [new_key(kid) for kid in self.kids])
        return parse_keys(provider.jwks(), [SignatureAlgorithm.ES256])


def on_a_loop(test: Callable[..., Awaitable[None]]) -> Callable[[], None]:
    def run() -> None:
        async def with_ring() -> None:
            clock, source = ManualClock(), Source("k1")
            await test(KeyRing(source, clock.monotonic, KEPT_SECONDS), source, clock)

        asyncio.run(with_ring())

    run.__name__ = test.__name__
    return run


async def settled(ring: KeyRing) -> None:
    """After the fetch in the background."""
    if ring._fetching is not None:
        await ring._fetching


@on_a_loop
async def test_keys_are_fetched_once_for_all_who_wait(ring: KeyRing, source: Source, clock: ManualClock) -> None:
    found = await asyncio.gather(*[ring.find(ES256, "k1") for _ in range(50)])

    assert all(found)
    assert source.fetches == 1


@on_a_loop
async def test_a_new_key_is_found_once_the_last_look_is_long_enough_ago(
    ring: KeyRing, source: Source, clock: ManualClock
) -> None:
    assert await ring.find(ES256, "k1")
    source.kids = ["k2"]

    assert await ring.find(ES256, "k2") is None
    clock.advance(seconds=FETCH_PAUSE_SECONDS)
    assert await ring.find(ES256, "k2")
    assert await ring.find(ES256, "k1") is None


@on_a_loop
async def test_unknown_keys_cause_one_fetch_per_pause(ring: KeyRing, source: Source, clock: ManualClock) -> None:
    for number in range(100):
        assert await ring.find(ES256, f"unknown-{number}") is None
    assert source.fetches == 1
    clock.advance(seconds=FETCH_PAUSE_SECONDS)
    await asyncio.gather(*[ring.find(ES256, f"unknown-{number}") for number in range(100)])
    assert source.fetches == 2


@on_a_loop
async def test_a_known_key_is_never_waited_for(ring: KeyRing, source: Source, clock: ManualClock) -> None:
    assert await ring.find(ES256, "k1")
    clock.advance(seconds=FRESH_SECONDS + 1)
    source.may_answer.clear()

    unknown = asyncio.create_task(ring.find(ES256, "unknown"))
    for _ in range(20):
        assert await ring.find(ES256, "k1")
    assert not unknown.done()
    source.may_answer.set()
    assert await unknown is None


@on_a_loop
async def test_old_keys_are_renewed_in_the_background(ring: KeyRing, source: Source, clock: ManualClock) -> None:
    assert await ring.find(ES256, "k1")
    source.kids = ["k2"]
    clock.advance(seconds=FRESH_SECONDS + 1)

    assert await ring.find(ES256, "k1")
    await settled(ring)
    assert await ring.find(ES256, "k1") is None
    assert await ring.find(ES256, "k2")


@on_a_loop
async def test_keys_stay_in_use_while_the_provider_is_away_and_no_longer(
    ring: KeyRing, source: Source, clock: ManualClock
) -> None:
    assert await ring.find(ES256, "k1")
    source.is_down = True

    clock.advance(seconds=KEPT_SECONDS)
    assert await ring.find(ES256, "k1")
    await settled(ring)
    clock.advance(seconds=FETCH_PAUSE_SECONDS)
    with pytest.raises(Unavailable):
        await ring.find(ES256, "k1")
    source.is_down = False
    clock.advance(seconds=FETCH_PAUSE_SECONDS)
    assert await ring.find(ES256, "k1")


@on_a_loop
async def test_without_any_keys_nobody_is_told_that_the_token_is_wrong(
    ring: KeyRing, source: Source, clock: ManualClock
) -> None:
    source.is_down = True

    for _ in range(3):
        with pytest.raises(Unavailable):
            await ring.find(ES256, "k1")
    assert source.fetches == 1


@on_a_loop
async def test_who_gives_up_waiting_does_not_end_the_fetch_of_others(
    ring: KeyRing, source: Source, clock: ManualClock
) -> None:
    source.may_answer.clear()
    impatient, patient = (asyncio.create_task(ring.find(ES256, "k1")) for _ in range(2))
    await asyncio.sleep(0)
    impatient.cancel()
    source.may_answer.set()

    assert await patient
    with pytest.raises(asyncio.CancelledError):
        await impatient


EC = new_key("e").published
RSA = new_key("r", "RS256").published


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[]", b"7", b"{}", b'{"keys": {}}', b'{"keys": []}', b'{"keys": [7]}', b"[" * 90_000, b"\xff"]
)
def test_documents_without_keys_are_refused(raw: bytes) -> None:
    with pytest.raises(KeysUnusable):
        parse_keys(raw, SignatureAlgorithm)


@pytest.mark.parametrize(
    "entry",
    [
        {**EC, "use": "enc"}, {**EC, "alg": "HS256"}, {**EC, "crv": "P-384"}, {**EC, "x": "AA"}, {**EC, "x": 7}, {**EC, "kty": "oct"},
        {**EC, "x": EC["y"], "y": EC["x"]}, {**RSA, "n": "AQAB"}, {**RSA, "e": ""}, {"kty": "RSA", "kid": "r"},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "k1"}, {"kty": "oct", "k": "c2VjcmV0", "kid": "k1", "alg": "RS256"}, None, [], "key",
    ],
)  # fmt: skip
def test_keys_that_nobody_should_trust_are_left_out(entry: Any) -> None:
    import msgspec

    good = new_key("good").published
    keys = parse_keys(msgspec.json.encode({"keys": [entry, good]}), SignatureAlgorithm)

    assert keys.find("ES256", "good")
    assert all(keys.find(algorithm, kid) is None for algorithm in SignatureAlgorithm for kid in ("e", "r", "k1"))


def test_a_key_serves_the_algorithm_it_names_and_no_other() -> None:
    import msgspec

    def found(entry: dict[str, Any]) -> set[str]:
        keys = parse_keys(msgspec.json.encode({"keys": [entry]}), SignatureAlgorithm)
        return {algorithm for algorithm in SignatureAlgorithm if keys.find(algorithm, entry["kid"])}

    assert found(RSA) == {"RS256"}
    assert found({name: value for name, value in RSA.items() if name != "alg"}) == {"RS256", "PS256"}
    assert found(new_key("d", "EdDSA").published) == {"EdDSA"}


def test_a_token_without_key_id_may_use_the_only_key() -> None:
    import msgspec

    one, two = new_key("1").published, new_key("2").published
    assert parse_keys(msgspec.json.encode({"keys": [one]}), SignatureAlgorithm).find("ES256", None)
    assert parse_keys(msgspec.json.encode({"keys": [one, two]}), SignatureAlgorithm).find("ES256", None) is None
