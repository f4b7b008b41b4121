"""An installed package decides who may call; a fault of it is never a pass."""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from common.domain.errors import NotAuthenticated, Unavailable
from common.domain.principals import Principal, Role
from common.runtime.authentication import plug_in
from common.runtime.authentication.plug_in import PlugInAuthenticator
from common.runtime.config.identity import authenticators
from common.runtime.settings import BadValue, StartError

_MODULE = """
from common.domain.principals import Principal, Role

class Directory:
    def __init__(self, root):
        self.root = root
        self.cloud_credentials = ("node-key", "node-secret")

    def authenticate(self, app_key, secret):
        return Principal(Role.USER, "acme", app_key) if secret == "open sesame" else None

class NoMethod:
    def __init__(self, root): ...

def broken(root):
    raise RuntimeError("no directory")
"""
_ENTRY_POINTS = """[edgesync.authenticators]
directory = house_directory:Directory
without-method = house_directory:NoMethod
broken = house_directory:broken
missing = house_directory:Nobody
"""


@pytest.fixture(autouse=True)
def _installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package as `pip install` leaves it."""
    (tmp_path / "house_directory.py").write_text(_MODULE)
    metadata = tmp_path / "house_directory-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: house-directory\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(_ENTRY_POINTS)
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    yield
    sys.modules.pop("house_directory", None)


def test_an_installed_package_is_named_in_the_configuration(tmp_path: Path) -> None:
    assert authenticators().parse("directory") == "directory"
    with pytest.raises(BadValue):
        authenticators().parse("directorium")

    authenticator = plug_in.load("directory", tmp_path)
    assert authenticator.authenticate("ann", "open sesame").principal == Principal(Role.USER, "acme", "ann")
    assert authenticator.cloud_credentials == ("node-key", "node-secret")
    with pytest.raises(NotAuthenticated):
        authenticator.authenticate("ann", "wrong")


def test_what_it_says_is_asked_for_again_soon(tmp_path: Path) -> None:
    identified = plug_in.load("directory", tmp_path).authenticate("ann", "open sesame")

    assert identified.valid_seconds is not None
    assert identified.valid_seconds <= 60


@pytest.mark.parametrize("name", ["without-method", "broken", "missing", "absent"])
def test_one_that_cannot_be_used_keeps_the_service_from_starting(tmp_path: Path, name: str) -> None:
    with pytest.raises(StartError, match=name):
        plug_in.load(name, tmp_path)


class Faulty:
    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def authenticate(self, app_key: str, secret: str) -> Any:
        if isinstance(self._answer, type):
            raise self._answer(f"cannot check {secret}")
        return self._answer


@pytest.mark.parametrize(
    "answer",
    [
        RuntimeError,
        SystemError,
        KeyError,
        True,
        "ann",
        ("admin", "acme", "ann"),
        Principal(Role.ADMIN, "", "ann"),
        Principal(Role.ADMIN, "a/b", "ann"),
        Principal(Role.SYNC_ADMIN, "acme", "ann"),
        Principal(Role.EDGE_NODE, "acme", "n1"),
        Principal(Role.USER, "acme", "a/b"),
        Principal(Role.USER, "acme", ""),
        Principal("admin", "acme", "ann"),  # type: ignore[arg-type]
        Principal(Role.USER, None, "ann"),  # type: ignore[arg-type]
    ],
    ids=repr,
)
def test_a_fault_is_no_pass_and_shows_no_secret(answer: Any, caplog: pytest.LogCaptureFixture) -> None:
    authenticator = PlugInAuthenticator("faulty", Faulty(answer))
    with caplog.at_level(logging.DEBUG), pytest.raises(Unavailable) as caught:
        authenticator.authenticate("ann", "s3cret-value")

    shown = f"{caught.value} {caught.value.__cause__} {caplog.text} {[vars(record) for record in caplog.records]}"
    assert "s3cret-value" not in shown
    assert "authenticator_failed" in caplog.text
