"""Where an edge keeps the files that objects may name."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.runtime.config.storage import Storage
from common.runtime.settings import Role

ROOT = Path("/srv/edge")


def problems(path: str, role: Role = Role.ESS) -> list[str]:
    return [each.key for each in Storage(root=ROOT, data_files_path=path).problems(role)]


def test_a_relative_path_is_below_the_state_of_the_service() -> None:
    assert Storage(root=ROOT).data_directory == ROOT / "sync" / "data"
    assert Storage(root=ROOT, data_files_path="files/of/apps").data_directory == ROOT / "files" / "of" / "apps"
    assert Storage(root=ROOT, data_files_path="/mnt/exchange").data_directory == Path("/mnt/exchange")


@pytest.mark.parametrize("path", ["sync/data", "files", "/mnt/exchange", "/srv/edge-files", "sync/data/of/apps"])
def test_a_directory_of_its_own_is_fine(path: str) -> None:
    assert problems(path) == []


@pytest.mark.parametrize(
    "path",
    ["", ".", "sync", "sync/db", "sync/certs/more", "sync/payloads", "sync/delivered", "/", "/srv", "files/../sync"],
)
def test_a_directory_that_holds_what_the_service_keeps_is_refused(path: str) -> None:
    assert problems(path) == ["DataFilesPath"]
    assert problems(path, Role.CSS) == [], "a CSS has no such files"
