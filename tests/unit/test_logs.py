"""Log lines: one object or one line each, with the same names, and without secrets."""

from __future__ import annotations

import gzip
import json
import logging
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from common.runtime.config.log_output import LogDestination, LogFormat, Logging, LogLevel
from common.runtime.logs import JsonFormatter, PlainFormatter, configure_logging, fields
from common.runtime.settings import Secret, StartError

MOMENT = 1763726400.0426


@pytest.fixture(autouse=True)
def undisturbed_logging() -> Iterator[None]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    root.handlers.clear()
    with warnings.catch_warnings():
        yield
        logging.captureWarnings(capture=False)
    for handler in root.handlers:
        handler.close()
    root.handlers[:] = before
    root.setLevel(level)


def record(text: str, /, *args: object, **about: object) -> logging.LogRecord:
    made = logging.LogRecord("css.services.objects", logging.INFO, __file__, 1, text, args, None)
    made.created = MOMENT
    made.__dict__.update(fields(**about) if about else {})
    return made


def as_json(made: logging.LogRecord) -> dict[str, Any]:
    line = JsonFormatter("css").format(made)
    assert "\n" not in line
    parsed: dict[str, Any] = json.loads(line)
    return parsed


def test_a_json_line_holds_time_level_event_node_logger_and_fields() -> None:
    assert as_json(record("object_published", key="org/model/faces", instance=7)) == {
        "time": "2025-11-21T12:00:00.042Z",
        "level": "INFO",
        "event": "object_published",
        "node": "css",
        "logger": "css.services.objects",
        "key": "org/model/faces",
        "instance": 7,
    }


def test_prose_of_a_library_is_the_event_message() -> None:
    line = as_json(record("Application %s complete.\n", "startup"))

    assert line["event"] == "message"
    assert line["text"] == "Application startup complete.\n"


def test_a_field_cannot_pose_as_part_of_the_line() -> None:
    line = as_json(record("object_published", level="CRITICAL", event="other"))

    assert (line["level"], line["event"]) == ("INFO", "object_published")
    assert (line["level_"], line["event_"]) == ("CRITICAL", "other")


@pytest.mark.parametrize(
    "value", [float("nan"), {("a", 1): 2}, object(), b"\xff", "\ud800", Path("/x"), {"s": Secret("hunter2")}]
)
def test_any_value_makes_a_line_that_is_json(value: object) -> None:
    assert as_json(record("object_published", value=value))["event"] == "object_published"


def test_a_value_that_holds_itself_makes_a_line_too() -> None:
    endless: list[object] = []
    endless.append(endless)

    assert as_json(record("object_published", value=endless))["value"] == "[[...]]"


def test_a_json_line_holds_the_trace_of_an_error() -> None:
    made = record("turn_failed")
    try:
        raise ValueError("no such thing")
    except ValueError:
        made.exc_info = sys.exc_info()

    assert "ValueError: no such thing" in as_json(made)["trace"]


def test_a_plain_line_reads_time_level_event_fields() -> None:
    line = PlainFormatter().format(
        record("object_published", key="org/model/a=b", text='two words\n"', empty="", count=3)
    )

    assert line == (
        '2025-11-21T12:00:00.042Z INFO object_published key="org/model/a=b" text="two words\\n\\"" empty="" count=3'
    )


@pytest.mark.parametrize("formatter", [JsonFormatter("css"), PlainFormatter()], ids=["json", "plain"])
def test_secrets_and_passwords_in_addresses_are_masked(formatter: logging.Formatter) -> None:
    made = record(
        "store_unavailable",
        secret=Secret("hunter2"),
        nested=[Secret("hunter2")],
        url="connecting to postgresql://css:hunter2@db:5432/css failed",
    )

    line = formatter.format(made)

    assert "hunter2" not in line
    assert "postgresql://css:********@db:5432/css" in line


@pytest.mark.parametrize(
    ("level", "heard"),
    [
        (LogLevel.NONE, []),
        (LogLevel.STATUS, ["critical"]),
        (LogLevel.FATAL, ["critical"]),
        (LogLevel.ERROR, ["critical", "error"]),
        (LogLevel.WARNING, ["critical", "error", "warning"]),
        (LogLevel.INFO, ["critical", "error", "warning", "info"]),
        (LogLevel.DEBUG, ["critical", "error", "warning", "info", "debug"]),
        (LogLevel.TRACE, ["critical", "error", "warning", "info", "debug", "library"]),
    ],
)
def test_levels(level: LogLevel, heard: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(Logging(level=level), "css")

    log = logging.getLogger("css.services.objects")
    for name in ("critical", "error", "warning", "info", "debug"):
        getattr(log, name)(name)
    logging.getLogger("httpx").info("library")

    assert [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()] == heard


def test_lines_go_to_every_destination(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    everywhere = (LogDestination.STDERR, LogDestination.STDOUT, LogDestination.FILE)
    config = Logging(destinations=everywhere, directory=tmp_path / "a/b", file_name="css", format=LogFormat.PLAIN)
    configure_logging(config, "css")

    logging.getLogger("css").info("node_started")

    captured = capsys.readouterr()
    file_text = (tmp_path / "a/b/css.log").read_text()
    assert captured.out == captured.err == file_text
    assert file_text.endswith(" INFO node_started\n")


def test_configuring_again_replaces_what_was_configured(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        configure_logging(Logging(), "css")

    logging.getLogger("css").info("node_started")

    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_full_log_file_is_compressed_and_only_so_many_are_kept(tmp_path: Path) -> None:
    config = Logging(
        destinations=(LogDestination.FILE,),
        directory=tmp_path,
        file_name="css",
        max_file_bytes=1000,
        max_compressed_files=2,
    )
    configure_logging(config, "css")

    for number in range(40):
        logging.getLogger("css").info("node_started", extra=fields(number=number))

    assert sorted(path.name for path in tmp_path.iterdir()) == ["css.log", "css.log.1.gz", "css.log.2.gz"]
    with gzip.open(tmp_path / "css.log.1.gz", "rt") as newest:
        assert all(json.loads(line)["event"] == "node_started" for line in newest)


def test_a_log_file_that_cannot_be_opened_keeps_the_service_from_starting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    config = Logging(destinations=(LogDestination.FILE,), directory=tmp_path / "file" / "logs")

    with pytest.raises(StartError, match=r"The log file .* cannot be opened"):
        configure_logging(config, "css")
