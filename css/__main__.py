"""The `edgesync-css` command."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from common.runtime import account_command
from common.runtime.commands import Command, Program, run
from css import enrolment_command
from css.config import CssConfig, load_css_config


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    program = Program(
        name="edgesync-css",
        summary="Cloud Sync Service.",
        load_config=load_css_config,
        serve=_serve,
        commands=(
            Command("account", account_command.SUMMARY, account_command.add_arguments, _account),
            Command("enrolment", enrolment_command.SUMMARY, enrolment_command.add_arguments, _enrolment),
        ),
    )
    return run(program, argv)


def _serve(config: CssConfig) -> int:
    # The server is imported when there is something to serve: `config` and `--help` answer at once.
    from css.app import serve

    return serve(config)


def _account(config: CssConfig, arguments: argparse.Namespace) -> int:
    from css.store.open import open_database

    return account_command.run(open_database(config), arguments)


def _enrolment(config: CssConfig, arguments: argparse.Namespace) -> int:
    from css.store.open import open_database

    return enrolment_command.run(open_database(config), config.enrolment, arguments)


if __name__ == "__main__":
    sys.exit(main())
