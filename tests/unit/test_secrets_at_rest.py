"""Secrets are hashed, and what it takes to compare them tells nothing."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from common.runtime.authentication import secrets
from common.runtime.authentication.secrets import NOBODYS, ProvenSecrets

CHOSEN = "correct horse"
MADE = secrets.generate()


@pytest.mark.parametrize("secret", [CHOSEN, MADE], ids=["chosen", "made"])
def test_only_the_secret_itself_matches_its_hash(secret: str) -> None:
    stored = secrets.hash_secret(secret)

    assert secrets.is_hash(stored)
    assert secret not in stored
    assert secrets.matches(secret, stored)
    assert not secrets.matches(secret + "x", stored)
    assert not secrets.matches(secrets.generate(), stored)
    assert not secrets.matches("", stored)


@pytest.mark.parametrize("stored", ["", "sha256", "sha256$zz$00", "scrypt$$", "md5$00$00", "sha256$00$", NOBODYS])
def test_what_cannot_be_read_matches_nothing(stored: str) -> None:
    assert not secrets.matches(CHOSEN, stored)
    assert not secrets.matches(MADE, stored)
    assert stored == NOBODYS or not secrets.is_hash(stored)


@pytest.mark.parametrize("secret", [CHOSEN, MADE], ids=["chosen", "made"])
def test_the_work_depends_on_what_is_presented_and_not_on_what_is_stored(
    secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = [secrets.hash_secret(CHOSEN), secrets.hash_secret(MADE), NOBODYS, ""]
    expensive = 0
    scrypt = hashlib.scrypt

    def counting(*arguments: Any, **options: Any) -> bytes:
        nonlocal expensive
        expensive += 1
        return scrypt(*arguments, **options)

    monkeypatch.setattr(hashlib, "scrypt", counting)
    counts = set()
    for each in stored:
        expensive = 0
        secrets.matches(secret, each)
        counts.add(expensive)

    assert counts == {1 if secret == CHOSEN else 0}


def test_a_secret_is_worked_on_once(monkeypatch: pytest.MonkeyPatch) -> None:
    stored, proven = secrets.hash_secret(CHOSEN), ProvenSecrets()
    assert proven.matches(CHOSEN, stored)
    monkeypatch.setattr(hashlib, "scrypt", lambda *_, **__: pytest.fail("again"))
    assert proven.matches(CHOSEN, stored)
    monkeypatch.undo()

    assert not proven.matches("another", stored)
    assert not proven.matches(CHOSEN, secrets.hash_secret("another"))
    assert CHOSEN.encode() not in b"".join(proven._proven)


def test_a_key_made_here_names_its_organization() -> None:
    assert secrets.generate_key("acme").startswith("acme/key-")
    assert secrets.generate_key("").startswith("key-")
    assert secrets.generate_key("acme") != secrets.generate_key("acme")
