"""Small objects to publish."""

from __future__ import annotations

import itertools
import os

from bench.common import client

OBJECT_BYTES = 1024

_serial = itertools.count()


def requests_for(destination_type: str, count: int, size: int = OBJECT_BYTES) -> list[bytes]:
    """PUTs of new objects of random bytes, no two of this process alike."""
    return [
        client.put_object("bench", f"b{next(_serial)}", os.urandom(size), destinationType=destination_type)
        for _ in range(count)
    ]
