"""One attack while an honest caller goes on asking: before, during and after."""

from __future__ import annotations

import asyncio
import multiprocessing
import resource
import time
from collections import Counter
from dataclasses import dataclass
from multiprocessing.connection import Connection

from tests.exhaustion.attacks import ATTACKS, OF_ATTEMPTS, Attacker, Outcomes
from tests.exhaustion.honest import Experience, ask_steadily
from tests.exhaustion.target import Address, Target

_RAMP_SECONDS = 2.0
_RECOVERY_SECONDS = 60.0
_LONGEST_SECONDS = 300.0


@dataclass(frozen=True)
class Pace:
    """How hard the honest caller works, and how long each phase lasts."""

    per_second: float
    seconds: float


@dataclass(frozen=True)
class Siege:
    """What was seen of one attack."""

    name: str
    count: int
    before: Experience
    during: Experience
    after: Experience
    outcomes: Outcomes
    most_open_files: int
    peak_bytes: int
    #: Files open before and after: connections among them.
    open_files_before: int
    open_files_after: int

    @property
    def has_recovered(self) -> bool:
        return self.open_files_after <= self.open_files_before + 16


def besiege(target: Target, name: str, count: int, pace: Pace) -> Siege:
    """Attackers are another process: what they cost is not to slow down the honest caller's clock."""
    before = asyncio.run(ask_steadily(target.address, pace.seconds, pace.per_second))
    files_before = target.open_files()
    give_up_at = time.monotonic() + _LONGEST_SECONDS
    target.forget_peak()
    ours, theirs = multiprocessing.Pipe()
    attack = multiprocessing.Process(target=_attack, args=(theirs, name, target.address, count), daemon=True)
    attack.start()
    theirs.close()
    time.sleep(_RAMP_SECONDS)
    during = asyncio.run(ask_steadily(target.address, pace.seconds, pace.per_second))
    most_files = target.open_files()
    while name in OF_ATTEMPTS and not ours.poll(0) and time.monotonic() < give_up_at:
        during.add(asyncio.run(ask_steadily(target.address, pace.seconds, pace.per_second)))
    ours.send("stop")
    outcomes: Outcomes = ours.recv() if ours.poll(_RECOVERY_SECONDS) else Counter({"attacker hung": 1})
    attack.join(5)
    attack.kill()
    peak_bytes = target.peak_bytes()
    after = asyncio.run(ask_steadily(target.address, pace.seconds, pace.per_second))
    return Siege(
        name,
        count,
        before,
        during,
        after,
        outcomes,
        most_files,
        peak_bytes,
        files_before,
        _settled_files(target, files_before),
    )


def _settled_files(target: Target, wanted: int) -> int:
    """Open files, once there are as few as before, or after some time."""
    deadline = time.monotonic() + _RECOVERY_SECONDS
    while target.open_files() > wanted + 8 and time.monotonic() < deadline:
        time.sleep(0.2)
    return target.open_files()


def _attack(control: Connection, name: str, address: Address, count: int) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

    async def run() -> Outcomes:
        attacker = Attacker(address, count)
        loop = asyncio.get_running_loop()
        loop.add_reader(control.fileno(), attacker.stopped.set)
        await ATTACKS[name](attacker)
        return attacker.outcomes

    control.send(asyncio.run(run()))
    control.recv()
