"""The `edgesync-ess` command."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from common.runtime import account_command
from common.runtime.commands import Command, Program, run
from ess.config import EssConfig, load_ess_config


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    program = Program(
        name="edgesync-ess",
        summary="Edge Sync Service.",
        load_config=load_ess_config,
        serve=_serve,
        commands=(Command("account", account_command.SUMMARY, account_command.add_arguments, _account),),
    )
    return run(program, argv)


def _serve(config: EssConfig) -> int:
    # The server is imported when there is something to serve: `config` and `--help` answer at once.
    from ess.app import serve

    return serve(config)


def _account(config: EssConfig, arguments: argparse.Namespace) -> int:
    from ess.store.open import open_database

    return account_command.run(open_database(config), arguments)


if __name__ == "__main__":
    sys.exit(main())
