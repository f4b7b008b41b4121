"""Log lines with stable event names.

    log = logging.getLogger(__name__)
    log.info("object_published", extra=fields(key=str(key), instance=instance))

The message of a record is the name of what happened, constant and in snake_case; what it happened to goes into
fields. A message of a library, which is prose, appears as the event `message` with a field `text`.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from common.runtime.config.log_output import LogDestination, LogFormat, Logging, LogLevel
from common.runtime.settings import StartError

_FIELDS = "fields"
_EVENT_NAME = re.compile(r"[a-z][a-z0-9_.]*")
_BARE_VALUE = re.compile(r"[!#-<>-\[\]-~]+")
_URL_PASSWORD = re.compile(r"(://[^/\s:@\"]*:)[^/\s@\"]+@")

_ABOVE_EVERYTHING = logging.CRITICAL + 10
_LEVELS = {
    LogLevel.NONE: _ABOVE_EVERYTHING,
    LogLevel.STATUS: logging.CRITICAL,
    LogLevel.FATAL: logging.CRITICAL,
    LogLevel.ERROR: logging.ERROR,
    LogLevel.WARNING: logging.WARNING,
    LogLevel.INFO: logging.INFO,
    LogLevel.DEBUG: logging.DEBUG,
    LogLevel.TRACE: logging.DEBUG,
}
#: Libraries that tell of every request what our own events tell better; heard with TRACE only.
_TALKATIVE = ("httpx", "httpcore", "asyncio", "uvicorn", "sqlalchemy", "psycopg")


def fields(**values: object) -> dict[str, object]:
    """What an event is about, as the `extra` of a logging call; any value with a sensible `str` will do."""
    return {_FIELDS: values}


class JsonFormatter(logging.Formatter):
    """One JSON object per line, in ASCII, so that no terminal, pipe or file can garble it."""

    def __init__(self, node_name: str) -> None:
        super().__init__()
        self._node_name = node_name

    def format(self, record: logging.LogRecord) -> str:
        event, about = _event_of(record)
        line: dict[str, object] = {
            "time": _time_of(record),
            "level": record.levelname,
            "event": event,
            "node": self._node_name,
            "logger": record.name,
        }
        # A field cannot pose as one of the above.
        line |= {(f"{key}_" if key in line else key): value for key, value in about.items()}
        if trace := _trace_of(self, record):
            line["trace"] = trace
        return _without_passwords(_as_json(line))


class PlainFormatter(logging.Formatter):
    """`time LEVEL event key=value …` for people; a trace follows on lines of its own."""

    def format(self, record: logging.LogRecord) -> str:
        event, about = _event_of(record)
        pairs = "".join(f" {key}={_plain(value)}" for key, value in about.items())
        line = f"{_time_of(record)} {record.levelname} {event}{pairs}"
        if trace := _trace_of(self, record):
            line += "\n" + trace
        return _without_passwords(line)


def configure_logging(config: Logging, node_name: str) -> None:
    """Send all log records of the process where the configuration says; may be called again.

    Raises StartError when the log file cannot be opened.
    """
    handlers = list(_handlers(config, node_name))
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
        old.close()
    for new in handlers:
        root.addHandler(new)
    root.setLevel(_LEVELS[config.level])
    for name in _TALKATIVE:
        level = logging.NOTSET if config.level is LogLevel.TRACE else max(logging.WARNING, _LEVELS[config.level])
        logging.getLogger(name).setLevel(level)
    logging.captureWarnings(capture=True)


def _handlers(config: Logging, node_name: str) -> Iterator[logging.Handler]:
    for destination in config.destinations:
        stream = {LogDestination.STDERR: sys.stderr, LogDestination.STDOUT: sys.stdout}.get(destination)
        handler = logging.StreamHandler(stream) if stream is not None else _file_handler(config)
        is_terminal = stream is not None and stream.isatty()
        is_plain = config.format is LogFormat.PLAIN or (config.format is LogFormat.AUTO and is_terminal)
        handler.setFormatter(PlainFormatter() if is_plain else JsonFormatter(node_name))
        yield handler


def _file_handler(config: Logging) -> logging.Handler:
    from logging.handlers import RotatingFileHandler

    path = config.directory / f"{config.file_name}.log"
    try:
        config.directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        handler = RotatingFileHandler(
            path,
            maxBytes=config.max_file_bytes,
            backupCount=config.max_compressed_files,
            encoding="utf-8",
            errors="backslashreplace",
        )
    except OSError as error:
        raise StartError(f"The log file {path} cannot be opened: {error.strerror}.") from error
    handler.namer = lambda name: f"{name}.gz"
    handler.rotator = _compress
    return handler


def _compress(source: str, target: str) -> None:
    import gzip
    import shutil

    with Path(source).open("rb") as plain, gzip.open(target, "wb", compresslevel=6) as compressed:
        shutil.copyfileobj(plain, compressed)
    Path(source).unlink()


def _event_of(record: logging.LogRecord) -> tuple[str, Mapping[str, Any]]:
    about: Mapping[str, Any] = getattr(record, _FIELDS, {})
    text = record.getMessage()
    if _EVENT_NAME.fullmatch(text):
        return text, about
    return "message", {"text": text, **about}


def _time_of(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def _trace_of(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    parts = []
    if record.exc_info:
        parts.append(formatter.formatException(record.exc_info))
    if record.stack_info:
        parts.append(formatter.formatStack(record.stack_info))
    return "\n".join(parts)


def _as_json(line: dict[str, object]) -> str:
    try:
        return json.dumps(line, default=str, allow_nan=False)
    except (TypeError, ValueError):
        # A key that is no text, a number that is no JSON, a value within itself: a log line must come out all the same.
        return json.dumps({key: value if isinstance(value, str) else str(value) for key, value in line.items()})


def _plain(value: object) -> str:
    text = str(value)
    return text if _BARE_VALUE.fullmatch(text) else json.dumps(text, ensure_ascii=False)


def _without_passwords(line: str) -> str:
    # Errors of database and HTTP libraries may quote the address they failed to reach.
    return _URL_PASSWORD.sub(r"\1********@", line)
