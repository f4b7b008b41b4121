"""The `edgesync-css` command."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from common.runtime.commands import Program, run
from css.config import CssConfig, load_css_config


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    program = Program(
        name="edgesync-css",
        summary="Cloud Sync Service.",
        load_config=load_css_config,
        serve=_serve,
    )
    return run(program, argv)


def _serve(config: CssConfig) -> int:
    # The server is imported when there is something to serve: `config` and `--help` answer at once.
    from css.app import serve

    return serve(config)


if __name__ == "__main__":
    sys.exit(main())
