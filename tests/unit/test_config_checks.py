"""What the two services' configurations ask of values that are fine by themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.domain.ids import NodeKey
from common.runtime.config.identity import AuthenticationHandler
from common.runtime.config.link import Link
from common.runtime.config.listening import Listening, ListeningType
from common.runtime.config.log_output import LogDestination, LogLevel
from common.runtime.config.storage import PayloadStoreChoice, StorageProvider
from common.runtime.settings import ConfigError
from common.runtime.settings_reader import Loaded
from css.config import CssConfig, load_css_config
from ess.config import EssConfig, load_ess_config

ESS = {
    "DestinationType": "camera",
    "DestinationID": "c-17",
    "OrgID": "org",
    "HTTPCSSHost": "css.example.com",
    "HTTPCSSPort": "443",
    "HTTPCSSUseSSL": "true",
    "CSSAppSecret": "secret",
}
POSTGRES = {"StorageProvider": "postgres", "DatabaseURL": "postgresql://css@localhost/css"}


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    path = tmp_path / "sync.conf"
    path.write_text(f"PersistenceRootPath {tmp_path}\n")
    return path


def css(conf: Path, **settings: str) -> Loaded[CssConfig]:
    return load_css_config(conf, settings)


def ess(conf: Path, **settings: str) -> Loaded[EssConfig]:
    return load_ess_config(conf, ESS | settings)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (
            {"NodeType": "ESS"},
            "NodeType: is ESS, but this program is the CSS; start edgesync-ess instead, or write NodeType CSS",
        ),
        ({"OrgID": "a b"}, "OrgID: is 'a b', which is not a valid name"),
        ({"AuthenticationHandler": "open"}, "AuthenticationHandler: is 'open', which is not one of the choices"),
        (
            {"ListeningType": "unix"},
            "ListeningAddress: is required with ListeningType unix; write the path of the socket",
        ),
        ({"ListeningType": "tls"}, "ListeningType: is 'tls', which is not one of the choices"),
        (
            {"ListeningType": "secure", "ServerKey": "-----BEGIN X"},
            "ServerCertificate: is required with ListeningType secure",
        ),
        ({"UnsecureListeningPort": "0"}, "UnsecureListeningPort: must not be 0 with ListeningType unsecure"),
        ({"StorageProvider": "mongo"}, "; write postgres, and the database in DatabaseURL"),
        (
            {"StorageProvider": "postgres"},
            "DatabaseURL: is required with StorageProvider postgres; write postgresql://",
        ),
        (POSTGRES | {"DatabaseURL": "postgresql:css"}, "DatabaseURL: is not the address of a PostgreSQL database"),
        (
            POSTGRES | {"DatabaseURL": "postgresql://h:x/css"},
            "DatabaseURL: is not the address of a PostgreSQL database",
        ),
        ({"PayloadStore": "postgres"}, "PayloadStore: is postgres, which needs StorageProvider postgres"),
        ({"CommunicationProtocol": "mqtt"}, "is 'mqtt', which does not exist in this version; write http"),
        ({"CommunicationProtocol": "MQTT,http"}, "is 'MQTT,http', which does not exist in this version; write http"),
        (
            {"MaxDataChunkSize": "4095"},
            "is 4095, which is out of range; write a whole number from 4096 to 67108864 (bytes)",
        ),
        ({"SmallPayloadBytes": "1048577"}, "out of range"),
        ({"HTTPPollWait": "101"}, "out of range"),
        ({"MaxMetadataKB": "0"}, "out of range"),
        ({"LogTraceDestination": "file,printer"}, "write stderr, stdout or file (several with commas)"),
        ({"LogFileName": "../x"}, "is '../x', which is not a plain file name"),
    ],
)
def test_a_css_refuses(conf: Path, settings: dict[str, str], problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        css(conf, **settings)

    (told,) = caught.value.problems
    assert problem in told.replace(f" (environment {told.split(' ')[0]})", "").replace(" (not set)", "")


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"DestinationType": ""}, "DestinationType (environment DestinationType): is required on an ESS"),
        ({"DestinationID": ""}, "is required on an ESS; write a name"),
        ({"OrgID": ""}, "is required on an ESS; write a name"),
        ({"DestinationID": "a/b"}, "is 'a/b', which is not a valid name"),
        ({"HTTPCSSHost": ""}, "is required on an ESS; write the host name of the CSS"),
        ({"HTTPCSSHost": "https://css"}, "is not a host name; write the host alone, such as css.example.com"),
        ({"HTTPCSSPort": "0"}, "is required on an ESS; write the port of the CSS"),
        ({"HTTPPollingInterval": "0"}, "out of range"),
        ({"HTTPPollingInterval": "-1"}, "out of range"),
        ({"HTTPCSSCACertificate": "missing.pem"}, "missing.pem, which is not a file"),
        ({"ServerCertificate": "-----BEGIN X"}, "ServerKey (not set): is required with ListeningType secure"),
        ({"ListeningType": "unix"}, "is required with ListeningType unix; write the path of the socket"),
        ({"ListeningType": "unix", "ListeningAddress": "../s.sock"}, "leads out of"),
        ({"ListeningType": "unix", "ListeningAddress": f"/{'s' * 107}"}, "longer than 107 bytes"),
        ({"UnixSocketFilePermissions": "rw"}, "is 'rw', which is no set of file permissions"),
        ({"UnixSocketFilePermissions": "1777"}, "is '1777', which is no set of file permissions"),
        ({"StorageProvider": "postgres"}, "is postgres, which a CSS only has; write sqlite"),
        ({"ListeningType": "both", "UnsecureListeningPort": "8443"}, "is the port of the TLS listener too"),
    ],
)
def test_an_ess_refuses(conf: Path, settings: dict[str, str], problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ess(conf, **settings)

    (told,) = caught.value.problems
    assert problem in told


@pytest.mark.parametrize(
    ("settings", "warning"),
    [
        ({"AuthenticationHandler": "dummy"}, "ANYONE"),
        ({"StorageProvider": "bolt"}, "sqlite is used"),
        ({"StorageProvider": "InMemory"}, "sqlite is used"),
        ({"DatabaseURL": "postgresql://x"}, "is not used with StorageProvider sqlite"),
        ({"LogTraceDestination": "file,glog"}, "glog has no effect in this version; stderr is used"),
    ],
)
def test_a_css_warns(conf: Path, settings: dict[str, str], warning: str) -> None:
    (told,) = css(conf, **settings).warnings

    assert warning in told


@pytest.mark.parametrize(
    ("settings", "warning"),
    [
        ({"CSSAppSecret": ""}, "only a CSS with AuthenticationHandler dummy accepts this node"),
        ({"HTTPCSSUseSSL": "false"}, "CSSAppSecret (environment CSSAppSecret): travels unencrypted"),
        (
            {"HTTPCSSUseSSL": "0", "HTTPCSSHost": "::1", "HTTPCSSCACertificate": "x"},
            "is not used without HTTPCSSUseSSL true",
        ),
    ],
)
def test_an_ess_warns(conf: Path, settings: dict[str, str], warning: str) -> None:
    (told,) = ess(conf, **settings).warnings

    assert warning in told


def test_a_css_has_sensible_defaults(conf: Path) -> None:
    loaded = css(conf)

    assert loaded.warnings == ()
    assert loaded.config.identity.node_key == NodeKey("", "Cloud", "Cloud")
    assert loaded.config.listening.type is ListeningType.UNSECURE
    assert loaded.config.authentication.handler is AuthenticationHandler.ACCOUNTS
    assert loaded.config.storage.payload_store is PayloadStoreChoice.FILES
    assert loaded.config.database_path == conf.parent / "sync/db/css.sqlite3"


def test_an_ess_has_sensible_defaults(conf: Path) -> None:
    loaded = ess(conf)

    assert loaded.warnings == ()
    assert loaded.config.identity.node_key == NodeKey("org", "camera", "c-17")
    assert loaded.config.css_app_key == "org/camera/c-17"
    assert loaded.config.listening.type is ListeningType.SECURE
    assert loaded.config.link.css_base_url == "https://css.example.com:443"
    assert loaded.config.database_path == conf.parent / "sync/db/ess.sqlite3"


@pytest.mark.parametrize("word", ["ess", "Ess", "ESS"])
def test_the_node_type_may_be_written_in_any_case(conf: Path, word: str) -> None:
    assert ess(conf, NodeType=word).config.identity.node_type == "ESS"


def test_payloads_are_kept_beside_the_database_unless_told_otherwise(conf: Path) -> None:
    assert css(conf, **POSTGRES).config.storage.payload_store is PayloadStoreChoice.POSTGRES
    assert css(conf, **POSTGRES, PayloadStore="files").config.storage.payload_store is PayloadStoreChoice.FILES


def test_a_css_serves_tls_with_a_pair_of_files_below_its_root(conf: Path) -> None:
    for name in ("cert.pem", "key.pem"):
        (conf.parent / name).touch()

    config = css(conf, ListeningType="Both", ServerCertificate="cert.pem", ServerKey="key.pem").config

    assert config.listening.serves_tls
    assert config.listening.serves_plain_tcp
    assert config.listening.certificate.path_below(config.storage.root) == conf.parent / "cert.pem"


def test_a_relative_socket_lies_below_the_root(conf: Path) -> None:
    config = ess(
        conf, ListeningType="secure-unix", ListeningAddress="run/../ess.sock", UnixSocketFilePermissions="600"
    ).config

    assert config.listening.socket_path(config.storage.root) == conf.parent / "ess.sock"
    assert config.listening.socket_mode == 0o600
    assert not config.listening.serves_tls_over_tcp


@pytest.mark.parametrize(
    ("host", "url"), [("::1", "http://[::1]:80"), ("[::1]", "http://[::1]:80"), ("css", "http://css:80")]
)
def test_the_address_of_the_css(conf: Path, host: str, url: str) -> None:
    config = ess(conf, HTTPCSSHost=host, HTTPCSSPort="80", HTTPCSSUseSSL="false").config

    assert config.link.css_base_url == url


@pytest.mark.parametrize(("wait", "limit", "usable"), [(50, 120, 50), (50, 30, 25), (0, 120, 0), (50, 3, 0)])
def test_a_long_poll_ends_before_its_request_would(wait: int, limit: int, usable: int) -> None:
    link = Link(poll_wait_seconds=wait, control_timeout_seconds=limit)

    assert link.usable_poll_wait_seconds == usable


def test_log_settings(conf: Path) -> None:
    logging = css(conf, LogLevel="xtrace", LogTraceDestination="file, stdout,file").config.logging

    assert logging.level is LogLevel.TRACE
    assert logging.destinations == (LogDestination.FILE, LogDestination.STDOUT)


def test_empty_address_means_all_interfaces() -> None:
    assert Listening().bind_host == "0.0.0.0"
    assert Listening(address="127.0.0.1").bind_host == "127.0.0.1"


def test_both_storage_words_are_read_in_any_case(conf: Path) -> None:
    assert css(conf, **(POSTGRES | {"StorageProvider": "Postgres"})).config.storage.provider is StorageProvider.POSTGRES
