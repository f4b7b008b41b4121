"""The page that shows the document: one file, which the browser lets do nothing but ask this service."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from pathlib import Path

_FILE = Path(__file__).with_name("page.html")


@cache
def html() -> str:
    return _FILE.read_text(encoding="utf-8")


def headers() -> dict[str, str]:
    """Of the answer: no script or style but those of the file itself, nothing from anywhere else."""
    policy = (
        "default-src 'none'",
        f"script-src {_hash_of('script')}",
        f"style-src {_hash_of('style')}",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
    return {
        "content-security-policy": "; ".join(policy),
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cache-control": "no-store",
    }


def _hash_of(element: str) -> str:
    match = re.search(rf"<{element}>(.*?)</{element}>", html(), re.DOTALL)
    assert match is not None
    return f"'sha256-{base64.b64encode(hashlib.sha256(match[1].encode()).digest()).decode()}'"
