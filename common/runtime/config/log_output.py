"""What is logged, in which form, and where to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from common.runtime.setting_kinds import choice, choices, directory, file_name, integer
from common.runtime.settings import setting


class LogLevel(StrEnum):
    """The least important messages that are logged, from none to all."""

    NONE = "NONE"
    STATUS = "STATUS"
    FATAL = "FATAL"
    ERROR = "ERROR"
    WARNING = "WARNING"
    INFO = "INFO"
    DEBUG = "DEBUG"
    TRACE = "TRACE"


class LogDestination(StrEnum):
    """Where log lines go."""

    STDERR = "stderr"
    STDOUT = "stdout"
    FILE = "file"


class LogFormat(StrEnum):
    """How a log line reads."""

    #: Plain on a terminal, JSON elsewhere.
    AUTO = "auto"
    PLAIN = "plain"
    JSON = "json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Logging:
    """Logging."""

    level: LogLevel = setting(
        "LogLevel",
        "LOG_LEVEL",
        choice(LogLevel, synonyms={"xtrace": LogLevel.TRACE}),
        LogLevel.INFO,
        "Least important messages logged; STATUS and FATAL are the same; TRACE adds those of the libraries.",
    )
    destinations: tuple[LogDestination, ...] = setting(
        "LogTraceDestination",
        "LOG_TRACE_DESTINATION",
        choices(
            choice(
                LogDestination,
                synonyms={"syslog": LogDestination.STDERR, "glog": LogDestination.STDERR},
                cautions={word: f"{word} has no effect in this version; stderr is used" for word in ("syslog", "glog")},
            )
        ),
        (LogDestination.STDERR,),
        "Where log lines go.",
    )
    format: LogFormat = setting(
        "LogFormat",
        "LOG_FORMAT",
        choice(LogFormat),
        LogFormat.AUTO,
        "Form of a log line; auto: plain on a terminal, json elsewhere.",
    )
    directory: Path = setting(
        "LogRootPath",
        "LOG_ROOT_PATH",
        directory(),
        Path("/var/edge-sync-service/log"),
        "Directory of the log file, made when it is missing.",
    )
    file_name: str = setting(
        "LogFileName", "LOG_FILE_NAME", file_name(), "sync-service", "Name of the log file, without its ending .log."
    )
    max_file_bytes: int = setting(
        "LogTraceFileSizeKB",
        "LOG_TRACE_FILE_SIZE_KB",
        integer(1, 4 * 1024 * 1024, unit="KiB", scale=1024),
        20000 * 1024,
        "Size at which the log file is compressed and begun anew.",
    )
    max_compressed_files: int = setting(
        "MaxCompressedlLogTraceFilesNumber",
        "MAX_COMPRESSED_LOG_TRACE_FILES_NUMBER",
        integer(1, 10000),
        50,
        "Number of compressed log files kept (the odd spelling is the established one).",
        aliases=("MaxCompressedLogTraceFilesNumber",),
    )
