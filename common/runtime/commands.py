"""The command line both services have: serve, look at the configuration, and what a service adds."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, NoReturn, Protocol, TypeVar

from common.runtime.config.log_output import Logging
from common.runtime.logs import configure_logging, fields
from common.runtime.settings import ConfigError, StartError
from common.runtime.settings_reader import DEFAULT_CONFIG_FILE, Loaded

DISTRIBUTION = "edgesync"
FAILED_START = 1

_EMPTY = "(empty)"

_log = logging.getLogger(__name__)


class NodeConfig(Protocol):
    """What every service's configuration has."""

    @property
    def logging(self) -> Logging: ...

    @property
    def node_name(self) -> str: ...


C = TypeVar("C", bound=NodeConfig)
C_co = TypeVar("C_co", bound=NodeConfig, covariant=True)


class LoadConfig(Protocol[C_co]):
    """Reads a service's configuration; raises ConfigError with everything that is wrong."""

    def __call__(self, path: Path | None, environ: Mapping[str, str], *, strict: bool = False) -> Loaded[C_co]: ...


# Without slots: on Python 3.11 a frozen generic class with slots cannot be called as Command[CssConfig](…).
@dataclass(frozen=True)
class Command(Generic[C]):
    """A sub-command of one service; `add_arguments` may add further sub-commands."""

    name: str
    summary: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    #: Returns the exit status; may raise StartError.
    run: Callable[[C, argparse.Namespace], int]


@dataclass(frozen=True)
class Program(Generic[C]):
    """One service as a program."""

    name: str
    summary: str
    load_config: LoadConfig[C]
    #: Serves until stopped and returns the exit status; raises StartError when it cannot start.
    serve: Callable[[C], int]
    commands: tuple[Command[C], ...] = ()


def run(program: Program[C], argv: Sequence[str] | None = None) -> int:
    """Do what the command line says and return the exit status.

    98 and 99 are for a configuration that is invalid or cannot be loaded, 1 for anything else that keeps the service
    from starting; each problem is one line on standard error. A wrong command line exits with 2.
    """
    arguments = _parser(program).parse_args(argv)
    try:
        return _perform(program, arguments)
    except ConfigError as error:
        for problem in error.problems:
            _complain(program, problem)
        return error.exit_status
    except StartError as error:
        _complain(program, str(error))
        return FAILED_START


def _perform(program: Program[C], arguments: argparse.Namespace) -> int:
    if (arguments.command, arguments.config_command) == ("config", "check"):
        return _check(program, arguments)
    loaded = program.load_config(arguments.config_file, os.environ, strict=arguments.strict)
    if arguments.command is None:
        return _serve(program, loaded)
    for warning in loaded.warnings:
        _complain(program, f"warning: {warning}")
    if arguments.command == "config":
        return _show(loaded)
    # A command reports by what it prints; the service's log is not its place.
    logging.getLogger().setLevel(logging.ERROR)
    command = next(each for each in program.commands if each.name == arguments.command)
    return command.run(loaded.config, arguments)


def _serve(program: Program[C], loaded: Loaded[C]) -> int:
    configure_logging(loaded.config.logging, loaded.config.node_name)
    for warning in loaded.warnings:
        _log.warning("configuration_warning", extra=fields(warning=warning))
    return program.serve(loaded.config)


def _check(program: Program[C], arguments: argparse.Namespace) -> int:
    try:
        loaded = program.load_config(arguments.config_file, os.environ, strict=arguments.strict)
    except ConfigError as error:
        for problem in error.problems:
            _say(f"error: {problem}")
        return 1
    for warning in loaded.warnings:
        _say(f"warning: {warning}")
    _say("the configuration is valid")
    return 0


def _show(loaded: Loaded[C]) -> int:
    key_width = max(len(each.key) for each in loaded.settings)
    value_width = min(40, max(len(each.value) for each in loaded.settings))
    for each in loaded.settings:
        value = each.value or _EMPTY
        _say(f"{each.key:<{key_width}} {value:<{value_width}} ({each.origin})")
    return 0


def _parser(program: Program[C]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=program.name,
        description=program.summary,
        epilog=_examples(program.name),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "-c",
        dest="config_file",
        metavar="FILE",
        type=Path,
        help=f"configuration file (default: {DEFAULT_CONFIG_FILE}, if there is one)",
    )
    parser.add_argument("--strict", action="store_true", help="treat unknown keys of the file as errors")
    parser.add_argument("--version", action=_ShowVersion, nargs=0, help="show the version and exit")
    parser.set_defaults(config_command=None)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands (without one: serve)")
    config = commands.add_parser("config", help="look at the configuration")
    config_commands = config.add_subparsers(dest="config_command", metavar="COMMAND", required=True)
    config_commands.add_parser("show", help="print every setting, its value (secrets masked) and where it was set")
    config_commands.add_parser("check", help="print what is wrong; exit with 0 when nothing is, otherwise with 1")
    for each in program.commands:
        each.add_arguments(commands.add_parser(each.name, help=each.summary))
    return parser


def _examples(name: str) -> str:
    return f"""\
examples:
  {name}                              serve, configured by {DEFAULT_CONFIG_FILE} and the environment
  {name} -c sync.conf                 serve, configured by this file and the environment
  {name} -c sync.conf config check    say what is wrong with the configuration
  {name} -c sync.conf config show     say which values apply, and why

exit status: 0 stopped as asked, 1 could not start, 2 wrong command line,
98 configuration invalid, 99 configuration could not be loaded
"""


class _ShowVersion(argparse.Action):
    """`--version`, which looks the version up only when asked."""

    def __call__(self, parser: argparse.ArgumentParser, *_unused: object) -> NoReturn:
        from importlib.metadata import PackageNotFoundError, version

        try:
            number = version(DISTRIBUTION)
        except PackageNotFoundError:
            number = "(not installed)"
        _say(f"{parser.prog} {number}")
        parser.exit()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def _complain(program: Program[C], line: str) -> None:
    sys.stderr.write(f"{program.name}: {line}\n")
