"""Keep glibc from mapping and unmapping every receive buffer, which doubles the cost of streaming."""

from __future__ import annotations

import ctypes

# From malloc.h; both take an int.
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3

_MMAP_THRESHOLD_BYTES = 64 << 20
_TRIM_THRESHOLD_BYTES = 128 << 20


def keep_large_buffers() -> bool:
    """Let the allocator reuse large buffers instead of returning each to the kernel; call it once, at start.

    Returns whether it took effect. Where the C library has no such setting (musl, macOS) nothing happens.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    succeeded = [mallopt(_M_MMAP_THRESHOLD, _MMAP_THRESHOLD_BYTES), mallopt(_M_TRIM_THRESHOLD, _TRIM_THRESHOLD_BYTES)]
    return all(succeeded)
