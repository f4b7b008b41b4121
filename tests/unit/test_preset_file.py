"""The preset file is read again when it changes, and stays in force when it is broken."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any

import pytest

from common.domain.errors import NotAuthenticated
from common.domain.principals import Principal, Role
from common.runtime.authentication.preset import PresetAuthenticator
from common.runtime.settings import StartError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "preset-auth.json"
    write(path, ann="one")
    return path


def write(path: Path, text: str | None = None, **secrets: str) -> None:
    """As a careful operator does: under another name first."""
    content: dict[str, Any] = {
        "credentials": {
            key: {"secret": secret, "orgID": "o", "username": key, "type": "user"} for key, secret in secrets.items()
        }
    }
    fresh = path.with_suffix(".new")
    fresh.touch(0o600)
    fresh.write_text(json.dumps(content) if text is None else text)
    fresh.replace(path)


def is_let_in(authenticator: PresetAuthenticator, key: str, secret: str) -> bool:
    try:
        return authenticator.authenticate(key, secret).principal == Principal(Role.USER, "o", key)
    except NotAuthenticated:
        return False


def test_a_changed_file_counts_as_a_whole(path: Path) -> None:
    authenticator = PresetAuthenticator(path)
    before = authenticator.generation()
    assert authenticator.generation() == before
    write(path, ann="two", bob="three")

    assert authenticator.generation() != before
    assert not is_let_in(authenticator, "ann", "one")
    assert is_let_in(authenticator, "ann", "two")
    assert is_let_in(authenticator, "bob", "three")


@pytest.mark.parametrize(
    "broken",
    ["", "{", '{"credentials": {"eve": {"type": "emperor"}}}', '{"credentials": []}', "[]", '{"cssCredentials": 1}'],
)
def test_a_broken_file_leaves_what_was_there_in_force(
    path: Path, broken: str, caplog: pytest.LogCaptureFixture
) -> None:
    authenticator = PresetAuthenticator(path)
    before = authenticator.generation()
    write(path, broken)
    with caplog.at_level(logging.ERROR):
        assert [authenticator.generation() for _ in range(3)] == [before] * 3

    assert is_let_in(authenticator, "ann", "one")
    assert [record.message for record in caplog.records] == ["preset_credentials_not_reloaded"]
    write(path, ann="mended")
    authenticator.generation()
    assert is_let_in(authenticator, "ann", "mended")


def test_a_file_that_is_gone_leaves_what_it_said_in_force(path: Path) -> None:
    authenticator = PresetAuthenticator(path)
    path.unlink()
    authenticator.generation()
    assert is_let_in(authenticator, "ann", "one")
    write(path, ann="back")
    authenticator.generation()
    assert is_let_in(authenticator, "ann", "back")


def test_a_file_open_to_everybody_counts_once_it_is_closed(path: Path) -> None:
    authenticator = PresetAuthenticator(path)
    write(path, ann="two")
    path.chmod(0o604)
    authenticator.generation()
    assert is_let_in(authenticator, "ann", "one")
    path.chmod(0o600)
    authenticator.generation()
    assert is_let_in(authenticator, "ann", "two")


def test_a_new_content_with_the_times_of_the_old_one_counts(path: Path) -> None:
    authenticator = PresetAuthenticator(path)
    old = path.stat()
    write(path, ann="TWO")
    os.utime(path, ns=(old.st_atime_ns, old.st_mtime_ns))
    authenticator.generation()

    assert is_let_in(authenticator, "ann", "TWO")


@pytest.mark.parametrize("broken", ["", "[]", '{"credentials": 1}'])
def test_a_start_needs_a_file_that_is_right(path: Path, broken: str) -> None:
    write(path, broken)
    with pytest.raises(StartError):
        PresetAuthenticator(path)
