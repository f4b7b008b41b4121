"""The allocator's settings, in a process of its own."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path


def test_it_takes_effect_on_glibc_and_does_no_harm_elsewhere() -> None:
    program = """
from common.runtime.malloc import give_back_unused_memory, keep_large_buffers
print(keep_large_buffers() and give_back_unused_memory())
"""
    root = Path(__file__).parents[2]

    answered = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, cwd=root)

    assert answered.stdout.strip() == str(platform.libc_ver()[0] == "glibc")
