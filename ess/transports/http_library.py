"""httpx, without its command line: 3 MB that an edge has no use for, loaded wherever rich and pygments are installed."""

from __future__ import annotations

import sys

# What httpx does when they are missing, it does now as well.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]

import httpx  # noqa: E402 - after the line above

__all__ = ["httpx"]
