"""Seeds that found a defect when they were new. Changing the workload changes what they play; the newest ones are worth most."""

from __future__ import annotations

#: Seed to what went wrong.
REGRESSIONS: dict[int, str] = {}
