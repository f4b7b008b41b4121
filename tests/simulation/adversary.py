"""Whoever pulls plugs, cuts wires and sets clocks."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from tests.simulation.network import Faults
from tests.simulation.world import Edge, World

_DAY_MS = 24 * 3600 * 1000


class Adversary:
    """Breaks what the seed picked until told to stop, then makes everything work again."""

    def __init__(self, world: World, random: Random, on_wipe: Callable[[Edge], None]) -> None:
        self._world = world
        self._random = random
        self._on_wipe = on_wipe
        self._choose_faults()
        self.is_stopped = False

    def _choose_faults(self) -> None:
        """Not all of them at once: a world in which everything fails goes nowhere interesting."""
        random, faults, troubles = self._random, self._world.faults, self._world.troubles

        def chance(highest: float) -> float:
            return random.uniform(0, highest) if random.random() < 0.5 else 0.0

        faults.lost_request, faults.lost_answer = chance(0.2), chance(0.25)
        faults.held, faults.repeated, faults.cut = chance(0.1), chance(0.3), chance(0.5)
        faults.latency_seconds = random.choice([0.005, 0.05, 0.5, 2.0])
        troubles.lost_wake, troubles.disk_full = chance(0.3), chance(0.05)
        actions: list[Callable[[], None]] = [
            self._crash_edge,
            self._crash_cloud,
            self._cut_off,
            self._set_clock,
            self._wipe,
        ]
        self._actions = [action for action in actions if random.random() < 0.5]
        self._pace_seconds = random.choice([1, 4, 15])

    def run(self) -> None:
        while not self.is_stopped:
            self._world.scheduler.sleep(self._random.expovariate(1 / self._pace_seconds))
            # Time stands still while anybody has something to do, and that is when it matters.
            self._world.scheduler.let_others_step(self._random.randint(0, 100))
            if self._actions and not self.is_stopped:
                action = self._random.choice(self._actions)
                self._world.scheduler.note(f"--- {action.__name__}")
                action()

    def make_peace(self) -> None:
        """Nothing fails any more. Clocks stay as wrong as they are, but go like others."""
        world = self._world
        self.is_stopped = True
        calm = Faults()
        for name in ("lost_request", "lost_answer", "held", "repeated", "cut", "latency_seconds"):
            setattr(world.faults, name, getattr(calm, name))
        world.troubles.lost_wake = world.troubles.disk_full = 0.0
        for index, process in enumerate(world.replicas):
            if process is None:
                world.start_replica(index)
        for edge in world.edges:
            edge.link.is_cut_off = False
            if edge.process is None:
                world.start_edge(edge)

    def _crash_edge(self) -> None:
        edge = self._random.choice(self._world.edges)
        if edge.process is not None:
            self._world.stop_edge(edge)
            self._later(lambda: edge.process is None, lambda: self._world.start_edge(edge))

    def _crash_cloud(self) -> None:
        index = self._random.randrange(len(self._world.replicas))
        if self._world.replicas[index] is not None:
            self._world.stop_replica(index)
            self._later(lambda: self._world.replicas[index] is None, lambda: self._world.start_replica(index))

    def _cut_off(self) -> None:
        edge = self._random.choice(self._world.edges)
        edge.link.is_cut_off = True

        def restore() -> None:
            edge.link.is_cut_off = False

        self._later(lambda: edge.link.is_cut_off, restore)

    def _set_clock(self) -> None:
        machine = self._random.choice(self._world.machines)
        machine.clock.error_ms = self._random.choice([0, -30_000, 60_000, -3 * _DAY_MS, 3 * _DAY_MS])

    def _wipe(self) -> None:
        if self._random.random() < 0.3:
            edge = self._random.choice(self._world.edges)
            self._world.wipe_edge(edge)
            self._on_wipe(edge)
            self._later(lambda: edge.process is None, lambda: self._world.start_edge(edge))

    def _later(self, is_needed: Callable[[], bool], action: Callable[[], None]) -> None:
        seconds = self._random.choice([0.0, 0.5, 5.0, 40.0])

        def act() -> None:
            self._world.scheduler.sleep(seconds)
            if is_needed():
                action()

        self._world.scheduler.start("adversary later", act)
