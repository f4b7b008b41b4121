"""The command line, as the programs run it."""

from __future__ import annotations

import subprocess
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

import pytest

from common.runtime import commands
from common.runtime.commands import Command, Program, run
from common.runtime.settings import StartError
from css.config import CssConfig, load_css_config


def run_css(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "css", *arguments], env=environ, capture_output=True, text=True, timeout=30, check=False
    )


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    path = tmp_path / "sync.conf"
    path.write_text("OrgID a\nDatabaseURL postgresql://css:hunter2@db/css\nStorageProvider postgres\nBrokerPort 1883\n")
    return path


def test_config_show_prints_values_and_origins_but_no_secrets(conf: Path) -> None:
    done = run_css("-c", str(conf), "config", "show", LOG_LEVEL="debug")

    lines = [line.split() for line in done.stdout.splitlines()]
    assert done.returncode == 0
    assert ["OrgID", "a", f"({conf}", "line", "1)"] in lines
    assert ["LogLevel", "DEBUG", "(environment", "LOG_LEVEL)"] in lines
    assert ["DatabaseURL", "********", f"({conf}", "line", "2)"] in lines
    assert ["ServerKey", "(empty)", "(default)"] in lines
    assert "hunter2" not in done.stdout + done.stderr
    assert done.stderr.startswith(f"edgesync-css: warning: BrokerPort ({conf} line 4): has no effect in this version")


def test_config_check_tells_warnings_and_succeeds(conf: Path) -> None:
    done = run_css("-c", str(conf), "config", "check")

    assert done.returncode == 0
    assert done.stdout.splitlines()[0].startswith("warning: BrokerPort")
    assert done.stdout.splitlines()[-1] == "the configuration is valid"


def test_config_check_tells_problems_and_fails(conf: Path) -> None:
    done = run_css("-c", str(conf), "config", "check", LOG_LEVEL="LOUD", HTTP_POLL_WAIT="101")

    assert done.returncode == 1
    assert [line.split(" ")[:2] for line in done.stdout.splitlines()] == [
        ["error:", "HTTPPollWait"],
        ["error:", "LogLevel"],
    ]


def test_serving_with_an_invalid_configuration_exits_with_98(conf: Path) -> None:
    done = run_css("-c", str(conf), LOG_LEVEL="LOUD")

    assert done.returncode == 98
    assert done.stderr.startswith("edgesync-css: LogLevel (environment LOG_LEVEL): is 'LOUD'")
    assert len(done.stderr.splitlines()) == 1


def test_a_configuration_that_cannot_be_loaded_exits_with_99(conf: Path) -> None:
    missing = run_css("-c", f"{conf}.missing")
    conf.write_text("OrgID a\nOrgID b\n")
    twice = run_css("-c", str(conf), "config", "show")

    assert (missing.returncode, twice.returncode) == (99, 99)
    assert missing.stderr == f"edgesync-css: {conf}.missing: there is no such file; name an existing one with -c\n"


def test_strict_refuses_unknown_keys(conf: Path) -> None:
    conf.write_text("Loglevel DEBUG")

    assert run_css("-c", str(conf), "config", "check").returncode == 0
    assert run_css("-c", str(conf), "--strict", "config", "check").returncode == 1


@pytest.mark.parametrize(("arguments", "status"), [(["--help"], 0), (["--version"], 0), (["-x"], 2), (["config"], 2)])
def test_help_and_version_need_no_configuration(arguments: list[str], status: int) -> None:
    done = run_css("-c", "/nonexistent", *arguments)

    assert done.returncode == status
    assert "edgesync-css" in done.stdout + done.stderr


def test_config_commands_import_no_server(conf: Path) -> None:
    code = (
        "import sys; from css.__main__ import main; main(sys.argv[1:]);"
        "print({'asyncio', 'starlette', 'uvicorn', 'sqlalchemy', 'cryptography', 'httpx'} & sys.modules.keys())"
    )

    done = subprocess.run(
        [sys.executable, "-c", code, "-c", str(conf), "config", "check"],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )

    assert done.stdout.splitlines()[-1] == "set()"


class TestPrograms:
    @pytest.fixture(autouse=True)
    def _logging_stays_as_it_is(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(commands, "configure_logging", lambda _config, _node_name: None)

    def program(self, served: list[CssConfig], *extra: Command[CssConfig]) -> Program[CssConfig]:
        def serve(config: CssConfig) -> int:
            served.append(config)
            if config.identity.org_id == "busy":
                raise StartError("Port 8080 is in use by another program.")
            return 0

        return Program("edgesync-css", "Cloud Sync Service.", load_css_config, serve, extra)

    def test_without_a_command_it_serves(self, conf: Path) -> None:
        served: list[CssConfig] = []

        assert run(self.program(served), ["-c", str(conf)]) == 0
        assert [config.identity.org_id for config in served] == ["a"]

    def test_a_failed_start_is_one_line_and_status_1(self, conf: Path, capsys: pytest.CaptureFixture[str]) -> None:
        conf.write_text("OrgID busy")

        assert run(self.program([]), ["-c", str(conf)]) == 1
        assert capsys.readouterr().err == "edgesync-css: Port 8080 is in use by another program.\n"

    def test_a_service_may_add_commands_with_commands_of_their_own(self, conf: Path) -> None:
        def add_arguments(parser: ArgumentParser) -> None:
            parser.add_subparsers(dest="action").add_parser("add").add_argument("name")

        def run_account(config: CssConfig, arguments: Namespace) -> int:
            ran.append(f"{config.identity.org_id}: {arguments.action} {arguments.name}")
            return 0

        ran: list[str] = []
        account = Command("account", "manage accounts", add_arguments, run_account)

        assert run(self.program([], account), ["-c", str(conf), "account", "add", "joe"]) == 0
        assert ran == ["a: add joe"]
