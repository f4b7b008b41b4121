"""What glibc does with large buffers: kept while they are wanted again, given back afterwards."""

from __future__ import annotations

import ctypes

# From malloc.h; all take an int.
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8

_MMAP_THRESHOLD_BYTES = 64 << 20
_TRIM_THRESHOLD_BYTES = 128 << 20
#: Threads of Python allocate one at a time anyway, and what is free at the top of a thread's own arena is never given back.
_ARENAS = 1


def keep_large_buffers() -> bool:
    """Let the allocator reuse large buffers instead of returning each to the kernel; call it once, at start.

    Mapping and unmapping every receive buffer doubles the cost of streaming.
    Returns whether it took effect. Where the C library has no such setting (musl, macOS) nothing happens.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    wanted = {
        _M_MMAP_THRESHOLD: _MMAP_THRESHOLD_BYTES,
        _M_TRIM_THRESHOLD: _TRIM_THRESHOLD_BYTES,
        _M_ARENA_MAX: _ARENAS,
    }
    return all(mallopt(name, value) for name, value in wanted.items())


def give_back_unused_memory() -> bool:
    """Return to the kernel what is free; a burst of downloads would otherwise stay resident for good.

    Takes a few milliseconds. Returns whether the C library has such a call.
    """
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return False
    trim(0)
    return True
