"""Seeds that found a defect when they were new. Changing the workload changes what they play; the newest ones are worth most."""

from __future__ import annotations

#: Seed to what went wrong.
REGRESSIONS: dict[int, str] = {
    401: "an update that arrives after the deletion of an object the cloud never saw is fetched for ever",
    638: "data that was withdrawn and comes again in the same instance cannot be written where the first copy is sealed",
}
