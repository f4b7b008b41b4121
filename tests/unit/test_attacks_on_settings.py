"""Attack cases against settings and files; tests/api/test_attacks_known.py lists them by number."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from common.runtime.authentication.preset import PresetAuthenticator
from common.runtime.setting_kinds import octal_mode
from common.runtime.settings import BadValue, ConfigError, StartError
from css.config import load_css_config


def test_13_05_paths_of_credential_files(tmp_path: Path) -> None:
    """No setting names one; it has its place below the root, and has to be a file that is not for everybody."""
    (tmp_path / "device").symlink_to("/dev/zero")
    (tmp_path / "directory").mkdir()
    (tmp_path / "open").write_text("{}")
    (tmp_path / "open").chmod(0o604)
    os.mkfifo(tmp_path / "pipe", 0o600)
    for name in ("device", "directory", "open", "pipe", "missing"):
        with pytest.raises(StartError):
            PresetAuthenticator(tmp_path / name)
    with pytest.raises(StartError):
        PresetAuthenticator(tmp_path / "a\0b")


@pytest.mark.parametrize("path", ["../../etc/passwd\0.pem", "a\0b", "missing.pem", ".", "/", "/etc", "x" * 5000])
def test_13_07_paths_of_certificates(tmp_path: Path, path: str) -> None:
    """What cannot be read as a file keeps the service from starting, and says which setting it is."""
    config = tmp_path / "sync.conf"
    config.write_text(f"PersistenceRootPath {tmp_path}\nListeningType secure\n")
    with pytest.raises(ConfigError, match="ServerCertificate"):
        load_css_config(config, {"SERVER_CERTIFICATE": path, "SERVER_KEY": path})


@pytest.mark.parametrize("role", ["", " ", "root", "admin\0", "admin ", "syncadmin,admin", None, ["admin"], 1])
def test_13_10_empty_and_unknown_roles(tmp_path: Path, role: object) -> None:
    path = tmp_path / "preset-auth.json"
    path.touch(0o600)
    entry = {"secret": "s", "orgID": "o", "username": "ann", "type": role}
    path.write_text(json.dumps({"credentials": {"ann": entry}}))
    with pytest.raises(StartError):
        PresetAuthenticator(path)


def test_13_11_certificates_that_are_pinned(tmp_path: Path) -> None:
    """Nothing is pinned, and nobody is left to think so."""
    config = tmp_path / "sync.conf"
    keys = ("MQTTPinnedCertFingerprints", "MongoPinnedCertFingerprints")
    config.write_text("".join(f"{key} AA:BB, aabb ,, zz\n" for key in keys))
    loaded = load_css_config(config, {})

    for key in keys:
        assert any(key in warning and "no effect" in warning for warning in loaded.warnings)


def test_13_12_permissions_of_sockets() -> None:
    kind = octal_mode()
    assert [kind.parse(text) for text in ("000", "0660", "777", "0777")] == [0, 0o660, 0o777, 0o777]
    for text in (
        "",
        "0o660",
        "660x",
        "-660",
        "+660",
        "888",
        "1777",
        "07777",
        "00660",
        " 660",
        "66",
        "rw-rw----",
        "٦٦٠",
        "6 0",
        "0x1B0",
    ):
        with pytest.raises(BadValue):
            kind.parse(text)


def test_13_13_secrets_in_what_the_configuration_shows(tmp_path: Path) -> None:
    """Neither the settings as values nor what goes wrong with them tells one."""
    config = tmp_path / "sync.conf"
    config.write_text(
        f"PersistenceRootPath {tmp_path}\nStorageProvider postgres\nDatabaseURL postgresql://u:hunter2@db/x\nNoSuchKey hunter2\n"
    )
    loaded = load_css_config(
        config, {"SERVER_KEY": "-----BEGIN PRIVATE KEY-----\nhunter2", "CSS_APP_SECRET": "hunter2"}
    )

    assert "hunter2" not in f"{loaded} {loaded.config!r} {loaded.config!s}"
