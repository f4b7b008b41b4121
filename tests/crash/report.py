"""How a crash run goes, and what it found."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tests.crash.ledger import Ledger
from tests.support.metering import TransferMeter

MIB = 1 << 20
#: What a receiver makes durable at once, and so may lose of a transfer.
WINDOW_BYTES = 8 * MIB
#: Two batches of 1 MiB in the receiver's memory, and the buffers of the sockets between the two.
IN_FLIGHT_BYTES = 8 * MIB


@dataclass(frozen=True)
class Plan:
    """How a run goes. The link carries `bytes_per_second` in each direction of each connection."""

    kills: int = 100
    seed: int = field(default_factory=lambda: random.randrange(1_000_000))
    large_bytes: int = 200 * MIB
    up_bytes: int = 48 * MIB
    bytes_per_second: int = 120 * MIB
    seconds_between_kills: tuple[float, float] = (0.2, 2.0)
    longest_downtime_seconds: float = 0.5
    #: How long after the last kill everything has to have arrived.
    settling_seconds: float = 120.0


@dataclass
class Report:
    """What a run found. Without problems every promise was kept."""

    plan: Plan
    ledger: Ledger
    meter: TransferMeter
    killed: Counter[str] = field(default_factory=Counter)
    interrupted: Counter[str] = field(default_factory=Counter)
    longest_start_seconds: float = 0.0
    seconds: float = 0.0
    #: From the last start until everything acknowledged until then was consumed everywhere.
    settling_seconds: float = 0.0
    problems: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """For people."""
        repeats = self.meter.repeats()
        kills = sum(self.killed.values())
        yield f"seed {self.plan.seed}: {kills} kills in {self.seconds:.0f} s: {_counts(self.killed)}"
        yield f"interrupted: {_counts(self.interrupted)}"
        yield f"{self.ledger.publications} publications acknowledged, {self.ledger.consumptions} consumptions"
        yield (
            f"{sum(self.meter.moved()) / MIB:.0f} MiB sent; sent again per interrupted transfer ({len(repeats)}): "
            f"{max(repeats, default=0) / MIB:.2f} MiB at most, {_mean(repeats) / MIB:.2f} on average; "
            f"per kill {sum(repeats) / max(kills, 1) / MIB:.2f} MiB "
            f"(bound per transfer: {WINDOW_BYTES // MIB} MiB window + {IN_FLIGHT_BYTES // MIB} MiB in flight)"
        )
        yield f"longest start {self.longest_start_seconds:.2f} s; all consumed {self.settling_seconds:.1f} s after the last"
        yield from (f"PROBLEM: {problem}" for problem in self.problems)


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counter.most_common())


def _mean(values: Sequence[int]) -> float:
    return sum(values) / len(values) if values else 0.0
