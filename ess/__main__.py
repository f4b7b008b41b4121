"""The `edgesync-ess` command."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from common.runtime.commands import Program, run
from ess.config import EssConfig, load_ess_config


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    program = Program(
        name="edgesync-ess",
        summary="Edge Sync Service.",
        load_config=load_ess_config,
        serve=_serve,
    )
    return run(program, argv)


def _serve(config: EssConfig) -> int:
    # The server is imported when there is something to serve: `config` and `--help` answer at once.
    from ess.app import serve

    return serve(config)


if __name__ == "__main__":
    sys.exit(main())
